"""The files of a network in memory: weights, plan, ONNX and a PyTorch program, without its builder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.checkpoints.checkpoint import save_weights
from ...gan_models.export.catalog import EXPORTERS, FLOAT_FORMATS
from ...gan_models.export.exporter import NoForm
from ...gan_models.files.atomic_files import write_json
from ...gan_models.files.atomic_folders import fresh_folder
from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import copy_network
from ..bundles.architecture import FORMAT
from ..bundles.bundle import MANIFEST, PLAN_FILE, WEIGHTS, Manifest
from ..bundles.card import FormatReport
from ..bundles.format_files import FileDiffers, WantedFormats, left_out, write_formats
from .example_inputs import Examples


@dataclass(frozen=True, repr=False)
class ExportedFiles:
    """The folder of a network's files.

    Attributes:
        path: The folder.
        formats: Format -> facts about its file, or the reason for its absence.
    """

    path: Path
    formats: Mapping[str, FormatReport]

    def __repr__(self) -> str:
        return "\n".join([f"{self.path}: {WEIGHTS}", *(report.line() for report in self.formats.values())])


@dataclass(frozen=True)
class KeptChannels:
    """The content of the file that describes a network without a builder.

    Attributes:
        network: Class of the network.
        inputs: Its inputs, in the form of `--input-shape`.
        plan: Kept channels by group.
    """

    network: str
    inputs: str
    plan: ChannelPlan


def export(
    model: nn.Module,
    plan: ChannelPlan,
    path: str | Path,
    example_inputs: Any,
    *,
    formats: Sequence[str] = FLOAT_FORMATS,
    overwrite: bool = False,
) -> ExportedFiles:
    """Write a pruned network into a folder, as it is now, and compare each file's outputs with the network's.

    Its builder is unknown, so `load_bundle` cannot rebuild it. The folder contains the weights
    (`generator.safetensors`), the plan, and files that run without the network's code.

    Args:
        model: The pruned network, possibly trained further; it is not changed.
        plan: Its kept channels; `Pruned.plan`.
        path: The folder; it appears whole or not at all.
        example_inputs: A tensor, or a tuple of tensors in the order of forward, batch axis first.
        formats: Names of export formats. One that the network cannot be written in, or whose file gives other outputs,
            is reported with the reason.
        overwrite: Replace files that an earlier call wrote.

    Raises:
        UserError: The folder exists, a format is unknown, or the network gives several outputs.
        WorkFailed: The outputs of the only file are not the network's.
    """
    if not isinstance(plan, ChannelPlan):
        raise UserError(f"the plan is none: got {type(plan).__name__}; expected a ChannelPlan. Try pruned.plan")
    examples, network = Examples.of(example_inputs), copy_network(model).cpu().eval()
    examples.check_called(network)
    with torch.no_grad():
        given = network(*examples.tensors)
    if not isinstance(given, Tensor):
        raise UserError(
            f"the network gives several outputs: got a {type(given).__name__}; expected one tensor. Try a wrapper "
            "whose forward returns the one that counts"
        )
    with fresh_folder(path, MANIFEST, overwrite) as folder:
        save_weights(network, folder / WEIGHTS)
        write_json(folder / PLAN_FILE, KeptChannels(type(model).__name__, examples.spec.text, plan))
        reports: dict[str, FormatReport] = {}
        for name in formats:
            try:
                reports |= write_formats(folder, network, examples.spec, WantedFormats((name,)))
            except (NoForm, RuntimeError) as error:
                if isinstance(error, FileDiffers) and len(formats) == 1:
                    raise
                reports[name] = left_out(folder, EXPORTERS.find(name), error, asked=True)
        files = {file.name: file_sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
        write_json(folder / MANIFEST, Manifest(FORMAT, files))
    return ExportedFiles(Path(path), reports)
