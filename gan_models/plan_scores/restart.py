"""A restart after a method that trained: its plan is cut from the teacher again and refitted, if that error is lower.

Original to ganprune. Weights trained before the cut may be worse than the teacher's refitted weights; mggc trains no
weights at all. Both networks have the same plan. They are compared by their error to the teacher's outputs on held-out
inputs. Fine-tuning takes the same number of steps from either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..reconstruction.calibration import Calibration
from ..reconstruction.record import Reconstruction
from ..reconstruction.targets import relative_error
from ..training.compute import PassCount
from .zero_shot import NotScored, judging_inputs, outputs_of, zero_shot

# After training, a network ends better than another with the same error at the start. On the demo at 25 % coronet's own
# error was 0.257, the refitted teacher's 0.207, and its own network ended better (4.19 against 4.23). The own error of
# mggc is that of a plain cut.
DISTANCE_FACTOR = 0.5
Restart = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class Restarted:
    """The network that a trial continues with.

    Attributes:
        model: The method's own network, or the teacher, cut and refitted.
        reconstruction: Record of the refit, or of the exception that ended it; None if the trial continues with the
            method's own network for other reasons.
        own_error, refitted_error: Squared error of each network's outputs, relative to the variance of the teacher's.
        macs: Multiply-accumulates of all passes.
    """

    model: nn.Module
    reconstruction: Reconstruction | None
    own_error: float
    refitted_error: float
    macs: int

    @property
    def restarted(self) -> bool:
        """True if the trial continues with the teacher's network, cut and refitted."""
        return self.reconstruction is not None and not self.reconstruction.fault


def restarted(
    teacher: nn.Module,
    groups: ChannelGroups,
    plan: ChannelPlan,
    own: nn.Module,
    calibration: Calibration,
    choice: Restart,
) -> Restarted:
    """Return the network of a plan to continue with: `own`, or the teacher, cut to the plan and refitted.

    Args:
        teacher: The dense network.
        groups: Its groups.
        plan: The method's plan.
        own: The network that it cut.
        calibration: Inputs for the refit and for the comparison.
        choice: `always` takes the teacher, `auto` does if its error is below half of the other's, `never` does not.

    Raises:
        NotScored: An exception ended the refit, and `choice` is `always`.
    """
    judging = judging_inputs(calibration)
    try:
        other = zero_shot(teacher, groups, plan, calibration)
    except NotScored as fault:
        if choice == "always":
            raise
        return Restarted(own, fault.record, math.nan, math.inf, 0)
    seed, device = calibration.seed, next(teacher.parameters()).device
    with PassCount() as count, torch.no_grad():
        expected = outputs_of(teacher, judging, seed)
        errors = [relative_error(outputs_of(model.to(device), judging, seed), expected) for model in (own, other.model)]
    own_error, refitted_error = errors
    nearer = math.isfinite(refitted_error) and not refitted_error >= DISTANCE_FACTOR * own_error
    takes = choice == "always" or (choice == "auto" and nearer)
    return Restarted(
        other.model if takes else own,
        other.reconstruction if takes else None,
        own_error,
        refitted_error,
        other.macs + count.macs,
    )
