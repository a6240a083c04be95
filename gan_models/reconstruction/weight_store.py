"""Weights of a network by name: those that parametrizations compute are read, and written where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ITERATIONS = 100  # of a power method, one step per pass in training


@contextmanager
def computed_once(model: nn.Module) -> Iterator[None]:
    """While open, each parametrization of a network gives one tensor, which can be known again and be written to.

    `parametrize.cached` does not serve: copies of a module share its entries.
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
    """Return a parameter, or the tensor that a parametrization gives."""
    module, _, leaf = name.rpartition(".")
    return getattr(model.get_submodule(module), leaf)


@dataclass(frozen=True)
class Stored:
    """The values that a weight has after `store`.

    Attributes:
        values: Those that the network computes with: what was asked for, if the parametrization can give it.
        exact: They are what was asked for.
        undo: Puts the values before back.
    """

    values: Tensor
    exact: bool
    undo: Callable[[], None]


def store(model: nn.Module, name: str, tensor: Tensor, value: Tensor) -> Stored | None:
    """Put values into a weight, or the nearest that its parametrization gives; None if it takes no values.

    Spectral norm gives the values over their largest singular value. Its singular vectors are iterated until they no
    longer change, so that the weight is the same in training.

    Args:
        model: The network.
        name: Of the weight.
        tensor: The weight as the network computes with it now; it gets the new values.
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
    tensor.data.copy_(given)  # what this pass has computed already
    exact = bool(torch.allclose(given, value, rtol=1e-4, atol=1e-6 * float(value.abs().max())))
    return Stored(given, exact, undo)


def weights_of(model: nn.Module) -> Mapping[str, Tensor]:
    """Return a copy of a network's tensors."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
