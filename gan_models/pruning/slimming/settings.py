"""Settings of slimming. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..baseline_settings import restart
from ..settings import setting


@dataclass(frozen=True)
class SlimmingSettings:
    """What a study may choose about slimming; the notes say what each does. The published forms are not searched."""

    scale_rate: float = setting(0.3, low=0.03, high=3.0, log=True, note="how far gradients can move a scale")
    weight_rate: float = setting(1.0, low=0.1, high=2.0, log=True, note="rates of the networks, of the recipe's")
    importance_exponent: float = setting(3.0, low=0.0, high=6.0, note="weak channels shrink faster; 0 is published")
    cost_exponent: float = setting(0.25, low=0.0, high=1.0, note="dear channels shrink faster; 0 is published")
    sensitivity: float = setting(
        0.25, low=0.0, high=1.0, note="what the loss depends on shrinks slower; 0 is published"
    )
    knee: float = setting(0.1, low=0.02, high=1.0, log=True, note="a scale above acts as 1; 1 is published")
    objective: Literal["20dist+gan", "dist+0.001gan", "gan"] = setting(
        "20dist+gan", note="weights of distillation and adversarial loss", searched=False
    )
    distance: Literal["perceptual+l1", "perceptual", "l1", "mse"] = setting(
        "perceptual+l1", note="distance to the teacher's images", searched=False
    )
    form: Literal["led", "published"] = setting(
        "led", note="scales led to the target, or moved as published", searched=False
    )
    order: Literal["auto", "joint", "sequential"] = setting(
        "auto", note="8 bits together with pruning, or after it", searched=False
    )
    restart: Literal["auto", "always", "never"] = restart()

    @property
    def joint(self) -> bool:
        """True if 8 bits come with pruning, as published; ours does better with them after it, as measured."""
        return self.order == "joint" or (self.order == "auto" and self.form == "published")
