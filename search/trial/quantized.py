"""Trials whose generators run in 8 bits: quantization before fine-tuning, and its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.data.dataset import batches
from ...gan_models.files.plain_values import from_json, to_json
from ...gan_models.files.seeds import mixed
from ...gan_models.quantization.calibration import Quantizer, calibrate
from ...gan_models.quantization.settings import Quantization, QuantSettings
from ...gan_models.training.compute import PassCount
from ..preparations.opened_study import OpenedStudy

QUANTIZATION = "quantization.json"
CALIBRATION_BATCHES = 8


def training_inputs(
    bench: OpenedStudy, name: str, seed: int, device: torch.device | None = None
) -> Iterator[tuple[Tensor, ...]]:
    """Yield inputs of generator `name` from eight batches of training data, for calibration.

    Args:
        bench: The study.
        name: The generator.
        seed: Seed of the order of the data.
        device: Device of the inputs; None: the study's.
    """
    task, source = bench.task(), batches(bench.train_data, bench.config.recipe.batch_size, mixed(seed, 60))
    try:
        for batch in islice(source, CALIBRATION_BATCHES):
            yield tuple(x.to(device or bench.device) for x in task.inputs(batch, name))
    finally:
        source.close()


def quantize(
    bench: OpenedStudy, generators: Mapping[str, nn.Module], settings: QuantSettings, seed: int
) -> tuple[dict[str, Quantizer], int]:
    """Quantize the pruned generators with ranges calibrated on training data.

    Args:
        bench: The study.
        generators: Generators by name; those that are not pruned are not changed.
        settings: Bits and scheme.
        seed: Seed of the calibration data's order.

    Returns:
        Quantizers by name, and the multiply-accumulates of the passes.
    """
    made, macs = {}, 0
    for name in bench.names:
        model = generators[name].to(bench.device)
        inputs = [*training_inputs(bench, name, seed)]
        with PassCount() as count:
            start = calibrate(model, settings, inputs)
        made[name] = Quantizer(model, settings, start)
        macs += count.macs
    return made, macs


def detach(quantizers: Mapping[str, Quantizer]) -> dict[str, Any]:
    """Make the generators float again; return the settings and ranges of their quantization, as JSON by generator."""
    return {name: to_json(quantizer.detach()) for name, quantizer in quantizers.items()}


def read_quantizations(data: Mapping[str, Any]) -> dict[str, Quantization]:
    """Return the ranges that `detach` returned, by generator name. Raises ValueError if they are invalid."""
    return {str(name): from_json(Quantization, entry, name) for name, entry in data.items()}
