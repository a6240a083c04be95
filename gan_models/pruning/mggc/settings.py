"""Settings of mggc. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..baseline_settings import ranking, restart
from ..settings import setting


@dataclass(frozen=True)
class MggcSettings:
    """Settings of mggc; the notes describe each. The ablations are not searched."""

    k: Literal[2, 4, 8, 16, 32] = setting(8, note="neighbors of a Center on the learned manifold")
    encoder: Literal["trial", "discriminator"] = setting("trial", note="encoder whose features define neighbors")
    density: Literal["both", "adversarial", "kernel", "off"] = setting(
        "both", note="form of the density term", searched=False
    )
    condition: Literal["input", "centre"] = setting(
        "input", note="condition of a conditional discriminator", searched=False
    )
    agent: Literal["gru", "logits"] = setting(
        "gru", note="recurrent agents, or one free logit per channel", searched=False
    )
    feedback: bool = setting(True, note="let the agents exchange feedback", searched=False)
    prune_discriminator: bool = setting(True, note="also prune the discriminator", searched=False)
    discriminator_target: float = setting(
        0.5, low=0.2, high=1.0, log=True, note="target share of the discriminator's MACs"
    )
    share: float = setting(
        1.0, low=0.3, high=1.0, note="share of the pruning steps for the agents; the others fine-tune"
    )
    lr: float = setting(2e-3, low=5e-4, high=1e-2, log=True, note="learning rate of the agents")
    temperature: float = setting(0.4, low=0.2, high=1.0, log=True, note="temperature of the Gumbel-sigmoid")
    prior: float = setting(
        0.7, low=0.0, high=1.5, note="weight of the channels' importance in the agents' initial logits; 0: off"
    )
    weight_adversarial: float = setting(1.0, low=0.1, high=10.0, log=True, note="weight of the adversarial form")
    weight_kernel: float = setting(1.0, low=0.1, high=10.0, log=True, note="weight of the kernel form")
    weight_output: float = setting(
        10.0, low=0.0, high=100.0, note="weight of the distance to the teacher's output; 0: off"
    )
    weight_cost: float = setting(
        1.0, low=0.1, high=10.0, log=True, note="initial weight of the cost, which then adapts to the target"
    )
    ranking: Literal["auto", "l1", "l2", "schur", "gauss_newton"] = ranking("initial logits follow", "l1")
    restart: Literal["auto", "always", "never"] = restart()
