"""Random weights of moderate size, under which no mistake of a cut hides: neither zeros nor saturated outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NORMS = (nn.modules.batchnorm._NormBase,)


def randomize(model: nn.Module, seed: int, gain: float = 1.0) -> None:
    """Give a network random weights in place.

    Weights that a builder drew are scaled, so that spectral norms still fit them; what is constant, as biases of zero
    and scales of one, is drawn. Statistics of norms are drawn, variances above zero. Parameters that need no gradient
    are constants of the network, and stay.

    Args:
        model: With values.
        seed: Of what is drawn.
        gain: Size of what a layer gives by the size of what it takes, about.
    """
    random = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and parameter.is_floating_point() and parameter.numel():
                _redraw(parameter, random, gain)
        for module in model.modules():
            if isinstance(module, _NORMS) and module.running_mean is not None and module.running_var is not None:
                module.running_mean.copy_(0.3 * _normal(module.running_mean, random))
                module.running_var.copy_(0.5 + _uniform(module.running_var, random))


def _redraw(parameter: Tensor, random: torch.Generator, gain: float) -> None:
    spread = float(parameter.max() - parameter.min())
    if parameter.ndim < 2:
        if spread == 0:
            center = float(parameter.flatten()[0])
            sign = 1 if center else _normal(parameter, random).sign()
            parameter.copy_((center or 0.5) * sign * (0.5 + _uniform(parameter, random)))
        return
    size = gain * (parameter.numel() / len(parameter)) ** -0.5  # of the weights of one output, about
    if spread == 0:
        parameter.copy_(size * _normal(parameter, random))
    elif (deviation := float(parameter.std())) > 0:
        parameter.mul_(size / deviation)


def _normal(like: Tensor, random: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=random).to(like)


def _uniform(like: Tensor, random: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=random).to(like)
