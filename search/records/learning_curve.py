"""The losses of a training by step, thinned to a maximum number of bytes. No torch, no database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...gan_models.files.plain_values import to_json

LOSS_BYTES = 8_000  # maximum bytes of the JSON of all curves of one trial, or of the teacher
DIGITS = 4  # significant digits of a stored loss

Point = tuple[int, Mapping[str, float]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class LearningCurve:
    """The loss terms of one training at ascending steps.

    Attributes:
        steps: Number of completed steps at each point.
        losses: Values by term, one per step; None if the step did not include the term.

    Raises:
        ValueError: The steps are not ascending, or a term has another number of values.
    """

    steps: tuple[int, ...] = ()
    losses: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(
                f"invalid steps of a learning curve: got {list(self.steps)[:8]}; expected ascending numbers"
            )
        for term, values in self.losses.items():
            if len(values) != len(self.steps):
                raise ValueError(
                    f"{term} has another number of values: got {len(values)} at {len(self.steps)} steps; expected one "
                    f"per step"
                )

    @classmethod
    def of(cls, points: Iterable[Point], first: int = 0) -> LearningCurve:
        """Return the curve of (step, {term: value}) points of a training.

        Args:
            points: Points by ascending step.
            first: Number of steps before this training, added to each step.
        """
        noted = list(points)
        terms = dict.fromkeys(term for _, values in noted for term in values)
        losses = {term: tuple(_rounded(values.get(term)) for _, values in noted) for term in terms}
        return cls(tuple(first + step for step, _ in noted), losses)

    def within(self, most_bytes: int) -> LearningCurve:
        """Return the curve, or every second, fourth, ... of its points and the last, so that its JSON fits.

        A curve of two points is not thinned further.
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
        curves: Curves by phase: `prune` (with several generators `prune AtoB`), `finetune`, or `teacher`.
    """
    found = {phase: curve for phase, curve in curves.items() if curve.steps}
    return {phase: curve.within(LOSS_BYTES // len(found)) for phase, curve in found.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _at(values: Sequence[Item], places: Sequence[int]) -> tuple[Item, ...]:
    return tuple(values[place] for place in places)
