"""The pass of the teacher: its activations at sampled positions of every layer that is refitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .layers.call_tape import Calls, tensors
from .layers.layer import is_weighted, layer_of
from .refit_plan import RefitPlan, pass_macs


class OtherCalls(Exception):
    """An error: a pass makes other calls than the planned ones."""


@dataclass(frozen=True)
class Split:
    """Indices of the inputs that layers are fitted to, that choose ridges, and that nothing is fitted to."""

    fitted: Tensor
    held_out: Tensor
    unseen: Tensor


@dataclass
class Targets:
    """The results of the teacher's pass.

    Attributes:
        places: By call: positions of its output on fitted and on held-out inputs.
        values: By call: the teacher's activations there, [P, O], kept channels only.
        inputs: By call, for weights of several calls: the teacher's inputs there, [P, C, T], kept channels only.
        statistics: By call of a norm with running statistics: mean and variance of its input, kept channels only.
        grids: By call: the shape of its output without the channels.
        refused: By call: the reason that its weight is not refitted after all.
        outputs: The teacher's outputs for the unseen inputs.
        macs: Multiply-accumulates of the pass.
    """

    places: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    values: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    inputs: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    statistics: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    grids: dict[int, tuple[int, ...]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    outputs: list[Tensor] = field(default_factory=list)
    macs: int = 0


def run(model: nn.Module, inputs: tuple[Tensor, ...], watch: Any, seed: int) -> list[Tensor]:
    """Return a network's outputs; its own random numbers are seeded.

    Args:
        model: The network.
        inputs: Its inputs.
        watch: See `Calls`.
        seed: Seed of torch's generator during the pass.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad(), Calls(watch):
        torch.default_generator.manual_seed(seed)
        return tensors(model(*inputs))


def teacher_targets(
    model: nn.Module, inputs: tuple[Tensor, ...], plan: RefitPlan, split: Split, rows: Mapping[str, int], seed: int
) -> Targets:
    """Return the teacher's activations at sampled positions of every layer that is refitted.

    Args:
        model: The teacher.
        inputs: All calibration inputs.
        plan: The weights that are refitted.
        split: Split of the inputs.
        rows: Number of positions on the fitted inputs, by weight.
        seed: Seed of the positions.

    Raises:
        OtherCalls: The network makes other calls than those of `plan`.
    """
    targets, n = Targets(), len(inputs[0])
    generator = torch.Generator().manual_seed(seed)
    sites = {number: site for site in plan.sites for number in site.calls}
    ends: dict[int, list[int]] = {}
    for site in plan.sites:
        for number in site.calls:
            ends.setdefault(site.end(number), []).append(number)

    def watch(number: int, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        check_same(plan, number, name)
        site = sites.get(number)
        if site is not None:
            layer, x, *_ = layer_of(name, args, kwargs)
            each = max(1, rows[site.weight] // len(site.calls))
            other = max(1, each * len(split.held_out) // len(split.fitted))
            shape = output_shape(func, args, kwargs)
            first, second = rows_of(split.fitted, n, shape[0]), rows_of(split.held_out, n, shape[0])
            if first is None or second is None:
                targets.refused[number] = "the first axis of its output is not that of the inputs"
                return counted(name, func, args, kwargs)
            places = layer.positions(shape, first, each, generator), layer.positions(shape, second, other, generator)
            targets.places[number], targets.grids[number] = places, layer.grid(shape)
            if len(site.calls) > 1:
                of_kept = x if site.inputs is None else x.index_select(layer.channel_axis, site.inputs.to(x.device))
                targets.inputs[number] = (layer.patches(of_kept, places[0]), layer.patches(of_kept, places[1]))
        norm = norm_of(args, kwargs) if number in plan.norms else None
        if norm is not None:
            images = rows_of(split.fitted, n, len(norm[0]))
            if images is not None:
                mean, variance = statistics(norm[0][images.to(norm[0].device)])
                channels = plan.norms[number]
                kept = slice(None) if channels is None else channels
                targets.statistics[number] = mean[kept], variance[kept]
        output = counted(name, func, args, kwargs)
        for start in ends.get(number, []):
            if start in targets.refused:
                continue
            own = sites[start]
            layer = own.layers[own.calls.index(start)]
            first, second = (own.of_outputs(layer.at(output, places)) for places in targets.places[start])
            targets.values[start] = (first, second)
        return output

    def counted(name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        output = func(*args, **kwargs)
        if is_weighted(name, args, kwargs):
            layer, x, weight, _ = layer_of(name, args, kwargs)
            targets.macs += pass_macs(layer, x, weight, output)
        return output

    outputs = run(model, inputs, watch, seed)
    targets.outputs = [output[split.unseen.to(output.device)] for output in outputs]
    return targets


def rows_of(numbers: Tensor, n: int, size: int) -> Tensor | None:
    """Return the positions of some of n inputs on an axis; None if inputs do not have equal shares of it.

    Args:
        numbers: Indices of the inputs, int64.
        n: Number of all inputs.
        size: Length of the axis: n, or a multiple of it if each input was split.
    """
    each, rest = divmod(size, n)
    return None if rest or not each else (numbers[:, None] * each + torch.arange(each)).flatten()


def output_shape(func: Callable[..., Any], args: Any, kwargs: Any) -> tuple[int, ...]:
    """Return the shape of a call's output without computing it."""

    def shape_only(value: Any) -> Any:
        return torch.empty_like(value, device="meta") if isinstance(value, Tensor) else value

    given = func(*map(shape_only, args), **{key: shape_only(value) for key, value in kwargs.items()})
    return tuple(given.shape)


def norm_of(args: Any, kwargs: Any) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return input, running mean and running variance of a batch norm; None if it uses statistics of its input."""
    given = (
        dict(zip(("input", "running_mean", "running_var", "weight", "bias", "training"), args, strict=False)) | kwargs
    )
    mean, variance = given.get("running_mean"), given.get("running_var")
    return None if given.get("training") or mean is None or variance is None else (given["input"], mean, variance)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance [C] of every channel of [N, C, ...], in float64."""
    over = [axis for axis in range(x.ndim) if axis != 1]
    return x.double().mean(over), x.double().var(over)


def check_same(plan: RefitPlan, number: int, name: str) -> None:
    """Raise OtherCalls unless a call is the planned one."""
    if number >= len(plan.names) or plan.names[number] != name:
        raise OtherCalls(f"call {number} is {name}")


def relative_error(outputs: list[Tensor], expected: list[Tensor]) -> float:
    """Return the squared error of a network's outputs over the variance of the expected ones, mean over outputs."""
    errors = []
    for given, wanted in zip(outputs, expected, strict=True):
        wanted = wanted.double()
        others = [axis for axis in range(wanted.ndim) if axis != 1] if wanted.ndim > 1 else [0]
        spread = (wanted - wanted.mean(others, keepdim=True)).square().sum()
        errors.append(float((given.double() - wanted).square().sum() / spread.clamp_min(1e-300)))
    return sum(errors) / max(1, len(errors))
