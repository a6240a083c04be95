"""A network that runs with the weights its hypernetwork generates, channels under the threshold gated out."""

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
    """A generator for the training loop: its parameters are the hypernetwork's, and the network's that none makes.

    Args:
        model: The network at full width; it is copied.
        groups: Its groups.
        hypernetwork: Of that network.
        floor: Fewest channels of a group.
        gated: Whether channels under the threshold are gated out of the forward pass, as the cut will leave them
            out; without, they stay until the cut (as published).
    """

    sensitivity: Tensor

    def __init__(
        self, model: nn.Module, groups: ChannelGroups, hypernetwork: Hypernetwork, floor: int, gated: bool
    ) -> None:
        super().__init__()
        self.network, self.hypernetwork = copy_network(model).requires_grad_(True), hypernetwork
        self.groups, self.floor, self.gated = groups, floor, gated
        for name in hypernetwork.names:  # stands in for the generated one, and keeps its shape
            self.network.get_parameter(name).requires_grad_(False)
        self.register_buffer("sensitivity", torch.zeros_like(hypernetwork.latents))
        self._made: tuple[tuple[int, bool], dict[str, Tensor]] | None = None
        self.gates: dict[str, Tensor] = {}
        self.refresh()

    def refresh(self) -> None:
        """Sets the gates by the latents as they are now."""
        magnitudes = self.hypernetwork.by_group(self.groups)
        floors = self.floor if self.gated else max(self.groups.sizes.values(), default=0)
        self.gates = gates_of(alive(magnitudes, floors), self.hypernetwork.latents.detach())

    def weights(self) -> dict[str, Tensor]:
        """The generated weights; made once for all calls between two optimizer steps (a cycle calls three times)."""
        key = (sum(p._version for p in self.hypernetwork.parameters()), torch.is_grad_enabled())
        if self._made is None or self._made[0] != key:
            self._made = (key, self.hypernetwork())
        return self._made[1]

    def forget(self) -> None:
        """Lets go of the generated weights and what they hold for the gradient."""
        self._made = None

    def forward(self, *inputs: Tensor) -> Any:
        """The network's output with generated weights, full or gated."""
        return gated_call(self.network, self.groups, self.gates, *inputs, tensors=self.weights())

    def materialised(self, plan: ChannelPlan) -> nn.Module:
        """The network cut to a plan, with the weights of the equally cut hypernetwork, all ordinary parameters."""
        small = cut(self.network, self.groups, plan)
        with torch.no_grad():
            for name, weight in self.hypernetwork.sliced(self.groups, plan)().items():
                small.get_parameter(name).copy_(weight)
        return small.requires_grad_(True)
