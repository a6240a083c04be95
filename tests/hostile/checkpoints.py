"""Hostile checkpoints: archives of torch.save, old and new, safetensors, and training states."""

import io
import json
import pickle
import random
import shutil
import zipfile
from pathlib import Path
from struct import pack, unpack

import torch
from ganprune.evaluators.features.statistics import FeatureStatistics
from ganprune.gan_models.checkpoints.checkpoint import (
    CheckpointError,
    latest_state,
    load_into,
    load_state,
    load_weights,
    save_state,
    state_dicts_of,
)
from ganprune.gan_models.files.errors import UserError
from safetensors.torch import save_file
from torch import nn

from .guard import MARK
from .kind import Kind, any_file
from .mutations import as_json, deep, mutated_bytes, mutated_tree, splices


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3))


class Runs:
    """An object whose unpickling calls a function."""

    def __reduce__(self):
        return exec, (f"{MARK} = 1",)


class Opens:
    """An object whose unpickling writes a file."""

    def __reduce__(self):
        return open, ("../../outside/stolen", "w")


def _seeds(folder: Path) -> None:
    state = dict(_network().state_dict())
    torch.save(state, folder / "plain.pth")
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, folder / "nested.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "plain.safetensors")


def _odd_content(dice: random.Random) -> object:
    """An object that torch.save writes and that is no ordinary state dict."""
    state = dict(_network().state_dict())
    one = torch.zeros(1)
    endless: dict = {"state": state}
    endless["self"] = endless
    choices = [
        lambda: {**state, "0.weight": one.expand(10**6, 10**6)},
        lambda: {**state, "0.weight": torch.sparse_coo_tensor(torch.zeros(4, 1, dtype=torch.long), one, (4, 3, 3, 3))},
        lambda: {**state, "0.weight": state["0.weight"].to(torch.complex64)},
        lambda: {**state, "0.weight": state["0.weight"].double() * float("nan")},
        lambda: {**state, "0.weight": torch.empty(4, 3, 3, 3, device="meta")},
        lambda: {**state, "0.weight": torch.quantize_per_tensor(state["0.weight"], 0.1, 0, torch.qint8)},
        lambda: {"a": deep(5000, False), **state},
        lambda: deep(300, False),
        lambda: endless,
        lambda: [state],
        lambda: {1: state["0.weight"], None: state["0.bias"], ("a", 2): one},
        lambda: {"state_dict": {"state_dict": state}, **state},
        lambda: {**state, "x" * 100_000: one, "a\nb\x1b[2J": one},
        lambda: Runs(),
        lambda: {**state, "evil": Opens()},
        lambda: {**state, "0.weight": nn.Parameter(state["0.weight"])},
        lambda: {"module." * 500 + "weight": one},
        lambda: {f"{i}.weight": one for i in range(3000)},
        lambda: {},
        lambda: one,
    ]
    return dice.choice(choices)()


def _make(dice: random.Random, seeds: Path, case: Path) -> None:
    seed = any_file(seeds, dice)
    content, how, suffix = seed.read_bytes(), dice.randrange(10), seed.suffix
    if how < 3 and suffix == ".safetensors":
        content = _safetensors(content, dice)
    elif how < 3:
        content, suffix = _saved(_odd_content(dice), dice), ".pth"
    elif how == 3:
        content = splices(content, any_file(seeds, dice).read_bytes(), dice)
    elif how == 4 and content.startswith(b"PK"):
        content = _repacked(content, dice)
    elif how == 5:
        content, suffix = pickle.dumps(dice.choice([Runs(), Opens(), [Runs()]]), dice.choice([0, 2, 4])), ".pth"
    else:
        content = mutated_bytes(content, dice)
    if dice.random() < 0.1:
        suffix = dice.choice([".safetensors", ".pth", ".pt", ".bin", ".ckpt"])
    (case / f"weights{suffix}").write_bytes(content)


def _saved(content: object, dice: random.Random) -> bytes:
    """torch.save's bytes; of what torch.save itself does not write, those of a plain pickle."""
    stream = io.BytesIO()
    try:
        torch.save(content, stream, _use_new_zipfile_serialization=dice.random() < 0.7)
    except (RecursionError, RuntimeError, NotImplementedError):
        return b"\x80\x02" + b"(" * 3000 + b"."
    return stream.getvalue()


def _safetensors(content: bytes, dice: random.Random) -> bytes:
    """A file whose header is changed as JSON, with its length made to fit or not."""
    (length,) = unpack("<Q", content[:8])
    header = as_json(mutated_tree(json.loads(content[8 : 8 + length]), dice, dice.choice([1, 1, 3])), dice)
    length = dice.choice([len(header)] * 8 + [2**63, 0])
    return pack("<Q", length) + header + content[8 + unpack("<Q", content[:8])[0] :]


def _repacked(content: bytes, dice: random.Random) -> bytes:
    """A zip archive with one member changed: its checksums fit again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(out, "w") as made:
        chosen = dice.choice(archive.namelist())
        for name in archive.namelist():
            data = archive.read(name)
            if name == chosen:
                how = dice.randrange(6)
                name = dice.choice(["../../../outside/stolen", "/etc/x", "a/" * 400]) if how == 0 else name
                data = mutated_bytes(data, dice) if how > 1 else data
                if how == 1:
                    continue
            made.writestr(name, data, zipfile.ZIP_DEFLATED if dice.random() < 0.2 else zipfile.ZIP_STORED)
    return out.getvalue()


def _read(case: Path, results: Path) -> None:
    (path,) = case.iterdir()
    refusal = None
    for read in (
        load_weights,
        lambda p: load_into(_network(), p),
        state_dicts_of,
        lambda p: load_into(_network(), f"{p}::state_dict"),
    ):
        try:
            read(path)
        except UserError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _state_seeds(folder: Path) -> None:
    save_state(folder / "state", dict(_network().state_dict()), {"done": 3, "rungs": {"1": 2.0}})
    FeatureStatistics(torch.zeros(4), torch.eye(4), 9).save(folder / "statistics.npz")


def _make_state(dice: random.Random, seeds: Path, case: Path) -> None:
    shutil.copytree(seeds / "state", case / "state")
    file = any_file(case / "state", dice)
    if file.suffix == ".json" and dice.random() < 0.7:
        file.write_bytes(as_json(mutated_tree(json.loads(file.read_text()), dice), dice))
    else:
        file.write_bytes(mutated_bytes(file.read_bytes(), dice))
    content = (seeds / "statistics.npz").read_bytes()
    content = _repacked(content, dice) if dice.random() < 0.5 else mutated_bytes(content, dice)
    (case / "statistics.npz").write_bytes(content)


def _read_state(case: Path, results: Path) -> None:
    refusal = None
    shutil.copytree(case / "state", results / "state")  # a damaged one is removed
    for read in (lambda: load_state(case / "state"), lambda: latest_state(results / "state")):
        try:
            read()
        except CheckpointError as error:
            refusal = error
    FeatureStatistics.load(case / "statistics.npz")
    if refusal is not None:
        raise refusal


KINDS = {
    "checkpoints": Kind(_seeds, _make, _read),
    "training states": Kind(_state_seeds, _make_state, _read_state),
}
