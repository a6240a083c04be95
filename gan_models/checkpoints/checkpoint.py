"""Weights and training states on disk: written atomically as safetensors and JSON; upstream's .pth are also read.

Nothing is unpickled: a file that must run code to load is refused.

Every write goes to a new file next to its target, is flushed to the disk and then renamed. So a reader sees the old
file or the new one, never a part.
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
from ..files.parsers.structured_text import MAX_DEPTH, parse_json
from .foreign_files import damaged_record, foreign_kind
from .state_dicts import first, fitting, holders_of, located

PICKLE_HEADS = (b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6)))  # archives of torch.save, and pickles
STATE_FILE = "state.json"
PARALLEL_PREFIX = "module."  # prefix that DataParallel adds to every key


class CheckpointError(UserError):
    """An error: a checkpoint cannot be read, or does not fit; the message is one line."""


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, on the CPU, without running code from the file.

    Args:
        path: safetensors, or a state dict written by `torch.save` (old and new formats), alone or under the key
            "state_dict".

    Returns:
        Name -> tensor; a prefix `module.` of every name is removed.

    Raises:
        CheckpointError: The file is missing, damaged, of another kind, or needs unpickling.
    """
    return _without_prefix(_tensors(Path(path), _content(Path(path))))


def load_into(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint into `model`, strictly; the model is unchanged if it does not fit.

    Args:
        model: A network with weights (not on the meta device).
        path: A file as for `load_weights`, with the state dict under any key and with any prefix. If several fit,
            `FILE::key` chooses, with dots between keys.

    Raises:
        CheckpointError: As for `load_weights`; names or shapes differ (the message names the first); or several fit.
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
    """Return the state dicts in a checkpoint by key; the key is empty for one at the top level.

    Args:
        path: A file as for `load_weights`; with `FILE::key`, only that key's.

    Raises:
        CheckpointError: As for `load_weights`, or there is none.
    """
    file, key = located(path)
    content = _content(file)
    found = holders_of(content) if isinstance(content, Mapping) else {}
    found = {name: _without_prefix(tensors) for name, tensors in found.items() if not key or name == key}
    if not found:
        raise CheckpointError(f"checkpoint {path} contains no state dict: expected a .safetensors or .pth file of one")
    return found


def _content(path: Path) -> Any:
    """Return the content of a checkpoint, regardless of its suffix; only tensors and plain values are unpickled."""
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} is not a file: expected a .safetensors or .pth file of a state dict")
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from error
    if what := foreign_kind(path):
        raise CheckpointError(f"checkpoint {path} is {what}")
    zipped = head.startswith(b"PK")
    if head[8:] == b"{" or (path.suffix == ".safetensors" and not zipped):  # 8 bytes of length, then JSON
        return _load_safetensors(path)
    if zipped and (record := damaged_record(path)):  # torch.load does not verify checksums
        raise CheckpointError(f"{_damaged(path)}: the checksum of {record} is wrong. Try to copy or download it again.")
    try:
        # A stream, because PyTorch depends on the suffix of a path.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings on pickle protocols; the message below has the relevant facts
            return _bounded(path, torch.load(file, map_location="cpu", weights_only=True))
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if head[:2] in PICKLE_HEADS or "GLOBAL" in str(error):
            what = f" ({named[1]})" if named else ""
            raise CheckpointError(
                f"checkpoint {path} contains more than tensors{what} and must run code to load, which is refused. Try "
                f"to save model.state_dict() alone, or convert it to .safetensors"
            ) from error
        raise CheckpointError(_damaged(path)) from error
    except Exception as error:  # of a damaged file, PyTorch's reader raises any kind
        raise CheckpointError(_damaged(path)) from error


def _bounded(path: Path, content: Any) -> Any:
    """Return a checkpoint's content; one that is nested too deeply, or contains itself, is refused."""
    level = [content] if isinstance(content, Mapping) else []
    for _ in range(MAX_DEPTH):
        level = [value for one in level for value in one.values() if isinstance(value, Mapping) and value]
        if not level:
            return content
    raise CheckpointError(f"checkpoint {path} is nested too deeply: expected at most {MAX_DEPTH} levels")


