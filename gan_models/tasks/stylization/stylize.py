"""Photographs as drawings, unpaired and one-way: CartoonGAN (Chen et al. 2018), with terms of AnimeGAN (2019).

There is no way back and no cycle: the content stays by an encoder's features of the photograph. Ours are relative
losses of features (one weight fits every encoder), edges that are smoothed on the fly, and no phase of content alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from ...data.dataset import ImageSet
from ...data.own_data.items import OwnItems
from ...data.spec import DataSpec
from ...files.errors import UserError
from ...files.pictures.colors import color_of
from ...networks.colors import in_color, to_rgb
from ...networks.specs import InputSpec, OutputSpec
from ..generator_fit import one_image, with_channels
from ..losses import discriminator_adversarial, fake_adversarial, generator_adversarial
from ..restoration.perceptual_loss import perceptual_loss
from ..settings import DiscriminatorSettings, check_adversarial, check_weights
from ..single_generator import SingleGenerator
from ..task import Batch, Network, build_discriminators
from ..task_parts import ImageTranslation
from ..unpaired import UnpairedTask
from .edge_smoothing import smoothed_edges
from .style_losses import color_loss, gram_loss

PHOTOGRAPHS, DRAWINGS = "A", "B"
MIN_SIDE = 3  # pixels of an image whose edges can be blurred


@dataclass(frozen=True)
class StylizeSettings:
    """Settings of the task stylize.

    Args:
        adversarial: "lsgan" (AnimeGAN), "vanilla" (CartoonGAN) or "hinge".
        weight_adversarial: weight of the adversarial term.
        weight_content: weight of the relative difference of an encoder's maps of output and photograph.
        weight_edges: weight of drawings with smoothed edges relative to that of the outputs, both of which D tells from
            drawings; 0: none are made.
        weight_gram: weight of the relative difference of the maps' Gram matrices, of output and gray drawing.
        weight_color: weight of the difference of colors, of output and photograph.
        channels: channels of the images.
        paired_test: test images of one name are pairs of photograph and drawing, so that outputs are compared with
            their own references, too. Training stays unpaired.
        discriminator: the network that judges outputs.

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "lsgan"
    weight_adversarial: float = 1.0
    weight_content: float = 5.0
    weight_edges: float = 1.0
    weight_gram: float = 0.0
    weight_color: float = 0.0
    channels: int = 3
    paired_test: bool = False
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        """Check the fields."""
        check_adversarial(self.adversarial)
        weights = ("weight_adversarial", "weight_content", "weight_gram", "weight_color")
        check_weights(self, *weights, "weight_edges")
        if not any(getattr(self, name) for name in weights):
            raise UserError(f"the task stylize has no loss: got 0 for {', '.join(weights)}; expected one above 0")


class StylizeTask(ImageTranslation, SingleGenerator):
    """A generator that draws a photograph: hard for D to tell from drawings, near the photograph in features.

    Loss of G: weight_adversarial * adv(D(G(a))) + weight_content * perceptual_loss(G(a), a) + weight_gram *
    gram_loss(G(a), gray b) + weight_color * color_loss(G(a), a); of D: half of real and fake terms, where smoothed
    drawings count as fakes. Batches: {"A" (N, C, H, W) photographs, "B" (N, C, H, W) drawings}.
    """

    name = "stylize"
    settings: StylizeSettings
    settings_type: ClassVar[type | None] = StylizeSettings
    real_key: ClassVar[str] = DRAWINGS
    source: ClassVar[str] = PHOTOGRAPHS

    def __init__(self, settings: StylizeSettings | None = None, seed: int = 0) -> None:
        super().__init__(settings or StylizeSettings(), seed)

    @property
    def has_reference(self) -> bool:  # type: ignore[override]  # of the settings
        """True if test images are pairs."""
        return self.settings.paired_test

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
        return self.settings.weight_content > 0 or self.settings.weight_gram > 0

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the channels of the images.

        Raises:
            UserError: The generator does not turn one image into another of its shape and color.
        """
        taken = one_image(cls.name, model, inputs)
        given = (output.channels, *output.size)
        if taken.shape != given or taken.color != output.color or min(output.size) < MIN_SIDE:
            shapes = ("x".join(map(str, shape)) for shape in (taken.shape, given))
            raise UserError(
                f"the task {cls.name} keeps a photograph's shape and color: got {model} from {' to '.join(shapes)}; "
                f"expected the same on both sides, of at least {MIN_SIDE} pixels. Try --task unpaired or paired."
            )
        return with_channels(settings, model, channels=output.channels)

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the photographs of one split."""
        return UnpairedTask.split_files(spec, split, PHOTOGRAPHS)

    @classmethod
    def files(cls, spec: DataSpec) -> list[Path]:
        """Return the files of all splits, photographs and drawings."""
        return UnpairedTask.files(spec)

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return photographs and drawings: {"A", "B"}, of which there may be unequally many."""
        return UnpairedTask.open(spec, split)

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return photographs and drawings of a user's own data: items of `A` and `B`, or a dataset for each."""
        return UnpairedTask.of_items(spec, items)

    def n_reals(self, data: ImageSet, name: str) -> int:
        """Return the number of drawings."""
        return data.count(DRAWINGS)

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """Return one discriminator, "G"."""
        return build_discriminators(self.generator_names, self.settings.discriminator, self.settings.channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return the photographs."""
        return (batch[PHOTOGRAPHS],)

    def reference(self, batch: Batch, name: str) -> Tensor | None:
        """Return the drawings of pairs; nothing for images that are none."""
        return batch[DRAWINGS] if "paired" in batch else None

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the terms "adversarial", "content", "gram" and "color", those of weight 0 left out, and the output."""
        settings, outputs = self.settings, self.generate(generators, batch)
        terms: dict[str, Tensor] = {}
        if settings.weight_adversarial:
            scores = discriminators["G"](outputs["G"])
            terms["adversarial"] = settings.weight_adversarial * generator_adversarial(settings.adversarial, scores)
        drawn, photographs, drawings = (_rgb(images) for images in (outputs["G"], batch[PHOTOGRAPHS], batch[DRAWINGS]))
        if self.feature_maps is not None and settings.weight_content:
            terms["content"] = settings.weight_content * perceptual_loss(self.feature_maps, drawn, photographs)
        if self.feature_maps is not None and settings.weight_gram:
            gray = in_color(drawings, "rgb", "gray").expand_as(drawings)
            terms["gram"] = settings.weight_gram * gram_loss(self.feature_maps, drawn, gray)
        if settings.weight_color:
            terms["color"] = settings.weight_color * color_loss(drawn, photographs)
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Return half of D's real and fake terms; smoothed drawings weigh `weight_edges`, an output 1."""
        judge, mode, weight = discriminators["G"], self.settings.adversarial, self.settings.weight_edges
        drawings = batch[DRAWINGS]
        real = judge(drawings)
        fake = judge(outputs["G"].detach().to(drawings.dtype))
        loss = discriminator_adversarial(mode, real, fake)
        if weight:
            loss = loss + weight * fake_adversarial(mode, judge(smoothed_edges(drawings)))
        return 0.5 * loss


def _rgb(images: Tensor) -> Tensor:
    return to_rgb(images.float(), color_of(images.shape[1]))
