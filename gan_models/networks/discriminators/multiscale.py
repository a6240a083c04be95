"""Several PatchGANs that judge an image at several sizes (pix2pixHD, Wang et al. 2018; SPADE, Park et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate
from torch.nn.utils.parametrizations import spectral_norm

from ..layers import check_count, check_flag
from .patchgan import PatchDiscriminator

_maps: ContextVar[list[list[Tensor]] | None] = ContextVar("maps of discriminators", default=None)


@contextmanager
def maps_of_calls() -> Iterator[list[list[Tensor]]]:
    """Collect the maps of each call of a multi-scale discriminator, while the context is open.

    The caller needs the discriminator's callable alone, not its module: a method may call it through a wrapper.

    Yields:
        One list per call: maps (N, C, h, w) of all scales and layers, without the scores.
    """
    token = _maps.set([])
    try:
        found = _maps.get()
        assert found is not None
        yield found
    finally:
        _maps.reset(token)


class MultiscaleDiscriminator(nn.Module):
    """PatchGANs at sizes 1, 1/2, ...: (N, input_channels, H, W) -> scores (N, scales, h, w), unbounded.

    Scores of smaller sizes are repeated to the first one's height and width, so that the mean over all scores weighs
    the sizes alike, as upstream's losses do.
    """

    def __init__(self, ndf: int, n_layers: int, norm: str, input_channels: int, scales: int, spectral: bool) -> None:
        super().__init__()
        check_count("scales", scales)
        check_flag("spectral", spectral)
        self.scales = nn.ModuleList(PatchDiscriminator(ndf, n_layers, norm, input_channels) for _ in range(scales))
        if spectral:
            for layer in [m for m in self.modules() if isinstance(m, nn.Conv2d) and m.out_channels > 1]:
                spectral_norm(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, H, W)."""
        scores, maps = list[Tensor](), list[Tensor]()
        for scale in self.scales:
            h = x
            assert isinstance(scale, PatchDiscriminator)
            assert isinstance(scale.model, nn.Sequential)
            for layer in scale.model:
                h = layer(h)
                if isinstance(layer, nn.LeakyReLU):
                    maps.append(h)
            scores.append(h)
            x = avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        if (found := _maps.get()) is not None:
            found.append(maps)
        size = scores[0].shape[2:]
        return torch.cat([scores[0], *(interpolate(each, size, mode="nearest") for each in scores[1:])], 1)


def multiscale(
    ndf: int = 64,
    n_layers: int = 3,
    norm: str = "instance",
    input_channels: int = 3,
    scales: int = 2,
    spectral: bool = True,
) -> nn.Module:
    """PatchGANs that judge an image at several sizes.

    Args:
        ndf: channels after the first layer.
        n_layers: strided layers of each PatchGAN; upstream's SPADE has 4.
        norm: "instance" or "batch".
        input_channels: channels of what is judged.
        scales: number of sizes, each half of the one before.
        spectral: spectral norm of all convolutions but the last, as SPADE's.

    Raises:
        ValueError: an argument is out of its range.
    """
    return MultiscaleDiscriminator(ndf, n_layers, norm, input_channels, scales, spectral)
