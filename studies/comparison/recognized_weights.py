"""Weights with a recognized network, `spandrel:FILE`, as a source for `fid` and `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import nn

from ...evaluators.features.encoders import Encoder
from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.data.spec import DataSpec
from ...gan_models.files.errors import UserError
from ...gan_models.networks.specs import OutputSpec
from ...gan_models.tasks.catalog import RESTORATION_TASK
from ...search.config import StudyConfig
from ...search.configuration.recognized_teacher import with_recognized
from ...search.configuration.sections import TEST
from ...search.preparations.eval_images import TEST_VS_TEST
from ...search.setup.compatibility import output_of, sized
from ...search.setup.pruned_generators import one_network
from .image_sources import InputBatches, Inputs, test_inputs


class RecognizedWeights:
    """A dense generator whose network is recognized from its weights; a search could take it as its teacher.

    Args:
        source: `spandrel:FILE`.

    Raises:
        UserError: The file cannot be read, or its network is not recognized.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._told: Mapping[str, Any] = with_recognized({"teacher": source})

    def inputs(
        self, data: str, encoder: Encoder, device: torch.device, protocol: str = "", direction: str = "", limit: int = 0
    ) -> Inputs:
        """Return the test inputs of some data for the generator, and the real images to compare with.

        Args:
            data: A source in a layout of super-resolution; low sides of single images are made by `bicubic`.
            encoder: Encoder of the quality.
            device: Device of the encoder.
            protocol: A name of `config.PROTOCOLS`; empty: `test-vs-test`.
            direction: AtoB or BtoA for pairs; empty: AtoB.
            limit: Maximum number of test images; 0: all.
        """
        config, output, _ = sized(self._config(data, direction or DataSpec.direction), RESTORATION_TASK)
        return test_inputs(
            config.data_spec(output, RESTORATION_TASK), "G", protocol or TEST_VS_TEST, limit, encoder, device
        )

    def check_eats(self, batches: InputBatches) -> None:
        """Raise UserError unless the generator takes the other side's inputs, and its images have the same size."""
        (taken,), target = next(batches())
        own = output_of(self._any, self._any.inputs)
        shape = None if target is None else tuple(target.shape[1:])
        image = self._any.inputs.inputs[0]
        if batches.network != "G" or taken.shape[1] != image.shape[0] or shape != _given(own, tuple(taken.shape[2:])):
            raise UserError(
                f"{self.source} takes {image.shape[0]} channels and gives {own}; the other is {batches.network} of the "
                f"task {batches.task}, from {tuple(taken.shape[1:])} to {shape}: these cannot be compared"
            )

    def network(self, device: torch.device) -> nn.Module:
        """Return the network with its weights on a device; its images have the common range of all data."""
        network = one_network(self._any)
        load_into(network, self._any.teacher)
        return network.to(device).eval()

    @cached_property
    def _any(self) -> StudyConfig:
        """Return a configuration of the generator on built-in data."""
        return self._config("builtin:shapes", DataSpec.direction)

    def _config(self, data: str, direction: str) -> StudyConfig:
        own = {
            "name": "weights",
            "data": data,
            "budgets": ["100%"],
            "trials": 1,
            "task": RESTORATION_TASK,
            "select_on": TEST,
        }
        return StudyConfig.from_json({**self._told, **own, "direction": direction}).checked()


def _given(output: OutputSpec, size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an output for an input's height and width."""
    return (output.channels, *(int(scale * side) for scale, side in zip(output.scales, size, strict=True)))
