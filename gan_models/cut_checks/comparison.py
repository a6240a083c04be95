"""A comparison of a cut network with the gated one, by their outputs on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..pruning.gates import gated_call, plan_gates
from .precision import Precision, jittered
from .same_draws import SameDraws

# A network that rounding alone changes by more than its type's tolerance is allowed this multiple of the change,
ROUNDINGS = 30.0
MAX_ROUNDING = 0.1  # and at most this: a larger difference is not rounding


@dataclass(frozen=True)
class Comparison:
    """The distance between a cut network and the gated one.

    Attributes:
        difference: Largest difference of the outputs, relative to the largest output; infinite if shapes differ.
        allowed: Largest difference that rounding may explain.
    """

    difference: float
    allowed: float

    @property
    def same(self) -> bool:
        """True if both networks give the same outputs, to rounding."""
        return self.difference <= self.allowed


def compare(
    full: nn.Module,
    small: nn.Module,
    groups: ChannelGroups,
    plan: ChannelPlan,
    inputs: tuple[Tensor, ...],
    precision: Precision,
) -> Comparison:
    """Compare a cut network with its original, whose other channels are gated off.

    Args:
        full: The network at full width, in the type of `precision`.
        small: The cut network, in the same type.
        groups: The groups of `full`.
        plan: The plan of `small`.
        inputs: Inputs in the type of `precision`.
        precision: The arithmetic of the comparison.

    Raises:
        Exception: Any exception that the network raises.
    """
    with torch.no_grad(), SameDraws():
        expected = gated_outputs(full, groups, plan, inputs)
        found = outputs_of(small(*inputs))
        difference = relative_difference(expected, found)
        allowed = precision.tolerance
        if difference > allowed and difference < MAX_ROUNDING:
            moved = gated_outputs(jittered(full, precision, 0), groups, plan, inputs)
            allowed = max(allowed, min(MAX_ROUNDING, ROUNDINGS * relative_difference(expected, moved)))
    return Comparison(difference, allowed)


def gated_outputs(
    full: nn.Module, groups: ChannelGroups, plan: ChannelPlan, inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return the outputs of a network whose channels outside a plan are gated off."""
    like = next((x for x in (*full.parameters(), *inputs) if x.is_floating_point()), None)
    return outputs_of(gated_call(full, groups, plan_gates(groups, plan, like), *inputs))


def outputs_of(given: Any) -> tuple[Tensor, ...]:
    """Return the tensors in a network's output, in order."""
    if isinstance(given, Tensor):
        return (given,)
    several = given.values() if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else ()
    return tuple(tensor for one in several for tensor in outputs_of(one))


def relative_difference(expected: tuple[Tensor, ...], found: tuple[Tensor, ...]) -> float:
    """Return the largest difference of tensors, each relative to its largest value; infinite if they do not fit."""
    if len(expected) != len(found):
        return float("inf")
    return max((_difference(a.detach(), b.detach()) for a, b in zip(expected, found, strict=True)), default=0.0)


def _difference(expected: Tensor, found: Tensor) -> float:
    if expected.shape != found.shape:
        return float("inf")
    expected, found = expected.double(), found.double()
    finite = expected.isfinite()
    if not torch.equal(finite, found.isfinite()):
        return float("inf")
    expected, found = expected[finite], found[finite]
    if not len(expected):
        return 0.0
    scale = float(expected.abs().max())
    return float((expected - found).abs().max()) / (scale or 1.0)
