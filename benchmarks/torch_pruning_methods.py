"""Torch-Pruning's group L2 norm as contenders of `ganprune bench`: its choice of channels, our fine-tuning.

The package (1.6) is called as its users do: `BasePruner` with `GroupMagnitudeImportance(p=2)` in one step, per layer
(`Local`) or over the whole network (`Global`). Its pruning ratio is bisected until the exact MACs are at or under the
target. The removed channels are read from the groups that it prunes, in the numbering of the dense network.
`LocalRefitted` and `GlobalRefitted` have our refit afterwards. Needs `pip install torch-pruning`.

    ganprune bench --model resnet --data pairs --budget 25% --contender uniform
        --contender benchmarks/torch_pruning_methods.py:Local --contender benchmarks/torch_pruning_methods.py:Global
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch_pruning
from ganprune.gan_models.groups.channel_groups import ChannelGroups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.method import Pruned, PruneJob
from torch import Tensor, nn

STEPS = 24  # of the bisection: the ratio is then known to 1e-7
MAX_RATIO = 0.999  # of one layer: no layer is removed


class Local:
    """The same share of every layer, channels chosen by group L2 norm."""

    is_global = False
    calibrated = True  # the inputs trace the network

    def prune(self, job: PruneJob) -> Pruned:
        """Return the cut network of the largest ratio of Torch-Pruning's that meets the target.

        Raises:
            ValueError: No ratio meets it.
        """
        inputs = tuple(part[:1] for part in job.calibration.inputs)
        low, high, best = 0.0, MAX_RATIO, None
        for _ in range(STEPS):
            ratio = (low + high) / 2
            plan = self.plan(job, inputs, ratio)
            form = job.groups.form
            if float(form.predict(form.widths(plan.widths), job.target.exact_cost)) <= job.target.value:
                best, high = plan, ratio
            else:
                low = ratio
        if best is None:
            raise ValueError(f"no pruning ratio up to {MAX_RATIO} meets the target of {job.target.value:g}")
        return Pruned(cut(job.model, job.groups, best), best, record={"ratio": high})

    def plan(self, job: PruneJob, inputs: tuple[Tensor, ...], ratio: float) -> ChannelPlan:
        """Return the channels that stay at one pruning ratio."""
        model = deepcopy(job.model).requires_grad_(True)
        pruner = torch_pruning.pruner.BasePruner(
            model,
            inputs,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            global_pruning=self.is_global,
            pruning_ratio=ratio,
            max_pruning_ratio=MAX_RATIO,
            ignored_layers=list(whole_layers(model, job.groups)),
        )
        names = {module: name for name, module in model.named_modules()}
        channels = {(axis.parameter, axis.axis): axis.flat for axis in job.groups.writes}
        stays = np.ones(1 + sum(job.groups.sizes.values()), dtype=bool)
        for group in pruner.step(interactive=True):
            for dependency, positions in group:
                module = dependency.target.module
                axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
                flat = channels.get((f"{names.get(module)}.weight", axis))
                if flat is not None and dependency.handler.__name__.startswith("prune_out"):
                    stays[flat[positions]] = False
            group.prune()
        return plan_of(job.groups, stays)


class Global(Local):
    """Channels of all layers in one ranking by group L2 norm."""

    is_global = True


class LocalRefitted(Local):
    """`Local` with our refit."""

    refits = True


class GlobalRefitted(Global):
    """`Global` with our refit."""

    refits = True


def whole_layers(model: nn.Module, groups: ChannelGroups) -> Iterator[nn.Module]:
    """Yield the layers whose outputs belong to no group, such as the last one."""
    prunable = {axis.parameter.rpartition(".")[0] for axis in groups.writes}
    for name, module in model.named_modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) and name not in prunable:
            yield module


def plan_of(groups: ChannelGroups, stays: np.ndarray) -> ChannelPlan:
    """Return the plan of a mask over all channels; a group that lost all keeps its first.

    Args:
        groups: The groups.
        stays: Bool [1 + channels of all groups], numbered as in `AxisChannels`.
    """
    kept = {}
    for name, size in groups.sizes.items():
        start = 1 + groups.offsets[name]
        channels = np.flatnonzero(stays[start : start + size]).tolist()
        kept[name] = tuple(channels or [0])
    return ChannelPlan(kept)
