"""Simulated 8-bit arithmetic: weights and activations on their grids, with straight-through gradients.

GAN Slimming (Wang et al., ECCV 2020): linear quantizers, weights symmetric around zero with the maximum computed in
each forward pass, gradients as if there were no rounding. Its activation quantizer is the scheme `published`; `signed`,
the default, is original to ganprune (see `QuantSettings`). Biases, norms and all else stay float32.

A network is quantized by hooks on its convolutions, transposed convolutions and linears, so the network is not changed.
Hooks see the tensors that `functional_call` passes, and so the weights multiplied by gates, which a cut leaves.

torchao's fake quantization does not suffice: the published scheme of GAN Slimming must be reproduced exactly, and
ranges must follow gates and cuts, which a converted module cannot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from torch.utils.hooks import RemovableHandle

from .settings import LayerRanges, QuantSettings

CLAMP = 4.0  # maximum activation of the published scheme
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_KINDS = (*_CONVOLUTIONS, *_TRANSPOSED, nn.Linear)


class _OnGrid(torch.autograd.Function):
    """A grid: (clamp(round(x / scale), lowest, highest)) * scale; the gradient is 1 inside the clamp and 0 outside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
        steps = torch.round(x / scale)
        ctx.save_for_backward((steps >= lowest) & (steps <= highest))
        return torch.minimum(torch.maximum(steps, lowest), highest) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None, None


class _Clamped(torch.autograd.Function):
    """The published activation: round(clamp(x, 0, 4) / scale) * scale; no gradient if it was clamped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward((x >= 0) & (x <= CLAMP))
        return torch.round(x.clamp(0, CLAMP) / scale) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None


def weight_scale(weight: Tensor, settings: QuantSettings, channel_axis: int = 0) -> Tensor:
    """Return the step size of a weight's grid: largest |weight| / 127 for 8 bits.

    Args:
        weight: Weight of any shape.
        settings: Bits, and per-channel or per-tensor scales.
        channel_axis: Axis of the output channels.

    Returns:
        0-d, or [channels] if `per_channel`; 1 if all weights are 0.
    """
    size = weight.detach().abs()
    largest = size.movedim(channel_axis, 0).flatten(1).amax(1) if settings.per_channel else size.amax()
    return torch.where(largest > 0, largest / settings.weight_steps, 1.0)


def quantize_weight(weight: Tensor, settings: QuantSettings, channel_axis: int = 0) -> Tensor:
    """Return a weight on its grid, symmetric around zero; the gradient passes unchanged.

    Args: as for `weight_scale`.
    """
    scale = weight_scale(weight, settings, channel_axis)
    if settings.per_channel:
        shape = [1] * weight.ndim
        shape[channel_axis] = -1
        scale = scale.reshape(shape)
    limit = scale.new_tensor(float(settings.weight_steps))
    return _OnGrid.apply(weight, scale, -limit, limit)  # pyright: ignore[reportReturnType]


def affine_grid(low: Tensor, high: Tensor, settings: QuantSettings) -> tuple[Tensor, Tensor]:
    """Return (scale, zero point) of the signed scheme: 2^bits levels from `low` to `high`, with zero exactly on one.

    Args:
        low: Lower end, 0-d; widened to include zero.
        high: Upper end, 0-d; widened to include zero.
        settings: Settings with the bits.
    """
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = (high - low) / settings.activation_steps
    scale = torch.where(scale > 0, scale, 1.0)
    return scale, torch.round(-low / scale).clamp(0, settings.activation_steps)


def quantize_activation(x: Tensor, settings: QuantSettings, low: Tensor, high: Tensor) -> Tensor:
    """Return activations on their grid; no gradient beyond the ends of the grid.

    Args:
        x: Activations of any shape.
        settings: Bits and scheme.
        low: Lower end of the range, 0-d; the published scheme ignores it.
        high: Upper end of the range, 0-d; the published scheme ignores it.
    """
    if settings.scheme == "published":
        return _Clamped.apply(x, CLAMP / settings.activation_steps)  # pyright: ignore[reportReturnType]
    scale, zero = affine_grid(low.to(x.dtype), high.to(x.dtype), settings)
    return _OnGrid.apply(x, scale, -zero, settings.activation_steps - zero)  # pyright: ignore[reportReturnType]


def quantized_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the quantized modules by name: convolutions and linear layers whose weight is their own parameter.

    Subclasses that compute something else, and computed weights (spectral norm, other parametrizations), stay float,
    because the stored weight would differ from the quantized one. So do weights that two modules share, and the last
    layer of torch's multi-head attention, whose weight is read without a call of the layer.
    """
    uses = Counter(id(p) for module in model.modules() for p in module._parameters.values() if p is not None)
    found = {}
    for name, module in model.named_modules():
        plain = any(isinstance(module, kind) and type(module).forward is kind.forward for kind in _KINDS)
        plain = plain and not isinstance(module, NonDynamicallyQuantizableLinear)
        weight = module._parameters.get("weight")
        if plain and isinstance(weight, nn.Parameter) and uses[id(weight)] == 1:
            found[name] = module
    return found


