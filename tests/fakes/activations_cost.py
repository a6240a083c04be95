"""A cost as another package would add it: the numbers that layers with weights give for one image."""

import numpy as np
import torch
from ganprune.gan_models.costs.cost import Cost
from ganprune.gan_models.costs.cost_form import CostForm, Row
from torch import nn


def activations_price(groups):
    """Price the numbers that layers with weights give for one image."""
    one = np.zeros(1, dtype=np.int64)
    rows = []
    for layer in groups.layers:
        if layer.outputs is not None:
            per_channel = np.prod(layer.output_shape) / len(layer.outputs)
            rows.append(Row(layer.outputs, one, {"activations": float(per_channel)}))
    return CostForm.from_rows(groups.sizes, rows, costs=("activations",))


def count_activations(network, inputs, quantization):
    """Count the same on a network by watching its layers."""
    total = 0

    def watch(module, arguments, output):
        nonlocal total
        total += output.numel()

    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    handles = [layer.register_forward_hook(watch) for layer in layers]
    with torch.no_grad():
        network(*inputs)
    for handle in handles:
        handle.remove()
    return float(total)


ACTIVATIONS = Cost(
    "activations",
    "numbers",
    suffixes={"activations": 1.0},
    examples=("2.5Mactivations",),
    price=activations_price,
    count=count_activations,
)
