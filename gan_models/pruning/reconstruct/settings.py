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
        note="plans that are cut, refitted and scored on the way to one; a third of them measure sensitivities",
    )
    min_share: float = setting(
        MIN_SHARE,
        low=0.2,
        high=1.0,
        note="every group keeps at least this share of its width in the uniform plan: untrained scores starve groups "
        "that training uses",
    )
    guide: Literal["features", "outputs"] = setting(
        "features",
        searched=False,
        note="errors to the teacher that plans are scored by: of the study's encoder's features, or of the outputs; "
        "outputs without an encoder, or if all training inputs are fitted to",
    )
    refit: bool = setting(
        True, searched=False, note="the cut is refitted to the teacher on the calibration inputs, as plans were scored"
    )