def channel_axis(module: nn.Module) -> int:
    """Return the axis of the output channels in a module's weight."""
    return 1 if isinstance(module, _TRANSPOSED) else 0


def has_output_grid(module: nn.Module, settings: QuantSettings) -> bool:
    """Return True if a layer's output is also quantized, as a convolution's must be for integer arithmetic."""
    return settings.scheme == "signed" and isinstance(module, _CONVOLUTIONS)


class RangeSource(Protocol):
    """The source of the hooks' ranges of activations."""

    def range_of(self, layer: str, output: bool, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return minimum and maximum, 0-d, of the input or output of `layer`; `x` is its present value."""
        ...


class OwnRange:
    """The range of each batch itself."""

    def range_of(self, layer: str, output: bool, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the range of `x`."""
        low, high = torch.aminmax(x.detach())
        return low, high


class FixedRanges:
    """Fixed ranges.

    Args:
        ranges: Ranges by layer.
    """

    def __init__(self, ranges: Mapping[str, LayerRanges]) -> None:
        self.ranges = ranges

    def range_of(self, layer: str, output: bool, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fixed range. Raises ValueError for a layer without one."""
        entry = self.ranges.get(layer)
        found = None if entry is None else entry.output if output else entry.input
        if found is None:
            raise ValueError(f"layer {layer or 'itself'} has no range. Try to calibrate the network on data first")
        return x.new_tensor(found[0]), x.new_tensor(found[1])


@contextmanager
def quantized(
    model: nn.Module, settings: QuantSettings, ranges: Mapping[str, LayerRanges] | None = None
) -> Iterator[None]:
    """Run the model quantized inside the context, however it is called; its parameters do not change.

    Args:
        model: Any network.
        settings: Bits and scheme.
        ranges: Ranges of activations by layer; None: each batch's own.
    """
    handles = add_hooks(model, settings, OwnRange() if ranges is None else FixedRanges(ranges))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def quantized_call(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    settings: QuantSettings,
    tensors: Mapping[str, Tensor] | None = None,
    ranges: Mapping[str, LayerRanges] | None = None,
) -> Any:
    """Run a network quantized, once.

    Args:
        model: Any network.
        inputs: The network's inputs.
        settings: Bits and scheme.
        tensors: Parameters and buffers to use in place of its own, by name; float, quantized here.
        ranges: As for `quantized`.
    """
    with quantized(model, settings, ranges):
        return model(*inputs) if tensors is None else functional_call(model, dict(tensors), inputs)


def add_hooks(model: nn.Module, settings: QuantSettings, source: RangeSource) -> list[RemovableHandle]:
    """Add hooks that run a model quantized until their handles are removed."""
    entered: list[str] = []  # quantized layers of the current call
    handles = [model.register_forward_pre_hook(lambda *_: entered.clear(), prepend=True)]
    for name, module in quantized_layers(model).items():
        handles.append(module.register_forward_pre_hook(_before(name, settings, source, entered)))
        handles.append(module.register_forward_hook(_after(name, settings, source), always_call=True))
    return handles


def _before(name: str, settings: QuantSettings, source: RangeSource, entered: list[str]) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        entered.append(name)
        weight = module._parameters["weight"]
        assert weight is not None
        # An attribute of the instance hides the parameter of that name, which optimizers and functional_call still
        # find.
        module.__dict__["weight"] = quantize_weight(weight, settings, channel_axis(module))
        x = inputs[0]
        if settings.scheme == "published":
            kept = len(entered) == 1  # the network's input is not quantized
            return inputs if kept else (quantize_activation(x, settings, x, x), *inputs[1:])
        return (quantize_activation(x, settings, *source.range_of(name, False, x)), *inputs[1:])

    return hook


def _after(name: str, settings: QuantSettings, source: RangeSource) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | None) -> Tensor | None:
        module.__dict__.pop("weight", None)
        if output is None or not has_output_grid(module, settings):
            return output
        return quantize_activation(output, settings, *source.range_of(name, True, output))

    return hook


def quantized_bytes(model: nn.Module, settings: QuantSettings) -> int:
    """Return the bytes of a network's parameters in an int8 file: one per quantized weight, float32 for the rest.

    Each quantized weight has one float32 scale, or one per output channel; grids of activations are not parameters.
    """
    total = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    for module in quantized_layers(model).values():
        weight = module.get_parameter("weight")
        scales = weight.shape[channel_axis(module)] if settings.per_channel else 1
        total += weight.numel() * (1 - weight.element_size()) + 4 * scales
    return total
