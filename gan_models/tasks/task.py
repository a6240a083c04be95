"""What a task is: the losses of one kind of GAN training, apart from any loop.

The loop, and every pruning method with a loop of its own, use a task like this:
    terms, outputs = task.generator_losses(generators, discriminators, batch); sum(terms.values()).backward()
    task.discriminator_loss(outputs, discriminators, batch).backward()
Generators and discriminators are callables, so that a method can hand in a module, or a closure over
`torch.func.functional_call`. Names: a task with one generator calls it "G"; discriminators carry the name of
the generator that they judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol

import torch
from torch import Tensor, nn

from ..files.errors import UserError
from ..files.plain_values import JSON
from ..files.seeds import mixed
from ..networks.catalog import build
from .catalog import TASKS
from .settings import DiscriminatorSettings

Network = Callable[..., Tensor]
Batch = Mapping[str, Tensor]


class Task(Protocol):
    """The losses of one kind of GAN training; stateless but for what `state` returns."""

    name: str
    generator_names: tuple[str, ...]
    needs_teacher: bool  # cannot be trained without distillation from a teacher

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """New discriminators, one a generator, weights drawn from `seed`."""
        ...

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return what generator `name` takes for this batch: the same tensors each time."""
        ...

    def reference(self, batch: Batch, name: str) -> Tensor | None:
        """Return the images that generator `name` should have made of this batch, one per input; None without any."""
        ...

    def generate(self, generators: Mapping[str, Network], batch: Batch) -> dict[str, Tensor]:
        """Return each generator's output for its `inputs`, by generator name."""
        ...

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """What a discriminator is shown of images that a generator made of `inputs`."""
        ...

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weighted named terms that sum to G's loss, and what `generate` returns.

        The first call of each generator is on its `inputs`.
        """
        ...

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """D's loss, all discriminators together; outputs are detached here."""
        ...

    def with_reals(self, batch: Batch, name: str, images: Tensor) -> dict[str, Tensor]:
        """The batch with these images in the place of those that generator `name`'s discriminator takes for real."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What must be in a checkpoint beside weights (image pools)."""
        ...

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Put back what `state` returned."""
        ...

    def settings_json(self) -> dict[str, JSON]:
        """The settings that `make_task` takes."""
        ...


def make_task(name: str, settings: Mapping[str, JSON] | None = None, seed: int = 0) -> Task:
    """A task by name, with its settings as JSON values.

    Args:
        name: "paired", "unpaired" or "unconditional".
        settings: fields of the task's settings class; what is left out takes its default.
        seed: of what the task itself draws (image pools, latents).

    Raises:
        ValueError: unknown name or setting.
    """
    if name not in TASKS:
        raise UserError(f"task {name!r} is unknown; use one of {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].partition(":")
    cls = getattr(import_module(f".{module}", __package__), attribute)
    return cls.from_json(settings or {}, seed)


def build_discriminators(
    names: tuple[str, ...], settings: DiscriminatorSettings, input_channels: int, seed: int
) -> nn.ModuleDict:
    """One discriminator a name, weights drawn from `seed`; torch's global random numbers stay as they are."""
    arguments: dict[str, JSON] = {"ndf": settings.ndf, "input_channels": input_channels}
    if settings.model != "sngan":
        arguments["norm"] = settings.norm
    if settings.model == "n_layers":
        arguments["n_layers"] = settings.n_layers
    networks = {}
    with torch.random.fork_rng(devices=[]):
        for i, name in enumerate(names):
            torch.default_generator.manual_seed(mixed(seed, 10, i))
            networks[name] = build(settings.model, arguments)
    return nn.ModuleDict(networks)


def check_names(given: Mapping[str, object], wanted: tuple[str, ...], what: str) -> None:
    """KeyError unless `given` has an entry for each wanted name."""
    missing = [name for name in wanted if name not in given]
    if missing:
        raise KeyError(f"no {what} named {', '.join(missing)}; the task needs {', '.join(wanted)}")
