"""Files that are no checkpoints are named as what they are, and weights that cannot be used as such."""

import json
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import CheckpointError, load_into
from safetensors.torch import save_file
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


def _tarred(path):
    with tarfile.open(path, "w") as archive:
        archive.add(__file__)


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
    "TensorFlow Lite": lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64)),
    "tar archive": _tarred,
    r"empty \(0 bytes\)": lambda path: path.touch(),
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


def test_a_part_of_a_checkpoint_and_its_index_are_named(tmp_path):
    """A part does not fit by its names; the message says that there are others."""
    part = tmp_path / "model-00001-of-00003.safetensors"
    save_file({"weight": torch.zeros(4, 3, 3, 3)}, part)
    with pytest.raises(CheckpointError, match="part 1 of 3 of a checkpoint"):
        load_into(nn.Conv2d(3, 4, 3), part)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text("{}")
    with pytest.raises(CheckpointError, match="index of a checkpoint in several files"):
        load_into(nn.Conv2d(3, 4, 3), index)


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
    with pytest.raises(CheckpointError, match=r"integers for 1 tensor \(net\.0\.weight \(int8\)\)"):
        load_into(Wrapped(), tmp_path / "g.pth")


def test_a_buffer_may_hold_the_infinities_that_the_network_gives_it(tmp_path):
    """An attention mask of minus infinities is no damage."""

    class Masked(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(3, 4, 1)
            self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    torch.save(Masked().state_dict(), tmp_path / "g.pth")
    load_into(Masked(), tmp_path / "g.pth")


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (lambda weight: torch.complex(weight, weight), r"net\.0\.weight \(complex\)"),
        (lambda weight: weight.to_sparse(), r"net\.0\.weight \(sparse\)"),
        (lambda weight: weight.to("meta"), r"no values for 1 tensor \(net\.0\.weight\)"),
    ],
    ids=["complex", "sparse", "meta"],
)
def test_tensors_that_a_network_cannot_hold_are_refused(tmp_path, spoiled, reason):
    """Imaginary parts are not dropped, and no tensor without dense values ends as a traceback."""
    state = Wrapped().state_dict()
    state["net.0.weight"] = spoiled(state["net.0.weight"])
    torch.save(state, tmp_path / "g.pth")
    with pytest.raises(CheckpointError, match=reason):
        load_into(Wrapped(), tmp_path / "g.pth")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.float16, torch.float64])
def test_floating_point_of_any_width_loads(tmp_path, kind):
    """The network has the values that the file's type holds."""
    state = {n: t.to(kind) if t.is_floating_point() else t for n, t in Wrapped().state_dict().items()}
    torch.save(state, tmp_path / "g.pth")
    network = Wrapped()
    load_into(network, tmp_path / "g.pth")
    assert torch.equal(network.net[0].weight, state["net.0.weight"].float())


def test_a_file_with_changed_bytes_is_refused(tmp_path):
    """A torch.save file whose tensors do not have their checksum is damaged, although PyTorch would read it."""
    path = tmp_path / "g.pth"
    state = Wrapped().state_dict()
    torch.save(state, path)
    content = bytearray(path.read_bytes())
    start = content.index(state["net.0.weight"].numpy().tobytes())
    content[start : start + 4] = b"\0\0\0\0"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checksum of g/data/\d is wrong"):
        load_into(Wrapped(), path)


def test_a_file_that_was_written_without_checksums_loads(tmp_path):
    """PyTorch can be told to compute none."""
    weights = Wrapped().state_dict()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(weights, tmp_path / "g.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    network = Wrapped()
    load_into(network, tmp_path / "g.pth")
    assert torch.equal(network.net[0].weight, weights["net.0.weight"])


def test_a_pickled_state_dict_may_be_called_safetensors(tmp_path):
    """A file is read by its content, in both directions."""
    weights = Wrapped().state_dict()
    torch.save(weights, tmp_path / "g.safetensors")
    network = Wrapped()
    load_into(network, tmp_path / "g.safetensors")
    assert torch.equal(network.net[0].weight, weights["net.0.weight"])


def test_a_path_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    """No shell expands it in a TOML file, or behind a comma."""
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save({"g": Wrapped().state_dict()}, tmp_path / "g.pth")
    load_into(Wrapped(), "~/g.pth")
    load_into(Wrapped(), "~/g.pth::g")
