"""Ranges of values: a generator that works in another range than [-1, 1], while all else stays in it.

Data, losses, discriminators, metrics and pictures have one range per kind of input, `specs.RANGES`. Hooks translate at
the network's border, so that no other code needs the range.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError
from .specs import RANGES, InputSpec, OutputSpec, checked_range, range_text

if TYPE_CHECKING:
    from torch import Tensor, nn

USUAL_RANGE = RANGES["image"]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class ValueRanges:
    """The ranges that a generator's images have in the code that it comes from.

    Attributes:
        taken: The least and the largest value of its inputs that are images or audio.
        given: Those of its output.
    """

    taken: Bounds = USUAL_RANGE
    given: Bounds = USUAL_RANGE

    @classmethod
    def read(cls, data: str | Sequence[float]) -> ValueRanges:
        """Return the ranges of a text, or of two numbers.

        Args:
            data: `0,1`; apart for input and output `0,1:-1,1`; or a sequence such as [0, 1]. Empty: the usual ones.

        Raises:
            UserError: Another form, or a range whose least value is not below its largest.
        """
        if not data:
            return cls()
        parts = [_numbers(part, data) for part in data.split(":")] if isinstance(data, str) else [data]
        if len(parts) > 2:
            raise _not_understood(data)
        return cls(checked_range(parts[0]), checked_range(parts[-1]))

    @property
    def text(self) -> str:
        """The text that `read` takes; empty for the usual ranges."""
        if self == ValueRanges():
            return ""
        taken, given = range_text(self.taken), range_text(self.given)
        return taken if taken == given else f"{taken}:{given}"

    def of_inputs(self, inputs: InputSpec) -> InputSpec:
        """Return inputs with the range of their images and audio, unless they say another one themselves."""
        return InputSpec(
            tuple(
                replace(one, value_range=self.taken)
                if one.kind in ("image", "audio") and one.value_range == RANGES[one.kind]
                else one
                for one in inputs.inputs
            )
        )

    def check(self, inputs: InputSpec) -> None:
        """Raise UserError if a range of inputs is stated for a generator that takes neither images nor audio."""
        if self.taken != self.given and not inputs.of_kind("image", "audio"):
            raise UserError(
                f"value range {self.text} is for inputs and output: got a generator of {inputs.text}; expected one "
                f"that takes images or audio. Try --value-range {range_text(self.given)}."
            )


def usual(inputs: InputSpec) -> InputSpec:
    """Return inputs with the ranges that they have outside the network."""
    return InputSpec(tuple(replace(one, value_range=RANGES.get(one.kind)) for one in inputs.inputs))


def translate(x: Tensor, source: Bounds, target: Bounds) -> Tensor:
    """Return values of one range as those of another; nothing is clipped."""
    if source == target:
        return x
    factor = (target[1] - target[0]) / (source[1] - source[0])
    return x * factor + (target[0] - source[0] * factor)


def own_values(values: Sequence[Tensor], inputs: InputSpec) -> tuple[Tensor, ...]:
    """Return inputs of the usual ranges as the network's own code takes them.

    Args:
        values: One tensor per input.
        inputs: With the network's ranges.
    """
    return tuple(
        x if one.value_range is None else translate(x, RANGES[one.kind], one.value_range)
        for x, one in zip(values, inputs.inputs, strict=True)
    )


def usual_values(values: Sequence[Tensor], inputs: InputSpec) -> tuple[Tensor, ...]:
    """Return inputs in the network's own ranges as those of the usual ones: the inverse of `own_values`."""
    return tuple(
        x if one.value_range is None else translate(x, one.value_range, RANGES[one.kind])
        for x, one in zip(values, inputs.inputs, strict=True)
    )


@dataclass(frozen=True)
class TakesUsual:
    """A hook before a network's call: gives it inputs in its own ranges. `inputs` has these."""

    inputs: InputSpec

    def __call__(self, network: nn.Module, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what the network is called with."""
        return own_values(values, self.inputs)


@dataclass(frozen=True)
class GivesUsual:
    """A hook after a network's call: returns its output in the usual range. `bounds` is the network's own."""

    bounds: Bounds

    def __call__(self, network: nn.Module, values: tuple[Any, ...], output: Any) -> Any:
        """Return the output as others take it."""
        return translate(output, self.bounds, USUAL_RANGE)


@dataclass(frozen=True)
class JudgesUsual:
    """A hook before the call of a discriminator that was trained with a generator of other ranges.

    Attributes:
        channels: Of the generator's output; they are the last ones that the discriminator is shown.
        ranges: The generator's: channels before the output are its inputs.
    """

    channels: int
    ranges: ValueRanges

    def __call__(self, network: nn.Module, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what the discriminator is called with."""
        from torch import cat

        shown, *others = values
        taken, given = self.ranges.taken, self.ranges.given
        before = shown.shape[1] - self.channels
        if taken == given or before <= 0:
            return (translate(shown, USUAL_RANGE, given), *others)
        parts = translate(shown[:, :before], USUAL_RANGE, taken), translate(shown[:, before:], USUAL_RANGE, given)
        return (cat(parts, dim=1), *others)


def with_usual_ranges(network: nn.Module, inputs: InputSpec, given: Bounds) -> nn.Module:
    """Let a network take and give the usual ranges, regardless of its own.

    Hooks leave the network what it is: parameters, modules and groups keep their names, and any copied, cut, traced or
    trained network keeps the hooks.

    Args:
        network: Is changed, unless its ranges are the usual ones.
        inputs: What it takes, in its own ranges.
        given: The range of its output.

    Returns:
        The same network.
    """
    if inputs != usual(inputs):
        network.register_forward_pre_hook(TakesUsual(inputs))
    if given != USUAL_RANGE:
        network.register_forward_hook(GivesUsual(given))
    return network


def with_own_ranges(network: nn.Module) -> nn.Module:
    """Undo `with_usual_ranges` of a network and all inside: it takes and gives the ranges of its own code again."""
    for hooks, key in _hooks_of(network):
        del hooks[key]
    return network


@contextmanager
def in_own_ranges(network: nn.Module) -> Iterator[nn.Module]:
    """Undo `with_usual_ranges` while open, as for counting and timing what will be exported."""
    undone = [(hooks, key, hooks[key]) for hooks, key in _hooks_of(network)]
    with_own_ranges(network)
    try:
        yield network
    finally:
        for hooks, key, hook in undone:
            hooks[key] = hook


def _hooks_of(network: nn.Module) -> list[tuple[dict[int, Any], int]]:
    """Return the tables that hold our hooks, with the hooks' keys."""
    tables = [table for m in network.modules() for table in (m._forward_pre_hooks, m._forward_hooks)]
    return [(t, key) for t in tables for key in list(t) if isinstance(t[key], TakesUsual | GivesUsual)]


def judging_usual(discriminator: nn.Module, ranges: ValueRanges, output: OutputSpec) -> nn.Module:
    """Let a discriminator that was trained with a generator of other ranges be shown the usual ones.

    Args:
        discriminator: Is changed, unless the ranges are the usual ones.
        ranges: Of the generator.
        output: What the generator gives.

    Returns:
        The same network.
    """
    if ranges != ValueRanges():
        discriminator.register_forward_pre_hook(JudgesUsual(output.channels, ranges))
    return discriminator


def _numbers(part: str, data: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, part.split(",")))
    except ValueError:
        raise _not_understood(data) from None


def _not_understood(data: Any) -> UserError:
    return UserError(
        f"value range {data!r} is not understood: expected the least and the largest value, such as 0,1 or 0,255; of "
        "input and output apart, 0,1:-1,1"
    )
