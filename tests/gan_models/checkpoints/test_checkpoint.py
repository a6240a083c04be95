"""Checkpoints: upstream's files load, nothing is unpickled, writes are whole or not there."""

import os
import pickle
from collections import OrderedDict

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import (
    CheckpointError,
    has_state,
    load_into,
    load_state,
    load_weights,
    save_state,
    save_weights,
)
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.networks.catalog import build
from safetensors import safe_open
from torch import nn

from ...examples import example_input

ARGUMENTS = {"ngf": 4, "n_blocks": 2}


def resnet(seed: int, **arguments) -> nn.Module:
    torch.manual_seed(seed)
    return build("resnet", ARGUMENTS | arguments).eval()


def same(a: nn.Module, b: nn.Module) -> bool:
    x = example_input((3, 16, 16), 2)
    with torch.no_grad():
        return torch.equal(a(x), b(x))


def refused(call, *arguments) -> str:
    with pytest.raises(CheckpointError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


class Evil:
    """Unpickling this makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_upstream_files_load(tmp_path, prefix, zipped):
    """A .pth state dict in either format of torch.save, from DataParallel or not, gives the same network."""
    teacher, path = resnet(0), tmp_path / "latest_net_G.pth"
    state = OrderedDict((prefix + key, value) for key, value in teacher.state_dict().items())
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    other = resnet(1)
    assert not same(teacher, other)
    load_into(other, path)
    assert same(teacher, other)


def test_old_instance_norm_statistics_are_dropped(tmp_path):
    """Running statistics that old checkpoints carry for InstanceNorm are left out; elsewhere they are refused."""
    teacher, path = resnet(0), tmp_path / "old.pth"
    state = teacher.state_dict()
    for name, module in teacher.named_modules():
        if isinstance(module, nn.InstanceNorm2d):
            state[f"{name}.running_mean"] = torch.ones(module.num_features)
            state[f"{name}.running_var"] = torch.ones(module.num_features)
            state[f"{name}.num_batches_tracked"] = torch.tensor(3)
    torch.save(state, path)
    other = resnet(1)
    load_into(other, path)
    assert same(teacher, other)
    state["model.1.running_mean"] = torch.ones(4)  # a convolution has none
    torch.save(state, path)
    assert "1 unexpected (model.1.running_mean)" in refused(load_into, other, path)


def test_old_batch_norm_without_a_counter_loads(tmp_path):
    """A BatchNorm checkpoint from before num_batches_tracked loads, running statistics and all."""
    teacher, path = resnet(0, norm="batch"), tmp_path / "old.pth"
    teacher.train()(example_input((3, 16, 16), 4))
    teacher.eval()
    torch.save({k: v for k, v in teacher.state_dict().items() if "num_batches" not in k}, path)
    other = resnet(1, norm="batch")
    load_into(other, path)
    assert same(teacher, other)


def test_a_state_dict_beside_other_things(tmp_path):
    """A state dict under "state_dict" is taken; a dict with things that are no tensors is refused by name."""
    teacher, path = resnet(0), tmp_path / "epoch.pth"
    torch.save({"epoch": 3, "state_dict": teacher.state_dict()}, path)
    other = resnet(1)
    load_into(other, path)
    assert same(teacher, other)
    torch.save({"epoch": 3, "model.1.weight": torch.ones(1)}, path)
    assert refused(load_weights, path).endswith("is not a state dict: epoch is not a tensor")
    torch.save([torch.ones(1)], path)
    assert refused(load_weights, path).endswith("is not a state dict: got list; expected names with tensors")
    torch.save({}, path)
    assert refused(load_weights, path).endswith("it is empty")


def judge() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Linear(2, 1))


def adam(network: nn.Module) -> torch.optim.Optimizer:
    """Adam with moments, which are tensors under keys as well."""
    optimizer = torch.optim.Adam(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


def behind(prefix: str, network: nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}{key}": value for key, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("g.pth.tar", lambda g: {"epoch": 3, "state_dict": behind("module.", g), "best": 0.5}),
        ("g.ckpt", lambda g: {"state_dict": behind("netG.", g) | behind("netD.", judge()), "version": "2.0"}),
        ("g.ckpt", lambda g: {"state_dict": {"model": behind("generator.module.", g)}}),
        ("g.pt", lambda g: {"g_ema": g.state_dict(), "d": judge().state_dict(), "g_optim": adam(g).state_dict()}),
        ("g.pth", lambda g: {"params_ema": g.state_dict()}),
        ("g.bin", lambda g: {"model": g.state_dict(), "args": None}),
        ("g", lambda g: g.state_dict()),
    ],
)
def test_a_state_dict_is_found_wherever_it_lies(tmp_path, name, pack):
    """Under any key, behind any prefix, beside a discriminator and optimizers, in a file of any suffix."""
    teacher, other = resnet(0), resnet(1)
    torch.save(pack(teacher), tmp_path / name)
    load_into(other, tmp_path / name)
    assert same(teacher, other)


def test_safetensors_are_known_by_their_content(tmp_path):
    """A safetensors file without its suffix loads; prefixes come off there, too."""
    teacher, other = resnet(0), resnet(1)
    save_weights(behind("generator.", teacher), tmp_path / "g.safetensors")
    os.replace(tmp_path / "g.safetensors", tmp_path / "g.ckpt")
    load_into(other, tmp_path / "g.ckpt")
    assert same(teacher, other)


def test_of_several_that_fit_one_is_chosen(tmp_path):
    """A file with a generator and its average asks which; `FILE::key` says it, with dots between keys."""
    path, trained, average, other = tmp_path / "550000.pt", resnet(0), resnet(1), resnet(2)
    torch.save({"g": trained.state_dict(), "ema": {"g": average.state_dict()}, "d": judge().state_dict()}, path)
    message = refused(load_into, other, path)
    assert message.endswith(
        "contains several state dicts that fit the network: expected a choice of one, FILE::g, ema.g"
    )
    for key, expected in (("g", trained), ("ema.g", average), ("ema", average)):
        load_into(other, f"{path}::{key}")
        assert same(other, expected)
    load_into(found := judge(), path)  # of another network there is only one
    assert torch.equal(found[1].weight, torch.load(path, weights_only=True)["d"]["1.weight"])
    message = refused(load_into, other, f"{path}::d")
    assert "does not fit the network: 20 missing" in message
    assert "state dict under 'h'; expected one of g, ema.g, d" in refused(load_into, other, f"{path}::h")
    assert "no.pt is not a file" in refused(load_into, other, f"{tmp_path / 'no.pt'}::g")


def test_of_none_that_fits_the_nearest_is_told(tmp_path):
    """The message is about the state dict that is most like the network, and names the others."""
    path = tmp_path / "w.pt"
    torch.save({"d": judge().state_dict(), "g": resnet(0, n_blocks=3).state_dict()}, path)
    message = refused(load_into, resnet(1), path)
    assert "10 unexpected (model.12.conv_block.1." in message
    assert message.endswith("the file contains d, g")


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain 0", "plain 2", "plain 4"])
def test_pickles_are_refused_and_not_run(tmp_path, kind):
    """A file that must run code to load is refused in one line, and the code is not run."""
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    content = {"weight": torch.ones(2), "evil": Evil(trace)}
    if kind.startswith("plain"):
        path.write_bytes(pickle.dumps(Evil(trace), protocol=int(kind[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    assert "must run code to load, which is refused" in refused(load_weights, path)
    assert not trace.exists()


def test_a_pickled_module_is_refused(tmp_path):
    """A whole pickled network, torch.save(model), is refused with what to save instead."""
    torch.save(resnet(0), tmp_path / "model.pt")
    assert "save model.state_dict() alone" in refused(load_weights, tmp_path / "model.pt")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_damaged_files(tmp_path, suffix):
    """A file that is cut short, empty or text is told from one that does not fit."""
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_weights(resnet(0), path)
    else:
        torch.save(resnet(0).state_dict(), path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 3], whole[:-40], b"", b"hello, this is text"):
        path.write_bytes(damaged)
        reason = "it is damaged, truncated, or not a" if damaged else "is empty (0 bytes)"
        assert reason in refused(load_weights, path)


def test_missing_and_unknown_files(tmp_path):
    """A missing file and a folder get one line that says what may be given; a suffix is no reason to refuse."""
    assert "is not a file: expected a .safetensors or .pth" in refused(load_weights, tmp_path / "no.pth")
    assert "is not a file" in refused(load_weights, tmp_path)
    (tmp_path / "weights.ckpt").write_bytes(b"x")
    assert "truncated, or not a .ckpt file" in refused(load_weights, tmp_path / "weights.ckpt")


def test_weights_that_do_not_fit(tmp_path):
    """Missing, unexpected and differently shaped tensors are named, and the network stays as it was."""
    path, network = tmp_path / "w.safetensors", resnet(1)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    save_weights(resnet(0, n_blocks=3), path)
    message = refused(load_into, network, path)
    assert "6 missing (model.12.weight, model.12.bias, model.15.weight, ...)" in message
    assert "10 unexpected (model.12.conv_block.1." in message
    save_weights(resnet(0, ngf=8), path)
    message = refused(load_into, network, path)
    assert "of another shape (model.1.weight (8, 3, 7, 7) instead of (4, 3, 7, 7)" in message
    assert "build the network with the checkpoint's arguments" in message
    save_weights(resnet(0, dropout=True), path)
    message = refused(load_into, network, path)
    assert "missing (model.10.conv_block.5.weight" in message
    assert "unexpected (model.10.conv_block.6.bias" in message
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_safetensors_round_trip(tmp_path):
    """Saved weights come back bit for bit with their metadata; the returned sha256 is the file's."""
    network, path = resnet(0, norm="batch"), tmp_path / "deep" / "er" / "w.safetensors"
    digest = save_weights(network, path, {"study": "a"})
    assert digest == file_sha256(path)
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"study": "a"}
    loaded = load_weights(path)
    state = network.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], state[key]) and loaded[key].dtype == state[key].dtype for key in state)
    assert save_weights(state, path, {"study": "a"}) == digest
    other = resnet(1, norm="batch")
    load_into(other, path)
    assert same(network, other)


