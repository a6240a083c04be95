"""The zero-shot score of a plan: the distance from its network, cut and refitted but not trained, to its teacher."""

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
from ..reconstruction.layers.call_tape import tensors
from ..reconstruction.reconstruction import RefitOptions, TeacherPass, reconstruct, split_of, teacher_pass
from ..reconstruction.record import Reconstruction
from ..reconstruction.targets import OtherCalls, relative_error
from ..training.compute import PassCount

Features = Callable[[Tensor], Tensor]
BATCH = 16
ERROR = "error"  # name of the measurement, with the number of inputs: `error[n=64]`


class NotScored(RuntimeError):
    """An error: a plan has no score because an exception ended its refit.

    Args:
        record: The record of the refit, with the exception's text.
    """

    def __init__(self, record: Reconstruction) -> None:
        super().__init__(f"the network cannot be refitted: {record.fault}")
        self.record = record


@dataclass(frozen=True)
class ZeroShot:
    """A plan's network after reconstruction, and its error.

    Attributes:
        plan: The kept channels.
        model: The cut and refitted network, on the teacher's device.
        error: Squared error to the teacher's outputs on held-out inputs, relative to the outputs' variance.
        n: Number of held-out inputs.
        reconstruction: The record of the refit.
        macs: Multiply-accumulates of all passes, including the teacher's for this score.
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
        """The error that a search minimizes: that of features if measured, else that of outputs.

        In docs/measurements.md, errors of features order the plans of trained methods by final quality. Errors of
        outputs do not: they favor uniform plans, which have the worst final quality.
        """
        return self.error if self.feature_error is None else self.feature_error

    @property
    def name(self) -> str:
        """Name of the error as a measurement, without the prefix `zero-shot`."""
        return f"{ERROR}[n={self.n}]"


class ZeroShotScorer:
    """A scorer of the plans of one teacher, whose own passes are made once.

    Args:
        teacher: The dense network; not changed.
        groups: Its groups.
        calibration: Inputs for refits. Errors are measured on its `judging` inputs, or, without them, on those that a
            refit does not use.
        features: Encoder of output images, [N, C, H, W] -> [N, d], for errors in its features. It needs `judging`.
        reference: Network on the CPU whose outputs errors are relative to; None: the teacher. A network that is cut
            further is refitted to its own activations, and compared with the dense network.

    Attributes:
        macs: Multiply-accumulates so far.
        evaluations: Number of plans that were scored so far.
    """

    def __init__(
        self,
        teacher: nn.Module,
        groups: ChannelGroups,
        calibration: Calibration,
        features: Features | None = None,
        reference: nn.Module | None = None,
    ) -> None:
        self._teacher, self._groups, self._calibration = teacher, groups, calibration
        self._options = RefitOptions(memory_bytes=calibration.memory_bytes)
        self._reference = teacher if reference is None else reference
        self._judging = calibration.judging if reference is None else judging_inputs(calibration)
        self._features = features if has_inputs(calibration.judging) else None
        self.macs = self.evaluations = 0

    @property
    def guided_by_features(self) -> bool:
        """True if plans are compared by errors of features, False if by errors of outputs."""
        return self._features is not None

    @cached_property
    def _shared(self) -> TeacherPass | None:
        """The teacher's pass; None if its calls differ between passes, or too few inputs fit into memory."""
        own = self._calibration
        try:
            shared = teacher_pass(self._teacher, self._groups, own.inputs, own.seed, self._options)
        except OtherCalls:  # the record of each refit reports it
            return None
        except Exception as error:  # an error of a user's network or of ganprune: it is reported, not hidden
            raise NotScored(Reconstruction(False, fault=f"{type(error).__name__}: {error}")) from error
        if shared is not None:
            self.macs += shared.targets.macs
        return shared

    @cached_property
    def _expected(self) -> list[Tensor]:
        with PassCount() as count:
            expected = outputs_of(self._reference, self._judging, self._calibration.seed)
        self.macs += count.macs
        return expected

    @cached_property
    def _expected_features(self) -> Tensor:
        assert self._features is not None
        return _batched(self._features, self._expected[0])

    def score(self, plan: ChannelPlan) -> ZeroShot:
        """Return a plan's network, cut and refitted, with its error to the teacher.

        Raises:
            NotScored: The user's network or ganprune raised an exception while the network was refitted.
        """
        before, own = self.macs, self._calibration
        model = cut(self._teacher, self._groups, plan)
        done = reconstruct(self._teacher, model, self._groups, plan, own.inputs, own.seed, self._options, self._shared)
        if done.fault:
            raise NotScored(done)
        self.macs += done.macs
        feature_error = None
        if has_inputs(self._judging):
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


def has_inputs(inputs: tuple[Tensor, ...]) -> bool:
    """Return True if there is at least one example."""
    return bool(inputs) and len(inputs[0]) > 0


def judging_inputs(calibration: Calibration) -> tuple[Tensor, ...]:
    """Return inputs that nothing is fitted to: the calibration's own, else those that a refit does not use."""
    if has_inputs(calibration.judging):
        return calibration.judging
    unseen = split_of(len(calibration.inputs[0])).unseen
    return tuple(x[unseen.to(x.device)] for x in calibration.inputs)


def outputs_of(model: nn.Module, inputs: tuple[Tensor, ...], seed: int) -> list[Tensor]:
    """Return a network's outputs in eval mode, computed batch by batch; its random numbers are seeded."""
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


def cpu_features(encoder: Callable[[Tensor], Tensor], device: torch.device) -> Features:
    """Return an encoder on a device as a function from images to features, both on the CPU."""

    def features(images: Tensor) -> Tensor:
        return encoder(images.to(device)).to(torch.float32).cpu()

    return features


def _batched(features: Features, images: Tensor) -> Tensor:
    """Return the features of images, computed batch by batch."""
    with torch.no_grad():
        return torch.cat([features(images[begin : begin + BATCH]) for begin in range(0, len(images), BATCH)])
