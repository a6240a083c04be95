"""Costs counted on the network itself: the check on every predicted cost.

Two counters that know nothing of each other or of our cost form: torch's dispatcher (every operator that
really runs, by `torch.utils.flop_counter`) and thop (every module, by its type). Two conventions, named in
every number:
  * macs            multiply-accumulates that are done: transposed convolutions on their input grid;
  * macs_published  what papers print: transposed convolutions on their output grid, 4 times as much at stride
    2.
Convolutions, linears and matrix products count; norms, activations and resampling do not, and are listed.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import thop
import torch
from thop.vision.basic_hooks import zero_ops
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ...gan_models.files.meta_device import run_for_shapes

_BOOKKEEPING = {"empty", "empty_like", "clone", "detach", "_to_copy"}
T = TypeVar("T")

_COUNTED_BY_THOP = (nn.modules.conv._ConvNd, nn.Linear)
# thop/__init__ rebinds `thop.profile` to a function, which hides the module of that name.
_THOP_RULES: dict[type, Any] = sys.modules["thop.profile"].register_hooks


@dataclass(frozen=True)
class CostCount:
    """Independent counts of one network for one input.

    Attributes:
        macs: exact, by torch's dispatcher.
        macs_published: the same operators with transposed convolutions on their output grid.
        macs_thop: by thop, which counts in the published way and only modules of types it knows.
        missed_by_thop: module name -> published MACs of what runs in modules that thop has no rule for (a
            subclass of Conv2d, a spectral-norm convolution, a functional call). macs_thop plus these is
            macs_published.
        params: number of parameters, shared ones once.
        bytes: of the parameters, in the type they are in.
        uncounted: operators that ran and are in no count -> calls (norms, activations, padding, ...).
    """

    macs: int
    macs_published: int
    macs_thop: int
    missed_by_thop: dict[str, int]
    params: int
    bytes: int
    uncounted: dict[str, int]

    @property
    def counters_agree(self) -> bool:
        """True if the two counters agree on the published count."""
        return self.macs_thop + sum(self.missed_by_thop.values()) == self.macs_published


class _OperatorRecorder(TorchDispatchMode):
    """Counts every operator that runs, by name; views cost nothing and are left out."""

    def __init__(self):
        super().__init__()
        self.calls: Counter[Any] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not func.is_view:
            self.calls[func._overloadpacket] += 1
        return func(*args, **(kwargs or {}))


def count_cost(model: nn.Module, example: Tensor | tuple[Tensor, ...]) -> CostCount:
    """Count one forward pass in eval mode on a copy of `model`; the model itself does not change.

    Args:
        model: any network.
        example: its input(s), batch first; counts are per image.

    Returns:
        The counts of both counters.

    Raises:
        ValueError: the example has no batch axis or an empty batch.
    """
    inputs = example if isinstance(example, tuple) else (example,)
    if not inputs or any(x.dim() < 1 or len(x) < 1 for x in inputs):
        raise ValueError("the example must be a tensor, or tensors, with a batch of at least 1 image")
    batch = len(inputs[0])
    parameters = list(model.parameters())
    counted = _on_copy(model, inputs, _dispatched)
    thop_macs = _on_copy(model, inputs, _by_thop)
    return CostCount(
        macs=_per_image(counted.exact, batch),
        macs_published=_per_image(counted.published, batch),
        macs_thop=_per_image(thop_macs, batch),
        missed_by_thop={name: _per_image(macs, batch) for name, macs in counted.missed.items()},
        params=sum(p.numel() for p in parameters),
        bytes=sum(p.numel() * p.element_size() for p in parameters),
        uncounted=counted.uncounted,
    )


def count_macs(model: nn.Module, example: Tensor | tuple[Tensor, ...]) -> dict[str, int]:
    """Return the four costs by the names in budgets: `macs`, `macs_published`, `params`, `bytes`."""
    cost = count_cost(model, example)
    return {
        "macs": cost.macs,
        "macs_published": cost.macs_published,
        "params": cost.params,
        "bytes": cost.bytes,
    }


@dataclass(frozen=True)
class ModuleCost:
    """The cost of one module's own calls and parameters, without those of its children.

    Attributes:
        macs, macs_published: As in `CostCount`.
        params: Parameters, each tensor where it is met first.
    """

    macs: int
    macs_published: int
    params: int


def count_modules(model: nn.Module, example: Tensor | tuple[Tensor, ...]) -> tuple[ModuleCost, dict[str, ModuleCost]]:
    """Count one forward pass, and what of it each module does, by torch's dispatcher alone.

    Args:
        model: any network.
        example: its input(s), batch first; counts are per image.

    Returns:
        The network's cost; module name -> its own cost, if it has any. A module that calls another one that is not its
        child counts in both, so these may be more than the whole.
    """
    inputs = example if isinstance(example, tuple) else (example,)
    totals, exact, published = _on_copy(model, inputs, _by_module)
    params: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        module = name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]
        params[module] = params.get(module, 0) + parameter.numel()
    names = dict.fromkeys((*exact, *published, *params))
    batch = len(inputs[0])
    whole = ModuleCost(_per_image(totals[0], batch), _per_image(totals[1], batch), sum(params.values()))
    return whole, {
        name: ModuleCost(exact.get(name, 0) // batch, published.get(name, 0) // batch, params.get(name, 0))
        for name in names
    }


def _by_module(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[tuple[int, int], dict[str, int], dict[str, int]]:
    published = FlopCounterMode(display=False, custom_mapping=_published_rules())
    with FlopCounterMode(display=False) as exact, published:
        model(*inputs)
    totals = exact.get_total_flops() // 2, published.get_total_flops() // 2
    return totals, _direct(model, exact), _direct(model, published)


def _direct(model: nn.Module, counter: FlopCounterMode) -> dict[str, int]:
    """Multiply-accumulates of operators that run directly in a module, by its name; zeros are left out."""
    root = type(model).__name__
    flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}

    def whole(module: nn.Module, path: str) -> int:
        """Those of a module and all below it; a list of modules is never called itself."""
        if path in flops:
            return flops[path]
        return sum(whole(child, f"{path}.{name}") for name, child in module.named_children())

    direct = {}
    for name, module in model.named_modules():
        path = f"{root}.{name}" if name else root
        below = sum(whole(child, f"{path}.{child_name}") for child_name, child in module.named_children())
        if own := whole(module, path) - below:
            direct[name] = own // 2
    return direct


@dataclass(frozen=True)
class _Dispatched:
    exact: int
    published: int
    missed: dict[str, int]
    uncounted: dict[str, int]


def _on_copy(model: nn.Module, inputs: tuple[Tensor, ...], count: Callable[..., T]) -> T:
    """Count on a copy that is run for its shapes alone."""

    def run(copied: nn.Module, given: tuple[Tensor, ...]) -> T:
        # Without gradients: torch's module tracker fails on a view of a parameter (a learned constant, expanded).
        with torch.no_grad():
            return count(copied.requires_grad_(False), given)

    return run_for_shapes(model, inputs, run)


class _EinsumRecorder(TorchFunctionMode):
    """Counts the einsums that torch computes as an elementwise product, because the axis they sum over has size 1."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self._counter = counter
        self.macs = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        before = self._counter.get_total_flops()
        made = func(*args, **(kwargs or {}))
        if func is torch.einsum and self._counter.get_total_flops() == before:
            self.macs += _macs_of_einsum(*args)
        return made


