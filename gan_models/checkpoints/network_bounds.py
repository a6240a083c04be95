"""Bounds of a network that is described next to its weights, checked before it is built.

An architecture of a few bytes can describe a network of terabytes, or of millions of blocks. The weights are next to
it, and say how many tensors the network has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from ..files.errors import UserError
from ..networks.specs import InputSpec

MAX_INPUT_VALUES = 2**26  # of one example: an RGB image of 4096 x 4096 pixels has 50 million
MAX_PARAMETERS = 2**31
MAX_MODULES = 20_000
_SLACK = 64  # tensors of a network that need not be in the file: those of earlier formats


def check_inputs(inputs: InputSpec, example: Path) -> None:
    """Check that one example of the described inputs fits into memory, and has the size of the stored one.

    Args:
        inputs: What the network takes.
        example: File of the stored example; bundles of earlier versions have none.

    Raises:
        UserError: It is too large, or of another shape.
    """
    n_values = sum(math.prod(one.shape) for one in inputs.inputs)
    if n_values > MAX_INPUT_VALUES:
        raise UserError(
            f"{example.parent} describes inputs that are too large: got {n_values} values in one example; expected at "
            f"most {MAX_INPUT_VALUES}"
        )
    stored = shapes_in(example) if example.is_file() else {}
    for one in inputs.inputs:
        if one.name in stored and stored[one.name][1:] != one.shape:
            raise UserError(
                f"{example} does not fit the bundle: got {one.name} of shape {stored[one.name][1:]}; expected "
                f"{one.shape}. Try to export the bundle again"
            )


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in a safetensors file by name, from its header. Raises UserError."""
    try:
        with safe_open(path, "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: got {error}; expected a safetensors file") from error


def check_size(build: Callable[[], nn.Module], weights: Path) -> None:
    """Check the size of a network on the meta device, without memory for its weights.

    Args:
        build: Builds it at full width.
        weights: The file of its weights.

    Raises:
        UserError: It has too many parameters or modules, or many more tensors than the file.
    """
    n_stored = len(shapes_in(weights))
    try:
        with torch.device("meta"), bounded(str(weights.parent)):
            n_tensors = len(build().state_dict())
    except UserError:
        raise
    except Exception:  # a builder that needs values: it is built on the CPU, and bounded there
        return
    if n_tensors > 2 * n_stored + _SLACK:
        raise UserError(
            f"{weights.parent} describes another network than its weights': got {n_tensors} tensors, {n_stored} in "
            f"{weights.name}; expected as many. Try to export the bundle again"
        )


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Stop the building of a network that is too large, as soon as it is.

    Args:
        what: The bundle, for messages.

    Raises:
        UserError: It has too many parameters or modules.
    """
    counts = {"parameters": 0, "modules": 0}

    def count(kind: str, n: int, most: int) -> None:
        counts[kind] += n
        if counts[kind] > most:
            raise UserError(f"{what} describes a network that is too large: got more than {most} {kind}")

    def add_tensor(module: nn.Module, name: str, value: Any) -> None:
        count("parameters", 0 if value is None else value.numel(), MAX_PARAMETERS)

    def add_module(module: nn.Module, name: str, value: Any) -> None:
        count("modules", 1, MAX_MODULES)

    handles = [
        register_module_parameter_registration_hook(add_tensor),
        register_module_buffer_registration_hook(add_tensor),
        register_module_module_registration_hook(add_module),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
