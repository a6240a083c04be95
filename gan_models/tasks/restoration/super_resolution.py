"""Super-resolution and restoration: a low side becomes its high side; L1, perceptual and adversarial losses.

After SRGAN (Ledig et al. 2017) and Real-ESRGAN (Wang et al. 2021); weights and the perceptual loss are ours, see
`settings` and `perceptual_loss`. `denoise`, `deblur` and `colorize` are the same task at scale 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...data.dataset import ImageSet
from ...data.degradation.catalog import DEGRADATIONS
from ...data.own_data.items import OwnItems
from ...data.spec import DataSpec
from ...files.errors import UserError
from ...files.plain_values import JSON, from_json, to_json
from ...networks.colors import to_rgb
from ...networks.specs import InputSpec, OutputSpec
from ..generator_fit import one_image, patch_layers
from ..losses import discriminator_adversarial, generator_adversarial, l1
from ..single_generator import SingleGenerator
from ..task import Batch, Network, build_discriminators
from .low_high_folders import LARGEST_SCALE, has_low_high
from .perceptual_loss import perceptual_loss
from .restoration_data import SOURCE, low_sizes, of_items, opened, source_files
from .settings import RestorationSettings

COLORS = ("gray", "rgb", "lightness", "ab")  # what is read of pictures and degraded; none has transparency
_TINY_DISCRIMINATOR = {"model": "pixel", "ndf": 8}  # a discriminator that nobody listens to


class SuperResolutionTask(SingleGenerator):
    """A generator that restores a picture, near its high side and hard for D to tell from one.

    Loss of G: weight_l1 * |G(low) - high| + weight_perceptual * perceptual_loss + weight_adversarial * adv(D(G(low)));
    of D: half the sum of its two terms. Batches: {"input" (N, C, h, w), "target" (N, C', H, W)}, H = scale * h.

    Attributes:
        feature_maps: An encoder of RGB images for the perceptual loss; without one this term is left out.
    """

    name = "super_resolution"
    has_reference = True
    resizes = False
    source = SOURCE
    usual_degradation: ClassVar[str] = "bicubic"
    only_scale: ClassVar[int] = 0

    def __init__(self, settings: RestorationSettings | None = None) -> None:
        self.settings = settings or RestorationSettings()

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        return self.settings.adversarial

    @property
    def has_judge(self) -> bool:
        """Return True if the discriminator has a part in the loss."""
        return self.settings.weight_adversarial > 0

    @property
    def reads_feature_maps(self) -> bool:
        """Return True if an encoder's maps have a part in the loss."""
        return self.settings.weight_perceptual > 0

    @property
    def border(self) -> int:
        """The scale, as tables of super-resolution leave out; nothing at scale 1."""
        return self.settings.scale if self.settings.scale > 1 else 0

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> SuperResolutionTask:
        """Return the task with these settings; `seed` is not used, the task draws nothing."""
        return cls(from_json(RestorationSettings, settings, "task_settings"))

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON."""
        return to_json(self.settings)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether it has folders of a low and of a high side."""
        return root.is_dir() and has_low_high(root)

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the generator's scale, channels and colors.

        Raises:
            UserError: It does not take one image, its output is not the scale times its input, or a color that is not
                restored.
        """
        taken = one_image(cls.name, model, inputs)
        ratios = {Fraction(given, side) for given, side in zip(output.size, taken.shape[1:], strict=True)}
        scale = int(next(iter(ratios))) if len(ratios) == 1 and next(iter(ratios)).denominator == 1 else 0
        wanted = settings.get("scale") or cls.only_scale or scale
        if scale != wanted or not 1 <= scale <= LARGEST_SCALE:
            small, large = ("x".join(map(str, size)) for size in (taken.shape[1:], output.size))
            expected = (
                f"{'x'.join(str(wanted * side) for side in taken.shape[1:])} at scale {wanted}"
                if wanted
                else f"1 to {LARGEST_SCALE} times the input, along both sides"
            )
            cure = f"--scale {scale}" if settings.get("scale") and scale else "a generator of that scale"
            if cls.only_scale and scale > 1:
                cure = "--task super_resolution"
            raise UserError(
                f"{model} does not fit the scale: got {large} from {small}; expected {expected}. Try {cure}."
            )
        for what, color in (("takes", taken.color), ("gives", output.color)):
            if color not in COLORS:
                raise UserError(
                    f"the task {cls.name} restores {', '.join(COLORS)}: {model} {what} {color or 'other channels'}; "
                    "give a generator of these"
                )
        found = {
            "scale": scale,
            "input_channels": taken.shape[0],
            "output_channels": output.channels,
            "input_color": str(taken.color),
            "output_color": str(output.color),
        }
        for name, value in found.items():
            if settings.get(name) not in (None, "", value):
                raise UserError(
                    f"the task's setting {name} does not fit {model}: got {settings[name]}; expected {value}. Try "
                    "leaving it out."
                )
        return {**settings, **found}

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with all of the degradation's, and with a discriminator that fits the output's size."""
        judge = dict(settings.get("discriminator", {}))
        if settings.get("weight_adversarial") == 0:
            judge = _TINY_DISCRIMINATOR | judge
        else:
            judge["n_layers"] = judge.get("n_layers", patch_layers(min(output.size)))
        completed = {**settings, "discriminator": judge}
        if degrade := settings.get("degrade"):
            built = DEGRADATIONS.find(degrade).build(degrade, settings.get("degradation", {}))
            completed["degradation"] = to_json(built) if hasattr(built, "__dataclass_fields__") else {}
        return completed

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the files of one split, low sides included."""
        return source_files(spec, split)

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return heights and widths of the low sides of the first training and test pictures."""
        return low_sizes(spec, most)

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return pairs: {"input", "target"}; the low side is read, or made on the fly."""
        return opened(spec, split, cls.usual_degradation)

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return pairs of a user's own data: items of `input` and `target`, or high sides alone, which are degraded."""
        return of_items(spec, items, cls.usual_degradation)

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """Return one discriminator, "G"."""
        channels = self.settings.output_channels
        if self.settings.judge == "beside_input":
            channels += self.settings.input_channels
        return build_discriminators(self.generator_names, self.settings.discriminator, channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return the low side."""
        return (batch["input"],)

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return the low side, enlarged, and the high side."""
        return {"input": enlarged(batch["input"], batch["target"]), "target": batch["target"]}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return the images alone, or with the enlarged input before them."""
        if self.settings.judge == "output":
            return images
        return torch.cat((enlarged(inputs[0], images).to(images.dtype), images), dim=1)

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the terms "l1", "perceptual" and "adversarial", those of weight 0 left out, and G's output."""
        settings, outputs = self.settings, self.generate(generators, batch)
        fake, target = outputs["G"], batch["target"]
        terms: dict[str, Tensor] = {}
        if settings.weight_l1:
            terms["l1"] = settings.weight_l1 * l1(fake, target)
        if settings.weight_perceptual and self.feature_maps is not None:
            shown = (self._shown(images, batch) for images in (fake, target))
            terms["perceptual"] = settings.weight_perceptual * perceptual_loss(self.feature_maps, *shown)
        if settings.weight_adversarial:
            scores = discriminators["G"](self.judged(self.inputs(batch, "G"), fake))
            terms["adversarial"] = settings.weight_adversarial * generator_adversarial(settings.adversarial, scores)
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Return half of D's real and fake terms."""
        judge, low = discriminators["G"], self.inputs(batch, "G")
        real = judge(self.judged(low, batch["target"]))
        fake = judge(self.judged(low, outputs["G"].detach().to(batch["target"].dtype)))
        return 0.5 * discriminator_adversarial(self.settings.adversarial, real, fake)

    def _shown(self, images: Tensor, batch: Batch) -> Tensor:
        color = self.settings.output_color or ("gray" if images.shape[1] == 1 else "rgb")
        return to_rgb(images.float(), color, self.inputs(batch, "G"))


class _AtOwnSize(SuperResolutionTask):
    """The same at scale 1; it is asked for by name, since folders of pairs are those of super-resolution."""

    only_scale = 1

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return False."""
        return False


class DenoiseTask(_AtOwnSize):
    """Restoration of noisy pictures."""

    name = "denoise"
    usual_degradation = "noise"


class DeblurTask(_AtOwnSize):
    """Restoration of blurred pictures."""

    name = "deblur"
    usual_degradation = "blur"


class ColorizeTask(_AtOwnSize):
    """Restoration of gray pictures."""

    name = "colorize"
    usual_degradation = "gray"


def enlarged(low: Tensor, like: Tensor) -> Tensor:
    """Return images (N, C, h, w) at the size of others, by bicubic interpolation, within [-1, 1]."""
    if low.shape[2:] == like.shape[2:]:
        return low
    return interpolate(low.float(), like.shape[2:], mode="bicubic", antialias=True).clamp(-1, 1)
