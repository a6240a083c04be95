"""Training and calibration of quantized networks, which determine the ranges of activations."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..files.errors import UserError
from .fake_quant import add_hooks, has_output_grid, quantized_layers
from .settings import LayerRanges, Quantization, QuantSettings

BUFFER = "activation_ranges"
MOMENTUM = 0.1


class Quantizer:
    """A context that runs a network quantized until it is detached; ranges are updated in train mode.

    A range moves a tenth of the way to each training batch's own, and is constant in eval mode. Ranges are in a buffer
    of the network, and so in training checkpoints; its parameters and their names do not change.

    Args:
        model: Any network; the buffer is added to it.
        settings: Bits and scheme.
        quantization: Initial ranges; None: those of the first batch.

    Raises:
        ValueError: No layer of the network can be quantized, or it is quantized already.
    """

    def __init__(self, model: nn.Module, settings: QuantSettings, quantization: Quantization | None = None) -> None:
        if BUFFER in model._buffers:
            raise ValueError("the network is quantized already")
        self.model, self.settings = model, settings
        self._layers = quantized_layers(model)
        self._index = {name: i for i, name in enumerate(self._layers)}
        if not self._layers:
            raise UserError(f"{type(model).__name__} has no convolution or linear that can be quantized")
        ranges = torch.full((len(self._layers), 2, 2), math.nan)
        for name, entry in (quantization.ranges if quantization else {}).items():
            ranges[self._index[name], 0] = torch.tensor(entry.input)
            if entry.output is not None:
                ranges[self._index[name], 1] = torch.tensor(entry.output)
        device = next(iter(self._layers.values())).get_parameter("weight").device
        model.register_buffer(BUFFER, ranges.to(device))
        self._handles = add_hooks(model, settings, self)

    def range_of(self, layer: str, output: bool, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the range of a layer's input or output; in train mode it first moves towards that of `x`."""
        ranges = self.model._buffers[BUFFER]
        assert ranges is not None
        entry = ranges[self._index[layer], int(output)]
        if self.model.training:
            with torch.no_grad():
                now = torch.stack(torch.aminmax(x.detach())).to(entry)
                entry.copy_(torch.where(entry.isnan(), now, entry + MOMENTUM * (now - entry)))
        low, high = entry.clone()
        return low, high

    def quantization(self) -> Quantization:
        """Return the present settings and ranges; layers that never ran are omitted."""
        ranges = self.model._buffers[BUFFER]
        assert ranges is not None
        found = {}
        for name, ((low, high), output) in zip(self._layers, ranges.tolist(), strict=True):
            if math.isfinite(low) and math.isfinite(high):
                known = all(map(math.isfinite, output))
                found[name] = LayerRanges((low, high), (output[0], output[1]) if known else None)
        return Quantization(self.settings, found)

    def detach(self) -> Quantization:
        """Restore the float network with its present weights; return the settings and ranges of its quantization."""
        found = self.quantization()
        for handle in self._handles:
            handle.remove()
        self.model._buffers.pop(BUFFER, None)
        return found


def calibrate(
    model: nn.Module, settings: QuantSettings, batches: Iterable[Tensor | tuple[Tensor, ...]]
) -> Quantization:
    """Return the ranges of a trained float network: the mean over batches of each batch's minimum and maximum.

    Args:
        model: The float network, run in eval mode; not changed.
        settings: Bits and scheme; the published scheme needs no ranges.
        batches: The network's inputs from the training data; tuples if it takes several tensors.

    Raises:
        ValueError: There is no batch, or no layer that can be quantized.
    """
    layers = quantized_layers(model)
    if not layers:
        raise UserError(f"{type(model).__name__} has no convolution or linear that can be quantized")
    seen: dict[tuple[str, bool], list[Tensor]] = {}

    def watch(name: str, output: bool):
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], given: Tensor | None = None) -> None:
            x = inputs[0] if given is None else given
            seen.setdefault((name, output), []).append(torch.stack(torch.aminmax(x.detach().float())).cpu())

        return hook

    handles = []
    for name, module in layers.items():
        handles.append(module.register_forward_pre_hook(watch(name, False)))
        if has_output_grid(module, settings):
            handles.append(module.register_forward_hook(watch(name, True)))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                model(*batch) if isinstance(batch, tuple) else model(batch)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    if not seen:
        raise ValueError("calibration has no data: got no batch; expected at least one")
    means = {key: torch.stack(values).mean(0).tolist() for key, values in seen.items()}
    ranges = {
        name: LayerRanges(
            (means[name, False][0], means[name, False][1]),
            (means[name, True][0], means[name, True][1]) if (name, True) in means else None,
        )
        for name in layers
        if (name, False) in means
    }
    return Quantization(settings, ranges if settings.scheme == "signed" else {})
