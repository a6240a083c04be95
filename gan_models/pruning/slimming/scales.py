"""One scale per channel, which slimming shrinks: on the inputs of its consumers, or in the norm after its writer.

On consumers, a scale is a gate with a real value (`gates.py`). Any network has such sites, a scale of 0 equals the cut,
and scales are finally folded into the weights that read the channels. In a norm the scale is the norm's own affine
weight (GAN Slimming's published form); a group has such a site only if setting scale and shift of its one norm to zero
equals cutting.

C is the number of all groups' channels, in the order of the groups.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...groups.channel_groups import ChannelGroups
from ...groups.surgery import copy_network
from ..gates import gated_call, gated_tensors, plan_gates

_PER_CHANNEL = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
_ROUNDING_TOLERANCE = (
    1e-3  # relative difference of outputs that float32 may cause; a wrong site differs by the order of 1
)


class Scales:
    """The sites of all channels' scales, and the tensors of a network with given scales.

    A scale on consumers acts as sign(s) min(|s| / knee, 1). The L1 norm makes all scales small, including those of kept
    channels, and unevenly faded channels are a poor start for fine-tuning. One seed measured 7 to 36 without the knee,
    over several other changes, and 5.8 to 7.0 with it. With a knee, only channels close to removal are faded. A knee of
    1 is s itself.

    Args:
        groups: Groups of the network.
        norms: Group -> name of the norm weight that is its scale; other groups have scales on their consumers.
        knee: Knee in (0, 1]; not used for scales in norms.
    """

    def __init__(self, groups: ChannelGroups, norms: Mapping[str, str] | None = None, knee: float = 1.0) -> None:
        self.groups, self.norms, self.knee = groups, dict(norms or {}), knee
        self.size = sum(groups.sizes.values())
        self._in_norms = {parameter: self._span(group) for group, parameter in self.norms.items()}

    def start(self, model: nn.Module) -> Tensor:
        """Return the initial scales [C]: 1 on consumers; in a norm, its own weight."""
        start = torch.ones(self.size)
        own = dict(model.named_parameters())
        for name, span in self._in_norms.items():
            start[span] = own[name].detach().float().cpu()
        return start

    def gates(self, scales_C: Tensor) -> Tensor:
        """Return the gates [1 + C]; 1 if the scale is in a norm."""
        gates = scales_C if self.knee >= 1 else _faded(scales_C, self.knee)
        if self._in_norms:
            in_norm = torch.zeros(len(gates), dtype=torch.bool, device=gates.device)
            for span in self._in_norms.values():
                in_norm[span] = True
            gates = torch.where(in_norm, torch.ones_like(gates), gates)
        return torch.cat([gates.new_ones(1), gates])

    def tensors(self, model: nn.Module, scales_C: Tensor) -> dict[str, Tensor]:
        """Return all parameters and buffers of the network under these scales; differentiable in weights and scales."""
        own = dict(model.named_parameters()) | dict(model.named_buffers())
        own |= {name: scales_C[span] for name, span in self._in_norms.items()}
        return own | gated_tensors(self.groups, own, self.gates(scales_C)) if self.size else own

    def folded(self, model: nn.Module, scales_C: Tensor) -> nn.Module:
        """Return a copy without scales that computes the same as the network with them, ready to be cut.

        A kept channel of scale 0 reads as zero and can be trained again.
        """
        new = copy_network(model)
        own = dict(new.named_parameters()) | dict(new.named_buffers())
        with torch.no_grad():
            for name, span in self._in_norms.items():
                own[name].copy_(scales_C[span])
            for name, tensor in gated_tensors(_exact(self.groups), own, self.gates(scales_C)).items():
                own[name].copy_(tensor)
        return new

    def by_group(self, values_C: Tensor) -> dict[str, np.ndarray]:
        """Return group -> float64 [size]."""
        values = values_C.detach().double().cpu().numpy()
        return {name: values[self._span(name)] for name in self.groups.names}

    def _span(self, group: str) -> slice:
        start = self.groups.offsets[group]
        return slice(start, start + self.groups.sizes[group])


def _faded(scales: Tensor, knee: float) -> Tensor:
    """Return sign(s) min(|s| / knee, 1); above the knee the gradient is that of s itself: scales keep learning."""
    straight = scales.sign().detach() + (scales - scales.detach())
    return torch.where(scales.abs() < knee, scales / knee, straight)


def _exact(groups: ChannelGroups) -> ChannelGroups:
    """Return the groups with the consumers that a real value scales exactly; others allow gates of 0 and 1 only."""
    return ChannelGroups(**{**vars(groups), "gates": tuple(gate for gate in groups.gates if not gate[1]), "masks": ()})


def norm_sites(model: nn.Module, groups: ChannelGroups, example: tuple[Tensor, ...]) -> dict[str, str]:
    """Return the groups whose scale can be the weight of a norm: group name -> parameter name.

    Such a group has one layer that writes it, followed by one affine norm per channel. With scale and shift of half of
    its channels at zero, the network's output equals that with these channels cut. So nothing reads the channels before
    the norm, and the activation after it maps 0 to 0.

    Args:
        model: The network; not changed.
        groups: Its groups.
        example: A batch of two or more, for the comparison.
    """
    found = {}
    for group in groups.groups:
        span = np.arange(1 + groups.offsets[group.name], 1 + groups.offsets[group.name] + group.size)
        norms = [name for name, flat in groups.norms if np.isin(flat, span).any()]
        writers = [w for w in groups.writes if np.isin(w.flat, span).any() and _axes(model, w.parameter) > 1]
        if len(norms) != 1 or len(writers) != 1 or not _is_affine(model.get_submodule(norms[0])):
            continue
        flat = dict(groups.norms)[norms[0]]
        if len(flat) == group.size and (flat == span).all():
            found[group.name] = f"{norms[0]}.weight"
    if found and not _cuts_alike(model, groups, found, example):
        found = {name: weight for name, weight in found.items() if _cuts_alike(model, groups, {name: weight}, example)}
    return found


def _axes(model: nn.Module, parameter: str) -> int:
    return dict(model.named_parameters())[parameter].ndim


def _is_affine(module: nn.Module) -> bool:
    return isinstance(module, _PER_CHANNEL) and isinstance(module.weight, nn.Parameter)


def _cuts_alike(model: nn.Module, groups: ChannelGroups, norms: Mapping[str, str], example: tuple[Tensor, ...]) -> bool:
    quiet = copy_network(model).eval()
    own = dict(quiet.named_parameters()) | dict(quiet.named_buffers())
    gates = plan_gates(groups, groups.full_plan(), next(quiet.parameters()))
    silenced = dict(own)
    for group, weight in norms.items():
        gates[group][::2] = 0
        for name in (weight, f"{weight.removesuffix('weight')}bias"):
            silenced[name] = own[name] * gates[group]
    with torch.no_grad():
        expected = gated_call(quiet, groups, gates, *example)
        given = functional_call(quiet, silenced, example)
    return float((given - expected).abs().max()) <= _ROUNDING_TOLERANCE * max(1.0, float(expected.abs().max()))
