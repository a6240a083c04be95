"""Rows of every kind of layer: they give what torch gives, and their least squares is that of the whole layer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from ganprune.gan_models.reconstruction.layers.layer import Layer, layer_of, layer_parts
from ganprune.gan_models.reconstruction.layers.least_squares import RidgeProblem
from torch import Tensor
from torch.nn import functional as F

# Name -> (function, shape of the input, shape of the weight, channels of the output, options).
KINDS: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], tuple[int, ...], int, dict[str, Any]]] = {
    "conv": (F.conv2d, (3, 4, 7, 6), (5, 4, 3, 3), 5, {"padding": 1}),
    "strided": (F.conv2d, (8, 4, 9, 12), (5, 4, 4, 3), 5, {"stride": (2, 3), "padding": (2, 0)}),
    "dilated": (F.conv2d, (3, 2, 9, 9), (5, 2, 3, 3), 5, {"dilation": (2, 1), "padding": (1, 2)}),
    "same": (F.conv2d, (3, 2, 6, 6), (5, 2, 4, 3), 5, {"padding": "same"}),
    "grouped": (F.conv2d, (4, 6, 6, 6), (4, 3, 3, 3), 4, {"groups": 2}),
    "depthwise": (F.conv2d, (4, 6, 6, 6), (12, 1, 3, 3), 12, {"groups": 6, "padding": 1}),
    "line": (F.conv1d, (6, 4, 12), (3, 4, 5), 3, {"padding": 2}),
    "volume": (F.conv3d, (6, 2, 4, 5, 4), (3, 2, 2, 3, 2), 3, {"padding": (0, 1, 0)}),
    "transposed": (F.conv_transpose2d, (4, 4, 5, 5), (4, 3, 4, 4), 3, {"stride": 2, "padding": 1}),
    "transposed, odd": (
        F.conv_transpose2d,
        (4, 4, 5, 5),
        (4, 3, 3, 3),
        3,
        {"stride": 2, "padding": 1, "output_padding": 1},
    ),
    "transposed, dilated": (F.conv_transpose2d, (6, 2, 5, 5), (2, 3, 3, 2), 3, {"stride": (3, 2), "dilation": (2, 3)}),
    "transposed, grouped": (F.conv_transpose2d, (6, 6, 4, 4), (6, 2, 4, 4), 6, {"stride": 2, "groups": 3}),
    "transposed line": (F.conv_transpose1d, (8, 4, 6), (4, 3, 5), 3, {"stride": 2}),
    "linear": (F.linear, (30, 7), (4, 7), 4, {}),
    "linear of rows": (F.linear, (6, 5, 7), (4, 7), 4, {}),
}


def _case(name: str) -> tuple[Callable[..., Tensor], Tensor, Tensor, Tensor, dict[str, Any]]:
    function, of_input, of_weight, n, options = KINDS[name]
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in (of_input, of_weight, (n,))
    )
    return function, x, weight, bias, options


def _rows(layer: Layer, x: Tensor, weight: Tensor, target: Tensor) -> tuple[list[Any], Tensor]:
    places = layer.positions(tuple(target.shape), torch.arange(len(x)), 10**9, torch.Generator())
    return layer_parts(layer, layer.patches(x, places), layer.at(target, places), weight, places), places


@pytest.mark.parametrize("name", KINDS)
def test_rows_times_weights_are_the_layers_outputs(name: str):
    """Each part's inputs times its matrix equal torch's output there: no place and no tap is left out."""
    function, x, weight, bias, options = _case(name)
    output = function(x, weight, bias, **options)
    layer, *_ = layer_of(function.__name__, (x, weight, bias), options)
    parts, _ = _rows(layer, x, weight, output)
    shared = layer.grouped(bias[None])[:, 0]
    for _, part in parts:
        assert float(part.residual(shared).abs().max()) < 1e-12
    assert sum(part.targets_GPO.numel() for _, part in parts) == output.numel()


@pytest.mark.parametrize("name", KINDS)
def test_fit_is_the_least_squares_of_the_whole_layer(name: str):
    """Weights and bias equal torch's least squares over the layer's outputs for unit kernels, to 1e-9."""
    function, x, weight, bias, options = _case(name)
    output = function(x, weight, bias, **options)
    target = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(1))
    layer, *_ = layer_of(function.__name__, (x, weight, bias), options)
    parts, _ = _rows(layer, x, weight, target)
    found = RidgeProblem([part for _, part in parts], layer.grouped(bias[None])[:, 0]).solve(0.0)
    matrices = layer.matrices(weight).clone()
    for (taps, _), own in zip(parts, found.weights_GOD, strict=True):
        matrices[..., list(taps)] = own.unflatten(-1, (-1, len(taps)))
    columns = []
    for i in range(weight.numel() + bias.numel()):
        unit = torch.zeros(weight.numel() + bias.numel(), dtype=torch.float64)
        unit[i] = 1
        columns.append(function(x, unit[: weight.numel()].view_as(weight), unit[weight.numel() :], **options).flatten())
    expected = torch.linalg.lstsq(torch.stack(columns, 1), target.flatten(), driver="gelsd").solution
    torch.testing.assert_close(
        layer.kernel_of(matrices, weight).flatten(), expected[: weight.numel()], rtol=1e-9, atol=1e-9
    )
    assert found.bias_GO is not None
    torch.testing.assert_close(found.bias_GO.flatten(), expected[weight.numel() :], rtol=1e-9, atol=1e-9)


def test_places_are_seeded_and_on_the_images_asked_for():
    """Sampled places are of the images given, in the output, different from each other, and the same for a seed."""
    layer, *_ = layer_of("conv2d", (torch.zeros(9, 2, 8, 8), torch.zeros(3, 2, 3, 3)), {})
    images = torch.tensor([2, 5, 7])
    places = layer.positions((9, 3, 6, 5), images, 40, torch.Generator().manual_seed(3))
    assert set(places[:, 0].tolist()) <= {2, 5, 7}
    assert int(places[:, 1].max()) < 6
    assert int(places[:, 2].max()) < 5
    assert len(torch.unique(places, dim=0)) == 40
    again = layer.positions((9, 3, 6, 5), images, 40, torch.Generator().manual_seed(3))
    assert torch.equal(places, again)
