"""Settings of the baselines. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .settings import setting


def cost_exponent() -> Any:
    """Return the field of the exponent on a channel's cost, for methods that rank channels of all groups together."""
    return setting(
        0.05,
        low=0.01,
        high=0.3,
        # Scores inside a group differ by tens of percent, costs between groups by factors of ten: near 1 the ranking
        # is by cost alone and whole groups fall to their floor (measured: fd[shapes] 20 where uniform has 12), so the
        # range ends at 0.3 and most draws are small.
        log=True,
        note="a channel's score is divided by its cost to this power: near 0 ignores cost, 1 would rank per MAC",
    )


def ranking(use: str, default: str = "auto") -> Any:
    """Return the field of the ranking of channels within a group; its annotation is that of `RankingSettings.ranking`.

    Args:
        use: The start of its note: the use of the ranking.
        default: The method's default; docs/measurements.md compares rankings.
    """
    return setting(
        default,
        choices=("auto", "l1", "l2", "schur", "gauss_newton"),
        searched=False,
        note=f"{use} the norm of their weights (l1, l2), or the loss without them: after the others are refitted "
        "(schur), or before (gauss_newton); auto: schur with calibration inputs, else l1",
    )


def restart() -> Any:
    """Return the field for the restart after a method that trains; its annotation is `Restart`."""
    return setting(
        "auto",
        choices=("auto", "always", "never"),
        searched=False,
        note="cut the plan from the teacher again and refit it on the calibration inputs: if that is far closer to "
        "the teacher than the trained network (auto; never for published forms), always or never",
    )


@dataclass(frozen=True)
class RankingSettings:
    """Settings of methods that take widths from the search space."""

    ranking: Literal["auto", "l1", "l2", "schur", "gauss_newton"] = ranking("keep channels by")
    refit: bool = setting(
        True, searched=False, note="refit the cut to the teacher on the calibration inputs, if there are any"
    )


@dataclass(frozen=True)
class MagnitudeSettings(RankingSettings):
    """Settings of magnitude."""

    cost_exponent: float = cost_exponent()
