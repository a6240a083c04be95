"""One output of a network that returns several: the one that counts, instead of all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class OutputSelection:
    """A forward hook that returns one output of its network.

    As a hook it leaves the network what it is: parameters, modules and groups keep their names, and any copied, cut,
    traced, trained or exported network keeps the hook.

    Attributes:
        model: The network's name, for messages.
        selected: Name or index of the output that counts.
    """

    model: str
    selected: str

    def __call__(self, network: nn.Module, inputs: tuple[Any, ...], returned: Any) -> Tensor:
        """Return the output that counts. Raises UserError if there is none of that name."""
        outputs = dict(named_outputs(returned))
        if self.selected in outputs:
            return outputs[self.selected]
        if self.selected.isdecimal() and int(self.selected) < len(outputs):
            return list(outputs.values())[int(self.selected)]
        raise UserError(
            f"{self.model} has no such output: got --output {self.selected}; expected one of {shown(outputs)}"
        )


def select_output(network: nn.Module, model: str, selected: str) -> nn.Module:
    """Let a network return one of its outputs.

    Args:
        network: Is changed.
        model: Its name, for messages.
        selected: Name or index of the output; empty: the network stays as it is.

    Returns:
        The same network.
    """
    if selected:
        network.register_forward_hook(OutputSelection(model, selected))
    return network


def named_outputs(returned: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the tensor of each output.

    Args:
        returned: What a network returned: a tensor, or tuples, lists, mappings and dataclasses of them, to any depth.
        place: The name of what holds it.

    Yields:
        The key, the field's name or the index, with a dot before those of an inner value: `image`, `1`, `1.0`.
        What is not a tensor is left out.
    """
    from torch import Tensor

    if isinstance(returned, Tensor):
        yield place, returned
        return
    for name, value in _entries(returned):
        yield from named_outputs(value, f"{place}.{name}" if place else name)


def shown(outputs: Mapping[str, Tensor]) -> str:
    """Return the outputs with the shapes of one example, for messages: `image 3x64x64, features 8x64x64`."""
    return ", ".join(f"{name} {size_text(tuple(x.shape[1:]))}" for name, x in outputs.items()) or "no tensor"


def size_text(shape: tuple[int, ...]) -> str:
    """Return a shape for messages: `3x64x64`."""
    return "x".join(map(str, shape)) or "a number"


def _entries(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if hasattr(value, "_fields"):  # a named tuple
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        return [(str(i), item) for i, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    return []
