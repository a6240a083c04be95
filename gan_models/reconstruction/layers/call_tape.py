"""The calls of torch functions in one pass of a network, and the outputs that each call reads.

A tape records convolutions in the network's own code as well as those of modules, and needs no trace: it follows
tensors by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Call:
    """A call.

    Attributes:
        name: Name of the function, without underscores: `add` for `__iadd__` and `add_`.
        args, kwargs: Its arguments.
        sources: Identity of a tensor among them -> the call that returned it, or -1 - i for input i of the network.
        output: Its output.
        module: The module that made it; empty for the network itself.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    sources: Mapping[int, int]
    output: Any
    module: str


class Calls(TorchFunctionMode):
    """An observer of the calls of a pass, except those that only read a tensor's attributes.

    Args:
        watch: Called with (number, name, function, args, kwargs); makes the call and returns its output.
    """

    def __init__(self, watch: Callable[[int, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()
        self._watch, self._number = watch, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        if name in ("get", "set", "size", "dim", "stride", "len", "is_floating_point", "numel", "data_ptr"):
            return func(*args, **(kwargs or {}))
        number, self._number = self._number, self._number + 1
        return self._watch(number, name, func, args, kwargs or {})


class Tape:
    """All calls of one pass of a network, with their outputs.

    Args:
        model: The network.
        inputs: Its inputs.

    Attributes:
        calls: Calls in order.
        users: Number of each call -> calls that read its output; the network's own output counts as one.
        output: The network's output.
    """

    def __init__(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.calls: list[Call] = []
        self.users: dict[int, list[int]] = {}
        self._source: dict[int, int] = {id(x): -1 - i for i, x in enumerate(inputs)}
        self._inside: list[str] = []
        self._kept = list(inputs)  # an identity is unique as long as its tensor lives
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: self._inside.append(name)))
            handles.append(module.register_forward_hook(lambda *_: self._inside.pop() and None))
        try:
            with torch.no_grad(), Calls(self._note):
                self.output = model(*inputs)
        finally:
            for handle in handles:
                handle.remove()
        for tensor in tensors(self.output):
            self._use(self._source.get(id(tensor)), len(self.calls))

    def _note(self, number: int, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        sources = {id(x): self._source[id(x)] for x in tensors((args, kwargs)) if id(x) in self._source}
        for source in set(sources.values()):
            self._use(source, number)
        output = func(*args, **kwargs)
        self._kept += tensors((args, kwargs, output))
        for tensor in tensors(output):
            self._source[id(tensor)] = number
        self.calls.append(Call(name, args, kwargs, sources, output, self._inside[-1] if self._inside else ""))
        return output

    def _use(self, source: int | None, number: int) -> None:
        if source is not None:
            self.users.setdefault(source, []).append(number)

    def peak_bytes(self) -> int:
        """Return the maximum sum of bytes of live tensors, each from its call to its last use."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        sizes: dict[int, int] = {}
        for number, call in enumerate(self.calls):
            for tensor in tensors(call.output):
                storage = tensor.untyped_storage()
                key = storage.data_ptr()
                first.setdefault(key, number)
                sizes[key] = storage.nbytes()
                last[key] = max(last.get(key, number), *self.users.get(number, [number]))
        change = [0] * (len(self.calls) + 2)
        for key, begin in first.items():
            change[begin] += sizes[key]
            change[min(last[key], len(self.calls)) + 1] -= sizes[key]
        alive = peak = 0
        for each in change:
            alive += each
            peak = max(peak, alive)
        return peak


def tensors(value: Any) -> list[Tensor]:
    """Return all tensors in nested lists, tuples and mappings."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [found for one in value for found in tensors(one)]


def weights_by_identity(model: nn.Module) -> dict[int, str]:
    """Return the first name of every parameter by the identity of its tensor, including results of parametrizations.

    Call it inside `weight_store.computed_once`, because a parametrization otherwise returns a new tensor each time.
    """
    found: dict[int, str] = {}
    for name, parameter in model.named_parameters():
        found.setdefault(id(parameter), name)
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module):
            for own in module.parametrizations:  # type: ignore[union-attr]  # a ModuleDict, by name of the tensor
                found.setdefault(id(getattr(module, str(own))), f"{name}.{own}".lstrip("."))
    return found


def readers(calls: Iterable[Call], weights: Mapping[int, str]) -> dict[str, list[int]]:
    """Return the calls that read each parameter, by its name."""
    found: dict[str, list[int]] = {}
    for number, call in enumerate(calls):
        for name in dict.fromkeys(weights[id(x)] for x in tensors((call.args, call.kwargs)) if id(x) in weights):
            found.setdefault(name, []).append(number)
    return found
