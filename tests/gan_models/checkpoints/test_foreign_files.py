"""Files that are no checkpoints are named as what they are, and weights that cannot be used as such."""

import json
import zipfile

import numpy as np
import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import CheckpointError, load_into
from torch import nn


class Wrapped(nn.Module):
    """A network in a wrapper, so that all its names have a prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def _zipped(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")


FILES = {
    "TorchScript": lambda path: torch.jit.script(nn.Conv2d(3, 4, 3)).save(str(path)),
    "Git LFS pointer": lambda path: path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    ),
    "HTML page": lambda path: path.write_text("\n  <!DOCTYPE html><html>Sign in</html>"),
    "JSON text": lambda path: path.write_text(json.dumps({"message": "not found"})),
    "HDF5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64)),
    "NumPy array": lambda path: np.save(path.open("wb"), np.zeros(3)),
    "NumPy archive": lambda path: np.savez(path.open("wb"), a=np.zeros(3)),
    "zip archive of 2 files": lambda path: _zipped(path, ["G/weights.pth", "README"]),
    "gzip": lambda path: path.write_bytes(b"\x1f\x8b\x08" + bytes(20)),
    "PNG image": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20)),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(("kind", "write"), FILES.items())
def test_a_file_of_another_kind_is_named(tmp_path, kind, write, suffix):
    """Whatever its suffix, it is refused by its kind and in one line."""
    path = tmp_path / f"g{suffix}"
    write(path)
    with pytest.raises(CheckpointError, match=kind) as refused:
        load_into(nn.Conv2d(3, 4, 3), path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("prefix", ["", "net.", "module.", "generator.net."])
@pytest.mark.parametrize("model", [Wrapped, lambda: Wrapped().net])
def test_a_prefix_on_either_side_is_no_difference(tmp_path, prefix, model):
    """A wrapper in the network, in the checkpoint, in both or in none: the weights arrive."""
    weights = Wrapped().net.state_dict()
    torch.save({prefix + name: value for name, value in weights.items()}, tmp_path / "g.pth")
    network = model()
    load_into(network, tmp_path / "g.pth")
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), weights.values(), strict=True))


def test_weights_that_are_not_finite_are_refused(tmp_path):
    """The tensor is named, with how many of its values are broken; the network is unchanged."""
    state = Wrapped().state_dict()
    state["net.0.weight"] = state["net.0.weight"].clone().index_fill_(0, torch.tensor([1]), torch.nan)
    torch.save(state, tmp_path / "g.pth")
    network = Wrapped()
    before = network.net[0].weight.clone()
    with pytest.raises(CheckpointError, match=r"not finite \(27 of 108 in net\.0\.weight\)"):
        load_into(network, tmp_path / "g.pth")
    assert torch.equal(network.net[0].weight, before)


def test_weights_that_are_integers_are_refused(tmp_path):
    """A quantized checkpoint is no teacher."""
    state = Wrapped().state_dict()
    state["net.0.weight"] = (state["net.0.weight"] * 127).to(torch.int8)
    torch.save(state, tmp_path / "g.pth")
    with pytest.raises(CheckpointError, match=r"integers for 1 tensors \(net\.0\.weight \(int8\)\)"):
        load_into(Wrapped(), tmp_path / "g.pth")


def test_a_buffer_may_hold_the_infinities_that_the_network_gives_it(tmp_path):
    """An attention mask of minus infinities is no damage."""

    class Masked(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(3, 4, 1)
            self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    torch.save(Masked().state_dict(), tmp_path / "g.pth")
    load_into(Masked(), tmp_path / "g.pth")
