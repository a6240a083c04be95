"""Makes a latency profile: each distinct layer over its grid, then whole networks to fit and to judge the sum by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...evaluators.cost.device import Device
from ...evaluators.cost.latency import Timing
from ...gan_models.files.errors import UserError
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut
from ...gan_models.latency.block_finder import find_blocks
from ...gan_models.latency.blocks import Block
from ...gan_models.latency.predictor import LatencyForm, fit_whole, grid_points
from ...gan_models.networks.catalog import build
from ...gan_models.networks.specs import InputSpec
from .profile import Accuracy, LatencyProfile, LayerTable, WholeNetworks, network_key, sum_of_layers

Measure = Callable[[nn.Module, tuple[Tensor, ...]], Timing]
OnStep = Callable[[int, int, str], None]
CANDIDATES = (32, 16, 8, 4, 2)
MAX_ROUNDING_SLOWDOWN = 1.02  # rounding a width up to a multiple costs nothing where it takes at most so much longer
MIN_SWEPT_CHANNELS = 48  # narrower layers say little about multiples


@dataclass(frozen=True)
class Thoroughness:
    """The amount that is measured.

    Attributes:
        points: Widths of a side.
        fitted: Whole networks that the sum is fitted to.
        held_out: Whole networks that it is judged by.
        seed: Of the random plans.
    """

    points: int = 6
    fitted: int = 14
    held_out: int = 10
    seed: int = 0

    def __post_init__(self):
        if self.points < 2 or self.fitted < 4 or self.held_out < 2:
            raise UserError(
                f"a profile needs 2 or more points and held-out networks, 4 or more fitted ones, got {self}"
            )


def profile_network(
    model: str,
    arguments: Mapping[str, Any],
    inputs: InputSpec,
    device: Device,
    measure: Measure,
    known: Mapping[str, LayerTable] | None = None,
    thoroughness: Thoroughness | None = None,
    on_step: OnStep | None = None,
    on_layer: Callable[[LayerTable], None] | None = None,
    measure_int8: Measure | None = None,
    output: str = "",
    measure_whole: Measure | None = None,
) -> LatencyProfile:
    """Measures a network on a device.

    Args:
        model: What `catalog.build` takes.
        arguments: Its keyword arguments.
        inputs: What it takes.
        device: What is measured on.
        measure: Times a network on inputs.
        known: Tables that the device has already, by key: not measured again.
        thoroughness: How much is measured.
        on_step: Told (done, all, what) before each measurement.
        on_layer: Told of each new table once it is complete, so that it can be kept.
        measure_int8: Times a network that is run in 8 bits; None: the profile prices plans of 32 bits alone.
        output: Name or index of the output that counts, of a network that returns several.
        measure_whole: Times whole networks; None: as layers.

    Raises:
        MachineBusy: The machine was never quiet.
        ValueError: The network has nothing to prune.
    """
    thoroughness = thoroughness or Thoroughness()
    network = build(model, arguments, output).eval()
    example = inputs.examples(device.batch)
    groups = find_groups(network, example)
    if not groups.groups:
        raise UserError(f"{model} has no channel group: its latency does not depend on any width")
    blocks = find_blocks(network, example, groups)
    distinct = {block.key: block for block in blocks.blocks}
    tables = {key: table for key, table in (known or {}).items() if key in distinct}
    costliest = _costliest(distinct)
    sweep = _sweep_widths(costliest) if costliest is not None else ()
    new = [block for block in distinct.values() if block.key not in tables]
    n_whole = (thoroughness.fitted + thoroughness.held_out + 1) * (1 + (measure_int8 is not None))
    steps = _Steps(sum(len(_points(block, thoroughness.points)) for block in new) + len(sweep) + n_whole, on_step)
    for block in new:
        tables[block.key] = _table(block, thoroughness.points, measure, steps)
        if on_layer is not None:
            on_layer(tables[block.key])
    multiple, multiples = 1, {}
    if costliest is not None and sweep:
        times = {n: _time(costliest, (n,) * len(costliest.sides), measure, steps) for n in sweep}
        multiple, multiples = liked_multiple(times)
    layers = tuple(tables[key] for key in distinct)
    form = sum_of_layers(blocks, layers, multiple)
    whole, int8 = (
        None if timer is None else _whole_networks(network, groups, form, example, timer, thoroughness, steps)
        for timer in (measure_whole or measure, measure_int8)
    )
    assert whole is not None
    return LatencyProfile(
        device, network_key(blocks), model, layers, whole, multiple, multiples, blocks.unmeasured, whole_int8=int8
    )


class _Steps:
    def __init__(self, total: int, on_step: OnStep | None) -> None:
        self.done, self.total, self.on_step = 0, total, on_step

    def next(self, what: str) -> None:
        if self.on_step is not None:
            self.on_step(self.done, self.total, what)
        self.done += 1


def _points(block: Block, n: int) -> list[tuple[int, ...]]:
    return list(product(*(grid_points(*side.range, n) for side in block.sides)))


def _time(block: Block, channels: tuple[int, ...], measure: Measure, steps: _Steps) -> Timing:
    steps.next(f"{block.describe()} at {' to '.join(map(str, channels)) or 'fixed'} channels")
    return measure(*block.build(channels))


def _table(block: Block, n: int, measure: Measure, steps: _Steps) -> LayerTable:
    timings = [_time(block, channels, measure, steps) for channels in _points(block, n)]
    return LayerTable(
        key=block.key,
        what=block.describe(),
        channels=tuple(grid_points(*side.range, n) for side in block.sides),
        ms=tuple(timing.median_ms for timing in timings),
        p90_ms=tuple(timing.p90_ms for timing in timings),
        weighted=block.weighted,
    )


def _costliest(blocks: Mapping[str, Block]) -> Block | None:
    """Return the block with the most elements of weights and input among those that are wide enough to sweep."""

    def size(block: Block) -> int:
        channels = tuple(side.full for side in block.sides)
        weights = max((int(np.prod(p.at(channels))) for p in block.parameters), default=0)
        return weights * int(np.prod(block.inputs[0].at(channels)[2:]))

    wide = [b for b in blocks.values() if b.weighted and b.inputs and _sweep_widths(b)]
    return max(wide, key=size, default=None)


def _sweep_widths(block: Block) -> tuple[int, ...]:
    """Widths from a multiple of 32 up to the next one, about the middle of what all sides have."""
    if not block.sides or any(side.step != 1 for side in block.sides):
        return ()
    full = min(side.full for side in block.sides)
    if full < MIN_SWEPT_CHANNELS or max(side.lowest for side in block.sides) > full // 2:
        return ()
    start = max(16, full // 2 // 32 * 32)
    return tuple(range(start, min(start + 32, full) + 1))


def liked_multiple(times: Mapping[int, Timing] | Mapping[int, float]) -> tuple[int, dict[int, float]]:
    """Return the largest multiple to which a width can be rounded up for nothing, and the cost of each candidate.

    If rounding up saves time, the largest of those that save the most: others would cost a part of it.

    Args:
        times: Channels -> time, for a run of neighboring widths.

    Returns:
        The multiple (1: there is none), and candidate -> median over widths of time at the next multiple over time
        at the width.
    """
    ms = {n: t.median_ms if isinstance(t, Timing) else float(t) for n, t in times.items()}
    costs = {}
    for candidate in CANDIDATES:
        nearest = {n: -(-n // candidate) * candidate for n in ms}
        ratios = [ms[up] / ms[n] for n, up in nearest.items() if up != n and up in ms]
        if ratios:
            costs[candidate] = float(median(ratios))
    limit = MAX_ROUNDING_SLOWDOWN * min([1.0, *costs.values()])
    return next((n for n in CANDIDATES if costs.get(n, np.inf) <= limit), 1), costs


def _whole_networks(
    network: nn.Module, groups: ChannelGroups, form: LatencyForm, example: tuple[Tensor, ...], measure: Measure,
    thoroughness: Thoroughness, steps: _Steps,
) -> WholeNetworks:  # fmt: skip
    plans = random_plans(groups, thoroughness.fitted + thoroughness.held_out, thoroughness.seed)
    inputs = tuple(torch.rand_like(x) if x.is_floating_point() else x for x in example)
    measured = []
    for widths in plans:
        steps.next("a whole network")
        plan = ChannelPlan({name: tuple(range(n)) for name, n in widths.items()})
        measured.append(measure(cut(network, groups, plan), inputs).median_ms)
    steps.next("the dense network")
    dense = measure(network, inputs).median_ms
    parts = form.parts(np.array([groups.form.widths(widths) for widths in plans], dtype=np.int64))
    # held out are networks of all sizes, the smallest and the largest among them: the fit gets no easy questions
    order = np.argsort(measured)
    held_out = np.zeros(len(plans), dtype=bool)
    held_out[order[np.linspace(0, len(plans) - 1, thoroughness.held_out).round().astype(int)]] = True
    fit = fit_whole(parts[~held_out], np.array(measured)[~held_out])
    predicted = fit(parts)
    return WholeNetworks(
        fit, tuple(plans), tuple(measured), tuple(predicted.tolist()), tuple(held_out.tolist()), dense,
        accuracy(predicted[held_out], np.array(measured)[held_out]),
    )  # fmt: skip


def random_plans(groups: ChannelGroups, n: int, seed: int) -> list[dict[str, int]]:
    """Widths of random plans: costs from a twentieth of the dense network up, ratios over two octaves."""
    rng, form = np.random.default_rng(seed), groups.form
    low = max(0.05, 1.01 * form.cheapest() / form.dense())
    plans = []
    for share in np.exp(rng.uniform(np.log(low), np.log(0.95), n)):
        ratios = np.exp(rng.uniform(np.log(0.5), np.log(2.0), len(form.names)))
        widths = form.solve(ratios, float(share) * form.dense())
        plans.append(dict(zip(form.names, widths.tolist(), strict=True)))
    return plans


def accuracy(predicted: np.ndarray, measured: np.ndarray) -> Accuracy:
    """Return the errors of predictions [N] of measurements [N], and the agreement of their orders."""
    from scipy.stats import rankdata

    errors = np.abs(predicted / measured - 1)
    flat = np.ptp(predicted) == 0 or np.ptp(measured) == 0
    rank = 0.0 if flat else float(np.corrcoef(rankdata(predicted), rankdata(measured))[0, 1])
    return Accuracy(float(np.median(errors)), float(errors.max()), rank, len(errors))
