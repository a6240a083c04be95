"""Weights and training states on disk: written whole as safetensors and JSON; upstream's .pth are read too.

Nothing is unpickled: a file that would have to run code to load is refused.

Every write goes to a new file beside its target, is flushed to the disk and then renamed, so that a
reader meets the old file or the new one and nothing between.
"""

import json
import pickle
import re
import secrets
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..files.atomic_files import written_beside
from ..files.errors import UserError
from ..files.hashes import file_sha256
from .foreign_files import damaged_record, foreign_kind
from .state_dicts import first, fitting, holders_of, located

PICKLE_HEADS = (b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6)))  # zip of torch.save; pickles
STATE_FILE = "state.json"
PARALLEL_PREFIX = "module."  # what DataParallel puts in front of every key


class CheckpointError(UserError):
    """A checkpoint that cannot be read, or does not fit; the message is one line."""


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, on the CPU, without ever running code from the file.

    Args:
        path: safetensors, or what `torch.save` wrote of a state dict (old and new formats), alone or under the key
            "state_dict".

    Returns:
        Name -> tensor; `module.` in front of every name is taken off.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or would need unpickling.
    """
    return _without_prefix(_tensors(Path(path), _content(Path(path))))


def load_into(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint into `model`, strictly; the model is unchanged when it does not fit.

    Args:
        model: a network with weights (not on the meta device).
        path: a file as for `load_weights`, in which the state dict may lie under any key and behind any prefix; where
            several fit, `FILE::key` chooses, with dots between keys.

    Raises:
        CheckpointError: as for `load_weights`; names or shapes differ, the first of them are named; or several fit.
    """
    file, key = located(path)
    try:
        given = fitting(model, _content(file), key)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"checkpoint {file} {error}") from error
    model.load_state_dict(given, strict=True)


def state_dicts_of(path: str | Path) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts in a checkpoint by the key that each one lies under; empty for one at the top.

    Args:
        path: A file as for `load_weights`; of `FILE::key` that key's alone.

    Raises:
        CheckpointError: As for `load_weights`, or there is none.
    """
    file, key = located(path)
    content = _content(file)
    found = holders_of(content) if isinstance(content, Mapping) else {}
    found = {name: _without_prefix(tensors) for name, tensors in found.items() if not key or name == key}
    if not found:
        raise CheckpointError(f"checkpoint {path} holds no state dict: give a .safetensors or a .pth of one")
    return found


def _content(path: Path) -> Any:
    """What a checkpoint holds, whatever its suffix; nothing is unpickled but tensors and plain values."""
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} is not a file: give a .safetensors or a .pth state dict")
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from error
    if what := foreign_kind(path):
        raise CheckpointError(f"checkpoint {path} is {what}")
    zipped = head.startswith(b"PK")
    if head[8:] == b"{" or (path.suffix == ".safetensors" and not zipped):  # a length of 8 bytes, then JSON
        return _load_safetensors(path)
    if zipped and (record := damaged_record(path)):  # torch.load does not look at checksums
        raise CheckpointError(f"{_damaged(path)}: the checksum of {record} is wrong. Try to copy or download it again.")
    try:
        # A stream: given a path, PyTorch goes by its suffix.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols; what matters is said below
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if head[:2] in PICKLE_HEADS or "GLOBAL" in str(error):
            what = f" ({named[1]})" if named else ""
            raise CheckpointError(
                f"checkpoint {path} holds more than tensors{what} and would have to run code to load, which is "
                "refused: save model.state_dict() alone, or convert it to .safetensors"
            ) from error
        raise CheckpointError(_damaged(path)) from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(_damaged(path)) from error


def save_weights(
    model: nn.Module | Mapping[str, Tensor], path: str | Path, metadata: Mapping[str, str] | None = None
) -> str:
    """Write a network's state dict, or named tensors, as safetensors.

    Args:
        model: a module, or name -> tensor.
        path: where, ending in `.safetensors`; folders are made.
        metadata: strings kept in the file's header.

    Returns:
        The file's sha256, hexadecimal.

    Raises:
        CheckpointError: the suffix or a metadata value is wrong.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"weights are written as .safetensors, not {path.suffix or 'without suffix'}: {path}")
    for name, value in (metadata or {}).items():
        if not isinstance(value, str):
            raise CheckpointError(f"metadata {name!r} must be a string, got {type(value).__name__}")
    tensors = model.state_dict() if isinstance(model, nn.Module) else model
    with written_beside(path) as beside:
        _write_tensors(tensors, beside, metadata)
        return file_sha256(beside)


