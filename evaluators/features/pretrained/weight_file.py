"""Published weight files: read as plain tensors, and named by their content."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from ....gan_models.files.errors import UserError

_DIGITS_IN_NAME = re.compile(r"-([0-9a-f]{8})\.\w+$")


def read_tensors(path: Path, kind: str) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU: safetensors, or what torch.save wrote.

    Args:
        path: The file; nothing in it is executed.
        kind: Name of the network that the weights belong to, for messages: `pytorch-fid`, `AlexNet`.

    Raises:
        UserError: It cannot be read, or is not a dictionary of tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, safetensors.SafetensorError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} cannot be read as plain tensors: got {line[:160]}; expected weights of {kind}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a dictionary of tensors, as weights of {kind} are")
    return state


def name_of_content(path: Path, sha256: str, name: str, published: str, source: str) -> str:
    """Return the name that a weight file gives its network.

    Args:
        path: The file. If its name ends in 8 digits of a sha256, as torch hub names files, they must match its content.
        sha256: Hash of its content.
        name: The name for the published file.
        published: First 8 digits of the published file's sha256.
        source: URL or package of the published file, for messages.

    Returns:
        `name` for the published file under any name; `name-1a2b3c4d` for another one. The name of that one must end in
        its digits, which makes the choice deliberate.

    Raises:
        UserError: A damaged or misnamed file, or another one whose name does not say so.
    """
    promised = _DIGITS_IN_NAME.search(path.name)
    if promised and not sha256.startswith(promised[1]):
        raise UserError(
            f"{path}: the file is damaged or misnamed: got content of sha256 {sha256[:8]}...; expected "
            f"{promised[1]}... by its name. Try to fetch it again from {source}"
        )
    if sha256.startswith(published):
        return name
    if not promised:
        raise UserError(
            f"{path} is not the published file of {name}: got sha256 {sha256[:8]}...; expected {published}... For "
            f"other weights, end its name in -{sha256[:8]}{path.suffix}"
        )
    return f"{name}-{sha256[:8]}"
