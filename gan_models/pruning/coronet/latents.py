"""Latents as importance: where they start, the proximal step, and how strong it must be to arrive at a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...costs.cost_form import CostForm
from ...groups.channel_groups import ChannelGroups
from ..method import Target
from ..ranking import Scores, channel_costs, cost_of, l1_scores, widths_at

TAU = 5e-3  # a channel goes when its |latent| is under this (DHP)
FLOOR = 4  # DHP's fewest channels of a layer


def proximal_step(latents: Tensor, shrink: float | Tensor) -> Tensor:
    """The proximal operator of shrink * |z|_1: sign(z) max(|z| - shrink, 0) (DHP, shrink = lambda * learning rate)."""
    return latents.sign() * (latents.abs() - shrink).clamp(min=0)


def with_floor(form: CostForm, target: Target) -> Target:
    """The target with the highest floor from 4 down to its own that still leaves a plan under it."""
    priced = target.model or form
    for floor in range(FLOOR, target.floor, -1):
        if float(priced.predict(form.floors(floor, target.multiple), target.cost)) <= target.value:
            return replace(target, floor=floor)
    return target


def teacher_magnitudes(
    model: nn.Module, groups: ChannelGroups, target: Target, cost_exponent: float
) -> NDArray[np.float64]:
    """Starts of the latents [N] in (0, 1]: ranks of the channels of all groups together, evenly spaced.

    Ranked by L1 norm over cost to a power, as `magnitude` does. Ranks and not the scores themselves, since scores
    differ by tens of percent: a threshold that takes half of the channels would leave the others next to nothing.
    Our reconstruction.
    """
    form = groups.form
    per_channel = channel_costs(form, target.exact_cost)
    scores = l1_scores(model, groups)
    flat = np.concatenate(
        [scores[name] / max(cost, 1e-12) ** cost_exponent for name, cost in zip(form.names, per_channel, strict=True)]
    )
    ranks = np.empty(len(flat))
    ranks[np.argsort(flat, kind="stable")] = np.arange(1, len(flat) + 1)
    return ranks / len(flat)


def strongest_mask(magnitudes: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """Which of a group's channels are its n strongest."""
    mask = np.zeros(len(magnitudes), dtype=bool)
    mask[np.argsort(-magnitudes, kind="stable")[:n]] = True
    return mask


def alive(magnitudes: Scores, floor: int) -> dict[str, NDArray[np.bool_]]:
    """Channels that stay: |latent| at or over the threshold, and each group's `floor` strongest whatever they are."""
    return {name: (z >= TAU) | strongest_mask(z, floor) for name, z in magnitudes.items()}


def threshold_widths(form: CostForm, magnitudes: Scores, target: Target) -> NDArray[np.int64]:
    """Widths [G] of the plan that the threshold alone makes."""
    counts = [int(mask.sum()) for mask in alive(magnitudes, target.floor).values()]
    return form.fit(np.array(counts), target.floor, target.multiple)


def resistances(latents: Tensor, pull: Tensor) -> NDArray[np.float64]:
    """Shrinkage [N] that takes each latent just under the threshold; below 0 where it is under it already."""
    return ((latents.detach().abs() - TAU) / pull).double().cpu().numpy()


def by_group(groups: ChannelGroups, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Values [N] of all channels as group name -> [size]."""
    return {name: values[groups.offsets[name] :][:size] for name, size in groups.sizes.items()}


def needed_shrink(groups: ChannelGroups, resisting: NDArray[np.float64], target: Target) -> float:
    """Least shrinkage after which the threshold's plan is at or under the target; 0 if it is already.

    The proximal step is deterministic, so this is exact as long as no gradient moves the latents meanwhile. Where
    the cost does not fall with every channel (a latency), it is one of the shrinkages that meet the target.

    Args:
        groups: Groups of the network.
        resisting: From `resistances` [N].
        target: With a floor that fits.
    """
    form = groups.form
    ordered = [np.sort(found)[::-1] for found in by_group(groups, resisting).values()]
    levels = np.unique(np.concatenate([*ordered, [0.0]]))
    levels = levels[levels >= 0]

    def cost_above(level: float) -> float:
        """Of the plan that keeps what resists more."""
        counts = widths_at(form, ordered, np.nextafter(level, np.inf))
        return cost_of(form, form.fit(counts, target.floor, target.multiple), target)

    low, high = -1, len(levels) - 1  # nothing is above the last level, and the floors fit
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
    """Latents [N] after the proximal step, but for each group's `floor` most resistant where it would take them."""
    new = proximal_step(latents, shrink * pull)
    resisting = by_group(groups, resistances(latents, pull))
    held = np.concatenate([strongest_mask(found, floor) for found in resisting.values()])
    protected = torch.from_numpy(held).to(latents.device) & (new.abs() < TAU)
    return torch.where(protected, latents, new)


def gates_of(masks: Mapping[str, NDArray[np.bool_]], like: Tensor) -> dict[str, Tensor]:
    """Gates of 0 and 1, in the dtype and on the device of `like`."""
    return {name: torch.from_numpy(mask).to(like) for name, mask in masks.items()}
