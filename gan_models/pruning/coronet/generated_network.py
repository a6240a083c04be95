"""A network that runs with weights from its hypernetwork; channels below the threshold are gated off."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...groups.channel_groups import ChannelGroups
from ...groups.plan import ChannelPlan
from ...groups.surgery import copy_network, cut
from ..gates import gated_call
from .hypernetwork import Hypernetwork
from .latents import alive, gates_of


class GeneratedNetwork(nn.Module):
    """A generator for the training loop: its parameters are the hypernetwork's, and the network's ungenerated ones.

    Args:
        model: The network at full width; it is copied.
        groups: Its groups.
        hypernetwork: The hypernetwork of that network.
        floor: Minimum number of channels per group.
        gated: True if channels below the threshold are gated off in the forward pass, as after the cut; False if they
            stay until the cut (as published).
    """

    sensitivity: Tensor

    def __init__(
        self, model: nn.Module, groups: ChannelGroups, hypernetwork: Hypernetwork, floor: int, gated: bool
    ) -> None:
        super().__init__()
        self.network, self.hypernetwork = copy_network(model).requires_grad_(True), hypernetwork
        self.groups, self.floor, self.gated = groups, floor, gated
        for name in hypernetwork.names:  # a placeholder for the generated parameter with its shape
            self.network.get_parameter(name).requires_grad_(False)
        self.register_buffer("sensitivity", torch.zeros_like(hypernetwork.latents))
        self._made: tuple[tuple[int, bool], dict[str, Tensor]] | None = None
        self.gates: dict[str, Tensor] = {}
        self.refresh()

    def refresh(self) -> None:
        """Set the gates by the current latents."""
        magnitudes = self.hypernetwork.by_group(self.groups)
        floors = self.floor if self.gated else max(self.groups.sizes.values(), default=0)
        self.gates = gates_of(alive(magnitudes, floors), self.hypernetwork.latents.detach())

    def weights(self) -> dict[str, Tensor]:
        """Return the generated weights, computed once for all calls between two optimizer steps (three per cycle)."""
        key = (sum(p._version for p in self.hypernetwork.parameters()), torch.is_grad_enabled())
        if self._made is None or self._made[0] != key:
            self._made = (key, self.hypernetwork())
        return self._made[1]

    def forget(self) -> None:
        """Discard the generated weights and their graph for the gradient."""
        self._made = None

    def forward(self, *inputs: Tensor) -> Any:
        """Return the network's output with generated weights, full or gated."""
        return gated_call(self.network, self.groups, self.gates, *inputs, tensors=self.weights())

    def materialised(self, plan: ChannelPlan) -> nn.Module:
        """Return the network cut to a plan, with weights of the equally cut hypernetwork, all ordinary parameters."""
        small = cut(self.network, self.groups, plan)
        with torch.no_grad():
            for name, weight in self.hypernetwork.sliced(self.groups, plan)().items():
                small.get_parameter(name).copy_(weight)
        return small.requires_grad_(True)
