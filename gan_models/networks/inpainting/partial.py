"""Inpainting by partial convolutions in a U-Net (Liu et al. 2018).

A partial convolution sees known pixels only, and is scaled by the share of them under its kernel; a pixel is known to
the next layer if the kernel saw one. All channels of a map share one mask; where two maps are concatenated, the share
counts the masks by the maps' channels at full width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu, relu

from ..layers import check_count, check_flag
from .holes import composed

WIDEST = 8  # in units of ngf
SIZES = (7, 5, 5)  # kernels of the first layers; 3 after them
LEAST = 1e-6


class PartialConv(nn.Module):
    """conv(x * known) * (pixels under the kernel / known ones) + bias; 0 where no pixel is known.

    Args:
        taken: Channels of each of the concatenated maps.
        given: Channels of the output.
        size: Side of the kernel.
        stride: Of the convolution.
    """

    def __init__(self, taken: Sequence[int], given: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.shares = [channels / sum(taken) for channels in taken]
        self.conv = nn.Conv2d(sum(taken), given, size, stride, size // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(given))
        self.size, self.stride = size, stride

    def forward(self, maps: list[Tensor], known: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Map maps (N, C_i, H, W) with masks (N, 1, H, W), concatenated, to (N, given, H', W') and its mask."""
        share = torch.stack([mask * share for mask, share in zip(known, self.shares, strict=True)]).sum(0)
        ones = torch.ones(1, 1, self.size, self.size, dtype=share.dtype, device=share.device)
        seen = conv2d(share, ones, stride=self.stride, padding=self.size // 2) / self.size**2
        now = (seen > 0).to(share.dtype)
        h = self.conv(torch.cat([x * mask for x, mask in zip(maps, known, strict=True)], 1))
        return (h / seen.clamp_min(LEAST) + self.bias[None, :, None, None]) * now, now


class PartialInpainting(nn.Module):
    """Image (N, C, H, W) and holes (N, 1, H, W; 1 where pixels are missing) to the filled image in [-1, 1].

    H and W are multiples of 2 ** n_downs.
    """

    def __init__(self, width: int, n_downs: int, compose: bool, input_channels: int) -> None:
        super().__init__()
        check_count("ngf", width)
        check_count("n_downs", n_downs, at_least=2)
        check_count("input_channels", input_channels)
        check_flag("compose", compose)
        self.compose = compose
        widths = [input_channels, *(width * min(2**i, WIDEST) for i in range(n_downs))]
        self.enc, self.enc_norms = nn.ModuleList(), nn.ModuleList()
        self.dec, self.dec_norms = nn.ModuleList(), nn.ModuleList()
        for i in range(n_downs):
            size = SIZES[i] if i < len(SIZES) else 3
            self.enc.append(PartialConv([widths[i]], widths[i + 1], size, stride=2))
            self.enc_norms.append(nn.Identity() if i == 0 else nn.BatchNorm2d(widths[i + 1]))
        for i in reversed(range(n_downs)):
            given = widths[i] if i else input_channels
            self.dec.append(PartialConv([widths[i + 1], widths[i]], given, 3))
            self.dec_norms.append(nn.BatchNorm2d(given) if i else nn.Identity())

    def forward(self, image: Tensor, holes: Tensor) -> Tensor:
        """Fill the holes."""
        maps, known = [image], [1 - holes]
        for conv, norm in zip(self.enc, self.enc_norms, strict=True):
            h, mask = conv([maps[-1]], [known[-1]])
            maps.append(relu(norm(h)))
            known.append(mask)
        h, mask = maps.pop(), known.pop()
        for i, (conv, norm) in enumerate(zip(self.dec, self.dec_norms, strict=True)):
            h, mask = (interpolate(each, scale_factor=2.0, mode="nearest") for each in (h, mask))
            h, mask = conv([h, maps.pop()], [mask, known.pop()])
            h = norm(h) if i + 1 == len(self.dec) else leaky_relu(norm(h), 0.2)
        filled = h.tanh()
        return composed(image, filled, holes) if self.compose else filled


def partial_inpainting(ngf: int = 64, n_downs: int = 7, compose: bool = True, input_channels: int = 3) -> nn.Module:
    """Inpainting by partial convolutions in a U-Net.

    Args:
        ngf: channels after the first layer; the inner layers have 8 * ngf.
        n_downs: strided layers; upstream has 7 at 256x256 and 8 at 512x512.
        compose: the output has the image's own pixels outside the holes.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return PartialInpainting(ngf, n_downs, compose, input_channels)
