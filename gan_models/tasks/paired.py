"""The paired task: pix2pix (Isola et al. 2017), adversarial + L1, D sees input and output together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.builtin_sets import DRAWING, PAINTING, shapes
from ..data.dataset import ImageSet
from ..data.image_readers import FilePictures, doubts_of, good_files
from ..data.layouts import LayoutError, SplitFolder, first_is_wide, is_cifar
from ..data.picture_tree import DOMAINS
from ..data.spec import SHAPES, DataSpec
from ..files.pictures.picture_reader import picture_size
from ..files.plain_values import JSON, from_json, to_json
from ..networks.specs import InputSpec, OutputSpec
from .generator_fit import one_image, with_channels
from .image_translation import ImageTranslation
from .losses import discriminator_adversarial, generator_adversarial, l1
from .settings import DiscriminatorSettings, check_adversarial, check_weights
from .single_generator import SingleGenerator
from .task import Batch, Network, build_discriminators


@dataclass(frozen=True)
class PairedSettings:
    """Settings of the paired task.

    Args:
        adversarial: "vanilla" (upstream pix2pix), "lsgan" or "hinge" (GAN Compression).
        weight_l1: weight of the mean absolute difference to the target (upstream: 100).
        input_channels: channels of the input image.
        output_channels: channels of the target image.
        discriminator: the network that judges (input, output) pairs.

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "lsgan"
    weight_l1: float = 100.0
    input_channels: int = 3
    output_channels: int = 3
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        check_weights(self, "weight_l1")


def _portrait_notes(files: Sequence[Path]) -> list[str]:
    """Return a note if the first picture is higher than wide: it could be a single one."""
    width, height = next(filter(None, map(picture_size, files)), (2, 1))
    if width > height:
        return []
    half = f"{width // 2}x{height}"
    return [f"pictures of {width}x{height} are read as A|B side by side, {half} each, as the task paired asks"]


class PairedTask(ImageTranslation, SingleGenerator):
    """pix2pix: G(input) near the target, and hard for D to tell from it given the input.

    Loss of G: adv(D(input, G(input))) + weight_l1 * |G(input) - target|; of D: half the sum of its two terms.
    Batches: {"input" (N, C, H, W), "target" (N, C', H, W)}.
    """

    name = "paired"
    has_reference = True
    source = "pairs"

    def __init__(self, settings: PairedSettings | None = None) -> None:
        self.settings = settings or PairedSettings()

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        return self.settings.adversarial

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> PairedTask:
        """The task with these settings; `seed` is not used, the task draws nothing."""
        return cls(from_json(PairedSettings, settings, "task_settings"))

    def settings_json(self) -> dict[str, JSON]:
        """The settings as JSON."""
        return to_json(self.settings)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether there is a training split of pictures that are wider than high."""
        if is_cifar(root) or not root.is_dir():
            return False
        tree = SplitFolder(root, 0).tree
        wide = first_is_wide([picture.path for picture in tree.pictures if picture.split == "train"])
        return wide and not all(map(tree.of_domain, DOMAINS))

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the images' channels. Raises UserError unless the generator translates one image."""
        taken = one_image(cls.name, model, inputs)
        return with_channels(settings, model, input_channels=taken.shape[0], output_channels=output.channels)

    @classmethod
    def folder(cls, spec: DataSpec) -> SplitFolder:
        """Return the folder with its splits. Raises LayoutError if it holds single pictures of two domains."""
        folder = SplitFolder(cls.root(spec), spec.seed, divides=False)
        if all(map(folder.tree.of_domain, DOMAINS)):
            raise LayoutError(f"data folder {folder.root} holds single pictures of domains A and B")
        return folder

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the pictures A|B of one split."""
        return cls.folder(spec).files(split)

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return pairs: {"input", "target"}; the direction says which half is the input."""
        forms, swapped = spec.loaded(split, spec.input, spec.output), spec.direction == "BtoA"
        if spec.source == SHAPES:
            parts = zip((PAINTING, DRAWING) if swapped else (DRAWING, PAINTING), forms, strict=True)
            return ImageSet(spec, {"pairs": shapes(spec, split, *parts)}, cls.item)
        folder = cls.folder(spec)
        good, bad = good_files(folder.files(split), spec.strict, halves=True)
        pairs = FilePictures(good, *forms, halves=True, swapped=swapped)
        return ImageSet(
            spec,
            {"pairs": pairs},
            cls.item,
            bad,
            folder.left_out,
            [*folder.notes, *doubts_of(good), *_portrait_notes(good)],
        )

    @staticmethod
    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return both halves of a picture, cropped and mirrored alike."""
        first, second = images.read("pairs", index, number, images.spec.input, images.spec.output)
        return {"input": first, "target": second}

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """One discriminator, "G", of input and output channels together."""
        channels = self.settings.input_channels + self.settings.output_channels
        return build_discriminators(self.generator_names, self.settings.discriminator, channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return the input image."""
        return (batch["input"],)

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return input and image, one after the other on the channels."""
        return torch.cat((*inputs, images), dim=1)

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Terms "adversarial" and "l1", and G's output."""
        outputs = self.generate(generators, batch)
        fake = outputs["G"]
        scores = discriminators["G"](torch.cat((batch["input"], fake), dim=1))
        terms = {
            "adversarial": generator_adversarial(self.settings.adversarial, scores),
            "l1": self.settings.weight_l1 * l1(fake, batch["target"]),
        }
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Half of D's real and fake terms on (input, target) and (input, output)."""
        judge = discriminators["G"]
        real = judge(torch.cat((batch["input"], batch["target"]), dim=1))
        fake = judge(torch.cat((batch["input"], outputs["G"].detach().to(batch["input"].dtype)), dim=1))
        return 0.5 * discriminator_adversarial(self.settings.adversarial, real, fake)
