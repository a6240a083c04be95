"""Parts that all full-width builders share: norms by name, checked arguments, initial weights."""

from collections.abc import Sequence

import torch
from torch import nn

from ..files.errors import UserError

NORMS = ("batch", "instance")


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise UserError(f"{name}={value!r} is not known: use one of {', '.join(map(repr, allowed))}")


def check_count(name: str, value: object, at_least: int = 1) -> None:
    """Raise ValueError unless `value` is a whole number of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise UserError(f"{name}={value!r} must be a whole number of at least {at_least}")


def check_flag(name: str, value: object) -> None:
    """Raise ValueError unless `value` is true or false."""
    if not isinstance(value, bool):
        raise UserError(f"{name}={value!r} must be true or false")


def check_added(input_channels: object, output_channels: object) -> None:
    """Raise UserError unless an image of the input's channels can be added to one of the output's."""
    check_count("input_channels", input_channels)
    check_count("output_channels", output_channels)
    if input_channels not in (1, output_channels):
        raise UserError(
            f"the enlarged input is added to the output: got input_channels={input_channels} and "
            f"output_channels={output_channels}; expected input_channels={output_channels}, or 1"
        )


def norm2d(norm: str, channels: int, *, affine: bool = False) -> nn.Module:
    """Norm over the channels of an (N, C, H, W) map, as upstream configures it.

    Args:
        norm: "batch" (always affine, running statistics) or "instance" (no running statistics).
        channels: C.
        affine: whether InstanceNorm has a scale and a shift; BatchNorm always has both.

    Raises:
        ValueError: `norm` is not one of `NORMS`.
    """
    check_choice("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=affine, track_running_stats=False)


def needs_bias(norm: str) -> bool:
    """Return if a convolution in front of this norm has a bias (upstream: InstanceNorm only).

    A bias in front of an InstanceNorm without shift has no effect; it is kept because upstream's
    checkpoints hold it.
    """
    return norm == "instance"


def initialize_normal(model: nn.Module, std: float = 0.02) -> None:
    """Set the initial weights of pix2pix and CycleGAN: N(0, std), biases 0, BatchNorm scales N(1, std)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)


def initialize_xavier(model: nn.Module, gain: float = 1.0) -> None:
    """Set the initial weights of SNGAN: Xavier uniform, biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def initialize_scaled(model: nn.Module, scale: float = 0.1) -> None:
    """Draw initial weights of deep networks without norm: Kaiming normal times `scale`, biases 0 (Wang et al. 2018)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            with torch.no_grad():
                module.weight.mul_(scale)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
