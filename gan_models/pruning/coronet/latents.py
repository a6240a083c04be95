"""Latents as importance: initial values, the proximal step, and the least shrinkage that meets a cost target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...costs.cost_form import CostForm
from ...groups.channel_groups import ChannelGroups
from ..method import Target
from ..ranking import Scores, channel_costs, cost_of, widths_at

TAU = 5e-3  # a channel is dropped if its |latent| is below this (DHP)
FLOOR = 4  # minimum number of channels per layer in DHP


def proximal_step(latents: Tensor, shrink: float | Tensor) -> Tensor:
    """Return the proximal operator of shrink * |z|_1: sign(z) max(|z| - shrink, 0), shrink = lambda * rate (DHP)."""
    return latents.sign() * (latents.abs() - shrink).clamp(min=0)


def with_floor(form: CostForm, target: Target) -> Target:
    """Return the target with the highest floor, from 4 down to its own, that is still feasible."""
    priced = target.model or form
    for floor in range(FLOOR, target.floor, -1):
        if float(priced.predict(form.floors(floor, target.multiple), target.cost)) <= target.value:
            return replace(target, floor=floor)
    return target


def teacher_magnitudes(
    scores: Scores, groups: ChannelGroups, target: Target, cost_exponent: float
) -> NDArray[np.float64]:
    """Return initial latents [N] in (0, 1]: ranks of the channels of all groups together, evenly spaced.

    Channels are ranked by their scores over cost to a power, as in `magnitude`. Ranks are used because L1 scores differ
    by only tens of percent: a threshold that drops half of the channels would nearly drop the others. Original to
    ganprune.
    """
    form = groups.form
    per_channel = channel_costs(form, target.exact_cost)
    flat = np.concatenate(
        [scores[name] / max(cost, 1e-12) ** cost_exponent for name, cost in zip(form.names, per_channel, strict=True)]
    )
    ranks = np.empty(len(flat))
    ranks[np.argsort(flat, kind="stable")] = np.arange(1, len(flat) + 1)
    return ranks / len(flat)


def strongest_mask(magnitudes: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """Return a mask of a group's n strongest channels."""
    mask = np.zeros(len(magnitudes), dtype=bool)
    mask[np.argsort(-magnitudes, kind="stable")[:n]] = True
    return mask


def alive(magnitudes: Scores, floor: int) -> dict[str, NDArray[np.bool_]]:
    """Return masks of the kept channels: |latent| at or above the threshold, and each group's `floor` strongest."""
    return {name: (z >= TAU) | strongest_mask(z, floor) for name, z in magnitudes.items()}


def threshold_widths(form: CostForm, magnitudes: Scores, target: Target) -> NDArray[np.int64]:
    """Return the widths [G] of the plan that the threshold alone implies."""
    counts = [int(mask.sum()) for mask in alive(magnitudes, target.floor).values()]
    return form.fit(np.array(counts), target.floor, target.multiple)


def resistances(latents: Tensor, pull: Tensor) -> NDArray[np.float64]:
    """Return the shrinkage [N] that takes each latent just below the threshold; negative if it is below already."""
    return ((latents.detach().abs() - TAU) / pull).double().cpu().numpy()


def by_group(groups: ChannelGroups, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return values [N] of all channels as group name -> [size]."""
    return {name: values[groups.offsets[name] :][:size] for name, size in groups.sizes.items()}


def needed_shrink(groups: ChannelGroups, resisting: NDArray[np.float64], target: Target) -> float:
    """Return the least shrinkage after which the threshold's plan is at or under the target; 0 if it is already.

    The proximal step is deterministic, so this is exact if no gradient changes the latents meanwhile. If the cost does
    not fall with every channel (a latency), it is one of the shrinkages that meet the target.

    Args:
        groups: Groups of the network.
        resisting: Result of `resistances` [N].
        target: The target, with a feasible floor.
    """
    form = groups.form
    ordered = [np.sort(found)[::-1] for found in by_group(groups, resisting).values()]
    levels = np.unique(np.concatenate([*ordered, [0.0]]))
    levels = levels[levels >= 0]

    def cost_above(level: float) -> float:
        """Return the cost of the plan that keeps channels of a higher resistance."""
        counts = widths_at(form, ordered, np.nextafter(level, np.inf))
        return cost_of(form, form.fit(counts, target.floor, target.multiple), target)

    low, high = -1, len(levels) - 1  # no channel is above the last level, and the floors are feasible
    while high - low > 1:
        middle = (low + high) // 2
        if cost_above(float(levels[middle])) <= target.value:
            high = middle
        else:
            low = middle
    if high == 0:
        return 0.0
    following = float(levels[high + 1]) if high + 1 < len(levels) else float(levels[high]) * 1.01
    return 0.5 * (float(levels[high]) + following)


def shrunk(latents: Tensor, groups: ChannelGroups, shrink: float, floor: int, pull: Tensor) -> Tensor:
    """Return latents [N] after the proximal step, which spares each group's `floor` most resistant ones."""
    new = proximal_step(latents, shrink * pull)
    resisting = by_group(groups, resistances(latents, pull))
    held = np.concatenate([strongest_mask(found, floor) for found in resisting.values()])
    protected = torch.from_numpy(held).to(latents.device) & (new.abs() < TAU)
    return torch.where(protected, latents, new)


def gates_of(masks: Mapping[str, NDArray[np.bool_]], like: Tensor) -> dict[str, Tensor]:
    """Return gates of 0 and 1, in the dtype and on the device of `like`."""
    return {name: torch.from_numpy(mask).to(like) for name, mask in masks.items()}
