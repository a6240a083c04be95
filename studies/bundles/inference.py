"""Runs of an exported generator: translations of a folder of images or other inputs, or samples from latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...evaluators.cost.activation_memory import peak_activation_bytes
from ...evaluators.cost.device import cpus_allowed
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.export.pictures.pixels import PixelForm
from ...gan_models.files.errors import UserError
from ...gan_models.training.loop import best_device
from ..inference.entries import EntryRun, takes_entries
from ..inference.output_pictures import write_output
from ..inference.placements import Fit
from ..inference.translation import (
    DRAWN_KINDS,
    Half,
    OpenedGenerator,
    Translated,
    Translation,
    TranslationOptions,
    check_label,
    drawn_inputs,
)
from .architecture import Architecture, BundleError
from .bundle import (
    UntrustedCode,
    check_code,
    check_files,
    load_bundle,
    load_dense,
    read_architecture,
    read_card,
    untrusted_file,
)
from .format_files import FileGenerator, outputs_of
from .latency.measured import ROUNDS, measure_table, runtimes_of
from .latency.table import LatencyTable


def benchmark_bundle(
    path: str | Path,
    threads: int | None = None,
    catalog_only: bool = False,
    rounds: int = ROUNDS,
    on_step: Callable[[str], None] = lambda what: None,
) -> LatencyTable:
    """Measure a bundle's network and the dense one, in the runtimes of its files and all their data types.

    Args:
        path: The bundle.
        threads: Threads of each runtime; None: all CPUs.
        catalog_only: As for `load_bundle`.
        rounds: Samples of each number.
        on_step: Told what is prepared next.

    Raises:
        BundleError: It is not a bundle, or its network cannot be built.
        UserError: No thread.
    """
    pruned, dense = load_bundle(path, catalog_only), load_dense(path, catalog_only)
    folder = Path(path).expanduser()
    inputs, formats = read_architecture(folder).inputs, tuple(read_card(folder).files)
    return measure_table(
        pruned, dense, inputs, runtimes_of(formats), cpus_allowed() if threads is None else threads, rounds, on_step
    )


def run_bundle(
    path: str | Path,
    input_dir: str | Path | None,
    out_dir: str | Path,
    batch_size: int = 8,
    device: str = "auto",
    half: Half = "",
    n: int = 16,
    seed: int = 0,
    catalog_only: bool = False,
    format: str = "",
    fit: Fit = "",
    tile: int = 0,
    label: int | None = None,
) -> Translated:
    """Run the generator of a bundle and write PNGs.

    Args:
        path: The bundle.
        input_dir: An image, or a folder of images at any depth; for a generator of several images, masks, label maps,
            vectors or sounds, a folder with a subfolder per input with files of the same names; None for a generator
            of latents and classes alone.
        out_dir: Where PNGs of the same names and sizes (times the generator's scale) go; made if it does not exist.
        batch_size: Most images at once.
        device: auto, cpu, cuda.
        half: For aligned pictures (A|B side by side): the half that is the input; empty takes the whole image.
        n: Samples of a generator that starts from latents.
        seed: Of latents.
        catalog_only: As for `load_bundle`.
        format: Run the bundle's file of this export format in its runtime, instead of the PyTorch network.
        fit: How images of other sizes are brought to the trained one: `crop`, `pad` or `stretch`. Empty: each image
            runs at its own size, padded to the generator's stride; if the generator has a fixed size, `stretch`, or
            `tile` if it enlarges: at the image's own size in tiles of the trained one.
        tile: Side of the tiles that larger images are computed in; 0: tiles only if memory asks for them.
        label: The class of all images, of a generator that takes one; None: each class in turn.

    Raises:
        BundleError: The bundle is damaged, or has no file of the format.
        UserError: No images, a wrong option, or outputs that are not images.
    """
    options = TranslationOptions(batch_size, half, fit, tile, seed, label)
    if n < 1:
        raise UserError(f"number of samples is not possible: got {n}; expected 1 or more")
    architecture, out = read_architecture(Path(path).expanduser()), Path(out_dir).expanduser()
    check_code(Path(path), architecture, catalog_only)
    inputs = architecture.inputs
    check_label(inputs, label)
    entries = takes_entries(inputs)
    if entries and input_dir is None:
        names = ", ".join(f"{one.name}/" for one in inputs.inputs if one.is_map or one.kind not in DRAWN_KINDS)
        raise UserError(f"this generator takes {inputs}: give the folder of {names} with --input")
    if entries and (half or fit or tile):
        raise UserError(f"this generator takes {inputs}, whole: leave out --half, --fit and --tile")
    if not entries and inputs.pixels is None and input_dir is not None:
        raise UserError("this generator starts from latents: leave out --input, say how many with --samples")
    if inputs.pixels is not None and input_dir is None:
        raise UserError("this generator translates images: give their folder with --input")
    if not entries and inputs.pixels is None and (half or fit or tile):
        raise UserError("this generator starts from latents: leave out --half, --fit and --tile, which are for images")
    if catalog_only and format and (why := untrusted_file(format)):
        raise UntrustedCode(f"format {format} of {path} is not run without trust in the bundle: {why}")
    opened = _file_of(path, format, architecture) if format else _network_of(path, architecture, catalog_only, device)
    if input_dir is None:
        return _sample(opened, out, batch_size, n, seed, label)
    if entries:
        return EntryRun(opened, Path(input_dir).expanduser(), out, batch_size, seed, label).run()
    return Translation(opened, Path(input_dir).expanduser(), out, options).run()


def _network_of(path: str | Path, architecture: Architecture, catalog_only: bool, device_name: str) -> OpenedGenerator:
    device = best_device(device_name)
    model, inputs = load_bundle(path, catalog_only), architecture.inputs
    height, width = inputs.pixels or (1, 1)
    pixel_bytes = peak_activation_bytes(model, inputs.examples(1)) / (height * width)
    model = model.to(device)
    return OpenedGenerator(
        lambda *tensors: outputs_of(model, *(x.to(device) for x in tensors)),
        inputs, architecture.output_range, device, pixel_bytes, color=architecture.output_color,
    )  # fmt: skip


def _file_of(path: str | Path, name: str, architecture: Architecture) -> OpenedGenerator:
    folder = check_files(path)
    files = read_card(folder).files
    if name not in files:
        EXPORTERS.find(name)  # raises: says which there are
        raise BundleError(
            f"{folder} has no file of format {name}: it has {', '.join(files) or 'none'}; export it again with "
            f"--formats {','.join([*files, name])}"
        )
    inputs = architecture.inputs.at_size(files[name].size or 0)
    form = PixelForm(inputs, architecture.output_range) if files[name].uint8 else None
    generate = FileGenerator(EXPORTERS.find(name), folder / files[name].file, form)
    title, color = files[name].file, architecture.output_color
    return OpenedGenerator(generate, inputs, architecture.output_range, title=title, color=color)


def _sample(opened: OpenedGenerator, out: Path, batch_size: int, n: int, seed: int, label: int | None) -> Translated:
    drawn = drawn_inputs(opened.inputs, n, seed, label)
    out.mkdir(parents=True, exist_ok=True)
    classes = [drawn[one.name].tolist() for one in opened.inputs.of_kind("label")]
    of_class = ["".join(f"-class{labels[i]}" for labels in classes) for i in range(n)]
    names = [f"sample-{seed}-{i:05d}{of_class[i]}.png" for i in range(n)]
    written: list[str] = []
    for start in range(0, n, batch_size):
        images = opened.generate(*(drawn[name][start : start + batch_size] for name in opened.inputs.names))
        written += [
            write_output(image, out / name, opened.bounds).name
            for name, image in zip(names[start:], images, strict=False)
        ]
    return Translated(out, tuple(written))
