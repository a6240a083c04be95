"""Exponential moving average of weights, and the statistics of norms that fit them.

Adversarial training oscillates; the average of its weights is closer to the center (Yazici et al. 2019). The half-life
follows StyleGAN2 (Karras et al. 2020), see `Recipe.averaging`. Running statistics depend on the weights, so those of
the averaged weights are estimated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_Norm = nn.modules.batchnorm._NormBase


class AveragedWeights:
    """The average of a network's trained parameters: average <- beta average + (1 - beta) weights after each step.

    Args:
        network: The network in training; the average starts at its weights.
        beta: The decay of the average per step, 0 to 1.
    """

    def __init__(self, network: nn.Module, beta: float) -> None:
        self.network, self.beta = network, beta
        self._trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self._average = {name: each.detach().clone() for name, each in self._trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights after a step to the average."""
        torch._foreach_lerp_(list(self._average.values()), list(self._trained.values()), 1 - self.beta)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network the averaged weights inside the context, then restore its own weights and statistics."""
        own = {name: each.detach().clone() for name, each in self._trained.items()}
        statistics = [
            (buffer, buffer.clone())
            for norm in norms_of(self.network)
            for buffer in (norm.running_mean, norm.running_var, norm.num_batches_tracked)
            if buffer is not None
        ]
        self._copy(self._average)
        try:
            yield
        finally:
            self._copy(own)
            for buffer, before in statistics:
                buffer.copy_(before)

    def copy_to_networks(self) -> None:
        """Give the network the averaged weights."""
        self._copy(self._average)

    def state(self) -> dict[str, Tensor]:
        """Return the averages by parameter."""
        return dict(self._average)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the result of `state`. Raises ValueError if it belongs to another network."""
        if state.keys() != self._average.keys():
            raise ValueError("the checkpoint's averaged weights belong to another network")
        for name, value in state.items():
            self._average[name].copy_(value)

    @torch.no_grad()
    def _copy(self, weights: Mapping[str, Tensor]) -> None:
        for name, parameter in self._trained.items():
            parameter.copy_(weights[name])


def norms_of(network: nn.Module) -> list[_Norm]:
    """Return the norms with running statistics."""
    return [each for each in network.modules() if isinstance(each, _Norm) and each.running_mean is not None]


@contextmanager
def reestimated(norms: Iterable[_Norm]) -> Iterator[None]:
    """Reset the norms' statistics, and set them to the mean over the forward passes in the context.

    Only the norms are in train mode, so that dropout is off and no other buffer changes.
    """
    before = [(norm, norm.training, norm.momentum) for norm in norms]
    for norm, _, _ in before:
        norm.reset_running_stats()
        norm.momentum = None  # None: the cumulative mean
        norm.train()
    try:
        yield
    finally:
        for norm, training, momentum in before:
            norm.momentum = momentum
            norm.train(training)
