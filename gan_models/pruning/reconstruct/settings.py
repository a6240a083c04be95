"""Settings of reconstruct. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...plan_scores.least_widths import MIN_SHARE
from ..settings import setting


@dataclass(frozen=True)
class ReconstructSettings:
    """Settings of reconstruct."""

    evaluations: int = setting(
        40,
        choices=(1, 10, 20, 40, 80, 160),
        searched=False,
        note="number of plans that are cut, refitted and scored; a third of them measure sensitivities",
    )
    min_share: float = setting(
        MIN_SHARE,
        low=0.2,
        high=1.0,
        note="minimum width of a group as a share of its width in the uniform plan: untrained scores make groups too "
        "narrow that training uses",
    )
    guide: Literal["features", "outputs"] = setting(
        "features",
        searched=False,
        note="error to the teacher that scores plans: in features of the study's encoder, or of the outputs; outputs "
        "without an encoder, or if all training inputs are used for fitting",
    )
    refit: bool = setting(
        True, searched=False, note="refit the cut to the teacher on the calibration inputs, as for the scores"
    )