def save_weights(
    model: nn.Module | Mapping[str, Tensor], path: str | Path, metadata: Mapping[str, str] | None = None
) -> str:
    """Write a network's state dict, or named tensors, as safetensors.

    Args:
        model: A module, or name -> tensor.
        path: Path ending in `.safetensors`; folders are created.
        metadata: Strings for the file's header.

    Returns:
        The file's sha256, hexadecimal.

    Raises:
        CheckpointError: The suffix or a metadata value is wrong.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"weights have an unsupported suffix: got {path}; expected .safetensors")
    for name, value in (metadata or {}).items():
        if not isinstance(value, str):
            raise CheckpointError(f"metadata {name!r} is not a string: got {type(value).__name__}; expected str")
    tensors = model.state_dict() if isinstance(model, nn.Module) else model
    with written_beside(path) as beside:
        _write_tensors(tensors, beside, metadata)
        return file_sha256(beside)


def save_state(folder: str | Path, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
    """Write a training checkpoint that replaces the last one in `folder` in a single step.

    The tensors go to a file of their own name first; `state.json`, renamed into place last, names that file and its
    sha256. After an interruption, the folder still contains the complete previous checkpoint.

    Args:
        folder: Folder, created if missing; one process writes to it at a time.
        tensors: Name -> tensor (weights, optimizer and random states).
        info: Any JSON value.
    """
    folder = Path(folder)
    name = f"tensors-{secrets.token_hex(8)}.safetensors"
    digest = save_weights(tensors, folder / name)
    with written_beside(folder / STATE_FILE) as beside:
        beside.write_text(json.dumps({"tensors": name, "sha256": digest, "info": dict(info)}), encoding="utf-8")
    for pattern in ("tensors-*.safetensors", ".tensors-*", ".state-*"):  # names with dots: left by a killed process
        for old in folder.glob(pattern):
            if old.name != name:
                old.unlink(missing_ok=True)


def has_state(folder: str | Path) -> bool:
    """Return True if `folder` contains a training checkpoint."""
    return (Path(folder) / STATE_FILE).is_file()


def load_state(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the information that `save_state` last wrote to `folder`.

    Raises:
        CheckpointError: There is no checkpoint, or its files are damaged or do not belong together.
    """
    folder = Path(folder)
    if not has_state(folder):
        raise CheckpointError(f"there is no training checkpoint in {folder} (no {STATE_FILE})")
    try:
        state = parse_json((folder / STATE_FILE).read_text(encoding="utf-8"))
        path, digest, info = folder / Path(state["tensors"]).name, state["sha256"], state["info"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"training checkpoint {folder / STATE_FILE} is damaged. Try to remove the folder"
        ) from error
    if not path.is_file() or file_sha256(path) != digest:
        raise CheckpointError(f"training checkpoint {path} is missing or damaged. Try to remove the folder {folder}")
    return _load_safetensors(path), info


def latest_state(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Load the latest checkpoint as `load_state` does; None if there is none, or it is damaged.

    A damaged checkpoint is removed with a warning. Training from the start reproduces its result, and there is no other
    remedy.
    """
    if not has_state(folder):
        return None
    try:
        return load_state(folder)
    except CheckpointError as error:
        warnings.warn(f"{error}; it was removed, and training starts from the beginning", stacklevel=2)
        for path in [Path(folder) / STATE_FILE, *Path(folder).glob("tensors-*.safetensors")]:
            path.unlink(missing_ok=True)
        return None


def _write_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None) -> None:
    """Write tensors and metadata to a file: the same values give the same bytes, unlike safetensors' own writer."""
    # Cloned because safetensors refuses tensors that share memory, such as tied weights.
    content = save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    if metadata:
        header = {"__metadata__": dict(sorted(metadata.items()))} | header
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)  # tensors start at multiples of 8
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        file.write(memoryview(content)[start:])


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(sorted(load_file(path, device="cpu").items()))  # the default order changes between calls
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(_damaged(path)) from error


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"checkpoint {path} is not a state dict: got {type(content).__name__}; expected names with tensors"
        )
    other = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if other or not content:
        fault = f"{first(other)} is not a tensor" if other else "it is empty"
        raise CheckpointError(f"checkpoint {path} is not a state dict: {fault}")
    return {str(name): value for name, value in content.items()}


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if not all(name.startswith(PARALLEL_PREFIX) for name in tensors):
        return tensors
    return {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in tensors.items()}


def _damaged(path: Path) -> str:
    return f"checkpoint {path} cannot be read: it is damaged, truncated, or not a {path.suffix} file"
