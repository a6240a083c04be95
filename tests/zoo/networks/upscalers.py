"""Upscalers of the catalog at small widths."""

from __future__ import annotations

from ganprune.gan_models.networks.catalog import build

from ..entry import Entry, S

MACS_3X3 = 9


def _compact(a: float, b: float, c: float) -> float:
    return S * MACS_3X3 * (3 * a + a * b + b * c + c * 48)


def _dense(f: float, *widths: float) -> float:
    *growths, up1, up2, hr = widths
    total = 3 * f  # conv_first
    for block in range(3):
        before = f
        for growth in growths[4 * block : 4 * block + 4]:
            total += before * growth
            before += growth
        total += before * f  # conv5 adds to the trunk
    total += f * f  # conv_body
    return S * MACS_3X3 * (total + 4 * f * up1 + 16 * (up1 * up2 + up2 * hr + hr * 3))


def _folded(f: float, *widths: float) -> float:
    """The same on a fourth of the grid, from four times the channels."""
    return (_dense(f, *widths) + S * MACS_3X3 * (12 - 3) * f) / 4


def _residual(f: float, a: float, b: float, up1: float, up2: float, hr: float) -> float:
    blocks = 3 * f + 2 * f * a + 2 * f * b + f * 4 * up1
    return S * MACS_3X3 * (blocks + 4 * up1 * 4 * up2 + 16 * (up2 * hr + hr * 3))


def _thirds(f: float, a: float, up: float, hr: float) -> float:
    return S * MACS_3X3 * (3 * f + 2 * f * a + f * 9 * up + 9 * (up * hr + hr * 3))


_GROWTHS = (4,) * 12
_SMALL_DENSE = {"num_feat": 8, "num_block": 1, "num_grow_ch": 4}

UPSCALERS = [
    Entry(
        "compact upscaler",
        lambda: build("srvgg_compact", {"num_feat": 8, "num_conv": 2}),
        _compact,
        (8, 8, 8),
        "each hidden convolution is a group; the last one's 48 channels are the pixels of the output",
    ),
    Entry(
        "residual in residual dense blocks",
        lambda: build("rrdbnet", _SMALL_DENSE),
        _dense,
        (8, *_GROWTHS, 8, 8, 8),
        "all that is added to the trunk is one group; each growth is its own, and all later convolutions take its part",
    ),
    Entry(
        "dense blocks on folded pixels",
        lambda: build("rrdbnet", {**_SMALL_DENSE, "scale": 2}),
        _folded,
        (8, *_GROWTHS, 8, 8, 8),
        "the fold is of the input, whose channels stay",
    ),
    Entry(
        "residual blocks and pixel shuffles",
        lambda: build("srresnet", {"num_feat": 8, "num_block": 2}),
        _residual,
        (8, 8, 8, 8, 8, 8),
        "four channels before a shuffle are one behind it, so a group holds them together",
    ),
    Entry(
        "one pixel shuffle by three",
        lambda: build("srresnet", {"num_feat": 8, "num_block": 1, "scale": 3}),
        _thirds,
        (8, 8, 8, 8),
        "nine channels before the shuffle are one behind it",
    ),
]