def test_the_same_content_gives_the_same_file(tmp_path):
    """Tensors and metadata in another order give the same bytes, readable by whom the umask allows."""
    tensors = {name: torch.ones(3) for name in "abcdef"}
    metadata = {name: f"{name} ü" for name in "uvwxyz"}
    path = tmp_path / "w.safetensors"
    digest = save_weights(tensors, path, metadata)
    backwards = save_weights(dict(reversed(tensors.items())), path, dict(reversed(metadata.items())))
    assert backwards == digest
    with safe_open(path, "pt") as file:
        assert file.metadata() == metadata
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_shared_and_strided_tensors_are_saved(tmp_path):
    """Tensors that share memory, are transposed, or have no dimension are saved by value."""
    weight = torch.arange(6.0).reshape(2, 3)
    tensors = {"a": weight, "tied": weight, "t": weight.t(), "row": weight[1], "step": torch.tensor(7)}
    save_weights(tensors, tmp_path / "t.safetensors")
    loaded = load_weights(tmp_path / "t.safetensors")
    assert all(torch.equal(loaded[key], tensors[key]) for key in tensors)


def test_what_save_weights_refuses(tmp_path):
    """Another suffix or metadata that is no string is refused before anything is written."""
    assert "w.pth; expected .safetensors" in refused(save_weights, {}, tmp_path / "w.pth")
    assert "metadata 'n' is not a string: got int" in refused(
        save_weights, {"a": torch.ones(1)}, tmp_path / "w.safetensors", {"n": 3}
    )
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    """If a write breaks half way, the old file is untouched and no other file is left."""
    path = tmp_path / "w.safetensors"
    digest = save_weights({"a": torch.ones(3)}, path)

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save_weights({"a": torch.zeros(3)}, path)
    assert file_sha256(path) == digest
    assert list(tmp_path.iterdir()) == [path]