def _macs_of_einsum(equation: Any, *operands: Any) -> int:
    """Return the multiply-accumulates of an einsum of two tensors that sums over a letter; 0 for any other."""
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    if not isinstance(equation, str) or len(tensors) != 2 or "." in equation or "->" not in equation:
        return 0
    given, result = equation.replace(" ", "").split("->")
    letters = given.split(",")
    if not set(letters[0]) & set(letters[1]) - set(result):
        return 0
    sizes: dict[str, int] = {}
    for names, tensor in zip(letters, tensors, strict=True):
        for letter, size in zip(names, tensor.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return math.prod(sizes.values())


def _dispatched(model: nn.Module, inputs: tuple[Tensor, ...]) -> _Dispatched:
    recorder = _OperatorRecorder()
    published = FlopCounterMode(display=False, custom_mapping=_published_rules())
    with FlopCounterMode(display=False, custom_mapping=_attention_rules()) as exact, published, recorder:
        with _EinsumRecorder(exact) as einsums:
            model(*inputs)
    known = set(exact.flop_registry)
    missed = _missed(model, published)
    if einsums.macs:
        root = type(model).__name__
        missed[root] = missed.get(root, 0) + einsums.macs
    uncounted = {str(op).removeprefix("aten."): n for op, n in recorder.calls.items() if op not in known}
    uncounted = {op: n for op, n in uncounted.items() if op not in _BOOKKEEPING}
    return _Dispatched(
        exact=exact.get_total_flops() // 2 + einsums.macs,
        published=published.get_total_flops() // 2 + einsums.macs,
        missed=missed,
        uncounted=dict(sorted(uncounted.items())),
    )


def _published_rules() -> dict[Any, Callable[..., int]]:
    def convolution(x, w, _bias, _stride, _padding, _dilation, transposed, *_rest, out_shape, **_named) -> int:
        # Weights are (in, out / groups, ...) when transposed, else (out, in / groups, ...).
        pairs = w[0] * w[1]
        return 2 * x[0] * pairs * math.prod(w[2:]) * math.prod(out_shape[2:])

    rules: dict[Any, Callable[..., int]] = dict.fromkeys(
        (torch.ops.aten.convolution, torch.ops.aten._convolution), convolution
    )
    return rules | _attention_rules()


def _attention_rules() -> dict[Any, Callable[..., int]]:
    """Attention on the CPU, for which torch has no rule: its products of queries, keys and values."""

    def attention(q, k, v, *_rest, out_shape=None, **_named) -> int:
        pairs = math.prod(q[:-1]) * k[-2]
        return 2 * pairs * (q[-1] + v[-1])

    return {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}


def _missed(model: nn.Module, counter: FlopCounterMode) -> dict[str, int]:
    """Return the published MACs of operators that run directly in a module for which thop has no counting rule."""
    modules = dict(model.named_modules())

    def ruled(module: nn.Module) -> bool:
        return type(module) in _THOP_RULES and isinstance(module, _COUNTED_BY_THOP)

    return {
        name or type(model).__name__: macs for name, macs in _direct(model, counter).items() if not ruled(modules[name])
    }


def _by_thop(model: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    # thop counts norms, activations and resampling too: every rule but those of conv and linear is set to
    # zero. It leaves buffers in what it measured, which is one reason for the copy.
    rules = {kind: zero_ops for kind in _THOP_RULES if not issubclass(kind, _COUNTED_BY_THOP)}
    return round(thop.profile(model, inputs=inputs, custom_ops=rules, verbose=False)[0])


def _per_image(total: int, batch: int) -> int:
    if total % batch:
        raise ValueError(f"{total} operations do not divide over a batch of {batch}: give an example of one image")
    return total // batch
