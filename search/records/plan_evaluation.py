"""The record of one evaluation in a search among plans, so that an interrupted search repeats none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .plan_score import PlanErrors


@dataclass(frozen=True)
class PlanEvaluation:
    """The errors of one generator's network, cut to a plan and refitted.

    Attributes:
        identity: Hash of everything beside the widths that determines the errors: weights, groups, calibration inputs,
            seed, and the encoder of features.
        widths: Channels per group, under the generator's own names.
        errors: To the teacher.
        n: Inputs that they were measured on.
        seconds: Of cutting, refitting and measuring.
    """

    identity: str
    widths: Mapping[str, int]
    errors: PlanErrors
    n: int
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, tuple[tuple[str, int], ...]]:
        """Identity and widths, hashable."""
        return self.identity, tuple(sorted(self.widths.items()))