def test_states_replace_each_other(tmp_path):
    """A training checkpoint comes back as it was saved, tensors and numbers exactly, and only the last is kept."""
    folder = tmp_path / "checkpoint"
    assert not has_state(folder)
    for step in (1, 2):
        tensors = {"w": torch.full((3,), float(step)), "rng": torch.arange(5, dtype=torch.uint8)}
        save_state(folder, tensors, {"step": step, "loss": 0.1 + 0.2, "rungs": {"5": None}})
    loaded, info = load_state(folder)
    assert info == {"step": 2, "loss": 0.1 + 0.2, "rungs": {"5": None}}
    assert torch.equal(loaded["w"], torch.full((3,), 2.0))
    assert loaded["rng"].dtype == torch.uint8
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("stop_at", ["tensors", "state"])
def test_a_save_that_is_interrupted_keeps_the_last_state(tmp_path, monkeypatch, stop_at):
    """Stopped before or after the tensors are in place, a save leaves the previous checkpoint readable."""
    save_state(tmp_path, {"w": torch.ones(2)}, {"step": 1})
    replace = os.replace

    def stop(source, target):
        if stop_at in os.path.basename(target):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        save_state(tmp_path, {"w": torch.zeros(2)}, {"step": 2})
    monkeypatch.undo()
    tensors, info = load_state(tmp_path)
    assert info["step"] == 1
    assert torch.equal(tensors["w"], torch.ones(2))
    (tmp_path / ".tensors-killed.safetensors").write_bytes(b"half")  # what a killed process leaves
    save_state(tmp_path, {"w": torch.zeros(2)}, {"step": 3})
    assert load_state(tmp_path)[1]["step"] == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_states_are_refused(tmp_path):
    """No checkpoint, changed tensors and broken JSON are each refused in one line that names the file."""
    assert "there is no training checkpoint" in refused(load_state, tmp_path)
    save_state(tmp_path, {"w": torch.ones(2)}, {"step": 1})
    (weights,) = tmp_path.glob("tensors-*")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert "is missing or damaged" in refused(load_state, tmp_path)
    weights.unlink()
    assert "is missing or damaged" in refused(load_state, tmp_path)
    (tmp_path / "state.json").write_text("{")
    assert "state.json is damaged" in refused(load_state, tmp_path)