def save_state(folder: str | Path, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
    """Write a training checkpoint that replaces the last one in `folder` in a single step.

    The tensors go to a file of their own name first; `state.json`, renamed into place last, names that
    file and its sha256. Stopped anywhere between, the folder still holds the previous checkpoint whole.

    Args:
        folder: made where it does not exist; one process writes to it at a time.
        tensors: name -> tensor (weights, optimizer and random states).
        info: anything JSON holds.
    """
    folder = Path(folder)
    name = f"tensors-{secrets.token_hex(8)}.safetensors"
    digest = save_weights(tensors, folder / name)
    with written_beside(folder / STATE_FILE) as beside:
        beside.write_text(json.dumps({"tensors": name, "sha256": digest, "info": dict(info)}), encoding="utf-8")
    for pattern in ("tensors-*.safetensors", ".tensors-*", ".state-*"):  # dots: left by a process that was killed
        for old in folder.glob(pattern):
            if old.name != name:
                old.unlink(missing_ok=True)


def has_state(folder: str | Path) -> bool:
    """Whether `folder` holds a training checkpoint."""
    return (Path(folder) / STATE_FILE).is_file()


def load_state(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the information that `save_state` last wrote to `folder`.

    Raises:
        CheckpointError: there is no checkpoint, or its files are damaged or do not belong together.
    """
    folder = Path(folder)
    if not has_state(folder):
        raise CheckpointError(f"there is no training checkpoint in {folder} (no {STATE_FILE})")
    try:
        state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        path, digest, info = folder / Path(state["tensors"]).name, state["sha256"], state["info"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"training checkpoint {folder / STATE_FILE} is damaged: remove the folder") from error
    if not path.is_file() or file_sha256(path) != digest:
        raise CheckpointError(f"training checkpoint {path} is missing or damaged: remove the folder {folder}")
    return _load_safetensors(path), info


def latest_state(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What there is to go on from: as `load_state`, or None where there is nothing, or nothing whole.

    A damaged checkpoint is removed with a warning: training from the start gives what the damaged one would have come
    to, and no other cure is left to whoever runs into it.
    """
    if not has_state(folder):
        return None
    try:
        return load_state(folder)
    except CheckpointError as error:
        warnings.warn(f"{error}; it was removed, and training begins anew", stacklevel=2)
        for path in [Path(folder) / STATE_FILE, *Path(folder).glob("tensors-*.safetensors")]:
            path.unlink(missing_ok=True)
        return None


def _write_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None) -> None:
    """The same tensors and metadata give the same bytes; safetensors' own writer shuffles the metadata."""
    # Clones: safetensors refuses tensors that share memory, as tied weights do.
    content = save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    if metadata:
        header = {"__metadata__": dict(sorted(metadata.items()))} | header
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)  # tensors start at a multiple of 8
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        file.write(memoryview(content)[start:])


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(sorted(load_file(path, device="cpu").items()))  # its own order changes from call to call
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(_damaged(path)) from error


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"checkpoint {path} holds a {type(content).__name__}, not a state dict")
    other = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if other or not content:
        fault = f"{first(other)} is no tensor" if other else "it is empty"
        raise CheckpointError(f"checkpoint {path} is not a state dict: {fault}")
    return {str(name): value for name, value in content.items()}


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if not all(name.startswith(PARALLEL_PREFIX) for name in tensors):
        return tensors
    return {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in tensors.items()}


def _damaged(path: Path) -> str:
    return f"checkpoint {path} cannot be read: it is damaged, cut short, or not a {path.suffix} file"
