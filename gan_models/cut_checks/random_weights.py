"""Random weights of moderate size that reveal a wrong cut: neither zeros nor saturated outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NORMS = (nn.modules.batchnorm._NormBase,)


def randomize(model: nn.Module, seed: int, gain: float = 1.0) -> None:
    """Give a network random weights in place.

    Weights that a builder drew are scaled, so that spectral norms still fit them. Constant parameters, such as biases
    of zero and scales of one, are drawn. So are statistics of norms, with variances above zero. Parameters without a
    gradient are constants of the network, and unchanged.

    Args:
        model: The network with values.
        seed: Seed of the draws.
        gain: Approximate ratio of a layer's output size to its input size.
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
    size = gain * (parameter.numel() / len(parameter)) ** -0.5  # approximately the norm of the weights of one output
    if spread == 0:
        parameter.copy_(size * _normal(parameter, random))
    elif (deviation := float(parameter.std())) > 0:
        parameter.mul_(size / deviation)


def _normal(like: Tensor, random: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=random).to(like)


def _uniform(like: Tensor, random: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=random).to(like)
