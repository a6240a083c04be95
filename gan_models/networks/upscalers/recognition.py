"""A checkpoint whose network is recognized by its content: one of the catalog, or one that the package spandrel knows.

Nothing of the file is run: tensors are read as any checkpoint's are, and spandrel is given them in memory.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...checkpoints.checkpoint import save_weights, state_dicts_of
from ...checkpoints.state_dicts import CHOICE
from ...checkpoints.state_dicts import located as file_and_key
from ...files.errors import UserError, WorkFailed
from ...files.meta_device import build_for_shapes
from ...files.packages import Package, PackageMissing
from ...files.user_code import one_line
from ..specs import InputSpec
from .known_state_dicts import known_network

PACKAGE = Package("spandrel")
AVERAGED = ("params_ema", "params", "")  # of several state dicts in a file, the one that published code takes
RANGE = "0,1"  # of all that spandrel loads
SIDE = 64  # pixels of an input, if the network takes them


@dataclass(frozen=True)
class Recognized:
    """The network that a checkpoint belongs to.

    Attributes:
        model: A name of the catalog, or the class as `package.module:name`.
        arguments: Of its builder.
        teacher: The weights, under the network's own names.
        inputs: What it takes, as `InputSpec.parse` reads it; empty for a row of the catalog.
        value_range: Of its images.
    """

    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    teacher: str = ""
    inputs: str = ""
    value_range: str = RANGE


def recognize(source: str) -> Recognized:
    """Return the network that a checkpoint is of.

    Args:
        source: `FILE`, or `FILE::key` of a file with several state dicts.

    Raises:
        UserError: The file cannot be read, is of no network that is known, or of one that cannot be built again alone.
        PackageMissing: It is of no network of the catalog, and spandrel is not installed.
    """
    file, key = file_and_key(source)
    found = state_dicts_of(source)
    if len(found) > 1:
        key = next((name for name in AVERAGED if name in found), "")
    state = found.get(key) or next(iter(found.values()))
    chosen = f"{file}{CHOICE}{key}" if len(found) > 1 and key else str(source)
    if known := known_network(state):
        model, arguments, renamed = known
        return Recognized(model, arguments, chosen if renamed.keys() == state.keys() else _converted(file, renamed))
    return _by_spandrel(file, state, chosen)


def _by_spandrel(file: Path, state: dict[str, Tensor], chosen: str) -> Recognized:
    if not PACKAGE.installed():
        raise PackageMissing(
            f"{file} is of no network of the catalog, and spandrel, which knows more, is not installed; "
            "pip install 'ganprune[spandrel]'"
        )
    try:
        spandrel = import_module("spandrel")
    except Exception as error:  # what it imports may be broken, such as a torchvision of another torch
        raise WorkFailed(f"spandrel is installed and cannot be imported: {one_line(error)}") from error
    try:
        loaded = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except Exception as error:  # each architecture raises what it likes
        reason = f" ({one_line(error)})" if str(error) else ""
        raise UserError(
            f"{file} is of no network that spandrel recognizes{reason}; expected weights of an image network. Try "
            "--model with a function of its own code, and --teacher FILE"
        ) from error
    network: nn.Module = loaded.model
    model = _name_of(type(network), f"spandrel.architectures.{loaded.architecture.id}")
    own = network.state_dict()
    arguments = _plain_arguments(file, loaded.architecture.name, model, network)
    side = _side(loaded.size_requirements)
    masked = isinstance(loaded, spandrel.MaskedImageModelDescriptor)
    image = f"{loaded.input_channels},{side},{side}"
    inputs = InputSpec.parse(f"image:{image};mask:1,{side},{side}" if masked else image)
    _check_output(file, loaded.architecture.name, network, inputs)
    same = own.keys() == state.keys()
    return Recognized(model, arguments, chosen if same else _converted(file, own), inputs.text)


def _plain_arguments(file: Path, name: str, model: str, network: nn.Module) -> dict[str, Any]:
    """Return the arguments that a network is built again from, as a record holds them.

    Raises:
        UserError: There are none, they are not plain values, or they give another network.
    """
    module, _, attribute = model.partition(":")
    try:
        arguments: dict[str, Any] = json.loads(json.dumps(_stated(network)))
        again = build_for_shapes(lambda: getattr(import_module(module), attribute)(**arguments)).state_dict()
        if {n: t.shape for n, t in again.items()} != {n: t.shape for n, t in network.state_dict().items()}:
            raise ValueError("it has other tensors then")
    except Exception as error:  # somebody else's builder may raise anything
        raise UserError(
            f"{file} is of {name}, which cannot be built again from its arguments: {one_line(error)}; expected a "
            "network that a bundle can rebuild. Try --model package.module:function of its own code"
        ) from error
    return arguments


def _stated(network: nn.Module) -> dict[str, Any]:
    """Return the arguments that a network was built with, without functions and classes that are its defaults."""
    parameters = inspect.signature(type(network).__init__).parameters
    given: Any = network.hyperparameters
    return {n: v for n, v in given.items() if not (callable(v) and n in parameters and parameters[n].default is v)}


def _name_of(kind: type, module: str) -> str:
    """Return a class as `package.module:name`, by the name that its package gives it."""
    names = [name for name, value in vars(import_module(module)).items() if value is kind]
    return f"{module}:{names[0]}" if names else f"{kind.__module__}:{kind.__name__}"


def _check_output(file: Path, name: str, network: nn.Module, inputs: InputSpec) -> None:
    """Raise UserError unless the network itself, without spandrel's call around it, gives an image."""
    try:
        with torch.no_grad():
            given: Any = network.eval()(*inputs.examples(1))
    except Exception as error:  # somebody else's network may raise anything
        raise UserError(f"{file} is of {name}, which cannot run alone: {one_line(error)}") from error
    if not isinstance(given, Tensor) or given.dim() != 4:
        raise UserError(
            f"{file} is of {name}, whose network gives {type(given).__name__}; expected one image. Try --model with a "
            "function that returns a module of it, and --output"
        )


def _side(required: Any) -> int:
    """Return pixels per side that meet a network's requirements."""
    least, multiple = max(SIDE, int(required.minimum or 0)), max(1, int(required.multiple_of or 1))
    return -(-least // multiple) * multiple


def _converted(file: Path, state: Mapping[str, Tensor]) -> str:
    """Write a state dict under a network's own names to the user's cache, once per content; return the file."""
    place = os.environ.get("GANPRUNE_CACHE", "")
    folder = (
        Path(tempfile.gettempdir() if place == "off" else place or Path.home() / ".cache" / "ganprune") / "converted"
    )
    digest = hashlib.sha256(file.read_bytes() + "\0".join(state).encode()).hexdigest()[:16]
    path = folder / f"{file.stem}-{digest}.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(state, path)
    return str(path)
