"""CoroNetGAN (Kumar et al. 2023): a hypernetwork is trained in place of the GAN while its latents are driven to zero.

Reconstruction after the abstract, on the exact core of differentiable meta pruning (Li et al. 2020, "DHP"), which it
applies to the generator of a conditional GAN: after each generator step the latents take a proximal l1 step, channels
whose latent falls below a threshold are dropped, and pruning stops when the cost is at the target. Original to
ganprune: groups found by tracing, the start from a teacher, gating channels off as soon as they fall, and the
controller of lambda.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.dataset import batches
from ...files.errors import WorkFailed
from ...files.plain_values import JSON
from ...files.seeds import mixed
from ...groups.plan import ChannelPlan
from ...groups.surgery import copy_network
from ...plan_scores.restart import Restart
from ...tasks.task import Batch
from ...training.recipe import TrainRecord
from ...training.step import Networks, Trainer
from ..method import PruneJob, Target, TrainingContext
from ..ranking import cost_of, ranked
from ..sensitivity import pull_of
from ..trained_method import TrainedMethod
from .generated_network import GeneratedNetwork
from .generated_weights import hypernetwork_size
from .hypernetwork import Hypernetwork
from .latents import needed_shrink, resistances, shrunk, teacher_magnitudes, threshold_widths, with_floor
from .memory import check_memory
from .settings import CoronetSettings

# A stronger pull would be a cut instead of a proximal step of training: a run that needs it has too few steps.
MAX_LAMBDA = 1e4
MAX_COST_RATIO = 1.1  # maximum ratio of the threshold's own plan to the target


class CoronetPhase:
    """The training of hypernetwork and discriminators, with the proximal step and the controller of its strength.

    The controller computes the shrinkage that the target needs (`needed_shrink`). Each of the n remaining steps takes
    the share 1 - ((n - 1) / n)^(schedule + 1) of it: even for a schedule of 0, early for a high one, and the whole rest
    in the last step. Lambda is that shrinkage over the latents' learning rate. Remaining steps compensate for what
    gradients undo, so that the target is always met.

    Args:
        job: The pruning job.
        training: The training context.
        target: The target, with the floor of the thresholds.
        steps: Number of steps in which the target must be met.
    """

    def __init__(self, job: PruneJob, training: TrainingContext, target: Target, steps: int) -> None:
        settings: CoronetSettings = job.proposal.settings
        self.settings, seed, task = settings, mixed(job.seed, 60), training.task
        self.job, self.target, self.steps = job, target, steps
        self.recipe = replace(training.recipe, decay=0.0, ema=0.0, reconstruct_first=0.0)
        self.batches_per_step = self.recipe.d_steps
        random = settings.init == "random"
        model = reset(job.model, seed) if random else job.model
        self.hypernetwork = Hypernetwork(model, job.groups, settings.embedding)
        if random:
            self.hypernetwork.draw(seed)
        else:
            start = teacher_magnitudes(ranked(job), job.groups, target, settings.cost_exponent)
            latents = torch.from_numpy(start).float()
            self.hypernetwork.copy_teacher(model, latents, settings.coupling, seed)
        self.network = GeneratedNetwork(model, job.groups, self.hypernetwork, target.floor, settings.gated)
        others = {
            name: copy_network(other).requires_grad_(False)
            for name, other in training.generators.items()
            if name != job.name
        }
        judges = task.make_discriminators(seed) if random else training.discriminators
        self.discriminators = copy_network(judges).requires_grad_(True)
        generators = {name: self.network if name == job.name else others[name] for name in task.generator_names}
        factors = {"hypernetwork.latents": settings.latent_lr, "hypernetwork.": settings.hyper_lr}

        def factor(name: str) -> float:
            own = name.removeprefix(f"generators.{job.name}.")
            return next((value for start, value in factors.items() if own.startswith(start)), 1.0)

        self.latent_lr = self.recipe.lr * factors["hypernetwork.latents"]
        teacher = {job.name: copy_network(job.model).requires_grad_(False)} if self.recipe.distils else None
        teacher_judges = dict(copy_network(training.discriminators).requires_grad_(False).items())
        self.trainer = Trainer(
            task, Networks(nn.ModuleDict(generators), self.discriminators), self.recipe, steps=steps, seed=seed,
            device=training.device, teacher=teacher, lr_factor=factor, fused=True,
            teacher_judges=teacher_judges, feature_maps=training.feature_maps,
            example=next(batches(training.data, self.recipe.batch_size, seed, 0)),
        )  # fmt: skip
        self.network.refresh()

    def step(self, step: int, batch_at: Callable[[], Batch]) -> Mapping[str, float | Tensor]:
        """Run a training step and the proximal step; return the losses, lambda and the current plan's cost."""
        terms = self.trainer.step(step, batch_at)
        self.network.forget()
        left = max(1, self.steps - step)
        part = 1 - ((left - 1) / left) ** (self.settings.schedule + 1)
        latents, groups = self.hypernetwork.latents, self.job.groups
        pull = self._pull(step)
        needed = needed_shrink(groups, resistances(latents, pull), self.target)
        strength = min(MAX_LAMBDA, part * needed / self.latent_lr)
        with torch.no_grad():
            latents.copy_(shrunk(latents, groups, strength * self.latent_lr, self.target.floor, pull))
        self.network.refresh()
        return {**terms, "lambda": strength, "cost ratio": self.cost() / self.target.value}

    def _pull(self, step: int) -> Tensor:
        """Return the pull on each latent, after adding the step's gradient to the mean square over all steps."""
        seen, gradient = self.network.sensitivity, self.hypernetwork.latents.grad
        if gradient is not None:
            seen += (gradient.detach().float().square() - seen) / (step + 1)
        return pull_of(seen, self.settings.sensitivity)

    def magnitudes(self) -> Mapping[str, Any]:
        """Return |latent| by group."""
        return self.hypernetwork.by_group(self.job.groups)

    scores = magnitudes

    def own_widths(self) -> NDArray[np.int64]:
        """Return the widths [G] of the plan that the threshold alone implies now."""
        return threshold_widths(self.job.groups.form, self.magnitudes(), self.target)

    def cost(self) -> float:
        """Return the cost of that plan."""
        return cost_of(self.job.groups.form, self.own_widths(), self.target)

    def cut(self, plan: ChannelPlan) -> nn.Module:
        """Return the network cut to a plan, all its weights ordinary parameters."""
        return self.network.materialised(plan).cpu()

    def judges(self) -> nn.ModuleDict:
        """Return the trained discriminators."""
        return self.discriminators.cpu()

    def record(self, run: TrainRecord) -> dict[str, Any]:
        """Return the paths of lambda and of the cost, and the hypernetwork's size."""
        size = hypernetwork_size(self.job.model, self.job.groups, self.settings.embedding)
        return {
            "lambda": run.path("lambda"),
            "cost ratio": run.path("cost ratio"),
            "floor": self.target.floor,
            "hypernetwork": {"numbers": size.numbers, "bytes in training": size.bytes_in_training},
        }

    def kind_of_step(self, step: int) -> Hashable:
        """Return one kind: gated channels are computed until the cut."""
        return None

    def finished(self, done: int) -> bool:
        """Return True if that plan is at the target; remaining steps are used for fine-tuning."""
        return self.cost() <= self.target.value

    def state(self) -> tuple[dict[str, Tensor], dict[str, JSON]]:
        """Return an empty state: latents are parameters of the trainer, and gates follow from them."""
        tensors, scales = self.trainer.state()
        return tensors, {"scales": cast(JSON, scales)}

    def load_state(self, tensors: Mapping[str, Tensor], info: Mapping[str, JSON]) -> None:
        """Restore the result of `state`."""
        self.trainer.load_state(tensors, cast(Mapping[str, dict[str, float]], info["scales"]))
        self.network.refresh()


