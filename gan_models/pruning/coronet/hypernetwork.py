"""A hypernetwork with one latent per channel: differentiable meta pruning (Li et al. 2020, "DHP").

For a weight with channel axes a and b (C_in and C_out of a convolution, in the weight's own order):

    Z = z_a z_b + B0        [a, b]
    E = Z W1 + B1           [a, b, e]
    O = W2 E + B2           [a, b, k], laid out as the weight is

Every (a, b) pair has its own matrices, so removing a channel removes its rows of each tensor, and nothing else changes.
Latents are gathered by channel (`GeneratedWeight.a`, `.b`). So channels that a residual sum ties share one latent, and
a concatenation reads the latents of its parts. Positions that are never pruned have the constant latent 1. Legend: a, b
positions of a weight's channel axes, e embedding, k kernel numbers, N prunable channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...groups.channel_groups import ChannelGroups
from ...groups.plan import ChannelPlan
from .generated_weights import GeneratedWeight, generated_weights, kept_positions

# `copy_teacher` divides by a latent's initial value. Below this share of the largest one, weights would change too much
# at the first step.
MIN_INITIAL_WEIGHT = 0.1


class WeightHypernetwork(nn.Module):
    """A hypernetwork of one weight.

    Args:
        weight: The weight.
        embedding: Embedding size e.
    """

    a: Tensor
    b: Tensor

    def __init__(self, weight: GeneratedWeight, embedding: int) -> None:
        super().__init__()
        n_a, n_b, k = len(weight.a), len(weight.b), weight.kernel
        self.weight, self.embedding = weight, embedding
        self.register_buffer("a", torch.from_numpy(weight.a), persistent=False)
        self.register_buffer("b", torch.from_numpy(weight.b), persistent=False)
        self.B0 = nn.Parameter(torch.zeros(n_a, n_b))
        self.W1 = nn.Parameter(torch.zeros(n_a, n_b, embedding))
        self.B1 = nn.Parameter(torch.zeros(n_a, n_b, embedding))
        # One axis for e and k, so that "channels last" does not treat the tensor as images.
        self.W2 = nn.Parameter(torch.zeros(n_a, n_b, embedding * k))
        self.B2 = nn.Parameter(torch.zeros(n_a, n_b, k))

    def draw(self, generator: torch.Generator) -> None:
        """Draw the published initial values: W1 ~ U(+-sqrt 3), W2 ~ U(+-sqrt(3 / (e C_in k^2))), no biases."""
        with torch.no_grad():
            self.W1.uniform_(-math.sqrt(3), math.sqrt(3), generator=generator)
            bound = math.sqrt(3 / (self.embedding * self.weight.fan_in))
            self.W2.uniform_(-bound, bound, generator=generator)

    def copy_teacher(self, weight: Tensor, latents: Tensor, coupling: float, generator: torch.Generator) -> None:
        """Set all parameters so that `forward(latents)` is a given weight T. Original to ganprune.

        The first embedding carries T, scaled by the latents relative to their initial values: O = T (1 + coupling (Z -
        Z_start) / max(Z_start, c)). B2 is the remainder to T. The other embeddings start without effect (W2 = 0) and
        with the published W1, so that they learn.

        Args:
            weight: T, in its own layout.
            latents: [1 + N], as in `forward`.
            coupling: Share of T that depends on the latents. At 1, a latent of zero gives a slice of zeros; at 0,
                latents have no effect until W2 has learned.
            generator: Random numbers of W1.
        """
        teacher = self._by_pair(weight.detach()).to(self.B2)
        with torch.no_grad():
            self.draw(generator)
            start = latents[self.a][:, None] * latents[self.b][None, :]
            self.W1[..., 0] = 1 / start.clamp(min=MIN_INITIAL_WEIGHT * float(latents.abs().max()) ** 2)
            self.W2.zero_()
            self.W2[..., : self.weight.kernel] = coupling * teacher
            self.B2.zero_()
            self.B2.copy_(teacher - self._by_pair(self(latents)))

    def forward(self, latents: Tensor) -> Tensor:
        """Return the weight in its own layout, from latents [1 + N], entry 0 the constant 1."""
        Z_ab = latents[self.a][:, None] * latents[self.b][None, :] + self.B0
        E_abe = Z_ab[..., None] * self.W1 + self.B1
        W2_abek = self.W2.unflatten(-1, (self.embedding, self.weight.kernel))
        O_abk = (W2_abek * E_abe[..., None]).sum(2) + self.B2
        first, second = self.weight.axes
        kernel = [n for axis, n in enumerate(self.weight.shape) if axis not in (first, second)]
        return O_abk.unflatten(-1, kernel or (1,)).movedim((0, 1), (first, second)).reshape(self._shape())

    def _shape(self) -> tuple[int, ...]:
        first, second = self.weight.axes
        own = {first: len(self.weight.a), second: len(self.weight.b)}
        return tuple(own.get(axis, n) for axis, n in enumerate(self.weight.shape))

    def _by_pair(self, weight: Tensor) -> Tensor:
        """Return a weight in its own layout as [a, b, k]."""
        return weight.movedim(self.weight.axes, (0, 1)).flatten(2) if weight.ndim > 2 else weight.unsqueeze(-1)

    def sliced(self, mask: NDArray[np.bool_]) -> WeightHypernetwork:
        """Return the hypernetwork of the cut weight: rows of dropped channels removed, nothing else changed."""
        old = self.weight
        rows, a = kept_positions(old.a, mask)
        columns, b = kept_positions(old.b, mask)
        own = {old.axes[0]: len(a), old.axes[1]: len(b)}
        shape = tuple(own.get(axis, n) for axis, n in enumerate(old.shape))
        new = WeightHypernetwork(GeneratedWeight(old.name, shape, old.axes, a, b, old.fan_in), self.embedding)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                at = parameter.device
                kept = parameter[torch.from_numpy(rows).to(at)][:, torch.from_numpy(columns).to(at)]
                new.get_parameter(name).data = kept.clone()
        return new.to(self.B0.device)


class Hypernetwork(nn.Module):
    """Latents of all prunable channels, and the layers that generate a network's weights from them.

    Args:
        model: The network at full width; it is not changed or kept.
        groups: Its groups.
        embedding: Embedding size e.

    Attributes:
        latents: Latents [N], in the order of the groups.
    """

    def __init__(self, model: nn.Module, groups: ChannelGroups, embedding: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.ones(sum(groups.sizes.values())))
        self.layers = nn.ModuleList(WeightHypernetwork(w, embedding) for w in generated_weights(model, groups))

    def draw(self, seed: int) -> None:
        """Draw the published initial values: latents ~ N(0, 1), layers as `WeightHypernetwork.draw`."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.latents.normal_(generator=generator)
        for layer in self._layers():
            layer.draw(generator)

    def copy_teacher(self, model: nn.Module, latents: Tensor, coupling: float, seed: int) -> None:
        """Reproduce the teacher's weights, to float32 rounding, from given latents [N]; see `WeightHypernetwork`."""
        generator = torch.Generator().manual_seed(seed)
        tensors = dict(model.named_parameters())
        with torch.no_grad():
            self.latents.copy_(latents)
        for layer in self._layers():
            layer.copy_teacher(tensors[layer.weight.name], self._with_constant().detach(), coupling, generator)

    def forward(self) -> dict[str, Tensor]:
        """Return all generated weights by parameter name; in full precision also under autocast."""
        with torch.autocast(self.latents.device.type, enabled=False):
            latents = self._with_constant()
            return {layer.weight.name: layer(latents) for layer in self._layers()}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the generated parameters."""
        return tuple(layer.weight.name for layer in self._layers())

    def sliced(self, groups: ChannelGroups, plan: ChannelPlan) -> Hypernetwork:
        """Return the hypernetwork of the network cut to a plan: it generates exactly the cut weights."""
        mask = groups.mask(plan)
        new = Hypernetwork.__new__(Hypernetwork)
        nn.Module.__init__(new)
        new.latents = nn.Parameter(self.latents.detach()[torch.from_numpy(mask[1:]).to(self.latents.device)])
        new.layers = nn.ModuleList(layer.sliced(mask) for layer in self._layers())
        return new

    def numbers(self) -> int:
        """Return the number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def by_group(self, groups: ChannelGroups) -> Mapping[str, NDArray[np.float64]]:
        """Return |latent| of every channel: group name -> float64 [size]."""
        magnitudes = self.latents.detach().abs().double().cpu().numpy()
        return {name: magnitudes[groups.offsets[name] :][:size] for name, size in groups.sizes.items()}

    def _layers(self) -> list[WeightHypernetwork]:
        return [layer for layer in self.layers if isinstance(layer, WeightHypernetwork)]

    def _with_constant(self) -> Tensor:
        return torch.cat([self.latents.new_ones(1), self.latents])
