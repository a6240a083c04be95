"""Exported generators give PyTorch's outputs in ONNX Runtime."""

import copy
from pathlib import Path

import onnx
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.runtime import RuntimeUnavailable
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.onnx_float import NotWritable, write_onnx
from ganprune.gan_models.networks.catalog import build
from torch import nn

from ...examples import example_input
from ..foreign import FOREIGN

OURS = {
    "resnet": ("resnet", {"ngf": 4, "n_blocks": 1}, (3, 32, 32)),
    "unet": ("unet", {"num_downs": 5, "ngf": 4, "dropout": True}, (3, 64, 64)),
    "sngan_32": ("sngan_32", {"ngf": 8}, (128,)),
    "stylegan2_256": (
        "stylegan2_256",
        {"size": 16, "style": 16, "layers": 2, "channel_base": 64, "channel_max": 8},
        (512,),
    ),
}


def write(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    write_onnx(ExportJob(network, (example,)), path)


def difference(path: Path, network: nn.Module, x: torch.Tensor) -> float:
    """The largest difference between ONNX Runtime's and PyTorch's outputs; the network's mode stays as it is."""
    theirs = torch.from_numpy(RUNTIMES["onnxruntime"].open(path)(x.numpy())[0])
    with torch.no_grad():
        ours = copy.deepcopy(network).eval()(x)
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


def case(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network whose outputs are far from zero, so that parity says something."""
    torch.manual_seed(0)
    if name in OURS:
        model, arguments, shape = OURS[name]
        network = build(model, arguments)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        return network, shape
    factory, shape = FOREIGN[name]
    return factory(), shape


@pytest.mark.parametrize("name", [*OURS, "srresnet", "style_generator"])
def test_parity_at_any_batch_size(tmp_path, capfd, name):
    """One file, made from a batch of one, agrees to 1e-4 at batches of 1 and 3; nothing is printed."""
    network, shape = case(name)
    network.train()
    state = copy.deepcopy(network.state_dict())
    path = tmp_path / "deep" / "g.onnx"
    capfd.readouterr()
    write(network, example_input(shape), path)
    assert capfd.readouterr() == ("", "")
    assert list(path.parent.iterdir()) == [path]
    for n in (1, 3):
        inputs = example_input(shape, n)
        assert difference(path, network, inputs) < 1e-4
    with torch.no_grad():
        assert copy.deepcopy(network).eval()(inputs).abs().max() > 0.01
    assert network.training
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    batch = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param == "batch"


def test_another_networks_file_is_told_apart(tmp_path):
    """The comparison sees one weight that was changed after the export."""
    network, shape = case("resnet")
    path = tmp_path / "g.onnx"
    write(network, example_input(shape, 2), path)
    with torch.no_grad():
        next(network.parameters())[0] += 0.5
    assert difference(path, network, example_input(shape, 2)) > 1e-3
    with torch.no_grad():
        next(network.parameters())[0] = float("nan")
    assert not difference(path, network, example_input(shape, 2)) <= 1e-4


def test_what_cannot_be_exported(tmp_path, capfd):
    """A network that cannot be traced is refused in one line, quietly, and an old file is left alone."""
    network, shape = case("branching")
    path = tmp_path / "g.onnx"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError) as caught:
        write(network, example_input(shape), path)
    assert str(caught.value).startswith("Branching cannot be written as ONNX: ")
    assert "data-dependent" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_be_run(tmp_path):
    """A file that is no ONNX, or takes other sizes, is told in one line."""
    network, _ = case("resnet")
    path = tmp_path / "g.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(RuntimeUnavailable, match=r"ONNX Runtime cannot run .*g\.onnx: "):
        difference(path, network, example_input((3, 16, 16)))
    write(network, example_input((3, 16, 16)), path)
    with pytest.raises(RuntimeUnavailable, match=r"ONNX Runtime cannot run .*g\.onnx: "):
        difference(path, network, example_input((3, 32, 32)))


def test_a_forward_that_assigns_weights_is_refused(tmp_path):
    """The exporter would end the process; the parameter is named, and nothing is left on the disk."""

    class Clamped(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.weight.data = self.weight.data.clamp(-0.1, 0.1)
            return super().forward(x)

    network = nn.Sequential(nn.Conv2d(3, 4, 3), Clamped(4, 3, 3))
    with pytest.raises(NotWritable, match=r"assigns the data of 1\.weight"):
        write(network, torch.zeros(2, 3, 8, 8), tmp_path / "g.onnx")
    assert list(tmp_path.iterdir()) == []
