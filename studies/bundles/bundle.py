"""A bundle: a pruned generator as files that load and run without the study, ray, optuna or a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor, nn

from ...evaluators.cost.catalog import RUNTIMES
from ...gan_models.checkpoints.checkpoint import load_into, load_weights, save_weights
from ...gan_models.checkpoints.network_bounds import bounded, check_inputs, check_size
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.atomic_folders import fresh_folder
from ...gan_models.files.errors import MALFORMED, UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.kept_copies import copy_with_neighbors, holds_copies, located, look_in
from ...gan_models.files.parsers.structured_text import parse_json
from ...gan_models.files.plain_values import from_json
from ...gan_models.files.projects.project import copied_files, neighbors_folder
from ...gan_models.files.user_code import file_of, is_path, one_line
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.surgery import cut
from ...gan_models.networks.catalog import NETWORKS, build
from ...gan_models.networks.specs import InputSpec
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tracing.unpruned_reasons import Why
from .architecture import (
    ARCHITECTURE,
    FORMAT,
    FORMATS,
    SOURCE,
    TASK_CODE,
    Architecture,
    BundleError,
    architecture_json,
    architecture_of,
)
from .card import Card, Parity
from .card_text import card_text
from .first_cards import first_card
from .format_files import WantedFormats, outputs_of, write_formats
from .formats.compared_inputs import BATCHES, batches_of

WEIGHTS, CARD, CARD_TEXT, MANIFEST = "generator.safetensors", "card.json", "card.md", "manifest.json"
# Inputs by name and the output, of one example: files are checked with these if the network's code may not run.
STORED, STORED_OUTPUT = "example.safetensors", "the output"
# The kept channels, in a folder of files without the network's builder.
PLAN_FILE = "plan.json"
REQUIRED = (WEIGHTS, ARCHITECTURE, CARD, CARD_TEXT)
# Of outputs in [-1, 1]: rounding of float32 through some tens of layers stays ten times below.
TOLERANCE = 1e-4


class UntrustedCode(BundleError):
    """A bundle whose generator is not in the catalog, if no foreign code may run."""


@dataclass(frozen=True)
class Manifest:
    """The files of a bundle.

    Attributes:
        format: Of the bundle.
        files: Name -> sha256; the manifest itself is not among them.
    """

    format: int
    files: Mapping[str, str]


def write_bundle(
    out: str | Path,
    architecture: Architecture,
    model: nn.Module,
    card_of: Callable[[Parity], Card],
    source: Path | None = None,
    overwrite: bool = False,
    wanted: WantedFormats | None = None,
    task_files: Sequence[Path] = (),
) -> Card:
    """Write a bundle, load every file again and compare; the folder appears whole or not at all.

    Args:
        out: The bundle's folder.
        architecture: How to build the network again.
        model: The pruned network with its weights.
        card_of: Makes the card, without its formats, once the difference after reloading is known.
        source: The file that defines a generator from outside the catalog; copied into the bundle, with what it
            imports from its own project.
        overwrite: Whether a bundle that is there is replaced.
        wanted: The export formats; None: those that are written by default.
        task_files: Files of a task of the user's own, copied likewise: `fid` and `compare` need them.

    Raises:
        UserError: `out` exists, or a format that was asked for has no form for the network.
        RuntimeError: A file's outputs differ by more than is allowed, or a format that was asked for cannot be
            written.
    """
    wanted = wanted or WantedFormats()
    with fresh_folder(out, MANIFEST, overwrite) as folder:
        save_weights(model.cpu(), folder / WEIGHTS)
        if source is not None:
            copy_with_neighbors(source, folder / SOURCE)
        for file in task_files:
            copy_with_neighbors(file, folder / TASK_CODE / file.name)
        write_json(folder / ARCHITECTURE, architecture_json(architecture))
        parity = measure_parity(model, _rebuild(folder, architecture), architecture)
        if not parity.passed:
            raise WorkFailed(
                f"the exported files do not give the generator's outputs: difference {parity.reload:.3g} in PyTorch, "
                f"allowed {parity.tolerance * parity.scale:.3g}; nothing was written"
            )
        save_weights(_stored_example(model, architecture.inputs), folder / STORED)
        facts = {
            **wanted.facts,
            "sha256 of weights": file_sha256(folder / WEIGHTS),
            "architecture": architecture.architecture,
        }
        wanted = replace(wanted, facts=facts)
        formats = write_formats(
            folder, model, architecture.inputs, wanted, architecture.output_name, architecture.output
        )
        written = tuple(name for name, report in formats.items() if not report.absent)
        latencies = None if wanted.benchmark is None else wanted.benchmark(model, written)
        card = replace(card_of(parity), formats=formats, license=wanted.options.license, latencies=latencies)
        write_json(folder / CARD, card)
        (folder / CARD_TEXT).write_text(card_text(card, architecture.inputs, architecture.output), encoding="utf-8")
        every = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): file_sha256(path) for path in every}
        write_json(folder / MANIFEST, Manifest(FORMAT, files))
    return card


def _stored_example(model: nn.Module, inputs: InputSpec) -> dict[str, Tensor]:
    """Return one example of each input by name, and what the network gives for them."""
    example = inputs.examples(1)
    given = {name: x.contiguous() for name, x in zip(inputs.names, example, strict=True)}
    return {**given, STORED_OUTPUT: outputs_of(model, *example).contiguous()}


def stored_example(folder: Path, inputs: InputSpec) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """Return a bundle's stored inputs with the network's output; other inputs and None if it is of an earlier version.

    Raises:
        BundleError: The file does not hold what the network takes.
    """
    if STORED not in read_manifest(folder).files:
        return inputs.examples(1), None
    stored = load_weights(folder / STORED)
    missing = [name for name in (*inputs.names, STORED_OUTPUT) if name not in stored]
    if missing:
        raise BundleError(f"{folder / STORED} lacks {', '.join(missing)}; export the bundle again")
    return tuple(stored[name] for name in inputs.names), stored[STORED_OUTPUT]


def measure_parity(model: nn.Module, reloaded: nn.Module, architecture: Architecture) -> Parity:
    """Return the difference of a network that was built again from `model`, on inputs in batches of 1 and 4."""
    expected = [outputs_of(model, *batch) for batch in batches_of(architecture.inputs)]
    again = [outputs_of(reloaded, *batch) for batch in batches_of(architecture.inputs)]
    difference = max(float((a - b).abs().max()) for a, b in zip(again, expected, strict=True))
    scale = max(1.0, *(float(y.abs().max()) for y in expected))
    return Parity(difference, scale, sum(BATCHES), TOLERANCE)


def load_bundle(path: str | Path, catalog_only: bool = False) -> nn.Module:
    """Return the generator of a bundle, in eval mode on the CPU; the study is not needed.

    A generator from outside the catalog is built by the code that the bundle names or holds, and that code runs:
    load such a bundle only from people you trust.

    Args:
        path: The bundle's folder.
        catalog_only: Refuse a bundle whose generator is not in ganprune's catalog, so that no foreign code runs.

    Raises:
        BundleError: A file is missing or damaged, or the network cannot be built as it was.
    """
    folder = check_files(path)
    architecture = read_architecture(folder)
    check_code(folder, architecture, catalog_only)
    return _rebuild(folder, architecture)


def load_dense(path: str | Path, catalog_only: bool = False) -> nn.Module:
    """Return the network of a bundle at full width, with random weights: what its latency is compared with.

    Raises:
        BundleError: As `load_bundle`.
    """
    folder = check_files(path)
    architecture = read_architecture(folder)
    check_code(folder, architecture, catalog_only)
    return _full(folder, architecture).eval()


def check_code(folder: Path, architecture: Architecture, catalog_only: bool) -> None:
    """Raise UntrustedCode if only generators of the catalog are allowed, and this one would run its own code."""
    if catalog_only and architecture.model not in NETWORKS.own:
        raise UntrustedCode(
            f"{folder} holds {architecture.model}, which is not in the catalog and would run its own code"
        )


def find_task_code(folder: Path, catalog_only: bool) -> None:
    """Have a bundle's task, and what its settings name, found in the bundle.

    Args:
        folder: The bundle's.
        catalog_only: Refuse a bundle whose task is not in ganprune's catalog, so that no foreign code runs.

    Raises:
        UntrustedCode: It would run its own code.
        BundleError: The code is not in the bundle, or is not what the manifest vouches for.
    """
    task = read_architecture(folder).task
    if catalog_only and (task not in TASKS.own or (folder / TASK_CODE).is_dir()):
        raise UntrustedCode(
            f"{folder} was made for {task}, a task that is not in the catalog and would run its own code"
        )
    vouched = read_manifest(folder).files
    for path in sorted(path for path in (folder / TASK_CODE).rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix not in (".py", ".json"):
            continue  # compiled files of Python
        if name not in vouched:
            raise BundleError(f"{folder}: the manifest lacks {name}; remove that file, or export the bundle again")
        if vouched[name] != file_sha256(path):
            raise BundleError(f"{folder} is damaged: {name} is not the file that was exported; export it again")
    look_in(folder / TASK_CODE)
    file = file_of(task)
    if file is not None and not located(file).is_file():
        line = read_card(folder).lineage
        raise BundleError(
            f"{folder} does not contain the code of its task: got no {file.name}, which earlier versions left out; "
            f"expected it in {TASK_CODE}/. Try `ganprune export {line.get('study')} --trial {line.get('trial')}` again"
        )


def untrusted_file(name: str) -> str:
    """Return why a file of a format is not opened without trust in its bundle; empty if opening it runs no code.

    Args:
        name: The format.
    """
    if is_path(name):
        return f"{name} is code that came with the bundle"
    if name in EXPORTERS and (runtime := EXPORTERS[name].runtime) in RUNTIMES and RUNTIMES[runtime].unpickles:
        return f"{RUNTIMES[runtime].title} unpickles its files, which may run code"
    return ""


def check_files(path: str | Path) -> Path:
    """Return the bundle's folder, after every file's sha256 was compared with the manifest's.

    Raises:
        BundleError: No manifest, a file missing, changed or not in the manifest's own folder.
    """
    folder = Path(path).expanduser()
    files = read_manifest(folder).files
    if PLAN_FILE in files:
        raise BundleError(
            f"{folder} has no builder, so its network cannot be built again: got files of ganprune.export; expected a "
            "bundle of ganprune export. Try its generator.pt2 or generator.onnx, which need none of the network's code"
        )
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        raise BundleError(f"{folder} is incomplete: the manifest lacks {', '.join(missing)}; export it again")
    for name, digest in files.items():
        if not _inside(name):
            raise BundleError(f"{folder}: the manifest names {name!r}, which is outside the bundle")
        if not (folder / name).is_file():
            raise BundleError(f"{folder} is incomplete: {name} is missing; export it again")
        if file_sha256(folder / name) != digest:
            raise BundleError(f"{folder} is damaged: {name} is not the file that was exported; export it again")
    return folder


def _inside(name: str) -> bool:
    """Return if a manifest's name is that of a file of the bundle, or of one in a folder of its code."""
    path = PurePosixPath(name)
    folders = (neighbors_folder(Path(SOURCE)).name, TASK_CODE)
    beside = path.parts[0] in folders and ".." not in path.parts if path.parts else False
    return path.as_posix() == name and (len(path.parts) == 1 or beside) and name not in ("", ".", "..")


