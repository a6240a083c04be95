"""A bundle: a pruned generator as files that load and run without the study, ray, optuna or a database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.checkpoints.checkpoint import load_into, save_weights
from ...gan_models.export.onnx_float import compare_onnx, export_onnx
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.atomic_folders import fresh_folder
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut
from ...gan_models.networks.catalog import NETWORKS, build, example_input
from .card import Card, Parity
from .int8 import Int8Report

FORMAT = 1
WEIGHTS, ARCHITECTURE, ONNX = "generator.safetensors", "architecture.json", "generator.onnx"
CARD, CARD_TEXT, MANIFEST, SOURCE = "card.json", "card.md", "manifest.json", "source.py"
REQUIRED = (WEIGHTS, ARCHITECTURE, CARD, CARD_TEXT)
# Of outputs in [-1, 1]: rounding of float32 through some tens of layers stays ten times below.
TOLERANCE = 1e-4
BATCHES = (1, 4)  # the exported batch size is free, so more than one is compared


class BundleError(UserError):
    """A bundle that is damaged, incomplete or from another version; one line."""


@dataclass(frozen=True)
class Architecture:
    """How a bundle's network is built again.

    Attributes:
        model: What `catalog.build` takes; `source.py:function` means the copy inside the bundle.
        arguments: Keyword arguments of the builder.
        input_shape: Of one input without the batch.
        task: What it was trained for.
        network: Its name in the task.
        plan: Kept channels by group.
        sizes: Channels of these groups at full width.
        whole: Groups that the study left whole -> the reason; without them other groups would be found.
        architecture: Hash of plan, model and arguments.
    """

    model: str
    arguments: Mapping[str, Any]
    input_shape: tuple[int, ...]
    task: str
    network: str
    plan: ChannelPlan
    sizes: Mapping[str, int]
    whole: Mapping[str, str]
    architecture: str

    @property
    def source(self) -> str | None:
        """The function's name where a copy of the source is in the bundle."""
        name, colon, function = self.model.partition(":")
        return function if colon and name == SOURCE else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "format": FORMAT,
            "model": self.model,
            "arguments": dict(self.arguments),
            "input_shape": list(self.input_shape),
            "task": self.task,
            "network": self.network,
            "widths": self.plan.widths,
            "sizes": dict(self.sizes),
            "whole": dict(self.whole),
            "architecture": self.architecture,
            "plan": self.plan.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Architecture:
        """What `to_json` wrote.

        Raises:
            BundleError: Another format, something missing, or a hash that does not fit.
        """
        if data.get("format") != FORMAT:
            raise BundleError(f"the bundle has format {data.get('format')!r}, this version of ganprune reads {FORMAT}")
        names = ("model", "arguments", "task", "network", "sizes", "whole", "architecture")
        try:
            values = {name: data[name] for name in names}
            shape, plan = tuple(data["input_shape"]), ChannelPlan.from_json(data["plan"])
            found = cls(**values, input_shape=shape, plan=plan)
            computed = plan.architecture(found.model, found.arguments)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{ARCHITECTURE} is incomplete or of the wrong kind: {error}") from error
        if computed != found.architecture:
            raise BundleError(f"{ARCHITECTURE} says architecture {found.architecture}, its plan gives {computed}")
        return found


def write_bundle(
    out: str | Path,
    architecture: Architecture,
    model: nn.Module,
    card_of: Callable[[Parity], Card],
    source: Path | None = None,
    overwrite: bool = False,
    int8: Callable[[Path], Int8Report] | None = None,
) -> Card:
    """Writes a bundle, loads every file again and compares; the folder appears whole or not at all.

    A network that cannot be written as ONNX has a bundle without, and a note on its card that says why.

    Args:
        out: The bundle's folder.
        architecture: How to build the network again.
        model: The pruned network with its weights.
        card_of: Makes the card once the differences are known.
        source: The file that defines a generator from outside the catalog; copied into the bundle.
        overwrite: Whether a bundle that is there is replaced.
        int8: Writes the int8 file into the folder it is given, beside the float one.

    Raises:
        ValueError: `out` exists, or there can be no int8 file of the network.
        RuntimeError: A file's outputs differ by more than 1e-4.
    """
    with fresh_folder(out, MANIFEST, overwrite) as folder:
        save_weights(model.cpu(), folder / WEIGHTS)
        if source is not None:
            shutil.copyfile(source, folder / SOURCE)
        write_json(folder / ARCHITECTURE, architecture.to_json())
        lacking = _write_onnx(model, architecture.input_shape, folder / ONNX)
        parity = measure_parity(folder, model, _rebuild(folder, architecture), architecture.input_shape)
        if not parity.passed:
            raise WorkFailed(
                f"the exported files do not give the generator's outputs: difference {parity.reload:.3g} in PyTorch, "
                f"{parity.onnx_shown} in ONNX, allowed {parity.tolerance * parity.scale:.3g}; nothing was written"
            )
        report = int8(folder) if int8 and not lacking else None
        card = card_of(parity)
        card = replace(card, int8=report, notes=card.notes + lacking)
        write_json(folder / CARD, card.to_json())
        (folder / CARD_TEXT).write_text(card.to_markdown(), encoding="utf-8")
        files = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
        write_json(folder / MANIFEST, {"format": FORMAT, "files": files})
    return card


