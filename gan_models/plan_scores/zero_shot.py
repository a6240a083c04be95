"""The zero-shot score of a plan: the distance of its network, cut and refitted but not trained, to its teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..groups.surgery import cut
from ..reconstruction.calibration import Calibration
from ..reconstruction.call_tape import tensors
from ..reconstruction.reconstruction import RefitOptions, TeacherPass, reconstruct, teacher_pass
from ..reconstruction.record import Reconstruction
from ..reconstruction.targets import relative_error

Features = Callable[[Tensor], Tensor]
BATCH = 16
ERROR = "error"  # measured name, with the number of inputs: `error[n=64]`


@dataclass(frozen=True)
class ZeroShot:
    """A plan's network after reconstruction, and its error.

    Attributes:
        plan: The kept channels.
        model: The cut and refitted network, on the teacher's device.
        error: Squared error to the teacher's outputs on held-out inputs, relative to the outputs' variance.
        n: Number of these inputs.
        reconstruction: The record of the refit.
        macs: Multiply-accumulates of all passes, with those of the teacher that were made for this score.
        feature_error: The same error in an encoder's features of the outputs; None without an encoder.
    """

    plan: ChannelPlan
    model: nn.Module
    error: float
    n: int
    reconstruction: Reconstruction
    macs: int
    feature_error: float | None = None

    @property
    def guide(self) -> float:
        """The error to search by: that of features if it is measured, else that of outputs.

        In docs/measurements.md, errors of features order the plans of trained methods by final quality. Errors of
        outputs do not: they favor uniform plans, which have the worst final quality.
        """
        return self.error if self.feature_error is None else self.feature_error

    @property
    def name(self) -> str:
        """Name of the error as a measurement, before it is called zero-shot."""
        return f"{ERROR}[n={self.n}]"


class ZeroShotScorer:
    """Zero-shot scores of the plans of one teacher, whose own passes are made once.

    Args:
        teacher: The dense network; it stays as it is.
        groups: Its groups.
        calibration: Inputs to refit with. Errors are of its `judging` inputs; if it has none, of the part of the
            others that a refit leaves unseen.
        features: Encoder of output images, [N, C, H, W] -> [N, d], for errors in its features. It needs `judging`.

    Attributes:
        macs: Multiply-accumulates of all that was computed so far.
        evaluations: Plans that were scored so far.
    """

    def __init__(
        self, teacher: nn.Module, groups: ChannelGroups, calibration: Calibration, features: Features | None = None
    ) -> None:
        self._teacher, self._groups, self._calibration = teacher, groups, calibration
        self._options = RefitOptions(memory_bytes=calibration.memory_bytes)
        self._judging, self._features = calibration.judging, features
        self.macs = self.evaluations = 0

    @cached_property
    def _shared(self) -> TeacherPass | None:
        """The teacher's pass; None if its activations cannot be recorded, which each refit's record then reports."""
        own = self._calibration
        try:
            shared = teacher_pass(self._teacher, self._groups, own.inputs, own.seed, self._options)
        except Exception:  # a user's network may raise anything when hooks record it
            return None
        if shared is not None:
            self.macs += shared.targets.macs
        return shared

    @cached_property
    def _expected(self) -> list[Tensor]:
        if self._shared is not None:
            self.macs += self._shared.targets.macs * len(self._judging[0]) // len(self._shared.inputs[0])
        return outputs_of(self._teacher, self._judging, self._calibration.seed)

    @cached_property
    def _expected_features(self) -> Tensor:
        assert self._features is not None
        return _batched(self._features, self._expected[0])

    def score(self, plan: ChannelPlan) -> ZeroShot:
        """Return a plan's network, cut and refitted, with its error to the teacher."""
        before, own = self.macs, self._calibration
        model = cut(self._teacher, self._groups, plan)
        done = reconstruct(self._teacher, model, self._groups, plan, own.inputs, own.seed, self._options, self._shared)
        self.macs += done.macs
        feature_error = None
        if self._judging and len(self._judging[0]):
            n, outputs = len(self._judging[0]), outputs_of(model, self._judging, own.seed)
            error = relative_error(outputs, self._expected)
            if self._features is not None:
                feature_error = relative_error([_batched(self._features, outputs[0])], [self._expected_features])
            self.macs += round(done.student_macs * n / max(1, done.inputs + done.held_out + done.unseen))
        else:
            last = done.after if done.kept else done.before
            n, error = done.unseen, float("inf") if last is None else last
        self.evaluations += 1
        return ZeroShot(plan, model, error, n, done, self.macs - before, feature_error)


def zero_shot(teacher: nn.Module, groups: ChannelGroups, plan: ChannelPlan, calibration: Calibration) -> ZeroShot:
    """Return the zero-shot score of one plan; `ZeroShotScorer` is for several."""
    return ZeroShotScorer(teacher, groups, calibration).score(plan)


def outputs_of(model: nn.Module, inputs: tuple[Tensor, ...], seed: int) -> list[Tensor]:
    """Return a network's outputs in eval mode, computed batch by batch; its own random numbers follow the seed."""
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


def _batched(features: Features, images: Tensor) -> Tensor:
    """Return the features of images, computed batch by batch."""
    with torch.no_grad():
        return torch.cat([features(images[begin : begin + BATCH]).cpu() for begin in range(0, len(images), BATCH)])