def read_manifest(folder: Path) -> Manifest:
    """Return the bundle's manifest. Raises BundleError."""
    data = read_json(folder / MANIFEST)
    if data is None:
        raise BundleError(
            f"{folder} is not a bundle: it has no readable {MANIFEST}; give a folder of `ganprune export`"
        )
    try:
        manifest = from_json(Manifest, data, str(folder / MANIFEST))
    except UserError as error:
        raise BundleError(str(error)) from error
    if manifest.format not in FORMATS:
        raise BundleError(
            f"{folder}: the manifest's format is {manifest.format}; this version reads "
            f"{' and '.join(map(str, FORMATS))}"
        )
    return manifest


def read_architecture(folder: Path) -> Architecture:
    """Return the bundle's architecture. Raises BundleError."""
    data = read_json(folder / ARCHITECTURE)
    if data is None:
        raise BundleError(
            f"{folder} is not a bundle: it has no readable {ARCHITECTURE}; give a folder of `ganprune export`"
        )
    architecture = architecture_of(data)
    # Only what the manifest vouches for is run, not a file that somebody laid beside.
    sealed = architecture.source is not None and (folder / MANIFEST).is_file()
    if sealed:
        vouched = read_manifest(folder).files
        if SOURCE not in vouched:
            raise BundleError(f"{folder} is incomplete: the manifest lacks {SOURCE}; export it again")
        beside = [path.relative_to(folder).as_posix() for path in _neighbors(folder)]
        if strange := [name for name in beside if name not in vouched]:
            raise BundleError(f"{folder}: the manifest lacks {strange[0]}, which {SOURCE} imports; export it again")
    return architecture


