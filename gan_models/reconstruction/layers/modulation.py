"""Modulated convolutions (Karras et al. 2020): conv(style * x) over the length of each image's weights.

A weight's scale has no effect on the outputs, so plain least squares would not give them. The fit is one on a sphere:
with the weights V = W * rms(style), whose rows are of unit length, minimize |X V' - Y / d|^2 + ridge |V - V_S|^2 over
|v| = 1. Each row is (A + mu)^-1 b, with the mu at which its length is 1 (secular equation of trust-region methods; the
application to modulation is original to ganprune). The lengths d per image are those of the last solution.

Shapes: N images, P rows, I inputs, T taps, D = I T, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .call_tape import Tape
from .layer import NotRefitted

SQUARES = ("square", "pow")
SWAPS = ("transpose", "swapaxes")
EPSILON = 1e-8
ROUNDS = 2  # solutions, each with the lengths of the one before
MOST_COLUMNS = 2400  # of the sums, whose eigenvectors take seconds
HALVINGS = 60
NEAR = 1e-3  # relative difference of the network's own factors from 1 / length
MAP_AXES = 4


@dataclass(frozen=True)
class Modulation:
    """The calls around a modulated convolution.

    Attributes:
        style: The call that multiplies its input by the style (N, I, 1, 1).
        end: The call that multiplies its output by 1 / length (N, O, 1, 1).
        swapped: True if the convolution reads the weight with its first two axes swapped.
    """

    style: int
    end: int
    swapped: bool


def modulations(
    tape: Tape, weights: Mapping[int, str], reading: Mapping[str, list[int]]
) -> dict[int, tuple[str, Modulation]]:
    """Return the modulated convolutions of a pass: call -> name of the weight, and the calls around it.

    Args:
        tape: The pass.
        weights: Names of parameters by identity.
        reading: The calls that read each parameter.
    """
    found = {}
    for number, call in enumerate(tape.calls):
        if call.name not in ("conv2d", "conv_transpose2d") or len(call.args) < 2:
            continue
        weight, swapped = call.args[1], False
        source = call.sources.get(id(weight))
        if source is not None and source >= 0 and tape.calls[source].name in SWAPS:
            swap = tape.calls[source]
            swapped = {*map(str, swap.args[1:3])} == {"0", "1"}
            weight = swap.args[0] if swapped else weight
        name = weights.get(id(weight), "")
        others = [each for each in reading.get(name, []) if each not in (number, source)]
        names = {tape.calls[each].name for each in others}
        groups = call.kwargs.get("groups", 1)
        if not name or not names or not names <= {*SQUARES} or groups != 1 or min(others) < number:
            continue
        style, end = call.sources.get(id(call.args[0])), tape.users.get(number, [])
        if style is None or style < 0 or len(end) != 1 or end[0] >= len(tape.calls):
            continue
        own = Modulation(style, end[0], swapped)
        scale, factor = scale_of(tape.calls[style].args), scale_of(tape.calls[end[0]].args)
        if scale is None or factor is None or {tape.calls[i].name for i in (style, end[0])} != {"mul"}:
            continue
        wanted = lengths(scale, weight.detach().flatten(2)).reciprocal()
        if wanted.shape == factor.shape[:2] and torch.allclose(factor[:, :, 0, 0], wanted, rtol=NEAR):
            found[number] = name, own
    return found


def scale_of(arguments: Sequence[object]) -> Tensor | None:
    """Return the factor (N, C, 1, 1) of a product with a map (N, C, H, W); None if there is none."""
    maps = [each for each in arguments[:2] if isinstance(each, Tensor) and each.ndim == MAP_AXES]
    scales = [each for each in maps if each.shape[2:] == (1, 1)]
    return scales[-1] if scales and len(maps) == 2 else None


def lengths(scale: Tensor, weight_OIT: Tensor) -> Tensor:
    """Return the lengths of each image's weights, (N, O).

    Args:
        scale: The style (N, I, 1, 1), or (N, I).
        weight_OIT: The weight.
    """
    return (scale.flatten(1).square() @ weight_OIT.square().sum(2).T + EPSILON).sqrt()


@dataclass(frozen=True)
class ModulatedRows:
    """The rows of a modulated convolution, in float64.

    Attributes:
        inputs_PIT: Its inputs, which the style has scaled.
        targets_PO: The teacher's outputs over the lengths.
        images_P: The image of each row.
    """

    inputs_PIT: Tensor
    targets_PO: Tensor
    images_P: Tensor

    def error(self, scale_NI: Tensor, weight_OIT: Tensor) -> float:
        """Return the squared error of a weight's outputs, relative to the variance of the targets."""
        given = self.inputs_PIT.flatten(1) @ weight_OIT.flatten(1).T / lengths(scale_NI, weight_OIT)[self.images_P]
        total = (self.targets_PO - self.targets_PO.mean(0)).square().sum().clamp_min(1e-300)
        return float((given - self.targets_PO).square().sum() / total)


