"""The inpainting task: a photo with a hole and the hole's mask in, the whole photo out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ganprune.gan_models.data.builtin_sets import DRAWING, PAINTING, shapes
from ganprune.gan_models.data.dataset import ImageSet
from ganprune.gan_models.data.image_readers import FilePictures, Pictures, good_files
from ganprune.gan_models.data.layouts import LayoutError, split_files
from ganprune.gan_models.data.spec import SHAPES, SPLITS, DataSpec
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TaskSpec
from ganprune.gan_models.tasks.generator_fit import patch_layers
from ganprune.gan_models.tasks.losses import discriminator_adversarial, generator_adversarial, l1
from ganprune.gan_models.tasks.settings import DiscriminatorSettings, check_adversarial, check_weights
from ganprune.gan_models.tasks.single_generator import SingleGenerator
from ganprune.gan_models.tasks.task import build_discriminators
from torch import Tensor, nn

INPAINTING = TaskSpec(
    f"{__name__}:InpaintingTask",
    "trainphoto/ trainmask/ testphoto/ testmask/ with files of the same names",
    (SHAPES,),
    "fills the hole of a photo",
)


@dataclass(frozen=True)
class InpaintingSettings:
    """Settings of the task."""

    adversarial: str = "hinge"
    weight_l1: float = 20.0
    discriminator: DiscriminatorSettings = field(default_factory=lambda: DiscriminatorSettings(ndf=16, n_layers=1))

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        check_weights(self, "weight_l1")


@dataclass(frozen=True)
class MaskedPictures:
    """Entries of a photo and its mask, from two sources of the same length."""

    photos: Pictures
    masks: Pictures

    def __len__(self) -> int:
        return len(self.photos)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return both pictures of an entry."""
        return (*self.photos.read(index), *self.masks.read(index))


class InpaintingTask(SingleGenerator):
    """Batches: {"photo" (N, 3, H, W), "mask" (N, 1, H, W) in [0, 1], "target" (N, 3, H, W)}."""

    name = "inpainting"
    has_reference = True
    source = "masked"

    def __init__(self, settings: InpaintingSettings) -> None:
        self.settings = settings

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        return self.settings.adversarial

    @classmethod
    def from_json(cls, settings: Mapping[str, Any], seed: int) -> InpaintingTask:
        """Return the task with these settings; it draws nothing."""
        return cls(from_json(InpaintingSettings, dict(settings), "task_settings"))

    def settings_json(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return to_json(self.settings)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether there are photos and masks to train with."""
        return (root / "trainphoto").is_dir() and (root / "trainmask").is_dir()

    @classmethod
    def _files_of(cls, spec: DataSpec, split: str) -> list[tuple[Path, Path]]:
        root = cls.root(spec)
        photos = {p.stem: p for p in split_files(root, split, spec.seed, "photo", divides=False)}
        masks = {p.stem: p for p in split_files(root, split, spec.seed, "mask", divides=False)}
        if lacking := sorted(photos.keys() ^ masks.keys()):
            raise LayoutError(f"data folder {root} has no photo and mask of one name for {', '.join(lacking[:3])}")
        return [(photos[stem], masks[stem]) for stem in sorted(photos)]

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return photos and masks of one split."""
        return [path for both in cls._files_of(spec, split) for path in both]

    @classmethod
    def files(cls, spec: DataSpec) -> list[Path]:
        """Return the files of all splits."""
        return [path for split in SPLITS for path in cls.split_files(spec, split)]

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return photos with holes; in the built-in set a hole is where the drawing of the scene is white."""
        (form,) = spec.loaded(split, spec.output)
        if spec.source == SHAPES:
            return ImageSet(spec, {cls.source: shapes(spec, split, (PAINTING, form), (DRAWING, form))}, cls.item)
        files = cls._files_of(spec, split)
        (good, bad), (good_masks, bad_masks) = (
            good_files(list(paths), spec.strict) for paths in zip(*files, strict=True)
        )
        left = [(photo, mask) for photo, mask in files if photo in set(good) and mask in set(good_masks)]
        photos, masks = (FilePictures(paths, form) for paths in zip(*left, strict=True))
        return ImageSet(spec, {cls.source: MaskedPictures(photos, masks)}, cls.item, (*bad, *bad_masks))

    @classmethod
    def item(cls, images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return one entry, photo and mask cropped and mirrored alike."""
        target, drawn = images.read(cls.source, index, number)
        mask = (drawn.mean(0, keepdim=True) + 1) / 2
        return {"photo": target * (1 - mask), "mask": mask, "target": target}

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings. Raises UserError unless the generator takes an RGB image and a mask, in this order."""
        shapes = [(one.kind, one.shape) for one in inputs.inputs]
        size = output.size[0]
        if shapes != [("image", (3, size, size)), ("mask", (1, size, size))]:
            raise UserError(
                f"the task {cls.name} gives a photo and a mask, {model} takes {inputs}: give a generator of "
                f"image:3,{size},{size};mask:1,{size},{size}"
            )
        return dict(settings)

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with a PatchGAN that fits the image size."""
        judge = {"ndf": 16, "n_layers": patch_layers(min(output.size))} | dict(settings.get("discriminator", {}))
        return {**settings, "discriminator": judge}

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """Return one discriminator, of mask and image together."""
        return build_discriminators(self.generator_names, self.settings.discriminator, 4, seed)

    def inputs(self, batch: Mapping[str, Tensor], name: str) -> tuple[Tensor, ...]:
        """Return photo and mask."""
        return batch["photo"], batch["mask"]

    def columns(self, batch: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
        """Return photo, mask and the whole photo."""
        return {"photo": batch["photo"], "mask": batch["mask"] * 2 - 1, "target": batch["target"]}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return mask and image, one after the other on the channels."""
        return torch.cat((inputs[1], images), 1)

    def generator_losses(self, generators, discriminators, batch):
        """Return the terms "adversarial" and "l1", and G's output."""
        outputs = self.generate(generators, batch)
        scores = discriminators["G"](self.judged(self.inputs(batch, "G"), outputs["G"]))
        terms = {
            "adversarial": generator_adversarial(self.adversarial, scores),
            "l1": self.settings.weight_l1 * l1(outputs["G"], batch["target"]),
        }
        return terms, outputs

    def discriminator_loss(self, outputs, discriminators, batch):
        """Return half of D's real and fake terms."""
        judge, given = discriminators["G"], self.inputs(batch, "G")
        fake = judge(self.judged(given, outputs["G"].detach().to(batch["target"].dtype)))
        return 0.5 * discriminator_adversarial(self.adversarial, judge(self.judged(given, batch["target"])), fake)
