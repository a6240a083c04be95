"""The class-conditional task: images of a class from latents and its label (Miyato and Koyama 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

from torch import Tensor, nn

from ...data.builtin_sets import PAINTING, shape_labels, shapes
from ...data.dataset import ImageSet
from ...data.image_readers import (
    FilePictures,
    LabeledPictures,
    doubts_of,
    good_files,
)
from ...data.inputs.class_folders import ClassFolders, check_classes, classes_legend
from ...data.own_data.items import OwnItems
from ...data.own_data.parts import ItemParts, Part, target
from ...data.packed_sets import packed_set
from ...data.spec import SHAPES, DataSpec
from ...data.synthetic import SHAPE_KINDS
from ...files.meta_device import build_for_shapes
from ...files.plain_values import JSON, from_json
from ...networks.specs import Input, InputSpec, OutputSpec
from ..generator_fit import latents_and_label, with_channels
from ..settings import DiscriminatorSettings, check_adversarial
from ..task import Batch, build_discriminators
from ..unconditional import UnconditionalTask


@dataclass(frozen=True)
class ClassConditionalSettings:
    """Settings of the class-conditional task.

    Args:
        adversarial: "hinge" (as published), "vanilla" or "lsgan".
        inputs: what the generator takes, latents and one label, as `InputSpec.parse` reads it.
        channels: channels of the images.
        judges_labels: the discriminator is called with images and labels; False: with images alone.
        discriminator: the network that judges images of a class (the projection discriminator by default).

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "hinge"
    inputs: str = "latent:128;label:10"
    channels: int = 3
    judges_labels: bool = True
    discriminator: DiscriminatorSettings = field(
        default_factory=lambda: DiscriminatorSettings(model="projection", ndf=128)
    )

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        latents_and_label(ClassConditionalTask.name, "the generator", self.spec)

    @property
    def spec(self) -> InputSpec:
        """The generator's inputs."""
        return InputSpec.parse(self.inputs)

    @property
    def label(self) -> Input:
        """The label among its inputs."""
        return self.spec.of_kind("label")[0]


class ClassConditionalTask(UnconditionalTask):
    """G(latents, label) hard for D to tell from real images of the label's class.

    The labels that a generator is given are those of the batch's real images: they come as often as in the data, and
    the discriminator compares images of the same classes. Batches: {"target" (N, C, H, W), "label" (N), "step" ()}.
    """

    name = "class_conditional"
    settings: ClassConditionalSettings  # type: ignore[assignment]  # of its own

    def __init__(self, settings: ClassConditionalSettings | None = None, seed: int = 0) -> None:
        super().__init__(settings or ClassConditionalSettings(), seed)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> ClassConditionalTask:
        """Return the task with these settings; `seed` is that of the latents."""
        return cls(from_json(ClassConditionalSettings, settings, "task_settings"), seed)

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return images with their labels: {"target", "label"}. The first n of a folder are of all classes."""
        (form,) = spec.loaded(split, spec.output)
        if spec.source == SHAPES:
            check_classes(SHAPE_KINDS, spec.inputs)
            pictures = LabeledPictures(shapes(spec, split, (PAINTING, form)), shape_labels(spec, split))
            return ImageSet(
                spec, {"target": pictures}, cls.item, notes=[classes_legend(SHAPE_KINDS)], classes=SHAPE_KINDS
            )
        if packed := packed_set(cls.root(spec)):
            check_classes(packed.classes, spec.inputs)
            pictures = LabeledPictures(packed.pictures(split, form), packed.labels(split))
            return ImageSet(
                spec, {"target": pictures}, cls.item, notes=[classes_legend(packed.classes)], classes=packed.classes
            )
        folder = cls.folder(spec)
        classes = ClassFolders(folder.root, folder.tree.pictures)
        check_classes(classes.names, spec.inputs)
        good, bad = good_files(classes.mixed(folder.files(split)), spec.strict, planes=form.planes)
        pictures = LabeledPictures(FilePictures(good, form), [classes.label(path) for path in good])
        notes = [*folder.notes, *doubts_of(good, form.planes), classes_legend(classes.names)]
        return ImageSet(spec, {"target": pictures}, cls.item, bad, folder.left_out, notes, classes=classes.names)

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return images with their labels of a user's own data: items of `target` and `label`."""
        parts = [target(spec, "image"), Part(("label",), spec.inputs.of_kind("label")[0])]
        items = items.same_length().called(*(part.names for part in parts))
        return ImageSet(spec, {"target": ItemParts(items, parts)}, cls.item)

    @staticmethod
    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return one image and its label."""
        image, label = images.read("target", index, number)
        return {"target": image, "label": label}

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the generator's inputs. Raises UserError unless they are latents and a label."""
        latents_and_label(cls.name, model, inputs)
        return {**with_channels(settings, model, channels=output.channels), "inputs": inputs.text}

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the projection discriminator, unless another network is given.

        A user's own network that takes one argument is given images alone.
        """
        default = ClassConditionalSettings().discriminator
        judge = {"model": default.model, "ndf": default.ndf} | dict(settings.get("discriminator", {}))
        filled = {**settings, "discriminator": judge}
        if judge["model"] == default.model or "judges_labels" in settings:
            return filled
        task = cls.from_json(filled, 0)
        network = build_for_shapes(lambda: task.make_discriminators(0)["G"])
        return {**filled, "judges_labels": _takes_two(network)}

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """One discriminator, "G"; its builder receives the number of classes."""
        settings = self.settings
        return build_discriminators(
            self.generator_names, settings.discriminator, settings.channels, seed, settings.label.classes
        )

    def read(self, batch: Batch) -> dict[str, Tensor]:
        """Return the labels of the batch's images."""
        return {self.settings.label.name: batch["label"]}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        """Return the images with the labels that they were generated from."""
        place = self.settings.spec.names.index(self.settings.label.name)
        return (images, inputs[place]) if self.settings.judges_labels else images

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return a real image of each label's class."""
        return {"real, same class": batch["target"]}


def _takes_two(network: nn.Module) -> bool:
    """Return whether a network is called with two tensors."""
    plain = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    taken = [each for each in signature(network.forward).parameters.values() if each.kind in plain]
    return len([each for each in taken if each.default is Parameter.empty]) > 1