@dataclass(frozen=True)
class ModulatedFit:
    """The best weight, with its ridge and errors on held-out rows.

    Attributes:
        weight_OIT: The weight; None if the present one is better than every solution.
        ridge: Its ridge, relative to the mean square of the inputs; 0 without a solution.
        before, after: Errors of the present weight, and of the solution.
    """

    weight_OIT: Tensor | None
    ridge: float
    before: float
    after: float


def fit_modulated(
    rows: ModulatedRows, other: ModulatedRows, scale_NI: Tensor, weight_OIT: Tensor, ridges: Sequence[float]
) -> ModulatedFit:
    """Return the weight of the ridge with the lowest error on held-out rows.

    Args:
        rows: Rows to fit.
        other: Held-out rows.
        scale_NI: The style of all images.
        weight_OIT: The present weight.
        ridges: Candidates.

    Raises:
        NotRefitted: The sums are too large.
    """
    columns = weight_OIT[0].numel()
    if columns > MOST_COLUMNS:
        raise NotRefitted(f"it has {columns} entries per output: a modulated weight is refitted up to {MOST_COLUMNS}")
    scale_NI, present = scale_NI.flatten(1).double(), weight_OIT.double()
    mean_I = scale_NI[rows.images_P.unique()].square().mean(0).sqrt().clamp_min(1e-12)
    inputs_PD = (rows.inputs_PIT / mean_I[:, None]).flatten(1)
    values, vectors = torch.linalg.eigh(inputs_PD.T @ inputs_PD)
    values = values.clamp_min(0)
    own_OD = _unit((present * mean_I[:, None]).flatten(1))
    before = other.error(scale_NI, present)
    best = ModulatedFit(None, 0.0, before, before)
    for ridge in ridges:
        penalty, solution = ridge * float(values.mean()), own_OD
        for _ in range(ROUNDS):
            weight = solution.unflatten(1, weight_OIT.shape[1:]) / mean_I[:, None]
            wanted_PO = rows.targets_PO * lengths(scale_NI, weight)[rows.images_P]
            right_OD = wanted_PO.T @ inputs_PD + penalty * own_OD
            solution = _on_sphere(values, right_OD @ vectors) @ vectors.T
        weight = solution.unflatten(1, weight_OIT.shape[1:]) / mean_I[:, None]
        after = other.error(scale_NI, weight)
        if after < best.after:
            best = ModulatedFit(weight, ridge, before, after)
    return best


def _on_sphere(values_D: Tensor, right_OD: Tensor) -> Tensor:
    """Return rows b / (values + mu) of unit length, each with its own mu above minus the least value."""
    least = values_D[0]
    low = torch.zeros_like(right_OD[:, 0])  # of mu + least
    high = right_OD.norm(dim=1) + 1e-300  # there the length is at most 1
    above = values_D - least
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        long = (right_OD / (above + middle[:, None])).norm(dim=1) > 1
        low, high = torch.where(long, middle, low), torch.where(long, high, middle)
    return _unit(right_OD / (above + high[:, None]))


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-300)