def _write_onnx(model: nn.Module, shape: tuple[int, ...], path: Path) -> tuple[str, ...]:
    """Writes the ONNX file; the note that says why there is none, where the network cannot be written as one."""
    try:
        export_onnx(model, example_input(shape, 2), path)
    except RuntimeError as error:
        return (f"no ONNX file: {' '.join(str(error).split())}",)
    return ()


def measure_parity(folder: Path, model: nn.Module, reloaded: nn.Module, shape: tuple[int, ...]) -> Parity:
    """Differences of a bundle's files from `model`, on inputs in batches of 1 and 4."""
    inputs = torch.split(example_input(shape, sum(BATCHES)), list(BATCHES))
    expected = [outputs_of(model, x) for x in inputs]
    again = max(float((outputs_of(reloaded, x) - y).abs().max()) for x, y in zip(inputs, expected, strict=True))
    onnx = max(compare_onnx(folder / ONNX, model, x) for x in inputs) if (folder / ONNX).is_file() else None
    scale = max(1.0, *(float(y.abs().max()) for y in expected))
    return Parity(again, onnx, scale, sum(BATCHES), TOLERANCE)


def outputs_of(model: nn.Module, *inputs: Tensor) -> Tensor:
    """Return outputs in eval mode, without gradients."""
    with torch.no_grad():
        return model.eval()(*inputs)


def load_bundle(path: str | Path, catalog_only: bool = False) -> nn.Module:
    """The generator of a bundle, in eval mode on the CPU; the study is not needed.

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
    if catalog_only and architecture.model not in NETWORKS:
        raise BundleError(
            f"{folder} holds {architecture.model}, which is not in the catalog and would run its own code"
        )
    return _rebuild(folder, architecture)


def check_files(path: str | Path) -> Path:
    """The bundle's folder, after every file's sha256 was compared with the manifest's.

    Raises:
        BundleError: No manifest, a file missing, changed or not in the manifest's own folder.
    """
    folder = Path(path).expanduser()
    manifest = read_json(folder / MANIFEST)
    if manifest is None:
        raise BundleError(f"{folder} is no bundle: it has no readable {MANIFEST}; give a folder of `ganprune export`")
    files = manifest.get("files")
    if manifest.get("format") != FORMAT or not isinstance(files, Mapping):
        raise BundleError(f"{folder}: the manifest's format is {manifest.get('format')!r}; this version reads {FORMAT}")
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        raise BundleError(f"{folder} is incomplete: the manifest lacks {', '.join(missing)}; export it again")
    for name, digest in files.items():
        if PurePosixPath(name).name != name:
            raise BundleError(f"{folder}: the manifest names {name!r}, which is outside the bundle")
        if not (folder / name).is_file():
            raise BundleError(f"{folder} is incomplete: {name} is missing; export it again")
        if file_sha256(folder / name) != digest:
            raise BundleError(f"{folder} is damaged: {name} is not the file that was exported; export it again")
    return folder


def read_architecture(folder: Path) -> Architecture:
    """The bundle's architecture. Raises BundleError."""
    data = read_json(folder / ARCHITECTURE)
    if data is None:
        raise BundleError(f"{folder / ARCHITECTURE} cannot be read")
    architecture = Architecture.from_json(data)
    if architecture.source is not None:
        # Only what the manifest vouches for is run, not a file that somebody laid beside.
        manifest = read_json(folder / MANIFEST)
        if manifest is not None and SOURCE not in manifest.get("files", {}):
            raise BundleError(f"{folder} is incomplete: the manifest lacks {SOURCE}; export it again")
    return architecture


def read_card(folder: Path) -> Card:
    """The bundle's card. Raises BundleError."""
    try:
        return Card.from_json(json.loads((folder / CARD).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder / CARD} cannot be read: {error}") from error


def _rebuild(folder: Path, architecture: Architecture) -> nn.Module:
    """Builds at full width, cuts to the plan, loads the weights."""
    model = f"{folder / SOURCE}:{architecture.source}" if architecture.source else architecture.model
    plan = architecture.plan
    try:
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
            full = build(model, architecture.arguments)
        groups = find_groups(full, example_input(architecture.input_shape), dict(architecture.whole))
        if groups.sizes != dict(architecture.sizes):
            differing = sorted(set(groups.sizes.items()) ^ set(architecture.sizes.items()))
            raise BundleError(
                f"{architecture.model} has other channel groups than when it was exported (such as "
                f"{differing[0][0]}): its code or ganprune's changed"
            )
        small = cut(full, groups, plan)
        load_into(small, folder / WEIGHTS)
    except BundleError:
        raise
    except ValueError as error:
        raise BundleError(f"{folder} cannot be rebuilt: {error}") from error
    return small.eval()
