"""GAN Slimming: distillation, channel pruning and quantization in one objective (Wang et al., ECCV 2020).

    min over W, s max over D L_GAN(W, s, D) + beta L_dist(W, s) + rho |s|_1, G computed with q(W) and q(activations)

After the released code (VITA-Group/GAN-Slimming): every step is Adam on the weights W, SGD with momentum and the
proximal step on the scales s, then D's own steps, D's real images being the teacher's. Original to ganprune: scales on
any channel group (`scales.py`), and rho adapted to a target cost (`sparsity_control.py`). Scales start at their
importance, with the teacher's weights. Rates come from the study's recipe. Unconditional networks have the same
objective (the released copy for SNGAN has no adversarial term for G).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from ...data.dataset import batches
from ...files.plain_values import JSON
from ...files.seeds import mixed
from ...groups.plan import ChannelPlan
from ...groups.surgery import copy_network, cut
from ...plan_scores.restart import Restart
from ...quantization.fake_quant import quantized_call
from ...tasks.task import Batch, Task
from ...training.compute import ChargedCalls
from ...training.optimizer_state import load_optimizer_tensors, optimizer_tensors
from ...training.recipe import TrainRecord
from ..gates import masked_norms
from ..method import PruneJob, Target, TrainingContext
from ..perceptual_distance import image_distance
from ..ranking import Scores
from ..trained_method import TrainedMethod
from .scale_optimizer import ScaleSteps, penalties, shrinking
from .scales import Scales, norm_sites
from .settings import SlimmingSettings
from .sparsity_control import Sparsity, cosine
from .teacher_images import TeacherImages

# (weight of the distillation, of the adversarial term): since November 2020, before it, and without a teacher.
OBJECTIVES = {"20dist+gan": (20.0, 1.0), "dist+0.001gan": (1.0, 0.001), "gan": (0.0, 1.0)}


def objective(name: str, distance: Tensor, adversarial: Tensor) -> Tensor:
    """Return the loss of an objective by name, without rho |s|_1, which the proximal step minimizes."""
    weight_distance, weight_adversarial = OBJECTIVES[name]
    return weight_distance * distance + weight_adversarial * adversarial


def gan_loss(terms: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of a task's adversarial terms, or of all terms if no discriminator takes part.

    Args:
        terms: Losses of the generator by name, each a scalar; those of a discriminator end in "adversarial".
    """
    adversarial = [term for name, term in terms.items() if name.endswith("adversarial")]
    return torch.stack(adversarial or list(terms.values())).sum()


