"""Fine-tuning of a cut network: rungs, the watch over its health, early stopping."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ...gan_models.distillation.catalog import MAPS, terms_that_need
from ...gan_models.files.seeds import mixed
from ...gan_models.groups.surgery import copy_network
from ...gan_models.training.loop import Networks, TrainRecord, train
from ..artifacts.study_folder import write_curve
from ..records.messages import TrialReport
from .collapse_monitor import HealthWatch
from .work import TrialWork


class FineTuning:
    """The training of one cut network by the study's recipe.

    Args:
        work: The trial; its networks are quantized already if they are to be.
    """

    def __init__(self, work: TrialWork) -> None:
        self.work = work
        config, steps = work.study.config, work.finetune_steps
        self.rungs = {max(1, round(share * config.finetune_steps)) + work.spare_steps for share in config.rungs}
        first = work.step_of_trial(max(round(config.health.start * steps), config.health.least_steps))
        self.watch = HealthWatch(work.study, config.health, work.workspace, first)
        self.judges = copy_network(work.pruned.discriminators or work.study.discriminators).requires_grad_(True)

    def train(self) -> TrainRecord:
        """Train to the last rung, or until a rung or the watch ends it; an interrupted training resumes."""
        work, config, steps = self.work, self.work.study.config, self.work.finetune_steps
        stops = self.rungs | set(config.health.looks(steps))
        return train(
            work.study.task(),
            Networks(nn.ModuleDict(work.generators), self.judges),
            work.study.train_data,
            work.recipe,
            steps=steps,
            seed=mixed(work.request.seed, 3),
            device=work.study.device,
            teacher=work.study.generators,
            teacher_judges=dict(work.study.discriminators.items()),
            feature_maps=work.study.output_maps if terms_that_need(MAPS, work.recipe.distillation) else None,
            checkpoint_dir=work.workspace / "checkpoint",
            checkpoint_every=max(200, steps // 10),
            rungs=sorted(step for step in stops if step < steps),
            on_rung=self._rung,
            workers=config.data_workers,
        )

    def _rung(self, step: int, generators: Mapping[str, nn.Module]) -> bool:
        """Look at the training's health, and at a rung measure and report; False stops the training."""
        work, at = self.work, self.work.step_of_trial(step)
        work.clock.lap("finetune")
        if work.study.config.health.checks and self.watch.look(at, generators, dict(self.judges.items())):
            return False
        if step not in self.rungs:
            work.clock.lap("measure")
            return True
        measured = work.study.measure(work.study.joined(generators), full=False)
        quality = work.study.config.sign * measured[0].value
        work.clock.lap("measure")
        work.curve = {rung: value for rung, value in work.curve.items() if rung < at} | {at: quality}
        write_curve(work.request.workspace, work.curve)
        return work.report(
            TrialReport(
                step=at,
                quality=quality,
                cost=work.cost,
                rungs=dict(work.curve),
                widths=work.pruned.plan.widths,
                architecture=work.architecture,
                measurements=work.checked.costs,
                seconds=dict(work.clock.seconds),
            )
        )
