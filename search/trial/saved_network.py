"""The generator of a finished trial, from the files of its study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.files.atomic_files import read_json
from ...gan_models.files.errors import WorkFailed
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut
from ...gan_models.quantization.fake_quant import FixedRanges, add_hooks
from ..preparations.opened_study import OpenedStudy
from ..records.messages import Artifact
from ..setup.pruned_generators import own_plan
from .quantized import read_quantizations

WEIGHTS, PLAN = "generator.safetensors", "plan.json"  # name of its file in a trial's folder


def saved_network(opened: OpenedStudy, folder: Path, artifact: Artifact) -> nn.Module:
    """Return a trial's pruned network, cut to its plan, with its weights in float32, in eval mode on the CPU.

    Args:
        opened: The study.
        folder: The study's files.
        artifact: The trial's files.

    Raises:
        CheckpointError: The weights are missing, or belong to another network.
    """
    small = cut(opened.full_network().eval(), opened.groups, plan_of(folder, artifact))
    load_into(small, folder / artifact.path)
    return small


def plan_of(folder: Path, artifact: Artifact) -> ChannelPlan:
    """Return the plan that a trial's generator was cut to.

    Args:
        folder: The study's files.
        artifact: The trial's files.
    """
    return ChannelPlan.from_json(read_json(folder / artifact.plan) or {})


@dataclass(frozen=True)
class SavedGenerator:
    """A generator of a trial that is to be cut further.

    Attributes:
        model: The generator, in eval mode on the CPU, in float32.
        groups: Its own groups, under the teacher's names.
        kept: The teacher's channels that it contains, per group.
    """

    model: nn.Module
    groups: ChannelGroups
    kept: ChannelPlan

    def channels(self, plan: ChannelPlan) -> ChannelPlan:
        """Return the teacher's channels that a plan of this network keeps; groups outside the plan keep all."""
        own = {group: tuple(self.kept.kept[group][place] for place in places) for group, places in plan.kept.items()}
        return ChannelPlan({**self.kept.kept, **own})


def saved_generators(opened: OpenedStudy, folder: Path, artifact: Artifact) -> dict[str, SavedGenerator]:
    """Return the pruned generators of a trial by name, each with its current groups.

    Args:
        opened: The study.
        folder: The study's files.
        artifact: The trial's files.

    Raises:
        WorkFailed: The files are missing.
    """
    missing = [name for name in (artifact.path, artifact.plan) if not (folder / name).is_file()]
    if missing:
        raise WorkFailed(
            f"the network to cut is missing: got no {folder / missing[0]}; expected that file. Try to put it back"
        )
    network, plan, found = saved_network(opened, folder, artifact), plan_of(folder, artifact), {}
    for name in opened.names:
        start = f"{name}." if opened.own_groups else ""
        one = network if len(opened.names) == 1 else network.get_submodule(name)
        left = {group: why for group, why in opened.left_whole.items() if group.startswith(start)}
        whole = {group.removeprefix(start): reason for group, reason in left.items()}
        with torch.no_grad():
            groups = find_groups(one, opened.config.inputs.examples(), whole)
        found[name] = SavedGenerator(one.eval(), groups, own_plan(name, plan) if start else plan)
    return found


def run_quantized(opened: OpenedStudy, folder: Path, artifact: Artifact, network: nn.Module) -> None:
    """Make a trial's network compute with the bits and ranges of its training."""
    if artifact.quantization:
        for name, found in read_quantizations(read_json(folder / artifact.quantization) or {}).items():
            part = network if len(opened.names) == 1 else network.get_submodule(name)
            add_hooks(part, found.settings, FixedRanges(found.ranges))