def read_card(folder: Path) -> Card:
    """Return the bundle's card, of this version or an earlier one. Raises BundleError."""
    try:
        data = parse_json((folder / CARD).read_text(encoding="utf-8"))
        if isinstance(data, Mapping) and "formats" not in data:
            return first_card(data, read_manifest(folder).files)
        return from_json(Card, data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{folder / CARD} cannot be read: {error}") from error


def _groups_of(full: nn.Module, architecture: Architecture) -> ChannelGroups:
    """Return the groups of a network at full width; those that the exporting version did not find yet stay whole."""
    whole, examples = dict(architecture.whole), architecture.inputs.examples(1)
    groups = find_groups(full, examples, whole)
    new = {name: Why.LEFT_WHOLE() for name in groups.names if name not in architecture.sizes}
    return find_groups(full, examples, {**whole, **new}) if new else groups


def _neighbors(folder: Path) -> list[Path]:
    """Return the files that are copied with the bundle's code. Raises BundleError."""
    try:
        return copied_files(folder / SOURCE)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{folder}: the files next to {SOURCE} are incomplete: {one_line(error)}; export it again"
        ) from error


def _full(folder: Path, architecture: Architecture) -> nn.Module:
    """Build at full width."""
    model = f"{folder / SOURCE}:{architecture.source}" if architecture.source else architecture.model
    holds_copies(folder)

    def make() -> nn.Module:
        return build(model, architecture.arguments, architecture.selected)

    try:
        check_inputs(architecture.inputs, folder / STORED)
        if architecture.model in NETWORKS.own:
            check_size(make, folder / WEIGHTS)
        # The caller's random numbers stay as they are.
        with torch.random.fork_rng(devices=[]), bounded(str(folder)):
            return make()
    except BundleError:
        raise
    except UserError as error:
        raise BundleError(f"{folder} cannot be rebuilt: {error}") from error


def _rebuild(folder: Path, architecture: Architecture) -> nn.Module:
    """Build at full width, cut to the plan, load the weights."""
    plan = architecture.plan
    try:
        full = _full(folder, architecture)
        groups = _groups_of(full, architecture)
        if groups.sizes != dict(architecture.sizes):
            differing = sorted(set(groups.sizes.items()) ^ set(architecture.sizes.items()))
            raise BundleError(
                f"{architecture.model} has other channel groups than when it was exported (such as "
                f"{differing[0][0]}): its code or ganprune's changed"
            )
        small = cut(full, groups, plan)
        load_into(small, folder / WEIGHTS)
    except (BundleError, WorkFailed):
        raise
    except (*MALFORMED, RuntimeError, MemoryError) as error:
        raise BundleError(f"{folder} cannot be rebuilt: {one_line(error)}") from error
    return small.eval()
