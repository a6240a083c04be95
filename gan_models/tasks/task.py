"""The protocol of a task: data, inputs, references and losses of one kind of GAN training, apart from any loop.

The loop, and every pruning method with a loop of its own, use a task like this:
    terms, outputs = task.generator_losses(generators, discriminators, batch); sum(terms.values()).backward()
    task.discriminator_loss(outputs, discriminators, batch).backward()
Generators and discriminators are callables, so that a method can hand in a module, or a closure over
`torch.func.functional_call`. Names: a task with one generator calls it "G"; discriminators carry the name of
the generator that they judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..data.dataset import ImageSet
from ..data.own_data.items import OwnItems
from ..data.spec import DataSpec
from ..files.errors import UserError
from ..files.plain_values import JSON
from ..files.seeds import mixed
from ..networks.catalog import find_builder
from ..networks.specs import InputSpec, OutputSpec
from ..networks.user_builders import call_builder, needed, taken
from .catalog import TASKS
from .settings import DiscriminatorSettings
from .task_parts import Maps, TeacherOutputs

Network = Callable[..., Tensor]
Batch = Mapping[str, Tensor]


class Task(Protocol):
    """All that is particular to one kind of GAN training: its data, its generators' inputs, its losses.

    What it reads and what a generator must be for it are class methods; an instance has settings, and no state but
    what `state` returns. `task_parts.TaskDefaults` has the defaults of what a class need not say, and
    `single_generator.SingleGenerator` what tasks of one generator share.

    Attributes:
        name: As in the catalog.
        generator_names: The generators that are trained.
        needs_teacher: It cannot be trained without distillation from a teacher.
        has_reference: Each input has an image that it should become.
        border: Pixels at each side of an output that comparisons with its reference leave out.
        has_judge: The discriminator has a part in the generator's loss.
        reads_teacher: Its real images are the outputs of `teacher`.
        reads_feature_maps: Its loss reads `feature_maps`.
        resizes: It resizes images; else it cuts crops from images at their own size.
        teacher: Returns a teacher's outputs for a generator's inputs; a study sets it if `reads_teacher`.
        feature_maps: The maps of an encoder of RGB images; a study sets it if `reads_feature_maps`.
        adversarial: The adversarial loss, `vanilla`, `lsgan` or `hinge`.
    """

    name: str
    generator_names: tuple[str, ...]
    needs_teacher: bool
    has_reference: bool
    resizes: bool
    reads_teacher: bool
    teacher: TeacherOutputs | None
    feature_maps: Maps | None

    @property
    def border(self) -> int:
        """Pixels at each side that comparisons leave out."""
        ...

    @property
    def has_judge(self) -> bool:
        """True if the discriminator has a part in the generator's loss."""
        ...

    @property
    def reads_feature_maps(self) -> bool:
        """True if an encoder's maps have a part in the loss."""
        ...

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        ...

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> Task:
        """Return the task with these settings; `seed` is of what the task itself draws."""
        ...

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether a folder (or file) that exists has this task's layout."""
        ...

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return one split of the data. Raises LayoutError for a folder of another layout."""
        ...

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return one split of a user's own data; by default items are the batches' entries as they are.

        Args:
            spec: Which data.
            items: The split.
        """
        ...

    @classmethod
    def files(cls, spec: DataSpec) -> Iterable[Path]:
        """Return every file of the data, of all splits. Raises LayoutError for a folder of another layout."""
        ...

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return heights and widths of the first pictures, at most `n`; nothing if they are not known."""
        ...

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings for a generator with these inputs and this output.

        Args:
            settings: As the user gave them.
            model: The generator, for messages.
            inputs: What it takes.
            output: What it gives.

        Raises:
            UserError: The task does not provide these inputs, or has no use for this output.
        """
        ...

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with what depends on the output's size and was left open."""
        ...

    @classmethod
    def alone(cls, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return the settings under which generator `name` is trained without the others."""
        ...

    def n_inputs(self, data: ImageSet, name: str) -> int:
        """Return how many different inputs of generator `name` a split holds; they come first in its order."""
        ...

    def n_reals(self, data: ImageSet, name: str) -> int:
        """Return how many different images a split holds that outputs of generator `name` are compared with."""
        ...

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """Return new discriminators, one per generator, weights drawn from `seed`."""
        ...

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return what generator `name` takes for this batch: the same tensors each time."""
        ...

    def reference(self, batch: Batch, name: str) -> Tensor | None:
        """Return the images that generator `name` should have made of this batch, one per input; None without any."""
        ...

    def reals(self, batch: Batch, name: str) -> Tensor:
        """Return the real images that outputs of generator `name` are compared with as a set."""
        ...

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return pictures [N, C, H, W] in [-1, 1] to show next to outputs of generator `name`, by label."""
        ...

    def generate(self, generators: Mapping[str, Network], batch: Batch) -> dict[str, Tensor]:
        """Return each generator's output for its `inputs`, by generator name."""
        ...

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return what a discriminator is shown of images made of `inputs`; several tensors if it takes them.

        `shown` gives either as the discriminator's arguments.
        """
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
        """D's loss, all discriminators together; outputs are detached here.

        Each discriminator is shown real images first, then outputs, then others if there are any.
        """
        ...

    def with_reals(self, batch: Batch, name: str, images: Tensor) -> dict[str, Tensor]:
        """Return the batch with these images as the real ones of generator `name`'s discriminator."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint in addition to the weights (image pools)."""
        ...

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Put back what `state` returned."""
        ...

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings that `make_task` takes."""
        ...


def shown(task: Task, inputs: tuple[Tensor, ...], images: Tensor) -> tuple[Tensor, ...]:
    """Return the arguments of a discriminator for images that a generator made of `inputs`, as `Task.judged` says."""
    judged = task.judged(inputs, images)
    return judged if isinstance(judged, tuple) else (judged,)


def make_task(name: str, settings: Mapping[str, JSON] | None = None, seed: int = 0) -> Task:
    """Return a task by name, with its settings as JSON values.

    Args:
        name: A name of `catalog.TASKS`, or a class by path.
        settings: Fields of the task's settings class; what is left out takes its default.
        seed: Of what the task itself draws (image pools, latents).

    Raises:
        UserError: Unknown name or setting.
    """
    return TASKS.find(name).load().from_json(settings or {}, seed)


def build_discriminators(
    names: tuple[str, ...], settings: DiscriminatorSettings, input_channels: int, seed: int, classes: int = 0
) -> nn.ModuleDict:
    """Return one new discriminator per name; torch's global random numbers stay as they are.

    A builder is given those of `ndf`, `norm`, `n_layers`, `input_channels` and `classes` that its signature takes.
    A sigmoid that is a network's last module is taken off: the losses take raw scores.

    Args:
        names: Of the generators that are judged.
        settings: The discriminator, of the catalog or a user's own.
        input_channels: Channels of what it is shown.
        seed: The weights are drawn from it.
        classes: Of the labels that it receives in addition to images; 0: it is shown none.

    Raises:
        UserError: There is no such builder, it needs another argument, or it refuses one.
    """
    builder = find_builder(settings.model)
    ours = {name: getattr(settings, name) for name in ("ndf", "norm", "n_layers")} | {"input_channels": input_channels}
    ours |= {"classes": classes} if classes else {}
    arguments = taken(builder, ours)
    if lacking := needed(builder, arguments):
        raise UserError(
            f"discriminator {settings.model} needs {', '.join(lacking)}: ganprune gives a discriminator "
            f"{', '.join(ours)}, as far as it takes them. Try a default for what else it needs."
        )
    networks = {}
    with torch.random.fork_rng(devices=[]):
        for i, name in enumerate(names):
            torch.default_generator.manual_seed(mixed(seed, 10, i))
            networks[name] = raw_scores(call_builder(f"discriminator {settings.model}", builder, arguments))
    return nn.ModuleDict(networks)


def raw_scores(network: nn.Module) -> nn.Module:
    """Return a discriminator whose last module, if it is a sigmoid, passes the raw scores on; weights keep their names.

    Args:
        network: It is changed in place.
    """
    leaves = [(name, module) for name, module in network.named_modules() if not [*module.children()]]
    name, last = leaves[-1]
    if name and isinstance(last, nn.Sigmoid):
        network.set_submodule(name, nn.Identity())
    return network


def check_names(given: Mapping[str, object], wanted: tuple[str, ...], what: str) -> None:
    """KeyError unless `given` has an entry for each wanted name."""
    missing = [name for name in wanted if name not in given]
    if missing:
        raise KeyError(f"no {what} named {', '.join(missing)}; the task needs {', '.join(wanted)}")
