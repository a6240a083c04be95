"""The procedure of every method that trains before it cuts; a method supplies its phase.

Steps and target are checked, the phase is trained, and the cost of its own plan is recorded. Then the plan of its
scores within the target is found, and the network is cut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..files.errors import UserError
from ..files.plain_values import JSON, to_json
from ..files.seeds import mixed
from ..groups.plan import ChannelPlan
from ..plan_scores.restart import Restart, Restarted, restarted
from ..training import loop
from ..training.loop import Phase
from ..training.recipe import TrainRecord
from .method import Pruned, PruneJob, Target, TrainingContext
from .ranking import Scores, check_feasible, cost_of, plan_within_target, ranking_macs


class PruningPhase(Phase, Protocol):
    """The training before the cut, and the scores of channels that it yields."""

    def scores(self) -> Scores:
        """Return the scores that rank channels of all groups, the highest kept: group name -> float64 [size]."""
        ...

    def own_widths(self) -> NDArray[np.int64]:
        """Return the widths [G] of the plan that training alone implies."""
        ...

    def cut(self, plan: ChannelPlan) -> nn.Module:
        """Return the trained generator cut to a plan."""
        ...

    def judges(self) -> nn.ModuleDict | None:
        """Return the discriminators to continue with; None if training did not change them."""
        ...

    def record(self, run: TrainRecord) -> dict[str, Any]:
        """Return the method's own record in addition to its cost, as plain JSON."""
        ...


class TrainedMethod(ABC):
    """A method that trains before it cuts."""

    name: ClassVar[str]
    trains = True

    @abstractmethod
    def phase(self, job: PruneJob, training: TrainingContext, target: Target, steps: int) -> PruningPhase:
        """Return the training of at most `steps` steps towards a target."""

    def share(self, job: PruneJob) -> float:
        """Return the share of the pruning steps that the phase may use; the rest fine-tunes."""
        return 1.0

    def restart(self, job: PruneJob) -> Restart:
        """Return the choice of restart; methods without this setting never restart."""
        return getattr(job.proposal.settings, "restart", "never")

    def target(self, job: PruneJob) -> Target:
        """Return the target with the floor that the method keeps."""
        return job.target

    def check(self, run: TrainRecord, cost: float, target: Target) -> None:  # noqa: B027 - most methods refuse nothing
        """Raise WorkFailed if training ended too far from the target; here any cost is accepted."""

    def prune(self, job: PruneJob) -> Pruned:
        """Train, then cut to the target.

        Raises:
            UserError: There are no training steps, no training context, or no calibration inputs for a restart.
            InfeasibleBudget: Even the smallest plan costs more than the target.
            TrainingDiverged: A loss is not finite.
            WorkFailed: The method did not meet the target; the message is the trial's reason.
        """
        training = job.training
        if training is None:
            raise UserError(
                f"{self.name} trains before it cuts: got no training context; expected a task, data, a device and "
                f"discriminators"
            )
        if training.steps < 1:
            raise UserError(
                f"{self.name} trains before it cuts: got no training steps; expected at least 1. Try --prune-steps 1200"
            )
        if self.restart(job) == "always" and job.calibration is None:
            raise UserError(
                f"{self.name}.restart=always needs inputs for a refit: got no calibration images; expected some. Try "
                f"--calibration-images 64"
            )
        form, target = job.groups.form, self.target(job)
        check_feasible(form, target)
        steps = max(1, round(self.share(job) * training.steps))
        phase = self.phase(job, training, target, steps)
        run = run_phase(phase, job, steps)
        own = phase.own_widths()
        cost = cost_of(form, own, target)
        self.check(run, cost, target)
        plan = plan_within_target(form, phase.scores(), target)
        model, again = phase.cut(plan), None
        if self.restart(job) != "never" and job.calibration is not None:
            again = restarted(job.model, job.groups, plan, model, job.calibration, self.restart(job))
            model = again.model
        done = None if again is None else again.reconstruction
        scoring = 0 if again is None else again.macs - (0 if done is None else done.macs)
        return Pruned(
            model,
            plan,
            run.steps,
            phase.judges(),
            record={
                "cost_before_landing": {"value": cost, "ratio": cost / target.value},
                "widths_before_landing": dict(zip(form.names, own.tolist(), strict=True)),
                **phase.record(run),
                "seconds": run.seconds,
            }
            | _restart_record(again),
            quantized=training.quantized,
            reconstructions={} if done is None else {job.name: done},
            training_macs=run.macs,
            curves={job.name: run.curve},
            calibration_macs=ranking_macs(job) + scoring,
        )


def _restart_record(again: Restarted | None) -> dict[str, Any]:
    """Return a record of the network that a trial continues with, and both errors; empty without a restart."""
    if again is None:
        return {}
    errors = {"own_error": again.own_error, "refitted_error": again.refitted_error}
    return {"restart": {"restarted": again.restarted, **errors}}


def run_phase(phase: Phase, job: PruneJob, steps: int) -> TrainRecord:
    """Train a job's phase for at most `steps` generator steps; resume from the checkpoint in its workspace.

    Raises:
        TrainingDiverged: A value is not finite.
        UserError: There is no training context or no step, or the checkpoint belongs to another job.
    """
    training = job.training
    if training is None:
        raise UserError("training lacks its context: got none; expected a task, data and a device")
    identity: dict[str, JSON] = {
        "name": job.name,
        "cost": job.target.cost,
        "target": job.target.value,
        "settings": to_json(job.proposal.settings),
        "recipe": to_json(training.recipe),
        "seed": job.seed,
        "steps": steps,
    }
    return loop.run_phase(
        phase, training.data, batch_size=training.recipe.batch_size, steps=steps, seed=mixed(job.seed, 50),
        identity=identity, device=training.device, checkpoint_dir=training.workspace,
        checkpoint_every=loop.checkpoint_cadence(steps), on_step=training.on_step,
    )  # fmt: skip
