"""A file in half precision keeps in float32 what overflows or loses there, found on calibration inputs."""

import numpy as np
import onnx
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.export.exporter import ExportJob
from torch import Tensor, nn

FORMAT = "onnx-fp16"


class Large(nn.Module):
    """A sum that half precision does not hold, brought back to small values."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.first, self.last, self.factor = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 1), factor

    def forward(self, x: Tensor) -> Tensor:
        large = self.first(x) * self.factor
        return torch.tanh(self.last(large / self.factor))


def written(network: nn.Module, x: Tensor, path, **changes) -> tuple[onnx.ModelProto, str, float]:
    """Return the file, its note, and its largest difference from the network."""
    (note,) = EXPORTERS[FORMAT].write(ExportJob(network, (x,), **changes), path / "g.onnx")
    found = RUNTIMES["onnxruntime"].open(path / "g.onnx")(x.numpy())[0]
    with torch.no_grad():
        return onnx.load(path / "g.onnx"), note, float(np.abs(found - network(x).numpy()).max())


def halves(file: onnx.ModelProto) -> list[str]:
    return [each.name for each in file.graph.initializer if each.data_type == onnx.TensorProto.FLOAT16]


def test_values_in_range_are_in_half_precision(tmp_path):
    """Weights are stored in 16 bits; inputs and outputs stay in float32."""
    torch.manual_seed(0)
    file, note, difference = written(Large(2.0).eval(), torch.rand(2, 3, 8, 8), tmp_path)
    assert "in half precision" in note
    assert sum(name.endswith(("weight_half", "bias_half")) for name in halves(file)) == 4
    assert 0 < difference < 2e-3
    assert file.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_what_overflows_stays_in_float32(tmp_path):
    """Values of 1e6 are named; the file is as exact as one without them, and other layers are still in 16 bits."""
    torch.manual_seed(0)
    file, note, difference = written(Large(1e6).eval(), torch.rand(2, 3, 8, 8), tmp_path)
    assert "stay in float32 by measurement" in note
    assert "Mul (values up to" in note
    assert difference < 2e-3
    assert halves(file)


def test_calibration_inputs_decide(tmp_path):
    """The same network overflows on the calibration's larger inputs alone."""
    torch.manual_seed(0)
    network = Large(2.0).eval()
    large = [(torch.rand(2, 3, 8, 8) * 1e5,)]
    _, note, _ = written(network, torch.rand(2, 3, 8, 8), tmp_path, calibration=lambda: large)
    assert "stay in float32" in note


def test_what_loses_its_digits_stays_in_float32(tmp_path):
    """The variance of values far from zero vanishes in 16 bits: the norm stays, by its measured error."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.InstanceNorm2d(3), nn.Conv2d(3, 3, 1)).eval()
    with torch.no_grad():
        network[0].bias.fill_(300.0)  # type: ignore[union-attr]
        network[0].weight.mul_(0.05)
    _, note, difference = written(network, torch.rand(1, 3, 8, 8), tmp_path)
    assert "InstanceNormalization" in note
    assert difference < 0.3