def reset(model: nn.Module, seed: int) -> nn.Module:
    """Return a copy with random initial values of every layer, and biases of 0: an untrained teacher."""
    new = copy_network(model)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for module in new.modules():
            start = getattr(module, "reset_parameters", None)
            if callable(start):
                start()
            bias = getattr(module, "bias", None)
            if isinstance(bias, nn.Parameter):
                nn.init.zeros_(bias)
    return new


class Coronet(TrainedMethod):
    """The method CoroNetGAN; see the module."""

    name = "coronet"

    def share(self, job: PruneJob) -> float:
        """Return the share of the steps in which the target is reached."""
        return job.proposal.settings.share

    def restart(self, job: PruneJob) -> Restart:
        """Return the choice of restart; by default, training from random weights, as published, never restarts."""
        choice = super().restart(job)
        return "never" if choice == "auto" and job.proposal.settings.init == "random" else choice

    def target(self, job: PruneJob) -> Target:
        """Return the target with the highest feasible floor."""
        return with_floor(job.groups.form, job.target)

    def phase(self, job: PruneJob, training: TrainingContext, target: Target, steps: int) -> CoronetPhase:
        """Return the training; raise NotEnoughMemory if the device cannot hold the hypernetwork."""
        size = hypernetwork_size(job.model, job.groups, job.proposal.settings.embedding)
        check_memory(size, training.device)
        return CoronetPhase(job, training, target, steps)

    def check(self, run: TrainRecord, cost: float, target: Target) -> None:
        """Raise WorkFailed if the thresholds' own plan is far above the target."""
        if cost > MAX_COST_RATIO * target.value:
            raise WorkFailed(
                f"coronet did not reach {target.value:g} {target.cost} in {run.steps} steps: its plan costs "
                f"{cost:g} with lambda at {run.path('lambda')[-1][1]:g} (at most {MAX_LAMBDA:g}). Try more "
                f"--prune-steps or a higher latent_lr"
            )
