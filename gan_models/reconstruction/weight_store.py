"""Weights of a network by name, for reading and writing; computed ones are written if their parametrization allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ITERATIONS = 100  # iterations of a power method, as after this many training passes


@contextmanager
def computed_once(model: nn.Module) -> Iterator[None]:
    """Make each parametrization return one fixed tensor inside the context, which can be identified and written.

    `parametrize.cached` is unsuitable, because copies of a module share its entries.
    """
    lists = [module for module in model.modules() if isinstance(module, parametrize.ParametrizationList)]
    with torch.no_grad():
        for one in lists:
            one.__dict__["forward"] = _constant(one())
    try:
        yield
    finally:
        for one in lists:
            del one.__dict__["forward"]


def _constant(value: Tensor) -> Callable[[], Tensor]:
    return lambda: value


def weight_of(model: nn.Module, name: str) -> Tensor:
    """Return a parameter, or the tensor that a parametrization returns."""
    module, _, leaf = name.rpartition(".")
    return getattr(model.get_submodule(module), leaf)


@dataclass(frozen=True)
class Stored:
    """The values of a weight after `store`.

    Attributes:
        values: Values that the network computes with: the requested ones, if the parametrization can represent them.
        exact: True if they are the requested values.
        undo: Function that restores the previous values.
    """

    values: Tensor
    exact: bool
    undo: Callable[[], None]


def store(model: nn.Module, name: str, tensor: Tensor, value: Tensor) -> Stored | None:
    """Write values to a weight, or the nearest ones that its parametrization can represent; None if it takes no values.

    Spectral norm divides the values by their largest singular value. Its singular vectors are iterated until they no
    longer change, so that the weight is the same in training.

    Args:
        model: The network.
        name: Name of the weight.
        tensor: The weight's present tensor in the network; it gets the new values.
        value: The values.
    """
    before, own = tensor.detach().clone(), None
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    given = value
    if parametrize.is_parametrized(module, leaf):
        own = module.get_submodule(f"parametrizations.{leaf}")
        assert isinstance(own, parametrize.ParametrizationList)
    state = {} if own is None else {key: entry.detach().clone() for key, entry in own.state_dict().items()}

    def undo() -> None:
        if own is not None:
            own.load_state_dict(state)
        tensor.data.copy_(before)

    if own is not None:
        try:
            own.right_inverse(value)
            own.train()
            for _ in range(ITERATIONS):
                type(own).forward(own)
            own.eval()
            given = type(own).forward(own).detach()
        except (NotImplementedError, RuntimeError, ValueError):
            own.eval()
            undo()
            return None
    tensor.data.copy_(given)  # tensors that this pass has computed already
    exact = bool(torch.allclose(given, value, rtol=1e-4, atol=1e-6 * float(value.abs().max())))
    return Stored(given, exact, undo)


def weights_of(model: nn.Module) -> Mapping[str, Tensor]:
    """Return a copy of a network's tensors."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