class SlimmingPhase:
    """The training of weights, scales and discriminator.

    Args:
        job: The pruning job; its networks are not changed.
        training: The training context.
        target: The cost to meet.
        steps: Number of steps in which the target must be met.
    """

    def __init__(self, job: PruneJob, training: TrainingContext, target: Target, steps: int) -> None:
        settings: SlimmingSettings = job.proposal.settings
        device = training.device
        self._settings, self._device, self._n_steps = settings, device, steps
        self._job, self._training, self._recipe = job, training, training.recipe
        self._task = _alone(training.task, job.name, job.seed)
        self._teacher = TeacherImages(ChargedCalls(copy_network(job.model).to(device).eval().requires_grad_(False)))
        self._model = copy_network(job.model).to(device).train().requires_grad_(True)
        judge = copy_network(training.discriminators[job.name]).to(device).train().requires_grad_(True)
        self._judges = nn.ModuleDict({job.name: judge})
        self._judge_of: dict[str, nn.Module] = dict(self._judges.items())
        self._maps = None if training.feature_maps is None else training.feature_maps.to(device)
        self._distance = image_distance(settings.distance, self._maps)
        self._quant = training.quantized if settings.joint else None
        form = shrinking(settings, steps)
        self._sites = Scales(job.groups, self._norms(), form.knee)
        sparsity = Sparsity(job.groups.form, target, steps)
        self._steps = ScaleSteps(self._sites.start(job.model).to(device), sparsity, form, penalties(job, form))
        recipe = self._recipe
        self._g_names: dict[Tensor, str] = {p: name for name, p in self._model.named_parameters()}
        self._d_names: dict[Tensor, str] = {p: name for name, p in self._judges.named_parameters()}
        self._g_optimizer = torch.optim.Adam(
            list(self._g_names), lr=recipe.lr * settings.weight_rate, betas=recipe.betas
        )
        lr_d = recipe.lr if recipe.lr_discriminator is None else recipe.lr_discriminator
        self._d_optimizer = torch.optim.Adam(list(self._d_names), lr=lr_d * settings.weight_rate, betas=recipe.betas)
        for optimizer in (self._g_optimizer, self._d_optimizer):
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]

    @property
    def scales(self) -> Tensor:
        """Scales [C], float32."""
        return self._steps.scales

    @property
    def batches_per_step(self) -> int:
        """Number of batches per step: one per discriminator step."""
        return self._recipe.d_steps

    def step(self, step: int, batch_at: Callable[[], Batch]) -> Mapping[str, float | Tensor]:
        """Update weights, then scales, then the discriminator."""
        factor = cosine(step, self._n_steps)
        for optimizer in (self._g_optimizer, self._d_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = factor * group["initial_lr"]
        batch = self._taught(batch_at())
        generators = {self._job.name: self._student}
        terms, outputs = self._task.generator_losses(generators, self._judge_of, batch)
        adversarial = gan_loss(terms)
        distance = self._distance(outputs[self._job.name], self._reals)
        self._generator_step(objective(self._settings.objective, distance, adversarial))
        rho, ratio = self._steps.step(step, self.scales.grad)
        loss = torch.zeros(())
        for i in range(self._recipe.d_steps):
            if i:
                batch = self._taught(batch_at())
                with torch.no_grad():
                    outputs = self._task.generate(generators, batch)
            loss = self._task.discriminator_loss(outputs, self._judge_of, batch)
            self._d_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._d_optimizer.step()
        return {
            "rho": rho,
            "cost": ratio,
            "distance": distance.detach(),
            "adversarial": adversarial.detach(),
            "discriminator": loss.detach(),
        }

    def _taught(self, batch: Batch) -> Batch:
        """Return the batch on the device with the teacher's images as real ones; a step number stays on the CPU."""
        batch = {name: value.to(self._device) if value.dim() else value for name, value in batch.items()}
        self._reals = self._teacher(*self._task.inputs(batch, self._job.name))
        return self._task.with_reals(batch, self._job.name, self._reals)

    def _student(self, *inputs: Tensor) -> Tensor:
        """Return the network under its scales, quantized if requested."""
        tensors = self._sites.tensors(self._model, self.scales)
        with masked_norms(self._model, self._job.groups, self._sites.gates(self.scales.detach())):
            if self._quant is not None:
                return quantized_call(self._model, inputs, self._quant, tensors)
            return functional_call(self._model, tensors, inputs)

    def _generator_step(self, loss: Tensor) -> None:
        """Update the weights by Adam; the scales' gradient is left in `scales.grad`."""
        parameters = [*self._g_names, self.scales]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self._g_optimizer.step()

    def _norms(self) -> dict[str, str]:
        """Return the groups whose scale is a norm's own weight: in the published form, if there is one."""
        job = self._job
        if self._settings.form != "published":
            return {}
        return norm_sites(copy_network(job.model).cpu(), job.groups, self._example())

    def _example(self) -> tuple[Tensor, ...]:
        source = batches(self._training.data, max(2, self._recipe.batch_size), mixed(self._job.seed, 60))
        with torch.random.fork_rng(devices=[]):
            batch = next(source)
        source.close()
        return self._task.inputs(batch, self._job.name)

    def kind_of_step(self, step: int) -> Hashable:
        """Return one kind: the teacher's passes are charged separately."""
        return None

    def finished(self, done: int) -> bool:
        """Return False: the phase never ends early."""
        return False

    def scores(self) -> Scores:
        """Return the distance of each scale above its last threshold, which also orders those at zero."""
        return self._sites.by_group(self._steps.margin)

    def own_widths(self) -> NDArray[np.int64]:
        """Return the widths [G] of the channels whose scales are not zero."""
        return self._steps.widths()

    def cut(self, plan: ChannelPlan) -> nn.Module:
        """Return the network with its scales folded into the weights, cut to a plan."""
        folded = self._sites.folded(self._model, self.scales.detach()).cpu().eval()
        return cut(folded, self._job.groups, plan)

    def judges(self) -> nn.ModuleDict:
        """Return all discriminators, including this generator's trained one."""
        return nn.ModuleDict({**dict(self._training.discriminators.items()), **dict(self._judges.items())})

    def record(self, run: TrainRecord) -> dict[str, Any]:
        """Return the paths of rho, cost and distance, and the form of the training."""
        return {
            "rho": run.path("rho"),
            "cost": run.path("cost"),
            "distance": run.path("distance"),
            "objective": {
                "objective": self._settings.objective,
                "distance": self._settings.distance,
                "form": self._settings.form,
                "order": "joint" if self._settings.joint else "sequential",
            },
            "encoder": None if self._maps is None else self._maps.name,
            "scales": {"all": self._sites.size, "in norms": self._in_norms(), "not zero": self._steps.left()},
        }

    def _in_norms(self) -> int:
        return sum(self._job.groups.sizes[name] for name in self._sites.norms)

    def state(self) -> tuple[dict[str, Tensor], dict[str, JSON]]:
        """Return networks, optimizers, scales and the state of the control of rho."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "generator": self._model.state_dict(),
            "discriminators": self._judges.state_dict(),
            "g_optimizer": optimizer_tensors(self._g_optimizer, self._g_names),
            "d_optimizer": optimizer_tensors(self._d_optimizer, self._d_names),
            "task": self._task.state(),
            "scales": self._steps.state(),
        }
        return {f"{part}/{key}": value for part, tensors in parts.items() for key, value in tensors.items()}, {}

    def load_state(self, tensors: Mapping[str, Tensor], info: Mapping[str, JSON]) -> None:
        """Restore the result of `state`."""

        def part(prefix: str) -> dict[str, Tensor]:
            start = f"{prefix}/"
            return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}

        self._model.load_state_dict(part("generator"))
        self._judges.load_state_dict(part("discriminators"))
        load_optimizer_tensors(self._g_optimizer, self._g_names, part("g_optimizer"))
        load_optimizer_tensors(self._d_optimizer, self._d_names, part("d_optimizer"))
        self._task.load_state(part("task"), self._device)
        self._steps.load_state(part("scales"))


def _alone(task: Task, name: str, seed: int) -> Task:
    """Return a new task that trains this generator alone: the objective has no cycle."""
    settings = task.settings_json()
    if len(task.generator_names) > 1:
        settings = task.alone(settings, name)
    return type(task).from_json(settings, mixed(seed, 61))


class Slimming(TrainedMethod):
    """A method that shrinks channel scales during distillation from the teacher; channels at zero are cut."""

    name = "slimming"

    def restart(self, job: PruneJob) -> Restart:
        """Return the setting; by default, the published form continues with its own weights."""
        choice = super().restart(job)
        return "never" if choice == "auto" and job.proposal.settings.form == "published" else choice

    def phase(self, job: PruneJob, training: TrainingContext, target: Target, steps: int) -> SlimmingPhase:
        """Return the training; raise UserError if a distance needs an encoder and there is none."""
        return SlimmingPhase(job, training, target, steps)
