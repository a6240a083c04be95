"""The generator of a trial that ended, from the files of its study."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.files.atomic_files import read_json
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut
from ...gan_models.quantization.fake_quant import FixedRanges, add_hooks
from ..preparations.opened_study import OpenedStudy
from ..records.messages import Artifact
from .quantized import read_quantizations


def saved_network(opened: OpenedStudy, folder: Path, artifact: Artifact) -> nn.Module:
    """Return what a trial pruned, cut to its plan, with its weights in float32; in eval mode on the CPU.

    Args:
        opened: The study.
        folder: Its files.
        artifact: Those of the trial.

    Raises:
        CheckpointError: The weights are not there, or of another network.
    """
    plan = ChannelPlan.from_json(read_json(folder / artifact.plan) or {})
    small = cut(opened.full_network().eval(), opened.groups, plan)
    load_into(small, folder / artifact.path)
    return small


def run_quantized(opened: OpenedStudy, folder: Path, artifact: Artifact, network: nn.Module) -> None:
    """Let a trial's network compute in the bits that it was trained in, on the ranges that it was trained with."""
    if artifact.quantization:
        for name, found in read_quantizations(read_json(folder / artifact.quantization) or {}).items():
            part = network if len(opened.names) == 1 else network.get_submodule(name)
            add_hooks(part, found.settings, FixedRanges(found.ranges))
