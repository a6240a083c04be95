"""A cost: the values that a generator's convolutions and linear layers write for one image."""

from __future__ import annotations

from typing import Any

from ganprune.gan_models.costs.cost import Cost


def price(groups: Any) -> Any:
    """Return what prices plans over a generator's channel groups."""
    import numpy as np
    from ganprune.gan_models.costs.cost_form import CostForm, Row

    always = np.zeros(1, dtype=np.int64)
    rows = [
        Row(layer.outputs, always, {"feature_values": float(np.prod(layer.output_shape)) / len(layer.outputs)})
        for layer in groups.layers
        if layer.outputs is not None
    ]
    return CostForm.from_rows(groups.sizes, rows, costs=("feature_values",))


def count(network: Any, inputs: Any, quantization: Any) -> float:
    """Return the same, counted while the network runs; bits make no difference."""
    import torch
    from torch import nn

    sizes: list[int] = []
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    hooks = [layer.register_forward_hook(lambda _, __, output: sizes.append(output.numel())) for layer in layers]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return float(sum(sizes))


FEATURE_VALUES = Cost(
    "feature_values",
    "values",
    suffixes={"values": 1.0},
    symbol="values",
    examples=("2.5Mvalues",),
    price=price,
    count=count,
)
