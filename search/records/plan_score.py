"""The record of a plan that was scored before any training. It is no trial: it has no quality and no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...evaluators.measurement import Measurement, zero_shot_name
from ...gan_models.files.errors import UserError

ZERO_SHOT = "zero-shot"  # before the bracket of each score's name
ERROR = f"{ZERO_SHOT}[error"  # the start of the name of the error to the teacher


@dataclass(frozen=True)
class PlanScore:
    """One plan with its zero-shot scores.

    Attributes:
        name: `P0`, `P1`, ... within the study.
        widths: Channels per group.
        cost: In the unit of the study's objective.
        scores: The error to the teacher's outputs first, then the study's metrics if they were measured.
        origin: Origin of the plan in words: `uniform`, `score table`, `local search`, `between trials 4 and 7`.
        found_by: `forecast`, or `proposal` of `pareto --at`.
        parent: Number of the trial whose network was cut to the plan; None: the teacher.
        seconds: Of scoring it.

    Raises:
        UserError: A score whose name is not that of a zero-shot score.
    """

    name: str
    widths: Mapping[str, int]
    cost: float
    scores: tuple[Measurement, ...]
    origin: str
    found_by: str = "forecast"
    parent: int | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Check the names: a score must never be mistaken for a trial's quality."""
        for score in self.scores:
            check_score(score)

    @property
    def error(self) -> float | None:
        """The error to the teacher's outputs, relative to their variance; None if it could not be measured."""
        return error_of(self.scores)

    @property
    def quality(self) -> Measurement | None:
        """The study's metric of the network as it was scored, under its own name; None if it was not measured."""
        return next((score for score in self.scores if not score.name.startswith(ERROR)), None)


def check_score(score: Measurement) -> None:
    """Raise UserError unless a measurement has the name of a zero-shot score."""
    if not score.name.startswith(f"{ZERO_SHOT}["):
        raise UserError(f"a plan's score has the name of a quality: got {score.name}; expected {ZERO_SHOT}[...]")


def error_of(scores: tuple[Measurement, ...]) -> float | None:
    """Return the error to the teacher's outputs among zero-shot scores; None if it is not there."""
    found = next((score for score in scores if score.name.startswith(ERROR)), None)
    return None if found is None or found.reason is not None else found.value


def metric_of(score: Measurement) -> str:
    """Return the short name of a zero-shot score's metric: `fd`, `fid`, `error`."""
    return score.name.removeprefix(f"{ZERO_SHOT}[").removesuffix("]").partition(",")[0]


def stored_error(scores: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the error to the teacher's outputs among scores in their JSON form; None if it is not there."""
    return next((_number(score["value"]) for score in scores if str(score["name"]).startswith(ERROR)), None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def error_score(error: float, n: int, protocol: str) -> Measurement:
    """Return an error to the teacher's outputs as a zero-shot score.

    Args:
        error: Squared error relative to the variance of the teacher's outputs.
        n: Inputs that it was measured on.
        protocol: How it was measured.
    """
    return Measurement(zero_shot_name(f"error[n={n}]"), error, "1", n=n, protocol=protocol)


def as_score(measured: Measurement) -> Measurement:
    """Return a metric of an untrained network under a zero-shot score's name: `zero-shot[fd,features=shapes,n=300]`."""
    return Measurement(
        zero_shot_name(measured.name),
        measured.value,
        measured.unit,
        measured.low,
        measured.high,
        measured.n,
        f"refitted, not trained; {measured.protocol}",
        measured.reason,
    )
