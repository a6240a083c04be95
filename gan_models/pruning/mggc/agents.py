"""Pruning agents: networks that choose the channels to keep, and exchange feedback.

From the abstract: two pruning agents, one for the generator and one for the discriminator, collaborate by exchanging
feedback. Their architecture is unpublished. This reconstruction follows the same authors' released agent code
(Interpretations Steered Pruning, ECCV 2022): fixed orthogonal inputs, a bidirectional GRU over the groups, layer norm,
one weight-normed linear map per group, Gumbel-sigmoid gates with temperature and offset, straight-through. Original to
ganprune: the form of the feedback, logits relative to their first value, and the prior.

Shapes: G groups, C channels of all groups, E = 256 entries of a summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

OFFSET = 3.0  # all channels start as kept: P(keep) = 1 - exp(-exp(3)) at logit 0
HIDDEN = 128
INPUT = 64
SUMMARY = 2 * HIDDEN


class StraightThrough(torch.autograd.Function):
    """A straight-through estimator: hard gates in the forward pass, the soft gates' gradient in the backward pass."""

    @staticmethod
    def forward(ctx: Any, soft: Tensor, hard: Tensor) -> Tensor:  # noqa: D102
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        return grad_outputs[0], None


class RecurrentAgent(nn.Module):
    """An agent that maps its groups and the other agent's feedback to the logits of every channel.

    Args:
        sizes: Number of channels by group, in the order of the graph.
        seed: Seed of its weights and fixed inputs.
        prior: Term added to the logits [C]; None: none.
    """

    inputs: Tensor
    start: Tensor
    prior: Tensor
    rate = 1.0  # learning rate of the prior, relative to the setting

    def __init__(self, sizes: Mapping[str, int], seed: int, prior: Tensor | None = None) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        n_channels = sum(sizes.values())
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.register_buffer("inputs", nn.init.orthogonal_(torch.empty(len(sizes), INPUT))[:, None])
            self.gru = nn.GRU(2 * INPUT, HIDDEN, bidirectional=True)
            self.norm = nn.LayerNorm(SUMMARY)
            self.heads = nn.ModuleList(weight_norm(nn.Linear(SUMMARY, n, bias=False)) for n in sizes.values())
            self.listen = nn.Linear(SUMMARY, INPUT, bias=False)
        self.register_buffer("start", torch.zeros(n_channels))
        self.register_buffer("prior", torch.zeros(n_channels) if prior is None else prior.float())

    def forward(self, peer_E: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits [C] and its own summary [E]; the peer's summary (None: none) is taken without gradient."""
        raw, summary = self._raw(peer_E)
        return raw - self.start + self.prior, summary

    def settle(self, peer_E: Tensor | None = None) -> None:
        """Subtract the present logits from now on, so that training begins at the prior and not at noise."""
        with torch.no_grad():
            self.start.copy_(self._raw(peer_E)[0])

    def _raw(self, peer_E: Tensor | None) -> tuple[Tensor, Tensor]:
        n_groups = len(self.inputs)
        if peer_E is None:
            heard = self.inputs.new_zeros(n_groups, 1, INPUT)
        else:
            heard = self.listen(peer_E.detach()).expand(n_groups, 1, INPUT)
        states = self.norm(self.gru(torch.cat([self.inputs, heard], 2))[0][:, 0])
        raw = torch.cat([head(state) for head, state in zip(self.heads, torch.relu(states), strict=True)])
        return raw, states.mean(0)


class FreeLogits(nn.Module):
    """The ablation of agents: one free number per channel, no network, no feedback.

    Args:
        sizes: Number of channels by group.
        seed: Not used, because nothing is random.
        prior: Term added to the logits [C].
    """

    prior: Tensor
    # A step of Adam moves a logit of the recurrent agent by about a hundred learning rates: its head has 256 weights
    # and half of their inputs are zero. Free logits move at the same rate, so that the ablation compares agents, not
    # rates.
    rate = 100.0

    def __init__(self, sizes: Mapping[str, int], seed: int, prior: Tensor | None = None) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.logits = nn.Parameter(torch.zeros(sum(sizes.values())))
        self.register_buffer("prior", torch.zeros_like(self.logits) if prior is None else prior.float())

    def forward(self, peer_E: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits [C], and a summary [E] of zeros."""
        return self.logits + self.prior, torch.zeros(SUMMARY, device=self.logits.device)

    def settle(self, peer_E: Tensor | None = None) -> None:
        """Do nothing: the logits start at zero."""


AGENTS: Mapping[str, type[RecurrentAgent] | type[FreeLogits]] = {"gru": RecurrentAgent, "logits": FreeLogits}


def gumbel_noise(logits: Tensor) -> Tensor:
    """Return one Gumbel(0, 1) number per channel from torch's global random numbers, drawn on the CPU."""
    uniform = torch.rand(logits.shape).clamp(1e-10, 1 - 1e-7)
    return -(-uniform.log()).log().to(logits.device)


def gates(
    logits: Tensor, sizes: Mapping[str, int], temperature: float, floor: int = 1, noise: Tensor | None = None
) -> dict[str, Tensor]:
    """Return gates of 0 and 1 by group: hard(sigmoid((logits + noise + 3) / temperature)), with the soft gradient.

    Args:
        logits: Logits [C].
        sizes: Number of channels by group.
        temperature: Temperature of the sigmoid.
        floor: Number of strongest channels per group that are always kept.
        noise: Gumbel noise [C]; None: the agent's own plan.
    """
    total = logits + OFFSET if noise is None else logits + OFFSET + noise
    soft = torch.sigmoid(total / temperature)
    hard = (total >= 0).to(logits.dtype)
    result = {}
    sides = [t.split(list(sizes.values())) for t in (total, soft, hard)]
    for name, size, total_g, soft_g, hard_g in zip(sizes, sizes.values(), *sides, strict=True):
        if float(hard_g.sum()) < min(floor, size):
            hard_g = hard_g.clone()
            hard_g[total_g.detach().argsort(descending=True, stable=True)[: min(floor, size)]] = 1
        result[name] = StraightThrough.apply(soft_g, hard_g)
    return result
