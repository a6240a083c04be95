"""Images with holes, filled: reconstruction inside and outside the holes, and an adversarial term.

Losses follow partial convolutions (Liu et al. 2018: a larger weight inside the holes) and gated ones (Yu et al. 2019:
hinge loss of patches, D sees the image and the holes). Their terms of VGG features are one term here, off by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...data.dataset import ImageSet
from ...data.layouts import LayoutError, SplitFolder
from ...data.own_data.items import OwnItems
from ...data.own_data.parts import ItemParts, Part, target
from ...data.spec import DataSpec
from ...files.errors import UserError
from ...files.pictures.colors import color_of
from ...files.seeds import mixed
from ...networks.colors import to_rgb
from ...networks.inpainting.holes import composed
from ...networks.specs import InputSpec, OutputSpec
from ..generator_fit import with_channels
from ..losses import discriminator_adversarial, generator_adversarial
from ..restoration.perceptual_loss import perceptual_loss
from ..settings import DiscriminatorSettings, check_adversarial, check_weights
from ..single_generator import SingleGenerator
from ..task import Batch, Network, build_discriminators
from ..task_parts import ImageTranslation
from ..unconditional import UnconditionalTask
from .drawn_holes import DRAWN, STROKES, holes, mask_files

IMAGE, HOLES, TARGET = "image", "holes", "target"  # parts of a batch
_STREAM = 40  # of random numbers, for masks


@dataclass(frozen=True)
class InpaintSettings:
    """Settings of the task inpaint.

    Args:
        masks: "strokes" (free-form), "box", or a folder of black and white pictures, white where pixels are missing.
        adversarial: "hinge" (gated convolutions), "lsgan" or "vanilla".
        weight_adversarial: weight of the adversarial term.
        weight_holes: weight of the mean absolute difference to the target inside the holes.
        weight_known: weight of that outside the holes.
        weight_perceptual: weight of the relative difference of an encoder's maps of the composed output and the target.
        channels: channels of the images.
        discriminator: the network that judges images with their holes.

    Raises:
        ValueError: a field outside what is allowed.
    """

    masks: str = STROKES
    adversarial: str = "hinge"
    weight_adversarial: float = 0.1
    weight_holes: float = 6.0
    weight_known: float = 1.0
    weight_perceptual: float = 0.0
    channels: int = 3
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        """Check the fields."""
        check_adversarial(self.adversarial)
        check_weights(self, "weight_adversarial", "weight_holes", "weight_known", "weight_perceptual")
        if self.masks not in DRAWN:
            mask_files(self.masks)


class InpaintTask(ImageTranslation, SingleGenerator):
    """G(image, holes) near the image before its pixels were removed, and hard for D to tell from it.

    Loss of G: weight_holes * mean |G - target| inside the holes + weight_known * that outside + weight_adversarial *
    adv(D(holes, G)) + weight_perceptual * perceptual_loss; of D: half of real and fake terms. Each entry's
    holes differ per epoch in training; in the other splits they are always the same. Batches: {"image" (N, C, H, W), 0
    inside the holes, "holes" (N, 1, H, W), "target" (N, C, H, W)}.
    """

    name = "inpaint"
    has_reference = True
    settings: InpaintSettings
    settings_type: ClassVar[type | None] = InpaintSettings

    def __init__(self, settings: InpaintSettings | None = None, seed: int = 0) -> None:
        super().__init__(settings or InpaintSettings(), seed)

    @property
    def adversarial(self) -> str:  # type: ignore[override]  # of the settings
        """The adversarial loss."""
        return self.settings.adversarial

    @property
    def has_judge(self) -> bool:  # type: ignore[override]  # of the settings
        """True if the discriminator has a part in the loss."""
        return self.settings.weight_adversarial > 0

    @property
    def reads_feature_maps(self) -> bool:  # type: ignore[override]  # of the settings
        """True if an encoder's maps have a part in the loss."""
        return self.settings.weight_perceptual > 0

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the channels of the images.

        Raises:
            UserError: The generator does not take an image and a mask of one size, and return such an image.
        """
        kinds = [one.kind for one in inputs.inputs]
        fits = kinds == ["image", "mask"] and inputs.inputs[1].shape == (1, *inputs.inputs[0].shape[1:])
        if not fits or inputs.inputs[0].shape != (output.channels, *output.size):
            made = "x".join(map(str, (output.channels, *output.size)))
            raise UserError(
                f"the task {cls.name} gives a generator an image and a mask of holes, and expects the filled image: "
                f"got {model} from {inputs} to {made}; expected one such as 'image:3,256,256;holes=mask:1,256,256'"
            )
        return with_channels(settings, model, channels=output.channels)

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Any]:
        """Return the images of one split, at any depth."""
        return _Pictures.split_files(spec, split)

    @classmethod
    def files(cls, spec: DataSpec) -> list[Any]:
        """Return the files of all splits, and of a folder of masks."""
        masks = str(spec.settings.get("masks", STROKES))
        return [*_Pictures.files(spec), *(() if masks in DRAWN else mask_files(masks))]

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return images with holes."""
        whole = _Pictures.open(spec, split)
        return _with_holes(whole, spec, split)

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return images with holes of a user's own data: items of `target`, and of `holes` if they have their own."""
        first = items.item(0)
        own = isinstance(first, Mapping) and HOLES in first
        parts = [target(spec), Part((HOLES,), spec.inputs.inputs[1])] if own else [target(spec, IMAGE)]
        items = items.same_length().called(*(part.names for part in parts))
        images = ImageSet(spec, {TARGET: ItemParts(items, parts)}, _of_own_holes if own else UnconditionalTask.item)
        return images if own else _with_holes(images, spec, "own")

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """Return one discriminator, "G", of images with their holes."""
        channels = self.settings.channels + 1
        return build_discriminators(self.generator_names, self.settings.discriminator, channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return the images with holes, and the holes."""
        return batch[IMAGE], batch[HOLES]

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return the images with white holes, and the targets."""
        return {"input": composed(batch[IMAGE], torch.ones_like(batch[IMAGE]), batch[HOLES]), "target": batch[TARGET]}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return the holes and the images, one after the other on the channels."""
        return torch.cat((inputs[1].to(images.dtype), images), 1)

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the terms "holes", "known", "adversarial" and "perceptual", those of weight 0 left out; G's output."""
        settings, outputs = self.settings, self.generate(generators, batch)
        made, wanted, missing = outputs["G"], batch[TARGET], batch[HOLES]
        terms: dict[str, Tensor] = {}
        difference = (made.float() - wanted.float()).abs()
        if settings.weight_holes:
            terms["holes"] = settings.weight_holes * _mean(difference, missing)
        if settings.weight_known:
            terms["known"] = settings.weight_known * _mean(difference, 1 - missing)
        if settings.weight_adversarial:
            scores = discriminators["G"](self.judged(self.inputs(batch, "G"), made))
            terms["adversarial"] = settings.weight_adversarial * generator_adversarial(settings.adversarial, scores)
        if self.feature_maps is not None and settings.weight_perceptual:
            filled = composed(batch[IMAGE], made, missing)
            shown, goal = (to_rgb(x.float(), color_of(x.shape[1])) for x in (filled, wanted))
            terms["perceptual"] = settings.weight_perceptual * perceptual_loss(self.feature_maps, shown, goal)
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Return half of D's real and fake terms."""
        judge, inputs = discriminators["G"], self.inputs(batch, "G")
        real = judge(self.judged(inputs, batch[TARGET]))
        fake = judge(self.judged(inputs, outputs["G"].detach().to(batch[TARGET].dtype)))
        return 0.5 * discriminator_adversarial(self.settings.adversarial, real, fake)


class _Pictures(UnconditionalTask):
    """Reader of a folder of images that leaves out those of a folder of masks within it."""

    @classmethod
    def folder(cls, spec: DataSpec) -> SplitFolder:
        """Return the folder with its splits."""
        masks = str(spec.settings.get("masks", STROKES))
        return super().folder(spec) if masks in DRAWN else _WithoutMasks(cls.root(spec), spec.seed, masks)


class _WithoutMasks(SplitFolder):
    """A folder of images in which, or next to which, there is a folder of masks.

    Args:
        root: The folder.
        seed: Decides the held-out tenth of folders without a split.
        masks: The folder of masks.
    """

    def __init__(self, root: Path, seed: int, masks: str) -> None:
        super().__init__(root, seed)
        self.masks = Path(masks).expanduser().resolve()

    def files(self, split: str, domain: str = "") -> list[Path]:
        """Return the images of one split.

        Raises:
            LayoutError: There are none but masks.
        """
        files = super().files(split, domain)
        images = [path for path in files if not path.resolve().is_relative_to(self.masks)]
        if not images:
            raise LayoutError(f"data folder {self.root} has no {split} images except for the masks in {self.masks}")
        return images


def _with_holes(whole: ImageSet, spec: DataSpec, split: str) -> ImageSet:
    """Return a set of images as one of images with holes."""
    masks, stream = str(spec.settings.get("masks", STROKES)), sum(map(ord, split))

    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        (image,) = images.read(TARGET, index, number)
        drawn = mixed(spec.seed, _STREAM, stream, images.entry(TARGET, index), -1 if number is None else number)
        height, width = image.shape[1:]
        missing = holes(masks, drawn, height, width, split)
        return _batch(image, missing)

    return ImageSet(
        spec, whole.sources, item, whole.skipped, whole.left_out, whole.notes, whole.independent, whole.classes
    )


def _of_own_holes(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
    """Return an item of a user's own image and holes."""
    image, mask = images.read(TARGET, index, number)
    return _batch(image, (mask + 1) / 2)  # read as every picture, in [-1, 1]


def _batch(image: Tensor, missing: Tensor) -> dict[str, Tensor]:
    return {IMAGE: image * (1 - missing), HOLES: missing, TARGET: image}


def _mean(difference: Tensor, where: Tensor) -> Tensor:
    """Return the mean of (N, C, H, W) over the pixels of a mask (N, 1, H, W); 0 if it has none."""
    return (difference * where).sum() / (where.sum() * difference.shape[1]).clamp_min(1)
