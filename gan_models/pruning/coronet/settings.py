"""Settings of coronet. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..baseline_settings import cost_exponent, ranking, restart
from ..settings import setting


@dataclass(frozen=True)
class CoronetSettings:
    """Settings of coronet; the notes describe each."""

    init: Literal["teacher", "random"] = setting(
        "teacher", note="start from the teacher's weights, or from random ones"
    )
    embedding: Literal[8, 4, 2, 1] = setting(
        8, note="embedding size between a pair of latents and its kernel; determines memory"
    )
    hyper_lr: float = setting(
        0.3, low=0.03, high=1.0, log=True, note="learning rate of the hypernetwork, relative to the recipe's"
    )
    latent_lr: float = setting(
        1.0, low=0.2, high=5.0, log=True, note="learning rate of the latents, relative to the recipe's"
    )
    share: float = setting(1.0, low=0.3, high=1.0, note="share of the pruning steps in which the target is reached")
    schedule: float = setting(0.0, low=0.0, high=3.0, note="lambda: 0 shrinks the latents evenly, 3 mostly early")
    coupling: float = setting(0.2, low=0.0, high=1.0, note="share of the teacher's weights that the latents scale")
    sensitivity: float = setting(
        0.5, low=0.0, high=1.0, note="pull latents less if the loss depends on them; 0: all equally"
    )
    gated: bool = setting(True, note="gate fallen channels off before the cut")
    cost_exponent: float = cost_exponent()
    ranking: Literal["auto", "l1", "l2", "schur", "gauss_newton"] = ranking("initial latents follow", "l1")
    restart: Literal["auto", "always", "never"] = restart()
