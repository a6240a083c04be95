"""Exponential moving average of weights, and the statistics of norms that fit them.

The average of the last steps lies nearer to the center of where adversarial training circles (Yazici et al. 2019); its
half-life follows StyleGAN2 (Karras et al. 2020), see `Recipe.averaging`. Running statistics belong to the weights that
they were taken with, so for the averaged ones they are taken again.
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
        network: What is trained; the average starts at its weights.
        beta: What the average keeps per step, 0 to 1.
    """

    def __init__(self, network: nn.Module, beta: float) -> None:
        self.network, self.beta = network, beta
        self._trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self._average = {name: each.detach().clone() for name, each in self._trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        torch._foreach_lerp_(list(self._average.values()), list(self._trained.values()), 1 - self.beta)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While open, the network has the averaged weights; afterwards its own, with their statistics of norms."""
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
        """Put back what `state` gave; raise ValueError for another network's."""
        if state.keys() != self._average.keys():
            raise ValueError("the checkpoint's averaged weights are of another network")
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
    """While open, each forward pass adds its statistics to the norms'; they begin from nothing and are the mean.

    The norms alone are in train mode, so that no dropout acts and no other buffer moves.
    """
    before = [(norm, norm.training, norm.momentum) for norm in norms]
    for norm, _, _ in before:
        norm.reset_running_stats()
        norm.momentum = None  # the cumulative mean
        norm.train()
    try:
        yield
    finally:
        for norm, training, momentum in before:
            norm.momentum = momentum
            norm.train(training)
