"""Images from label maps: SPADE's losses (Park et al. 2019), on pairs of label map and image.

Upstream's perceptual loss is off by default: it asks for an encoder of photographs. Original to ganprune: feature
matching is relative to the maps of the real image, so that one weight fits every discriminator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...data.builtin_sets import PAINTING, shapes
from ...data.dataset import ImageSet
from ...data.inputs.entry_inputs import PICTURES, EntryInputs
from ...data.inputs.role_folders import has_targets
from ...data.inputs.shape_maps import ShapeMaps
from ...data.spec import SHAPES, DataSpec
from ...data.synthetic import SHAPE_LABELS
from ...files.errors import UserError
from ...files.pictures.colors import color_of
from ...files.plain_values import JSON, from_json
from ...networks.colors import to_rgb
from ...networks.discriminators.multiscale import maps_of_calls
from ...networks.specs import Input, InputSpec, OutputSpec
from ..generator_fit import with_channels
from ..losses import generator_adversarial, l1
from ..paired import PairedSettings, PairedTask
from ..restoration.perceptual_loss import perceptual_loss
from ..settings import DiscriminatorSettings, check_weights
from ..task import Batch, Network

_LEAST = 1e-6  # of the mean of a map, below which it is empty


@dataclass(frozen=True)
class LabelToImageSettings(PairedSettings):
    """Settings of the task label_to_image.

    Args:
        adversarial: "hinge" (SPADE), "lsgan" (pix2pixHD) or "vanilla".
        weight_l1: weight of the mean absolute difference to the target (upstream: none).
        weight_features: weight of the relative difference of the discriminator's maps of output and target. The
            discriminator `multiscale` has them; with another one there is no such term.
        weight_perceptual: weight of the relative difference of an encoder's maps of output and target.
        discriminator: the network that judges (label map, output) pairs.

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "hinge"
    weight_l1: float = 0.0
    weight_features: float = 10.0
    weight_perceptual: float = 0.0
    discriminator: DiscriminatorSettings = field(default_factory=lambda: DiscriminatorSettings(model="multiscale"))

    def __post_init__(self) -> None:
        """Check the fields."""
        super().__post_init__()
        check_weights(self, "weight_features", "weight_perceptual")


class LabelToImageTask(PairedTask):
    """G(label map) hard for D to tell from the target, given the label map, and near it in D's maps.

    Loss of G: adv(D(x, G(x))) + weight_features * maps of D + weight_l1 * |G(x) - target| + weight_perceptual *
    perceptual_loss; of D: half the sum of its two terms. Batches: {"label" (N, H, W), "target" (N, C, H, W)}, and
    "edges" (N, 1, H, W) for a generator that takes them.
    """

    name = "label_to_image"
    settings: LabelToImageSettings  # type: ignore[assignment]  # of its own

    def __init__(self, settings: LabelToImageSettings | None = None, seed: int = 0) -> None:
        super().__init__(settings or LabelToImageSettings(), seed)

    @property
    def reads_feature_maps(self) -> bool:  # type: ignore[override]  # of the settings
        """True if an encoder's maps have a part in the loss."""
        return self.settings.weight_perceptual > 0

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> LabelToImageTask:
        """Return the task with these settings; `seed` is that of latents in addition to label maps."""
        return cls(from_json(LabelToImageSettings, settings, "task_settings"), seed)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether there are targets, and files of another role."""
        return root.is_dir() and has_targets(root)

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the generator's inputs.

        Raises:
            UserError: The generator takes no label map.
        """
        if not any(one.is_map for one in inputs.inputs):
            raise UserError(
                f"the task {cls.name} gives a generator label maps: got {model} of {inputs}; expected one such as "
                "label:35,256,512. Try --input-shape label:CLASSES,HEIGHT,WIDTH, or --task paired"
            )
        EntryInputs(inputs)  # raises for names that entries have already
        return {**with_channels(settings, model, output_channels=output.channels), "inputs": inputs.text}

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with SPADE's discriminator, unless another one is given, of a fitting depth."""
        judge = {"model": "multiscale", **dict(settings.get("discriminator", {}))}
        return super().complete({**settings, "discriminator": judge}, output)

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return label maps and images of folders, or of the built-in shapes."""
        if spec.source != SHAPES:
            return super().open(spec, split)
        entries = EntryInputs(spec.inputs)
        for one in spec.inputs.inputs:
            _check_builtin(one)
        forms = spec.loaded(split, *entries.forms(spec))
        images = shapes(spec, split, (PAINTING, forms[-1]))
        pictures = ShapeMaps(
            spec, split, ["label" if one.is_map else "edges" for one in entries.pictures], forms, images
        )
        return ImageSet(spec, {PICTURES: pictures}, entries.item, classes=SHAPE_LABELS)

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the terms "adversarial", "features", "l1" and "perceptual", those of weight 0 left out; G's output."""
        settings, judge, target = self.settings, discriminators["G"], batch["target"]
        outputs, inputs = self.generate(generators, batch), self.inputs(batch, "G")
        with maps_of_calls() as calls:
            scores = judge(self.judged(inputs, outputs["G"]))
            terms = {"adversarial": generator_adversarial(settings.adversarial, scores)}
            if settings.weight_features and calls:
                with torch.no_grad():
                    judge(self.judged(inputs, target))
        if len(calls) > 1:
            terms["features"] = settings.weight_features * matched_maps(calls[0], calls[1])
        if settings.weight_l1:
            terms["l1"] = settings.weight_l1 * l1(outputs["G"], target)
        if self.feature_maps is not None and settings.weight_perceptual:
            made, wanted = (to_rgb(x.float(), color_of(x.shape[1])) for x in (outputs["G"], target))
            terms["perceptual"] = settings.weight_perceptual * perceptual_loss(self.feature_maps, made, wanted)
        return terms, outputs


def matched_maps(given: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the mean over maps of mean |given - wanted| / mean |wanted|; 0 if all are equal.

    Args:
        given: Maps of outputs, each of any shape.
        wanted: Maps of real images, of the same shapes; they are constants.
    """
    shares = [
        l1(one, other.detach()) / other.detach().float().abs().mean().clamp_min(_LEAST)
        for one, other in zip(given, wanted, strict=True)
    ]
    return torch.stack(shares).mean()


def _check_builtin(one: Input) -> None:
    """Raise UserError unless the built-in shapes have such an input."""
    if (one.is_map and one.classes >= len(SHAPE_LABELS)) or (one.kind == "mask" and one.shape[0] == 1):
        return
    raise UserError(
        f"{SHAPES} has label maps of {len(SHAPE_LABELS)} classes ({', '.join(SHAPE_LABELS)}) and edges: got an input "
        f"{one.name}={one.text}. Try --model-args classes={len(SHAPE_LABELS)}, or a folder of your own"
    )
