"""Losses of a training by step, thinned to a stated number of bytes. No torch, no database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...gan_models.files.plain_values import to_json

LOSS_BYTES = 8_000  # of the JSON of all curves of one trial, or of the teacher
DIGITS = 4  # significant digits that are kept of a loss

Point = tuple[int, Mapping[str, float]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class LearningCurve:
    """Loss terms of one training at rising steps, term by term.

    Attributes:
        steps: Steps that are done at each point.
        losses: Values by term, one per step; None if the term had no part in that step.

    Raises:
        ValueError: The steps do not rise, or a term has another number of values.
    """

    steps: tuple[int, ...] = ()
    losses: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(f"steps of a learning curve must rise; got {list(self.steps)[:8]}")
        for term, values in self.losses.items():
            if len(values) != len(self.steps):
                raise ValueError(f"{term} has {len(values)} values at {len(self.steps)} steps; expected one per step")

    @classmethod
    def of(cls, points: Iterable[Point], first: int = 0) -> LearningCurve:
        """Return the curve of (step, {term: value}) as a training notes them.

        Args:
            points: By rising step.
            first: Steps that were done before this training, added to each step.
        """
        noted = list(points)
        terms = dict.fromkeys(term for _, values in noted for term in values)
        losses = {term: tuple(_rounded(values.get(term)) for _, values in noted) for term in terms}
        return cls(tuple(first + step for step, _ in noted), losses)

    def within(self, most_bytes: int) -> LearningCurve:
        """Return the curve, or every second, fourth, ... of its points and the last, so that its JSON is short enough.

        A curve of two points is not thinned further; without steps nothing is left out.
        """
        every, found = 1, self
        while found.json_bytes > most_bytes and len(found.steps) > 2:
            every *= 2
            kept = sorted({*range(0, len(self.steps), every), len(self.steps) - 1})
            found = LearningCurve(_at(self.steps, kept), {k: _at(v, kept) for k, v in self.losses.items()})
        return found

    @property
    def json_bytes(self) -> int:
        """Bytes of its JSON."""
        return len(json.dumps(to_json(self)))


def thinned(curves: Mapping[str, LearningCurve]) -> dict[str, LearningCurve]:
    """Return the curves of one trial that have points, by phase, together within `LOSS_BYTES`.

    Args:
        curves: By phase: `prune` (of several generators `prune AtoB`), `finetune`, or `teacher`.
    """
    found = {phase: curve for phase, curve in curves.items() if curve.steps}
    return {phase: curve.within(LOSS_BYTES // len(found)) for phase, curve in found.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _at(values: Sequence[Item], places: Sequence[int]) -> tuple[Item, ...]:
    return tuple(values[place] for place in places)
