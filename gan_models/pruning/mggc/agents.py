"""Pruning agents: networks that say which channels of a network stay, and tell each other what they think.

From the abstract: two pruning agents, one for the generator and one for the discriminator, collaborate by exchanging
feedback. Their inside is not known to us. Our reconstruction follows the same authors' released agent code
(Interpretations Steered Pruning, ECCV 2022): fixed orthogonal inputs, a bidirectional GRU over the groups, layer norm,
one weight-normed linear map a group, Gumbel-sigmoid gates with temperature and offset, straight-through. Ours alone:
the form of the feedback, logits relative to their first value, and the prior.

Shapes: G groups, C channels of all groups, E = 256 numbers of a summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

OFFSET = 3.0  # everything starts kept: P(keep) = 1 - exp(-exp(3)) at logit 0
HIDDEN = 128
INPUT = 64
SUMMARY = 2 * HIDDEN


class StraightThrough(torch.autograd.Function):
    """Gives the hard gates exactly, and their gradient to the soft ones."""

    @staticmethod
    def forward(ctx: Any, soft: Tensor, hard: Tensor) -> Tensor:  # noqa: D102
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        return grad_outputs[0], None


class RecurrentAgent(nn.Module):
    """One agent: logits of every channel from what it knows of its groups and what the other agent says.

    Args:
        sizes: Channels by group, in the order of the graph.
        seed: Of its weights and fixed inputs.
        prior: Added to the logits [C]; None adds nothing.
    """

    inputs: Tensor
    start: Tensor
    prior: Tensor
    rate = 1.0  # its learning rate, relative to the setting

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
        """Logits [C] and its own summary [E]; the peer's summary is taken without gradient, None is silence."""
        raw, summary = self._raw(peer_E)
        return raw - self.start + self.prior, summary

    def settle(self, peer_E: Tensor | None = None) -> None:
        """Makes the present answer the zero of its logits, so that training begins at the prior and not at noise."""
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
    """The ablation: one free number a channel, no network, nothing heard and nothing said.

    Args:
        sizes: Channels by group.
        seed: Not used; it draws nothing.
        prior: Added to the logits [C].
    """

    prior: Tensor
    # A step of Adam moves a logit of the recurrent agent by about a hundred learning rates: its head has 256 weights
    # and half of their inputs are zero. The free ones keep that pace, so that the ablation compares agents, not rates.
    rate = 100.0

    def __init__(self, sizes: Mapping[str, int], seed: int, prior: Tensor | None = None) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.logits = nn.Parameter(torch.zeros(sum(sizes.values())))
        self.register_buffer("prior", torch.zeros_like(self.logits) if prior is None else prior.float())

    def forward(self, peer_E: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits [C], and a summary [E] of zeros."""
        return self.logits + self.prior, torch.zeros(SUMMARY, device=self.logits.device)

    def settle(self, peer_E: Tensor | None = None) -> None:
        """Nothing: it starts at zero."""


AGENTS: Mapping[str, type[RecurrentAgent] | type[FreeLogits]] = {"gru": RecurrentAgent, "logits": FreeLogits}


def gumbel_noise(logits: Tensor) -> Tensor:
    """One Gumbel(0, 1) number a channel from torch's global random numbers, drawn on the CPU."""
    uniform = torch.rand(logits.shape).clamp(1e-10, 1 - 1e-7)
    return -(-uniform.log()).log().to(logits.device)


def gates(
    logits: Tensor, sizes: Mapping[str, int], temperature: float, floor: int = 1, noise: Tensor | None = None
) -> dict[str, Tensor]:
    """Gates of 0 and 1 by group: hard(sigmoid((logits + noise + 3) / temperature)), the gradient of the soft ones.

    Args:
        logits: [C].
        sizes: Channels by group.
        temperature: Of the sigmoid.
        floor: The strongest channels of a group that stay whatever their logits are.
        noise: Gumbel noise [C]; None gives the agent's own plan.
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
