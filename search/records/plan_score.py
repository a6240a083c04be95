"""The record of a plan that was scored before any training. It is not a trial: it has no quality and no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...evaluators.measurement import Measurement, zero_shot_name
from ...gan_models.files.errors import UserError

ZERO_SHOT = "zero-shot"  # name of zero-shot scores, before the brackets
UNIFORM = "uniform"  # origin of plans with the same share of every group
ERROR = f"{ZERO_SHOT}[error"  # beginning of the name of an error to the teacher
FEATURES_ERROR = f"{ERROR},features="  # beginning of the name of the error in an encoder's features


@dataclass(frozen=True)
class PlanErrors:
    """The errors of a plan's refitted network to its teacher, before any training.

    Attributes:
        outputs: Squared error of the outputs, relative to the variance of the teacher's.
        features: The same of the outputs' features in the study's encoder; None if it was not measured.
    """

    outputs: float
    features: float | None = None

    @property
    def guide(self) -> float:
        """The error by which plans are compared: that of features if measured, else that of outputs."""
        return self.outputs if self.features is None else self.features

    def by(self, features: bool) -> float | None:
        """Return the error of features, or of outputs; None if it was not measured."""
        return self.features if features else self.outputs


@dataclass(frozen=True)
class PlanScore:
    """A plan with its zero-shot scores.

    Attributes:
        name: `P0`, `P1`, ... within the study.
        widths: Channels per group.
        cost: Cost in the unit of the study's objective.
        scores: The errors to the teacher first, of outputs and of features; then the study's metrics if they were
            measured.
        origin: Origin of the plan in words: `uniform`, `score table`, `local search`, `between trials 4 and 7`.
        found_by: `forecast`, or `proposal` for `pareto --at`.
        parent: Number of the trial whose network was cut to the plan; None: the teacher.
        seconds: Time of scoring it.

    Raises:
        UserError: A score does not have the name of a zero-shot score.
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
        """Check the names, so that a score is never mistaken for a trial's quality."""
        for score in self.scores:
            check_score(score)

    @property
    def errors(self) -> PlanErrors | None:
        """The errors to the teacher; None if they could not be measured."""
        return errors_of(self.scores)

    @property
    def error(self) -> float | None:
        """The error to the teacher's outputs, relative to their variance; None if it could not be measured."""
        return None if self.errors is None else self.errors.outputs

    @property
    def quality(self) -> Measurement | None:
        """The study's metric of the untrained network, under its own name; None if it was not measured."""
        return next((score for score in self.scores if not score.name.startswith(ERROR)), None)


def check_score(score: Measurement) -> None:
    """Raise UserError unless a measurement has the name of a zero-shot score."""
    if not score.name.startswith(f"{ZERO_SHOT}["):
        raise UserError(f"a plan's score has the name of a quality: got {score.name}; expected {ZERO_SHOT}[...]")


def errors_of(scores: Sequence[Measurement]) -> PlanErrors | None:
    """Return the errors to the teacher among zero-shot scores; None if that of the outputs is missing."""
    found = {
        score.name.startswith(FEATURES_ERROR): score.value
        for score in scores
        if score.name.startswith(ERROR) and score.reason is None
    }
    return PlanErrors(found[False], found.get(True)) if False in found else None


def mean_errors(errors: Sequence[PlanErrors]) -> PlanErrors:
    """Return the mean errors of several generators; that of features only if all have one."""
    features = [one.features for one in errors if one.features is not None]
    outputs = sum(one.outputs for one in errors) / len(errors)
    return PlanErrors(outputs, sum(features) / len(features) if len(features) == len(errors) else None)


def metric_of(score: Measurement) -> str:
    """Return the short name of a zero-shot score's metric: `fd`, `fid`, `error`."""
    return score.name.removeprefix(f"{ZERO_SHOT}[").removesuffix("]").partition(",")[0]


def error_scores(errors: PlanErrors, encoder: str, n: int, protocol: str) -> tuple[Measurement, ...]:
    """Return errors to the teacher as scores: `zero-shot[error,n=64]`, and `zero-shot[error,features=shapes,n=64]`.

    Args:
        errors: Squared errors relative to variances.
        encoder: Name of the encoder of the features.
        n: Number of inputs of the errors.
        protocol: Protocol of the measurement.
    """
    scores = [Measurement(zero_shot_name(f"error[n={n}]"), errors.outputs, "1", n=n, protocol=protocol)]
    if errors.features is not None:
        name = zero_shot_name(f"error[features={encoder},n={n}]")
        scores.append(Measurement(name, errors.features, "1", n=n, protocol=f"features of {encoder}; {protocol}"))
    return tuple(scores)


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
