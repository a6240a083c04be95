"""A generator as a LiteRT file in 8 bits, by ai-edge-quantizer: calibrated after training, norms in float32."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...files.atomic_files import written_beside
from ..exporter import ExportJob, FileRunner, Findings, NoForm, calibration_batches, file_input
from ..file_facts import append_facts
from . import litert
from .converter import converting

TITLE = "LiteRT in 8 bits"
N_EXAMPLES = 32
# Layers, and what only moves values; sums and roots of a norm lose their digits in 8 bits.
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED")
MOVING_OPERATORS = ("RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "CONCATENATION", "PAD", "RESIZE_NEAREST_NEIGHBOR")
LARGEST_ERROR = 0.5  # of the output's spread: another network is as far as that


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network with 8-bit weights per channel and 8-bit activations; inputs and outputs stay in float32.

    Returns:
        The inputs that the ranges are of, as a note.

    Raises:
        NoForm: No layer can be quantized.
        NotConverted: LiteRT has no form for one of its operators.
        UserError: Too few training inputs.
    """
    samples = list(islice(_examples(job), N_EXAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float.tflite"
        litert.write(replace(job, facts={}), plain)
        with converting(job.network, TITLE):
            quantizer: Any = import_module("ai_edge_quantizer.quantizer").Quantizer(str(plain))
            quantizer.load_quantization_recipe(_recipe())
            found = quantizer.quantize(_ranges(quantizer, samples))
        if not found.quantized_model or bytes(found.quantized_model) == plain.read_bytes():
            raise NoForm("the network has no layer that LiteRT quantizes")
        with written_beside(path) as beside:
            beside.write_bytes(bytes(found.quantized_model))
            if job.facts:
                append_facts(beside, job.facts)
    return (f"ranges calibrated after training on {len(samples)} inputs; norms, sums and activations in float32",)


def examine(path: Path, model: nn.Module, inputs: tuple[Tensor, ...], runner: FileRunner) -> Findings:
    """Return how far a file is from the float network, relative to the spread of the network's outputs.

    Raises:
        RuntimeError: It cannot be run.
    """
    session = runner.open(path)
    with torch.no_grad():
        expected = model.eval()(*inputs).cpu().float().numpy()
    arrays = [file_input(x).numpy() for x in inputs]
    found = np.concatenate([session(*(x[i : i + 1] for x in arrays))[0] for i in range(len(arrays[0]))])
    if found.shape != expected.shape:
        return Findings(False, f"gives {found.shape}; expected {expected.shape}")
    error = float(np.sqrt(np.square(found - expected).mean()))
    spread = max(float(expected.std()), 1e-6)
    return Findings(
        passed=error <= LARGEST_ERROR * spread,
        summary=f"error {100 * error / spread:.2g} % of the outputs' spread, {len(found)} inputs",
        numbers={"error": error, "spread": spread},
        operators=runner.operators(path),
    )


def _examples(job: ExportJob) -> Iterator[dict[str, np.ndarray]]:
    """Yield calibration inputs one at a time, by the names that litert-torch gives them."""
    for batch in calibration_batches(job):
        arrays = [file_input(x).numpy() for x in batch]
        for i in range(len(arrays[0])):
            yield {f"args_{place}": x[i : i + 1] for place, x in enumerate(arrays)}


def _ranges(quantizer: Any, samples: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Return the least and the largest value of each tensor over all samples; the package itself averages them."""
    found: dict[str, Any] = {}
    for sample in samples:
        for name, one in quantizer.calibrate({"serving_default": [sample]}).items():
            before = found.setdefault(name, dict(one))
            for side, widest in (("min", np.minimum), ("max", np.maximum)):
                if side in one:
                    before[side] = widest(before[side], one[side])
    return found


def _recipe() -> Any:
    manager: Any = import_module("ai_edge_quantizer.recipe_manager").RecipeManager()
    kinds: Any = import_module("ai_edge_quantizer.qtyping").TFLOperationName
    algorithm: Any = import_module("ai_edge_quantizer.algorithm_manager").AlgorithmName.MIN_MAX_UNIFORM_QUANT
    for name in (*LAYERS, *MOVING_OPERATORS):
        manager.add_static_config(
            regex=".*",
            operation_name=kinds[name],
            activation_num_bits=8,
            weight_num_bits=8,
            algorithm_key=algorithm,
        )
    return manager.get_quantization_recipe()
