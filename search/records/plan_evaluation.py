"""The record of one evaluation in a search for plans, so that a resumed search repeats none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .plan_score import PlanErrors

EvaluationKey = tuple[str, tuple[tuple[str, int], ...]]


@dataclass(frozen=True)
class PlanEvaluation:
    """The errors of one generator, cut to a plan and refitted.

    Attributes:
        identity: Hash of all that determines the errors apart from widths: weights, groups, calibration inputs, seed,
            and the encoder of features.
        widths: Channels per group, under the generator's own names.
        errors: Errors to the teacher.
        n: Number of inputs of the errors.
        seconds: Time of cutting, refitting and measuring.
    """

    identity: str
    widths: Mapping[str, int]
    errors: PlanErrors
    n: int
    seconds: float = 0.0

    @property
    def key(self) -> EvaluationKey:
        """Identity and widths as a hashable key."""
        return key_of(self.identity, self.widths)


def key_of(identity: str, widths: Mapping[str, int]) -> EvaluationKey:
    """Return the key of the evaluation of these widths."""
    return identity, tuple(sorted(widths.items()))
