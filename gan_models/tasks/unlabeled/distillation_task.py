"""Distillation alone: unlabeled inputs, and a teacher whose outputs are the student's targets.

Inputs are a folder of images, or drawn latents. Quality is the distance to the teacher's outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...data.builtin_sets import PAINTING, shapes
from ...data.dataset import ImageSet
from ...data.image_readers import FilePictures, doubts_of, good_files
from ...data.inputs.latents import draw_latents
from ...data.layouts import SplitFolder
from ...data.own_data.items import OwnItems
from ...data.own_data.parts import ItemParts, input_range, of_form
from ...data.spec import LATENTS, SHAPES, DataSpec
from ...files.errors import UserError
from ...files.plain_values import JSON, from_json, to_json
from ...files.seeds import mixed
from ...networks.specs import InputSpec, OutputSpec
from ..losses import discriminator_adversarial, l1
from ..settings import DiscriminatorSettings, check_weights
from ..single_generator import SingleGenerator
from ..task import Batch, Network, build_discriminators

TEACHER_OUTPUTS = "taught"  # in a batch: images that replace the teacher's outputs


@dataclass(frozen=True)
class DistillationSettings:
    """Settings of the distillation task.

    Attributes:
        inputs: What the generator takes, as `InputSpec.parse` reads it.
        channels: Channels of its output.
        weight_l1: Weight of the L1 distance to the teacher's outputs, in addition to the recipe's distillation.
        discriminator: A network without influence on the generator; for methods that train with one.
    """

    inputs: str = "3,64,64"
    channels: int = 3
    weight_l1: float = 1.0
    discriminator: DiscriminatorSettings = field(default_factory=lambda: DiscriminatorSettings(model="pixel", ndf=8))

    def __post_init__(self) -> None:
        """Check the weight."""
        check_weights(self, "weight_l1")

    @property
    def spec(self) -> InputSpec:
        """The generator's inputs."""
        return InputSpec.parse(self.inputs)


class DistillationTask(SingleGenerator):
    """A student that learns from its teacher's outputs for unlabeled inputs alone.

    G's loss is weight_l1 * |G(x) - teacher(x)|, in addition to the recipe's distillation. Batches: {"input" (N, C, H,
    W), "step" ()} of images, {"entry" (N,), "step" ()} if all inputs are drawn.

    Attributes:
        teacher: Returns the teacher's outputs for a generator's inputs; a study sets it. None: there is no teacher yet.
    """

    name = "distill"
    source = "input"
    reads_teacher = True
    has_reference = True
    has_judge = False
    adversarial = "lsgan"

    def __init__(self, settings: DistillationSettings | None = None, seed: int = 0) -> None:
        self.settings = settings or DistillationSettings()
        self.seed = seed

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> DistillationTask:
        """Return the task with these settings; `seed` is that of the latents."""
        return cls(from_json(DistillationSettings, settings, "task_settings"), seed)

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON."""
        return to_json(self.settings)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return False: a folder of images alone does not identify this task."""
        return False

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the images of one split, at any depth."""
        return SplitFolder(cls.root(spec), spec.seed).files(split)

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return inputs: {"input"}, or {"entry"} if all of them are drawn."""
        if spec.source == LATENTS:
            return ImageSet(spec, {cls.source: _Numbers(spec.n_train if split == "train" else spec.n_test)}, _entry)
        (form,) = spec.loaded(split, spec.input)
        if spec.source == SHAPES:
            return ImageSet(spec, {cls.source: shapes(spec, split, (PAINTING, form))}, cls.item)
        folder = SplitFolder(cls.root(spec), spec.seed)
        good, bad = good_files(folder.files(split), spec.strict, planes=form.planes)
        return ImageSet(
            spec,
            {cls.source: FilePictures(good, form)},
            cls.item,
            bad,
            folder.left_out,
            [*folder.notes, *doubts_of(good, form.planes)],
        )

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return inputs of a user's own data: items of `input`, or images alone; entries if all inputs are drawn."""
        if not spec.inputs.of_kind("image"):
            return ImageSet(spec, {cls.source: _Numbers(len(items))}, _entry)
        part = of_form(spec, spec.input, input_range(spec), "input", "image")
        return ImageSet(spec, {cls.source: ItemParts(items.same_length().called(part.names), [part])}, cls.item)

    @staticmethod
    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return one input."""
        (image,) = images.read("input", index, number, images.spec.input)
        return {"input": image}

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings for a generator of one image, or of latents alone.

        Raises:
            UserError: The generator has other inputs.
        """
        kinds = [one.kind for one in inputs.inputs]
        if kinds != ["image"] and set(kinds) != {"latent"}:
            raise UserError(
                f"the task {cls.name} reads images, or draws latents, {model} takes {inputs}: expected one image, or "
                "latents alone. Try --task and data that give it what it takes"
            )
        return {**settings, "inputs": inputs.text, "channels": output.channels}

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """Return one discriminator, "G", which has no part in the generator's loss."""
        return build_discriminators(self.generator_names, self.settings.discriminator, self.settings.channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return the images, or latents of this batch's step.

        Raises:
            KeyError: Latents are drawn, and the batch has no step.
        """
        if "input" in batch:
            return (batch["input"],)
        if "step" not in batch:
            raise KeyError(f'a batch of the {self.name} task needs "step", which `batches` puts there')
        spec, entry = self.settings.spec, batch["entry"]
        drawn = draw_latents(spec, len(entry), mixed(self.seed, 30, int(batch["step"])))
        return tuple(drawn[name].to(entry.device) for name in spec.names)

    def reference(self, batch: Batch, name: str) -> Tensor:
        """Return the teacher's outputs."""
        return self.reals(batch, name)

    def reals(self, batch: Batch, name: str) -> Tensor:
        """Return the teacher's outputs, where the batch is.

        Raises:
            UserError: There is no teacher.
        """
        if TEACHER_OUTPUTS in batch:
            return batch[TEACHER_OUTPUTS]
        if self.teacher is None:
            raise UserError(f"the task {self.name} compares with a teacher: got none; expected one. Try --teacher FILE")
        inputs = self.inputs(batch, name)
        return self.teacher(name, inputs).to(inputs[0].device)

    def with_reals(self, batch: Batch, name: str, images: Tensor) -> dict[str, Tensor]:
        """Return the batch with other images instead of the teacher's outputs."""
        return {**batch, TEACHER_OUTPUTS: images}

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return the input if it is an image; the teacher's outputs stand in a column of their own."""
        return {"input": batch["input"]} if "input" in batch else {}

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the term "l1" to the teacher's outputs, and G's outputs."""
        outputs = self.generate(generators, batch)
        target = self.reals(batch, "G").to(outputs["G"].dtype)
        return {"l1": self.settings.weight_l1 * l1(outputs["G"], target)}, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Return half of D's terms: the teacher's outputs are real, the student's fake. No generator loss uses D."""
        real = self.reals(batch, "G").to(outputs["G"].dtype)
        judge = discriminators["G"]
        return 0.5 * discriminator_adversarial(self.adversarial, judge(real), judge(outputs["G"].detach()))


class _Numbers:
    """Entries that consist of their numbers alone."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> tuple[Tensor, ...]:
        return ()


def _entry(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
    return {"entry": torch.tensor(index)}
