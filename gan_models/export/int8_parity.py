"""Whether an int8 file computes the quantised network: each layer to one step of its grid, the whole to its noise.

One step is what rounding can do: integer arithmetic and float32 differ in the last bit, and where a value lies half
way between two levels they take different ones. Norms spread such a step over their whole map and later layers round
again, so after many layers the outputs of two exact implementations differ by as much as quantising itself moves
them; that is why layers are compared one by one, on the file's own inputs of each.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from ..quantization.fake_quant import affine_grid, quantise_weight, quantised, quantised_layers
from ..quantization.settings import Quantisation
from .onnx_float import onnx_difference, session_of

STEPS = 1
# Of outputs in [-1, 1], where quantising moves nothing at all.
SMALLEST = 1e-4
# Two independent roundings of one network differ by 2 ** 0.5 of what one of them differs from no rounding.
NOISE = 1.5


@dataclass(frozen=True)
class Int8Parity:
    """How far an int8 file is from the network quantised in PyTorch.

    Attributes:
        layers: Integer convolutions compared.
        steps: Largest difference of any of their outputs, in steps of that layer's own grid.
        share: Part of all their outputs that differ.
        mean: Mean absolute difference of the networks' outputs.
        effect: Mean absolute difference of the quantised network's outputs from the float one's.
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
        """Whether every layer is within a step, and the whole within the noise of rounding (a NaN is not)."""
        return self.steps <= STEPS and self.mean <= NOISE * self.effect + SMALLEST

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def line(self) -> str:
        """For people."""
        return (
            f"{self.layers} integer convolutions within {self.steps} step(s) of the simulated ones "
            f"({100 * self.share:.2g} % of their outputs differ); outputs differ by {self.mean:.2g} on average, "
            f"quantising moves them by {self.effect:.2g}; {self.n_inputs} inputs"
        )


def measure_int8_parity(path: str | Path, model: nn.Module, quantisation: Quantisation, inputs: Tensor) -> Int8Parity:
    """Compares an int8 file with the network that it was made of.

    Args:
        path: A file of `export_int8`.
        model: The float network; not changed.
        quantisation: What the file was made with.
        inputs: A batch (N, ...).

    Raises:
        RuntimeError: The file cannot be run.
    """
    model = model.eval()
    with quantised(model, quantisation.settings, quantisation.ranges), torch.no_grad():
        simulated = model(inputs)
        difference = onnx_difference(path, model, inputs)
    with torch.no_grad():
        effect = float((simulated - model(inputs)).abs().mean())
        compared, largest, different, outputs = _layers(path, model, quantisation, inputs)
    share = different / outputs if outputs else 0.0
    return Int8Parity(compared, largest, share, float(difference.mean()), effect, len(inputs))


def _layers(
    path: str | Path, model: nn.Module, quantisation: Quantisation, inputs: Tensor
) -> tuple[int, int, int, int]:
    """(layers, largest difference in steps, outputs that differ, outputs) over all layers with an output grid."""
    settings, layers = quantisation.settings, quantised_layers(model)
    names = [name for name, entry in quantisation.ranges.items() if entry.output is not None]
    file = onnx.load(path)
    there = {output for node in file.graph.node for output in node.output}
    names = [name for name in names if f"{name}.output_int" in there]
    wanted = [f"{name}.{side}_int" for name in names for side in ("input", "output")]
    file.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in wanted)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(file, Path(folder) / "seen.onnx")
        session = session_of(Path(folder) / "seen.onnx")
    values = session.run(wanted, {session.get_inputs()[0].name: inputs.float().numpy()}) if wanted else []
    seen = {name: torch.from_numpy(value).float() for name, value in zip(wanted, values, strict=True)}
    largest = different = outputs = 0
    for name in names:
        module, entry = layers[name], quantisation.ranges[name]
        assert entry.output is not None
        assert isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        scale, zero = affine_grid(torch.tensor(entry.input[0]), torch.tensor(entry.input[1]), settings)
        x = (seen[f"{name}.input_int"] - zero) * scale
        y = module._conv_forward(x, quantise_weight(module.weight, settings), module.bias)
        scale, zero = affine_grid(torch.tensor(entry.output[0]), torch.tensor(entry.output[1]), settings)
        expected = (torch.round(y / scale) + zero).clamp(0, settings.activation_steps)
        steps = (expected - seen[f"{name}.output_int"]).abs()
        largest = max(largest, int(steps.max()))
        different += int((steps > 0).sum())
        outputs += steps.numel()
    return len(names), largest, different, outputs
