"""The unconditional task: SNGAN (Miyato et al. 2018), images from latents, hinge loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..data.builtin_sets import PAINTING, shapes
from ..data.dataset import ImageSet
from ..data.image_readers import FilePictures, doubts_of, good_files
from ..data.inputs.latents import draw_latents
from ..data.layouts import SplitFolder
from ..data.own_data.items import OwnItems
from ..data.own_data.parts import ItemParts, target
from ..data.packed_sets import packed_set
from ..data.spec import SHAPES, DataSpec
from ..files.errors import UserError
from ..files.plain_values import JSON, from_json, to_json
from ..files.seeds import mixed
from ..networks.specs import DEFAULT_INPUT_NAME, Input, InputSpec, OutputSpec
from .generator_fit import only_latents, with_channels
from .losses import discriminator_adversarial, generator_adversarial
from .settings import DiscriminatorSettings, check_adversarial
from .single_generator import SingleGenerator
from .task import Batch, Network, build_discriminators, shown


@dataclass(frozen=True)
class UnconditionalSettings:
    """Settings of the unconditional task.

    Args:
        adversarial: "hinge" (SNGAN), "vanilla" or "lsgan".
        latent: length of the latent vector.
        latent_size: height and width of latents that have a place, such as DCGAN's (1, 1); empty: vectors.
        inputs: what a generator of several latents takes, as `InputSpec.parse` reads it; empty: the one latent above.
        channels: channels of the images.
        discriminator: the network that judges images (SNGAN's by default).

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "hinge"
    latent: int = 128
    latent_size: tuple[int, ...] = ()
    inputs: str = ""
    channels: int = 3
    discriminator: DiscriminatorSettings = field(default_factory=lambda: DiscriminatorSettings(model="sngan", ndf=128))

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        if self.latent < 1:
            raise UserError(f"latent={self.latent} is not a length; use 1 or more")
        if len(self.latent_size) not in (0, 2) or any(size < 1 for size in self.latent_size):
            raise UserError(f"latent_size={list(self.latent_size)} is not a height and width; leave it out for vectors")

    @property
    def spec(self) -> InputSpec:
        """The generator's inputs."""
        latent = Input(DEFAULT_INPUT_NAME, "latent", (self.latent, *self.latent_size))
        return InputSpec.parse(self.inputs) if self.inputs else InputSpec((latent,))


class UnconditionalTask(SingleGenerator):
    """SNGAN: G(latent) hard for D to tell from real images.

    Latents are standard normal, a pure function of (seed, batch["step"]): a resumed run, a teacher and a
    measurement see the same ones. Batches: {"target" (N, C, H, W), "step" ()}.
    """

    name = "unconditional"

    def __init__(self, settings: UnconditionalSettings | None = None, seed: int = 0) -> None:
        self.settings = settings or UnconditionalSettings()
        self.seed = seed

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        return self.settings.adversarial

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> UnconditionalTask:
        """Return the task with these settings; `seed` is that of the latents."""
        return cls(from_json(UnconditionalSettings, settings, "task_settings"), seed)

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON; for one vector as earlier versions wrote them."""
        settings = to_json(self.settings)
        return {name: value for name, value in settings.items() if value or name not in ("latent_size", "inputs")}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether it is a set in files of its own format, or a folder that holds an image at any depth."""
        return packed_set(root) is not None or (root.is_dir() and bool(SplitFolder(root, 0).tree.pictures))

    @classmethod
    def folder(cls, spec: DataSpec) -> SplitFolder:
        """Return the folder with its splits."""
        return SplitFolder(cls.root(spec), spec.seed)

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the images of one split, at any depth."""
        return cls.folder(spec).files(split)

    @classmethod
    def files(cls, spec: DataSpec) -> list[Path]:
        """Return the files of all splits."""
        if packed := packed_set(cls.root(spec)):
            return list(packed.files)
        return super().files(spec)

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return heights and widths of the first training pictures."""
        packed = packed_set(cls.root(spec))
        return super().picture_sizes(spec, most) if packed is None else [packed.size]

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return images: {"target"}."""
        (form,) = spec.loaded(split, spec.output)
        if spec.source == SHAPES:
            return ImageSet(spec, {"target": shapes(spec, split, (PAINTING, form))}, cls.item)
        if packed := packed_set(cls.root(spec)):
            return ImageSet(spec, {"target": packed.pictures(split, form)}, cls.item)
        folder = cls.folder(spec)
        good, bad = good_files(folder.files(split), spec.strict, planes=form.planes)
        return ImageSet(
            spec,
            {"target": FilePictures(good, form)},
            cls.item,
            bad,
            folder.left_out,
            [*folder.notes, *doubts_of(good, form.planes)],
        )

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return images of a user's own data: items of `target`, or images alone."""
        part = target(spec, "image")
        return ImageSet(spec, {"target": ItemParts(items.same_length().called(part.names), [part])}, cls.item)

    @staticmethod
    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return one image."""
        (image,) = images.read("target", index, number)
        return {"target": image}

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the generator's latent. Raises UserError for one that does not start from one."""
        latents = only_latents(cls.name, model, inputs)
        if len(latents) > 1:
            return {**with_channels(settings, model, channels=output.channels), "inputs": inputs.text}
        length, *size = next(iter(latents)).shape
        if settings.get("latent", length) != length:
            raise UserError(
                f"{model} starts from a latent of {length}, the task's setting says {settings['latent']}: leave it out"
            )
        settings = with_channels(settings, model, channels=output.channels)
        return {**settings, "latent": length, **({"latent_size": size} if size else {})}

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with SNGAN's discriminator if some of its settings were given, but no other network."""
        judge = settings.get("discriminator")
        if not judge or "model" in judge:
            return dict(settings)
        default = UnconditionalSettings().discriminator
        return {**settings, "discriminator": {"model": default.model, "ndf": default.ndf, **judge}}

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """One discriminator, "G"."""
        return build_discriminators(self.generator_names, self.settings.discriminator, self.settings.channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return latents of this batch's step, as many as there are images, in the generator's order.

        Raises:
            KeyError: the batch does not say its step.
        """
        if "step" not in batch:
            raise KeyError(f'a batch of the {self.name} task needs "step", which `batches` puts there')
        target, spec = batch["target"], self.settings.spec
        values = {**self.read(batch), **draw_latents(spec, len(target), mixed(self.seed, 30, int(batch["step"])))}
        return tuple(values[name].to(target.device) for name in spec.names)

    def read(self, batch: Batch) -> dict[str, Tensor]:
        """Return inputs that are not drawn, by name: none."""
        return {}

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return nothing: a latent is not a picture, regardless of its shape."""
        return {}

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the term "adversarial", and G's images."""
        outputs = self.generate(generators, batch)
        judged = shown(self, self.inputs(batch, "G"), outputs["G"])
        loss = generator_adversarial(self.settings.adversarial, discriminators["G"](*judged))
        return {"adversarial": loss}, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """D's real and fake terms, not halved (as published for the hinge)."""
        target, inputs = batch["target"], self.inputs(batch, "G")
        real = discriminators["G"](*shown(self, inputs, target))
        fake = discriminators["G"](*shown(self, inputs, outputs["G"].detach().to(target.dtype)))
        return discriminator_adversarial(self.settings.adversarial, real, fake)
