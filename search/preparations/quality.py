"""The quality of a study's generators: outputs for the inputs of a split, compared with its real images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...evaluators.features.sample import FeatureSample
from ...evaluators.measurement import Measurement
from ...evaluators.quality.suite import measure_quality
from ...gan_models.data.dataset import ImageSet
from ...gan_models.networks.colors import in_color
from ..setup.pruned_generators import mean_quality
from ..setup.study_parts import StudyParts
from ..teacher_checks.value_range_check import Example
from .eval_images import TEST_VS_TEST, inputs_of, protocol_of, real_images

RealFeatures = Mapping[str, Tensor | FeatureSample]


@dataclass(frozen=True)
class StudyQuality:
    """The measurement of quality in one study.

    Attributes:
        parts: The study's images and encoder.
        real_features: Features of the protocol's real images [M, d], by generator.
        split: The measured split: `test`, or `select`.
    """

    parts: StudyParts
    real_features: RealFeatures
    split: str

    @property
    def data(self) -> ImageSet:
        """The split's images."""
        return self.parts.splits.open(self.split)

    def measure(self, model: nn.Module, *, full: bool) -> list[Measurement]:
        """Return the quality of the pruned generators on the split's images; the first one is the study's quality.

        Args:
            model: Result of `StudyParts.joined`; with several generators, quality is their mean.
            full: True to add intervals and details; False for cheap rungs.
        """
        names = self.parts.names
        if len(names) == 1:
            return self.measure_calls(self.runner(model), names[0], full=full)
        return mean_quality(
            {name: self.measure_calls(self.runner(model.get_submodule(name)), name, full=full) for name in names}
        )

    def measure_inputs(self) -> list[Measurement]:
        """Return the quality of the untouched inputs in place of outputs, measured as for a trained generator.

        The first image among the inputs is used, resized to the output's size if needed.

        Returns:
            Measurements as from `measure`; an empty list if no input image could be an output.
        """
        taken, output = self.parts.config.inputs, self.parts.output
        place = next((i for i, one in enumerate(taken.inputs) if one.kind == "image"), None)
        if place is None:
            return []
        color, channels = taken.inputs[place].color, taken.inputs[place].shape[0]
        if color == output.color and channels != output.channels:
            return []  # planes, whose meaning may differ
        if color != output.color and output.color not in ("rgb", "gray", "ab"):
            return []

        def untouched(*inputs: Tensor) -> Tensor:
            image = in_color(inputs[place], color, output.color)
            if image.shape[2:] == output.size:
                return image
            return interpolate(image, output.size, mode="bicubic", antialias=True).clamp(-1, 1)

        found = {name: self.measure_calls(untouched, name, full=True) for name in self.parts.names}
        return next(iter(found.values())) if len(found) == 1 else mean_quality(found)

    def example(self, name: str) -> Example:
        """Return a batch of one generator's inputs from the split, with the real images of the same batch."""
        parts, task = self.parts, self.parts.task()
        batch = next(inputs_of(task, self.data, name, parts.config.n_eval, self.split))
        return Example(task.inputs(batch, name), task.reference(batch, name), task.reals(batch, name))

    def runner(self, model: nn.Module) -> Callable[..., Tensor]:
        """Return one generator for measurement: on the study's device, in eval mode or in pix2pix's test mode."""
        model = model.to(self.parts.device).eval()
        config = self.parts.config
        return _in_train_mode(model, config.seed) if config.teacher_train_mode else model

    def measure_calls(self, generate: Callable[..., Tensor], name: str, *, full: bool) -> list[Measurement]:
        """Return the quality, as `measure` does, of any callable with the inputs of the generator `name`.

        Args:
            generate: Function from inputs to images, both on the study's device.
            name: Name of the generator.
            full: As for `measure`.
        """
        parts, config, task = self.parts, self.parts.config, self.parts.task()
        batches = (
            (task.inputs(batch, name), task.reference(batch, name))
            for batch in inputs_of(task, self.data, name, config.n_eval, self.split)
        )
        return measure_quality(
            generate,
            batches,
            parts.encoder,
            self.real_features[name],
            device=parts.device,
            aligned=config.protocol == TEST_VS_TEST,
            protocol=protocol_of(config.protocol, self.split),
            full=full,
            metrics=parts.metrics[name],
            real_images=real_images(parts, name, self.split).batches,
            rgb=parts.rgb,
        )


def _in_train_mode(model: nn.Module, seed: int) -> Callable[..., Tensor]:
    """Return the generator in upstream pix2pix's test mode: dropout and batch statistics; its own are unchanged."""

    def generate(*inputs: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            images = model.train()(*inputs)
        model.eval()
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
        return images

    return generate
