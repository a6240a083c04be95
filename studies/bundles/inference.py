"""Runs of an exported generator: translations of a folder of images, or samples from latents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ...gan_models.data.picture_tree import PictureTree
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.files.errors import UserError
from ...gan_models.networks.specs import RANGES, Input, InputSpec
from ...gan_models.training.loop import best_device
from .architecture import Architecture, BundleError
from .bundle import check_code, check_files, load_bundle, read_architecture, read_card
from .format_files import FileGenerator, Generate, outputs_of

Half = Literal["", "A", "B"]
MODES = {1: "L", 3: "RGB"}
DRAWN = ("latent", "label")  # kinds of inputs that a user has no files for


@dataclass(frozen=True)
class Translated:
    """What came of a run.

    Attributes:
        folder: Where the images are.
        written: Their names.
        skipped: `name: reason` of inputs that could not be read.
    """

    folder: Path
    written: tuple[str, ...]
    skipped: tuple[str, ...] = ()


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
) -> Translated:
    """Runs the generator of a bundle and writes PNGs.

    Args:
        path: The bundle.
        input_dir: Images (PNG, JPEG, ...), resized to the bundle's input; for a generator of several images or masks, a
            subfolder per input with files of the same names; None for a generator of latents and labels alone.
        out_dir: Where PNGs of the same names go; made where it does not exist.
        batch_size: Images at once.
        device: auto, cpu, cuda.
        half: For aligned pictures (A|B side by side): the half that is the input; empty takes the whole image.
        n: Samples of a generator that starts from latents.
        seed: Of latents.
        catalog_only: As for `load_bundle`.
        format: Run the bundle's file of this export format in its runtime, in the place of the PyTorch network.

    Raises:
        BundleError: The bundle is damaged, or has no file of the format.
        ValueError: No images, a wrong option, or outputs that are no images.
    """
    if batch_size < 1 or n < 1:
        raise UserError(f"batch size {batch_size} and {n} samples: both must be 1 or more")
    if half not in ("", "A", "B"):
        raise UserError(f"half {half!r} is unknown; use A or B, or leave it out for whole images")
    architecture, out = read_architecture(Path(path).expanduser()), Path(out_dir).expanduser()
    check_code(Path(path), architecture, catalog_only)
    inputs = architecture.inputs
    _check_kinds(inputs)
    if inputs.pixels is None and input_dir is not None:
        raise UserError("this generator starts from latents: leave out --input, say how many with --samples")
    if inputs.pixels is not None and input_dir is None:
        raise UserError("this generator translates images: give their folder with --input")
    model = _file_of(path, format) if format else _network_of(path, catalog_only, best_device(device))
    if input_dir is None:
        return _sample(model, architecture, out, batch_size, n, seed)
    return _translate(model, architecture, Path(input_dir).expanduser(), out, batch_size, half, seed)


def _check_kinds(inputs: InputSpec) -> None:
    """Raise BundleError for inputs that are neither read from images nor drawn."""
    for one in inputs.inputs:
        if not (one.pictured or one.kind in DRAWN) or one.is_map:
            raise BundleError(
                f"the generator takes {one.kind}s ({one.name}), which cannot be read from images: call it in Python, "
                "as the bundle's card shows"
            )
        if one.pictured and one.shape[0] not in MODES:
            raise BundleError(f"the generator takes {one.shape[0]} channels; only 1 or 3 can be read from images")


def _network_of(path: str | Path, catalog_only: bool, device: torch.device) -> Generate:
    model = load_bundle(path, catalog_only).to(device)
    return lambda *inputs: outputs_of(model, *(x.to(device) for x in inputs))


def _file_of(path: str | Path, name: str) -> Generate:
    folder = check_files(path)
    files = read_card(folder).files
    if name not in files:
        EXPORTERS.find(name)  # raises: says which there are
        raise BundleError(
            f"{folder} has no file of format {name}: it has {', '.join(files) or 'none'}; export it again with "
            f"--formats {','.join([*files, name])}"
        )
    return FileGenerator(EXPORTERS.find(name), folder / files[name].file)


def _drawn(inputs: InputSpec, n: int, seed: int) -> dict[str, Tensor]:
    """Return n examples of each latent and label, by input: normally distributed, or each class in turn."""
    random = torch.Generator().manual_seed(seed)
    return {
        one.name: torch.randn(n, *one.shape, generator=random) if one.drawn else torch.arange(n) % one.classes
        for one in inputs.of_kind(*DRAWN)
    }


def _sample(model: Generate, architecture: Architecture, out: Path, batch_size: int, n: int, seed: int) -> Translated:
    inputs, bounds = architecture.inputs, architecture.output_range
    drawn = _drawn(inputs, n, seed)
    out.mkdir(parents=True, exist_ok=True)
    names = [f"sample-{seed}-{i:05d}.png" for i in range(n)]
    for start in range(0, n, batch_size):
        images = _outputs(model, bounds, *(drawn[name][start : start + batch_size] for name in inputs.names))
        for name, image in zip(names[start:], images, strict=False):
            image.save(out / name)
    return Translated(out, tuple(names))


def _translate(
    model: Generate, architecture: Architecture, folder: Path, out: Path, batch_size: int, half: Half, seed: int
) -> Translated:
    inputs, bounds = architecture.inputs, architecture.output_range
    if not folder.is_dir():
        raise UserError(f"input {folder} is not a folder; give a folder of images")
    if out.resolve() == folder.resolve():
        raise UserError(f"--out {out} is the folder of the inputs, which would be overwritten; give another")
    pictured = inputs.of_kind("image", "mask")
    skipped: list[str] = []
    entries = _entries(folder, pictured, skipped)
    if not entries:
        raise UserError(f"input {folder} holds no images")
    stems = [paths[0].stem for paths in entries]
    drawn = _drawn(inputs, len(entries), seed)
    out.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for batch in _read(entries, pictured, half, batch_size, skipped):
        places = [place for place, _ in batch]
        read = zip(pictured, zip(*(images for _, images in batch), strict=True), strict=True)
        given = {one.name: torch.stack(images) for one, images in read}
        given |= {name: values[places] for name, values in drawn.items()}
        for place, image in zip(places, _outputs(model, bounds, *(given[name] for name in inputs.names)), strict=True):
            path = entries[place][0]
            # a.jpg beside a.png: neither may overwrite the other
            name = f"{path.stem}.png" if stems.count(path.stem) == 1 else f"{path.name}.png"
            image.save(out / name)
            written.append(name)
    if not written:
        raise UserError(f"none of {len(entries)} images in {folder} can be read: {'; '.join(skipped[:3])}")
    return Translated(out, tuple(written), tuple(skipped))


def _entries(folder: Path, pictured: tuple[Input, ...], skipped: list[str]) -> list[tuple[Path, ...]]:
    """Return the files of each example: those of the folder, or one of each subfolder that is named as an input.

    Args:
        folder: The images; for several inputs, subfolders with files of the same names.
        pictured: The inputs that are read from files.
        skipped: Takes the names that are not there for every input.
    """
    if len(pictured) == 1:
        return [(path,) for path in _images(folder)]
    by_input = [{path.stem: path for path in _images(folder / one.name)} for one in pictured]
    for one, files in zip(pictured, by_input, strict=True):
        if not files:
            names = ", ".join(str(folder / each.name) for each in pictured)
            raise UserError(
                f"input {folder / one.name} holds no images; this generator takes {len(pictured)}: put them into "
                f"{names}, with the same names"
            )
    entries = []
    for stem, path in by_input[0].items():
        lacking = [one.name for one, files in zip(pictured, by_input, strict=True) if stem not in files]
        if lacking:
            skipped.append(f"{path.name}: no {' and no '.join(lacking)} of this name")
        else:
            entries.append(tuple(files[stem] for files in by_input))
    return entries


def _images(folder: Path) -> list[Path]:
    return [picture.path for picture in PictureTree(folder).pictures] if folder.is_dir() else []


def _read(
    entries: list[tuple[Path, ...]], pictured: tuple[Input, ...], half: Half, batch_size: int, skipped: list[str]
) -> Iterator[list[tuple[int, tuple[Tensor, ...]]]]:
    """Yield batches of (place among the entries, its images)."""
    batch: list[tuple[int, tuple[Tensor, ...]]] = []
    for place, paths in enumerate(entries):
        try:
            images = zip(paths, pictured, strict=True)
            batch.append((place, tuple(read_image(path, one, half) for path, one in images)))
        except UnidentifiedImageError:
            skipped.append(f"{paths[0].name}: not an image")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            skipped.append(f"{paths[0].name}: {' '.join(str(error).split()) or type(error).__name__}")
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def read_image(path: Path, taken: Input, half: Half = "") -> Tensor:
    """Return one image as the generator takes it: float32 (C, H, W), resized as in training.

    Args:
        path: The file.
        taken: The input: an image or a mask.
        half: The half of an aligned picture; empty: all of it.

    Raises:
        OSError, ValueError: It cannot be read, or is too narrow for two halves.
    """
    channels, height, width = taken.shape
    with Image.open(path) as file:
        picture = file.convert(MODES[channels])
    if half:
        if picture.width <= picture.height:
            raise UserError(f"{picture.width}x{picture.height} is too narrow for A|B side by side")
        middle = picture.width // 2
        left = 0 if half == "A" else middle
        picture = picture.crop((left, 0, left + middle, picture.height))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    values = np.array(picture, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1)
    low, high = taken.value_range or RANGES["image"]
    return torch.from_numpy(values.copy()).div_(255 / (high - low)).add_(low)


def to_picture(image: Tensor, bounds: tuple[float, float] = RANGES["image"]) -> Image.Image:
    """Return an image (1 or 3, H, W) as a picture.

    Args:
        image: The image.
        bounds: The values of black and white.

    Raises:
        ValueError: Another shape, or values that are not finite.
    """
    if image.dim() != 3 or len(image) not in MODES:
        raise UserError(f"outputs of shape {tuple(image.shape)} are no images of 1 or 3 channels")
    if not bool(torch.isfinite(image).all()):
        raise UserError("the generator's output is not finite")
    low, high = bounds
    values = image.float().cpu().clamp(low, high).sub(low).mul(255 / (high - low)).round().to(torch.uint8)
    pixels = values.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels)


def _outputs(model: Generate, bounds: tuple[float, float], *inputs: Tensor) -> list[Image.Image]:
    return [to_picture(image, bounds) for image in model(*inputs)]
