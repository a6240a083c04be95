"""The training step of generators and discriminators, and all state that it depends on.

Random numbers are reseeded from (seed, step) at each step, so dropout needs no state of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..distillation.distillation import Distillation
from ..distillation.term import FeatureMaps, Pair
from ..files.errors import UserError
from ..files.seeds import mixed
from ..tasks.task import Batch, Task, check_names, shown
from .averaged_weights import AveragedWeights, norms_of, reestimated
from .compute import PassCount, charge
from .optimizer_state import load_optimizer_tensors, optimizer_tensors
from .recipe import Recipe

_AMP_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Networks:
    """The networks in training: generators and discriminators by name. Frozen parameters are not changed."""

    generators: nn.ModuleDict
    discriminators: nn.ModuleDict


class Trainer:
    """A trainer with a task's losses, optimizers, distillation and mixed precision.

    Args:
        task: The task with its losses.
        networks: Networks, moved to `device`; a network without a trainable parameter stays in eval mode.
        recipe: The training recipe.
        steps: Total number of generator steps, for the schedule.
        seed: Seed of dropout and of the distillation maps.
        device: Device of the training.
        teacher: Generators to distill from, by generator name; moved to `device`, in eval mode.
        example: A batch for finding and fitting the layers of feature matching.
        teacher_judges: Discriminators of the teacher, by generator name, for terms that read their features; frozen.
        feature_maps: An encoder's maps, for terms that read them.
        lr_factor: Factor on the learning rate of a generator's parameter, by "generators.<generator>.<parameter>".
        fused: Use one kernel for Adam's whole step (for millions of parameters); rounding differs.

    Raises:
        KeyError: A network that the task names is missing.
        ValueError: A recipe with distillation has no teacher, or the task needs both.
    """

    def __init__(
        self,
        task: Task,
        networks: Networks,
        recipe: Recipe,
        *,
        steps: int,
        seed: int,
        device: torch.device,
        teacher: Mapping[str, nn.Module] | None,
        example: Batch,
        teacher_judges: Mapping[str, nn.Module] | None = None,
        feature_maps: FeatureMaps | None = None,
        lr_factor: Callable[[str], float] = lambda name: 1.0,
        fused: bool = False,
    ) -> None:
        self._lr_factor, self._fused = lr_factor, fused
        self.generators: dict[str, nn.Module] = dict(networks.generators.items())
        self.discriminators: dict[str, nn.Module] = dict(networks.discriminators.items())
        check_names(self.generators, task.generator_names, "generator")
        check_names(self.discriminators, task.generator_names, "discriminator")
        if recipe.distils and not teacher:
            raise UserError("the recipe distills without a teacher: got none; expected one. Try distill_* = 0")
        if task.needs_teacher and not recipe.distils and any(map(_is_trained, self.generators.values())):
            raise UserError(
                "one direction alone cannot be trained without a teacher: got none; expected one. Try distill_output "
                "> 0 with a teacher"
            )
        self.task, self.networks, self.recipe = task, networks, recipe
        self.steps, self.seed, self.device = steps, seed, device
        self._amp = _AMP_TYPES.get(recipe.amp) if device.type == "cuda" else None
        self._format = torch.channels_last if recipe.channels_last else torch.contiguous_format
        for module in (*self.generators.values(), *self.discriminators.values()):
            self._place(module)
        with PassCount() as self._fitted:  # feature matching reads both networks
            self.distillation = self._distillation(teacher or {}, teacher_judges or {}, feature_maps, example)
        self.set_mode(training=True)
        trained = {"generators": networks.generators, "distillation": self.distillation}
        self._g_names, self._g_optimizer = self._optimizer(trained, recipe.lr)
        lr = recipe.lr if recipe.lr_discriminator is None else recipe.lr_discriminator
        self._d_names, self._d_optimizer = self._optimizer({"discriminators": networks.discriminators}, lr)
        scaled = self._amp is torch.float16
        self._g_scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self._d_scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        beta = recipe.averaging(steps) if self._g_optimizer is not None else 0.0
        self._average = AveragedWeights(networks.generators, beta) if beta > 0 else None

    @property
    def batches_per_step(self) -> int:
        """Number of batches per step: one per discriminator step."""
        return self.recipe.d_steps

    def kind_of_step(self, step: int) -> Hashable:
        """Return True if the adversarial terms count: steps without them may have fewer passes."""
        return self.recipe.adversarial(step, self.steps)

    def finished(self, done: int) -> bool:
        """Return False: all steps are used."""
        return False

    def set_mode(self, training: bool) -> None:
        """Set train or eval mode; networks without a trainable parameter are always in eval mode."""
        for module in (*self.generators.values(), *self.discriminators.values()):
            module.train(training and _is_trained(module))

    @contextmanager
    def measured(self, batches: Iterable[Batch]) -> Iterator[None]:
        """Give generators the weights to measure inside the context: averaged ones, if the recipe averages.

        Args:
            batches: Training data for new statistics of norms; read only if there are such norms.
        """
        if self._average is None:
            yield
            return
        with self._average.in_place():
            self.estimate_norms(batches)
            yield

    def keep_measured(self, batches: Iterable[Batch]) -> None:
        """Give the generators the measured weights permanently."""
        if self._average is not None:
            self._average.copy_to_networks()
            self.estimate_norms(batches)

    def estimate_norms(self, batches: Iterable[Batch]) -> None:
        """Reset the running statistics of the trained generators to the mean over some batches."""
        trained = [module for module in self.generators.values() if _is_trained(module)]
        norms = [norm for module in trained for norm in norms_of(module)]
        if not norms:
            return
        with reestimated(norms), torch.no_grad(), self._autocast():
            for batch in batches:
                self.task.generate(self.generators, self.to_device(batch))

    def step(self, step: int, batch_at: Callable[[], Batch]) -> dict[str, Tensor]:
        """Make one generator step and `recipe.d_steps` discriminator steps.

        Args:
            step: Number of the step, from 0.
            batch_at: Returns the next batch; called `recipe.d_steps` times.

        Returns:
            The generators' terms by name and "discriminator", scalars without gradient, on the device.
        """
        if step == 0:
            charge(self._fitted.macs)
        torch.manual_seed(mixed(self.seed, 40, step))
        factor = self.recipe.rate(step, self.steps)
        for optimizer in (self._g_optimizer, self._d_optimizer):
            if optimizer is not None:
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * factor
        batch = self.to_device(batch_at())
        terms, outputs = self._generator_step(batch, self.recipe.adversarial(step, self.steps))
        for i in range(self.recipe.d_steps):
            if i:
                batch = self.to_device(batch_at())
                with torch.no_grad(), self._autocast():
                    outputs = self.task.generate(self.generators, batch)
            terms["discriminator"] = self._discriminator_step(outputs, batch)
        return terms

    def to_device(self, batch: Batch) -> dict[str, Tensor]:
        """Return the batch on the networks' device; its step number stays on the CPU, which reads it."""
        return {
            name: value
            if value.dim() == 0
            else value.to(
                self.device,
                memory_format=self._format if value.dim() == 4 else torch.preserve_format,
                non_blocking=True,
            )
            for name, value in batch.items()
        }

    def _generator_step(self, batch: Batch, adversarial: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if self._g_optimizer is None:
            with torch.no_grad(), self._autocast():
                return {}, self.task.generate(self.generators, batch)
        watched = self.distillation.watching()
        with _without_gradient(self.networks.discriminators), self._autocast(), watched as features:
            terms, outputs = self.task.generator_losses(self.generators, self.discriminators, batch)
            inputs = {name: self.task.inputs(batch, name) for name in outputs}
            terms = terms | self.distillation(inputs, outputs, features)
            if not adversarial:
                terms = _without_adversarial(terms)
            self._g_optimizer.zero_grad(set_to_none=True)
            self._g_scaler.scale(torch.stack(list(terms.values())).sum()).backward()
        self._g_scaler.step(self._g_optimizer)
        self._g_scaler.update()
        if self._average is not None:
            self._average.update()
        return {name: term.detach() for name, term in terms.items()}, outputs

    def _discriminator_step(self, outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        with self._autocast():
            loss = self.task.discriminator_loss(outputs, self.discriminators, batch)
        if self._d_optimizer is not None:
            self._d_optimizer.zero_grad(set_to_none=True)
            self._d_scaler.scale(loss).backward()
            self._d_scaler.step(self._d_optimizer)
            self._d_scaler.update()
        return loss.detach()

    def _place(self, module: nn.Module) -> None:
        module.to(self.device)
        if self.recipe.channels_last:
            module.to(memory_format=self._format)  # pyright: ignore[reportCallIssue]

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self._amp, enabled=self._amp is not None)

    def _distillation(
        self,
        teacher: Mapping[str, nn.Module],
        judges: Mapping[str, nn.Module],
        feature_maps: FeatureMaps | None,
        example: Batch,
    ) -> Distillation:
        for module in (*teacher.values(), *judges.values()):
            self._place(module)
            module.eval()
        wanted = [name for name in self.task.generator_names if name in teacher and self.recipe.distils]
        if self.recipe.distils and not wanted:
            raise UserError(
                f"teachers are missing: got {', '.join(teacher)}; expected {', '.join(self.task.generator_names)}"
            )
        example = self.to_device(example)
        torch.manual_seed(mixed(self.seed, 41))
        pairs = {
            name: Pair(
                self.generators[name],
                teacher[name],
                self.task.inputs(example, name),
                self.recipe.feature_layers,
                feature_maps,
                judges.get(name),
                partial(shown, self.task),
            )
            for name in wanted
            if _is_trained(self.generators[name])
        }
        return Distillation(pairs, self.recipe.distillation).to(self.device)

    def _optimizer(
        self, modules: Mapping[str, nn.Module], lr: float
    ) -> tuple[dict[Tensor, str], torch.optim.Optimizer | None]:
        names: dict[Tensor, str] = {
            parameter: f"{prefix}.{name}"
            for prefix, module in modules.items()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }
        if not any(name.startswith(("generators", "discriminators")) for name in names.values()):
            return {}, None
        by_rate: dict[float, list[Tensor]] = {}
        for parameter, name in names.items():
            by_rate.setdefault(lr * self._lr_factor(name), []).append(parameter)
        groups = [{"params": found, "lr": rate, "initial_lr": rate} for rate, found in by_rate.items()]
        return names, torch.optim.Adam(groups, betas=self.recipe.betas, fused=self._fused or None)

    def state(self) -> tuple[dict[str, Tensor], dict[str, dict[str, float]]]:
        """Return all tensors that the next step depends on, and the loss scales."""
        tensors = {}
        for prefix, part in self._parts().items():
            tensors |= {f"{prefix}/{key}": value for key, value in part.items()}
        return tensors, {"g_scaler": self._g_scaler.state_dict(), "d_scaler": self._d_scaler.state_dict()}

    def load_state(self, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
        """Restore the result of `state`. Raises RuntimeError, KeyError or ValueError if it does not fit."""

        def part(prefix: str) -> dict[str, Tensor]:
            start = f"{prefix}/"
            return {k.removeprefix(start): value for k, value in tensors.items() if k.startswith(start)}

        self.networks.generators.load_state_dict(part("generators"))
        self.networks.discriminators.load_state_dict(part("discriminators"))
        self.distillation.load_state_dict(part("distillation"))
        if self._average is not None:
            self._average.load_state(part("average"))
        if self._g_optimizer is not None:
            load_optimizer_tensors(self._g_optimizer, self._g_names, part("g_optimizer"))
        if self._d_optimizer is not None:
            load_optimizer_tensors(self._d_optimizer, self._d_names, part("d_optimizer"))
        self.task.load_state(part("task"), self.device)
        if self._g_scaler.is_enabled():
            self._g_scaler.load_state_dict(info["g_scaler"])
            self._d_scaler.load_state_dict(info["d_scaler"])

    def _parts(self) -> dict[str, Mapping[str, Tensor]]:
        g, d = self._g_optimizer, self._d_optimizer
        return {
            "generators": self.networks.generators.state_dict(),
            "discriminators": self.networks.discriminators.state_dict(),
            "distillation": self.distillation.state_dict(),
            "g_optimizer": {} if g is None else optimizer_tensors(g, self._g_names),
            "d_optimizer": {} if d is None else optimizer_tensors(d, self._d_names),
            "task": self.task.state(),
            "average": {} if self._average is None else self._average.state(),
        }


def _without_adversarial(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms except "adversarial" and "<generator>.adversarial". Raises UserError if none is left."""
    left = {name: term for name, term in terms.items() if name.rpartition(".")[2] != "adversarial"}
    if not left:
        raise UserError(
            "the first steps have no loss: got reconstruct_first above 0 with only an adversarial term; expected "
            "another term. Try distill_output above 0, or reconstruct_first=0"
        )
    return left


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


@contextmanager
def _without_gradient(modules: nn.Module) -> Iterator[None]:
    """Disable gradients of the modules' parameters inside the context; a gradient still flows through them."""
    parameters = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
