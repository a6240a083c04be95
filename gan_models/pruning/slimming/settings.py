"""Settings of slimming. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..baseline_settings import ranking, restart
from ..settings import setting


@dataclass(frozen=True)
class SlimmingSettings:
    """Settings of slimming; the notes describe each. The published forms are not searched."""

    scale_rate: float = setting(0.3, low=0.03, high=3.0, log=True, note="maximum change of a scale by gradients")
    weight_rate: float = setting(
        1.0, low=0.1, high=2.0, log=True, note="learning rates of the networks, relative to the recipe's"
    )
    importance_exponent: float = setting(3.0, low=0.0, high=6.0, note="shrink weak channels faster (0: as published)")
    cost_exponent: float = setting(0.25, low=0.0, high=1.0, note="shrink expensive channels faster (0: as published)")
    sensitivity: float = setting(
        0.25, low=0.0, high=1.0, note="shrink channels the loss is sensitive to more slowly (0: as published)"
    )
    knee: float = setting(
        0.1, low=0.02, high=1.0, log=True, note="scale above which a channel is not faded (1: as published)"
    )
    objective: Literal["20dist+gan", "dist+0.001gan", "gan"] = setting(
        "20dist+gan", note="weights of distillation and adversarial loss", searched=False
    )
    distance: Literal["perceptual+l1", "perceptual", "l1", "mse"] = setting(
        "perceptual+l1", note="distance to the teacher's images", searched=False
    )
    form: Literal["led", "published"] = setting(
        "led", note="adapt scales to the target (led), or update them as published", searched=False
    )
    order: Literal["auto", "joint", "sequential"] = setting(
        "auto", note="quantize to 8 bits during pruning, or after it", searched=False
    )
    ranking: Literal["auto", "l1", "l2", "schur", "gauss_newton"] = ranking("shrink weak channels faster, by")
    restart: Literal["auto", "always", "never"] = restart()

    @property
    def joint(self) -> bool:
        """True if quantization happens during pruning, as published; after pruning is better, as measured."""
        return self.order == "joint" or (self.order == "auto" and self.form == "published")
