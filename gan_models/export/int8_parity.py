"""Comparison of an int8 file with the quantized network: each layer to one step of its grid, the whole to its noise.

One step is what rounding can do: integer arithmetic and float32 differ in the last bit, and where a value lies half
way between two levels they take different ones. Norms spread such a step over their whole map and later layers round
again, so after many layers the outputs of two exact implementations differ by as much as quantizing itself moves
them; that is why layers are compared one by one, on the file's own inputs of each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from ..files.atomic_files import read_json
from ..files.errors import UserError, WorkFailed
from ..files.plain_values import from_json
from ..quantization.fake_quant import affine_grid, quantize_weight, quantized, quantized_layers
from ..quantization.settings import Quantization
from .exporter import FileRunner, Findings
from .onnx_int8 import QUANTIZATION, arithmetic_lines, stored_bytes

STEPS = 1
# Of outputs in [-1, 1], where quantizing moves nothing at all.
SMALLEST = 1e-4
# Two independent roundings of one network differ by 2 ** 0.5 of what one of them differs from no rounding.
NOISE = 1.5


@dataclass(frozen=True)
class Int8Parity:
    """The distance of an int8 file from the network quantized in PyTorch.

    Attributes:
        layers: Integer convolutions compared.
        steps: Largest difference of any of their outputs, in steps of that layer's own grid.
        share: Part of all their outputs that differ.
        mean: Mean absolute difference of the networks' outputs.
        effect: Mean absolute difference of the quantized network's outputs from the float one's.
        n_inputs: Inputs.
    """

    layers: int
    steps: int
    share: float
    mean: float
    effect: float
    n_inputs: int

    @property
    def passed(self) -> bool:
        """Return whether every layer is within a step, and the whole within the noise of rounding (a NaN is not)."""
        return self.steps <= STEPS and self.mean <= NOISE * self.effect + SMALLEST

    def numbers(self) -> dict[str, float]:
        """Return its numbers as they stand on a card."""
        return {
            "largest_steps": self.steps,
            "differing_share": self.share,
            "mean_difference": self.mean,
            "quantization_effect": self.effect,
        }

    def line(self) -> str:
        """Return it as one line."""
        return (
            f"{self.layers} integer convolutions within {self.steps} step(s) of the simulated ones "
            f"({100 * self.share:.2g} % of their outputs differ); outputs differ by {self.mean:.2g} on average, "
            f"quantizing moves them by {self.effect:.2g}; {self.n_inputs} inputs"
        )


Run = Callable[[Path], Callable[..., tuple[np.ndarray, ...]]]


def examine(path: Path, model: nn.Module, inputs: tuple[Tensor, ...], runner: FileRunner) -> Findings:
    """Return how far an int8 file is from its network, what it computes on integers, and its parameters' bytes.

    Raises:
        UserError: Its ranges cannot be read.
        RuntimeError: It cannot be run.
    """
    parity = measure_int8_parity(path, model, read_quantization(path.parent), inputs, runner.open)
    operators, size = runner.operators(path), stored_bytes(path)
    lines = arithmetic_lines(operators)
    return Findings(
        passed=parity.passed,
        summary=f"{lines[0]}; {parity.line()}",
        notes=(f"{size} bytes of parameters", *lines[1:]),
        numbers=parity.numbers(),
        counts={"parameter_bytes": size, "layers": parity.layers},
        operators=operators,
    )


def read_quantization(folder: Path) -> Quantization:
    """Return the settings and ranges that are next to an int8 file. Raises UserError."""
    data = read_json(folder / QUANTIZATION)
    if data is None:
        raise UserError(f"{folder / QUANTIZATION} cannot be read")
    return from_json(Quantization, data, str(folder / QUANTIZATION))


def measure_int8_parity(
    path: str | Path, model: nn.Module, quantization: Quantization, inputs: tuple[Tensor, ...], run: Run
) -> Int8Parity:
    """Compare an int8 file with the network that it was made of.

    Args:
        path: The file.
        model: The float network; not changed.
        quantization: What the file was made with.
        inputs: A batch (N, ...) of each input.
        run: Opens a file in its runtime.

    Raises:
        RuntimeError: The file cannot be run.
    """
    model = model.eval()
    names, outputs, integers = _seen(Path(path), quantization, inputs, run)
    with quantized(model, quantization.settings, quantization.ranges), torch.no_grad():
        simulated = model(*inputs).cpu().float()
    if simulated.shape != outputs.shape:
        raise WorkFailed(f"ONNX file {path} gives {tuple(outputs.shape)}, PyTorch {tuple(simulated.shape)}")
    with torch.no_grad():
        effect = float((simulated - model(*inputs)).abs().mean())
        largest, different, compared = _layers(names, integers, model, quantization)
    share = different / compared if compared else 0.0
    mean = float((simulated - outputs).abs().mean())
    return Int8Parity(len(names), largest, share, mean, effect, len(inputs[0]))


def _seen(
    path: Path, quantization: Quantization, inputs: tuple[Tensor, ...], run: Run
) -> tuple[list[str], Tensor, dict[str, Tensor]]:
    """Return layers with an output grid, the file's output, and the integers that these layers read and give."""
    file = onnx.load(path)
    there = {output for node in file.graph.node for output in node.output}
    names = [name for name, entry in quantization.ranges.items() if entry.output is not None]
    names = [name for name in names if f"{name}.output_int" in there]
    wanted = [f"{name}.{side}_int" for name in names for side in ("input", "output")]
    n_outputs = len(file.graph.output)
    file.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in wanted)
    arrays = tuple((x.float() if x.is_floating_point() else x).detach().cpu().numpy() for x in inputs)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(file, Path(folder) / "seen.onnx")
        values = run(Path(folder) / "seen.onnx")(*arrays)
    integers = zip(wanted, values[n_outputs:], strict=True)
    # The outputs are those of the file as it is: extra outputs keep ONNX Runtime from fusing some nodes.
    output = torch.from_numpy(run(path)(*arrays)[0])
    return names, output, {name: torch.from_numpy(value).float() for name, value in integers}


def _layers(
    names: list[str], seen: dict[str, Tensor], model: nn.Module, quantization: Quantization
) -> tuple[int, int, int]:
    """Return the largest difference in steps, the outputs that differ, and all outputs, over layers with a grid."""
    settings, layers = quantization.settings, quantized_layers(model)
    largest = different = outputs = 0
    for name in names:
        module, entry = layers[name], quantization.ranges[name]
        assert entry.output is not None
        assert isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        scale, zero = affine_grid(torch.tensor(entry.input[0]), torch.tensor(entry.input[1]), settings)
        x = (seen[f"{name}.input_int"] - zero) * scale
        y = module._conv_forward(x, quantize_weight(module.weight, settings), module.bias)
        scale, zero = affine_grid(torch.tensor(entry.output[0]), torch.tensor(entry.output[1]), settings)
        expected = (torch.round(y / scale) + zero).clamp(0, settings.activation_steps)
        steps = (expected - seen[f"{name}.output_int"]).abs()
        largest = max(largest, int(steps.max()))
        different += int((steps > 0).sum())
        outputs += steps.numel()
    return largest, different, outputs
