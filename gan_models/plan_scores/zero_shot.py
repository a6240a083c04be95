"""The zero-shot score of a plan: how far its network, cut and refitted but not trained, is from its teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..groups.surgery import cut
from ..reconstruction.calibration import Calibration
from ..reconstruction.call_tape import tensors
from ..reconstruction.reconstruction import RefitOptions, reconstruct
from ..reconstruction.record import Reconstruction
from ..reconstruction.targets import relative_error

BATCH = 16
ERROR = "error"  # measured name, with the number of inputs: `error[n=64]`


@dataclass(frozen=True)
class ZeroShot:
    """A plan's network after reconstruction, and its error.

    Attributes:
        plan: What was kept.
        model: The cut and refitted network, on the teacher's device.
        error: Squared error to the teacher's outputs on inputs that nothing was fitted to, relative to their variance.
        n: Number of these inputs.
        reconstruction: The record of the refit.
        macs: Multiply-accumulates of all of it, the teacher's passes included.
    """

    plan: ChannelPlan
    model: nn.Module
    error: float
    n: int
    reconstruction: Reconstruction
    macs: int

    @property
    def name(self) -> str:
        """Name of the error as a measurement, before it is called zero-shot."""
        return f"{ERROR}[n={self.n}]"


def zero_shot(teacher: nn.Module, groups: ChannelGroups, plan: ChannelPlan, calibration: Calibration) -> ZeroShot:
    """Return a plan's network, cut and refitted, with its error to the teacher.

    Args:
        teacher: The dense network; it stays as it is.
        groups: Its groups.
        plan: What to keep.
        calibration: Inputs to refit with. The error is of its `judging` inputs; if it has none, of the part of the
            others that the refit left unseen.
    """
    model = cut(teacher, groups, plan)
    options = RefitOptions(memory_bytes=calibration.memory_bytes)
    done = reconstruct(teacher, model, groups, plan, calibration.inputs, calibration.seed, options)
    judging = calibration.judging
    if not judging or not len(judging[0]):
        error = done.after if done.kept else done.before
        return ZeroShot(plan, model, float("inf") if error is None else error, done.unseen, done, done.macs)
    n = len(judging[0])
    expected, given = outputs_of(teacher, judging, calibration.seed), outputs_of(model, judging, calibration.seed)
    macs = done.macs + round(n * (done.teacher_macs + done.student_macs) / max(1, done.inputs))
    return ZeroShot(plan, model, relative_error(given, expected), n, done, macs)


def outputs_of(model: nn.Module, inputs: tuple[Tensor, ...], seed: int) -> list[Tensor]:
    """Return all that a network gives in eval mode, batch by batch; what it draws itself is drawn from the seed."""
    was_training = model.training
    model.eval()
    parts: list[list[Tensor]] = []
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.default_generator.manual_seed(seed)
            for begin in range(0, len(inputs[0]), BATCH):
                parts.append(tensors(model(*(x[begin : begin + BATCH] for x in inputs))))
    finally:
        model.train(was_training)
    return [torch.cat(pieces) for pieces in zip(*parts, strict=True)]
