"""The state of a trial between its stages: their inputs, and their results for later stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.groups.surgery import copy_network
from ...gan_models.pruning.method import Pruned
from ...gan_models.quantization.calibration import Quantizer
from ...gan_models.quantization.settings import FULL_BITS
from ...gan_models.training.loop import TrainRecord
from ...gan_models.training.recipe import Recipe
from ..artifacts.study_folder import read_curve
from ..pictures.kept_pictures import LAST_STRIP_SHARE, keep_pictures
from ..preparations.opened_study import OpenedStudy
from ..records.learning_curve import LearningCurve, Point, thinned
from ..records.messages import Health, TrialOutcome, TrialReport, TrialRequest
from .cut_check import CutCheck


class Clock:
    """A clock of seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


@dataclass
class TrialWork:
    """The state of one trial. Each stage reads values of earlier ones, and sets its own.

    Attributes:
        study: The study, opened in this process.
        request: The request.
        report: Called at each rung; False stops the trial.
        clock: Seconds by stage.
        curve: Quality by step; it starts with the values of an earlier attempt, whose report may have been lost.
        pruned: The cut network. Set by `prune`.
        checked: Its costs, counted. Set by `check`.
        zero_shot: Scores of the plan before any training. Set by `score`.
        generators: Every generator by name, the pruned ones cut. Set by `quantize`.
        quantizers: Quantizers that simulate 8 bits, by generator; empty in float32. Set by `quantize`.
        losses: Points of fine-tuning's losses so far. Set by `finetune`.
        trained: Result of fine-tuning. Set by `finetune`.
        collapse: Reason that fine-tuning was aborted; empty if it was not. Set by `finetune`.
        health: Collapse indicators during training. Set by `finetune`.
        outcome: The trial's outcome. Set by `measure`.
    """

    study: OpenedStudy
    request: TrialRequest
    report: Callable[[TrialReport], bool]
    clock: Clock = field(default_factory=Clock)
    curve: dict[int, float] = field(init=False)
    pruned: Pruned = field(init=False)
    checked: CutCheck = field(init=False)
    zero_shot: tuple[Measurement, ...] = field(default=(), init=False)
    generators: dict[str, nn.Module] = field(init=False)
    quantizers: Mapping[str, Quantizer] = field(init=False)
    quantize_macs: int = field(default=0, init=False)
    losses: Sequence[Point] = field(default=(), init=False)
    trained: TrainRecord = field(init=False)
    collapse: str = field(default="", init=False)
    health: tuple[Health, ...] = field(default=(), init=False)
    outcome: TrialOutcome = field(init=False)

    def __post_init__(self) -> None:
        self.curve = read_curve(self.request.workspace)

    @property
    def workspace(self) -> Path:
        """The trial's folder."""
        return Path(self.request.workspace)

    @property
    def cost(self) -> float:
        """The cut network's cost, in the unit of the study's objective."""
        return self.checked.counted[self.request.proposal.cost]

    @property
    def architecture(self) -> str:
        """Hash of the cut architecture and its bits."""
        config, quantized = self.study.config, self.pruned.quantized
        bits = quantized.bits if quantized else FULL_BITS
        return self.pruned.plan.architecture(config.model_name, config.model_args, bits)

    @property
    def recipe(self) -> Recipe:
        """The study's recipe, with the search's choices for this trial."""
        return self.study.config.recipe.with_values(self.request.proposal.recipe)

    @property
    def spare_steps(self) -> int:
        """Number of steps that the method did not use for pruning; fine-tuning uses them, so that compute is equal."""
        return max(0, self.study.config.prune_steps - self.pruned.steps)

    @property
    def finetune_steps(self) -> int:
        """Number of steps of fine-tuning."""
        return self.study.config.finetune_steps + self.spare_steps

    @property
    def curves(self) -> dict[str, LearningCurve]:
        """Return the losses so far by phase, fine-tuning's at steps of the whole trial, thinned for the record."""
        before, several = self.pruned.curves, len(self.study.names) > 1
        found = {f"prune {name}" if several else "prune": LearningCurve.of(points) for name, points in before.items()}
        return thinned({**found, "finetune": LearningCurve.of(self.losses, self.pruned.steps)})

    def step_of_trial(self, step: int) -> int:
        """Return a fine-tuning step as a step of the whole trial, pruning included."""
        return self.pruned.steps + step

    def picture(self, step: int, last: bool = False) -> None:
        """Store pictures of the generators' present outputs.

        Args:
            step: Number of completed steps of the whole trial.
            last: True if training has ended.
        """
        others = len(self.study.config.rungs) + 1  # after the cut, and at rungs
        share = LAST_STRIP_SHARE if last else (1 - LAST_STRIP_SHARE) / others
        keep_pictures(self.study, self.generators, self.workspace, step, share)

    def networks(self) -> dict[str, nn.Module]:
        """Return every generator by name: the pruned ones cut and trainable, the others copies of the teacher's."""
        generators = {name: copy_network(model) for name, model in self.study.generators.items()}
        cut = self.pruned.model.requires_grad_(True)
        names = self.study.names
        return generators | {name: cut if len(names) == 1 else cut.get_submodule(name) for name in names}
