"""Fine-tuning of a cut network: rungs, collapse monitoring, early stopping."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ...gan_models.checkpoints.kept_weights import copied_weights, put_back
from ...gan_models.distillation.catalog import MAPS, terms_that_need
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.seeds import mixed
from ...gan_models.files.user_code import UserCodeFailed, failed, load_object
from ...gan_models.groups.surgery import copy_network
from ...gan_models.networks.user_builders import taken
from ...gan_models.training.loop import Networks, TrainRecord, train
from ..artifacts.reported_losses import ReportedLosses
from ..artifacts.study_folder import write_curve
from ..records.learning_curve import Point
from ..records.messages import TrialReport
from .collapse_monitor import HealthWatch
from .work import TrialWork


class FineTuning:
    """The training of one cut network by the study's recipe.

    Args:
        work: The trial; its networks are already quantized if required.
    """

    def __init__(self, work: TrialWork) -> None:
        self.work = work
        config, steps = work.study.config, work.finetune_steps
        self.rungs = _rungs(work)
        first = work.step_of_trial(max(round(config.health.start * steps), config.health.least_steps))
        self.watch = HealthWatch(work.study, config.health, work.workspace, first)
        self.judges = copy_network(work.pruned.discriminators or work.study.discriminators).requires_grad_(True)

    def train(self) -> TrainRecord:
        """Train to the last rung, or until a rung or the monitor ends it; an interrupted training resumes."""
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
            on_curve=self._noted,
            workers=config.data_workers,
        )

    def _noted(self, losses: Sequence[Point]) -> None:
        """Store the losses so far for the next report."""
        self.work.losses = losses

    def _rung(self, step: int, generators: Mapping[str, nn.Module]) -> bool:
        """Check for collapse, and measure and report at a rung; return False to stop the training."""
        work, at = self.work, self.work.step_of_trial(step)
        work.clock.lap("finetune")
        if work.study.config.health.checks and self.watch.look(at, generators, dict(self.judges.items())):
            return False
        if step not in self.rungs:
            work.clock.lap("measure")
            return True
        return _measured_at(work, at, generators)


class OwnTraining:
    """The training of one cut network by a user's own function, without ganprune's training loop.

    The function may have parameters of these names: `generator` (the pruned network, to be trained in place),
    `teacher`, `steps`, `folder` (for its checkpoints; the same one if the trial is run again), `report`, `data` (the
    study's training images), `device` and `seed`. `report(step, losses={...})` measures at rungs, and returns False
    to end the training; losses, number by term, are stored as a learning curve.

    Args:
        work: The trial.
    """

    def __init__(self, work: TrialWork) -> None:
        self.work, config = work, work.study.config
        self.name = f"training {config.own_training}"
        self.rungs = sorted(_rungs(work))
        (self.network,) = work.study.names
        self.generator = work.generators[self.network]
        self.last, self.stopped = 0, False
        self.before = _architecture(self.generator)
        # Another attempt may have been killed after the last step, which the function then does not report again.
        self.finished = work.workspace / "trained.json"
        self.measured = set(work.curve)
        self.losses = ReportedLosses(work.workspace, work.finetune_steps)

    def train(self) -> TrainRecord:
        """Call the function, and check the trained generator.

        Raises:
            UserCodeFailed: It raises, does not report its last step, changes the teacher, or replaces the generator by
                another network.
        """
        work, started = self.work, time.perf_counter()
        fit = load_object(work.study.config.own_training, "training")
        device, folder = work.study.device, work.workspace / "training"
        folder.mkdir(parents=True, exist_ok=True)
        self.generator.to(device).train().requires_grad_(True)
        teacher = work.study.generators[self.network].to(device).eval()
        weights = copied_weights(teacher)
        arguments = {
            "generator": self.generator,
            "teacher": teacher,
            "steps": work.finetune_steps,
            "folder": folder,
            "report": self.report,
            "data": work.study.train_data,
            "device": device,
            "seed": mixed(work.request.seed, 3),
        }
        try:
            returned = fit(**taken(fit, arguments))
        except (UserCodeFailed, UserError):
            raise
        except Exception as error:  # a user's code may raise anything
            raise failed(self.name, error) from error
        finally:
            changed = put_back(teacher, weights)  # other trials of this process use the same teacher
        if changed:
            raise UserCodeFailed(
                f"{self.name} changed the teacher: got other values of {changed}; expected an unchanged teacher. Try "
                f"to give the optimizer only the parameters of the generator"
            )
        self._check(returned)
        self.generator.eval()
        seconds = time.perf_counter() - started
        return TrainRecord(work.finetune_steps, self.stopped, self.losses.all(), seconds)

    def report(self, step: int, losses: Mapping[str, float] | None = None) -> bool:
        """Measure if a rung is reached. Return True if the training continues.

        Args:
            step: Number of completed steps, 1 to all; ascending from call to call.
            losses: Loss terms of this step by name, to be stored; None: none.

        Raises:
            UserCodeFailed: `step` is not an ascending whole number up to all steps, `losses` are not numbers by name,
                or the generator is another network.
            WorkFailed: A weight of the generator is not finite at a rung.
        """
        steps = self.work.finetune_steps
        if isinstance(step, bool) or not isinstance(step, int) or not self.last < step:
            raise UserCodeFailed(
                f"{self.name} reports an invalid step: got {step!r} after {self.last}; expected ascending whole "
                f"numbers. Try report(step + 1) at the end of step number `step`"
            )
        if step > steps:
            raise UserCodeFailed(
                f"{self.name} reports too many steps: got {step}; expected at most {steps}. Try to end after `steps` "
                f"steps"
            )
        try:
            self.losses.note(step, losses)
        except ValueError as error:
            raise UserCodeFailed(
                f'{self.name} reports invalid losses: {error}. Try report(step + 1, losses={{"l1": loss.item()}})'
            ) from None
        self.work.losses = self.losses.all()
        resumed = self.measured if not self.last else ()  # rungs before the initial checkpoint
        reached = [
            rung
            for rung in self.rungs
            if self.last < rung <= step and rung < steps
            if rung == step or self.work.step_of_trial(rung) not in resumed
        ]
        self.last = step
        if reached and not self.stopped:
            self._check_network()
            self.work.clock.lap("finetune")
            modes = {module: module.training for module in self.generator.modules()}
            self.stopped = not _measured_at(self.work, self.work.step_of_trial(reached[-1]), self.work.generators)
            for module, training in modes.items():
                module.training = training
        if step == steps:
            write_json(self.finished, {"steps": steps})
        return not self.stopped

    def _check(self, returned: object) -> None:
        """Check the function's result and its networks. Raises UserCodeFailed or WorkFailed."""
        if returned is not None and returned is not self.generator:
            raise UserCodeFailed(
                f"{self.name} returned another object: got {type(returned).__name__}; expected None, or its "
                f"generator. Try to train that one in place"
            )
        self._check_network()
        steps = self.work.finetune_steps
        if self.stopped or self.last == steps or (not self.last and read_json(self.finished) == {"steps": steps}):
            return
        if not self.last:
            raise UserCodeFailed(
                f"{self.name} never reported: got no call of report(step); expected at least one. "
                "Try report(steps) at its end"
            )
        raise UserCodeFailed(
            f"{self.name} ended early: got a last report of step {self.last}; expected {steps}, because trials are "
            "compared at equal steps. Try to end sooner only if report(step) returns False"
        )

    def _check_network(self) -> None:
        """Check the generator. Raises UserCodeFailed for another network, WorkFailed for infinite weights."""
        after = _architecture(self.generator)
        if after != self.before:
            other = next(n for n in sorted({*self.before, *after}) if self.before.get(n) != after.get(n))
            raise UserCodeFailed(
                f"{self.name} changed the network: got {other} as {after.get(other, 'nothing')}; expected "
                f"{self.before.get(other, 'nothing')}. Try not to change layers, shapes and number types"
            )
        wrong = [n for n, t in self.generator.state_dict().items() if t.is_floating_point() and not t.isfinite().all()]
        if wrong:
            raise WorkFailed(
                f"{self.name} diverged: got {wrong[0]} with values that are not finite after step {self.last}; "
                "expected finite weights. Try a lower learning rate"
            )


def _rungs(work: TrialWork) -> set[int]:
    """Return the steps of fine-tuning at which a trial is measured and may stop."""
    config = work.study.config
    return {max(1, round(share * config.finetune_steps)) + work.spare_steps for share in config.rungs}


def _architecture(network: nn.Module) -> dict[str, str]:
    """Return the types of all modules, and shapes and types of all tensors, by name."""
    kinds = {f"module {name}": type(module).__name__ for name, module in network.named_modules()}
    return kinds | {name: _shown(tensor) for name, tensor in network.state_dict().items()}


def _shown(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'a number'} of {str(tensor.dtype).removeprefix('torch.')}"


def _measured_at(work: TrialWork, at: int, generators: Mapping[str, nn.Module]) -> bool:
    """Measure a trial at a rung and report it; return False to end the training."""
    measured = work.study.measure(work.study.joined(generators), full=False)
    quality = work.study.config.sign * measured[0].value
    work.picture(at)
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
            curves=work.curves,
        )
    )
