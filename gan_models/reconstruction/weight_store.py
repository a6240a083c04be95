"""Weights of a network by name: those that parametrizations compute are read, and written where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


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


def store(model: nn.Module, name: str, tensor: Tensor, value: Tensor) -> bool:
    """Put values into a weight; return False, and change nothing, if its parametrization cannot give them."""
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    if not parametrize.is_parametrized(module, leaf):
        tensor.data.copy_(value)
        return True
    own = module.get_submodule(f"parametrizations.{leaf}")
    assert isinstance(own, parametrize.ParametrizationList)
    before = {key: entry.detach().clone() for key, entry in own.state_dict().items()}
    try:
        own.right_inverse(value)
        same = torch.allclose(type(own).forward(own), value, rtol=1e-4, atol=1e-6 * float(value.abs().max()))
    except (NotImplementedError, RuntimeError, ValueError):
        same = False
    if not same:
        own.load_state_dict(before)
        return False
    tensor.data.copy_(value)  # what this pass has computed already
    return True


def weights_of(model: nn.Module) -> Mapping[str, Tensor]:
    """Return a copy of a network's tensors."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
