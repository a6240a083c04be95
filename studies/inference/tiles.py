"""Tiles: a picture that is too large for the memory goes through a generator in parts that overlap and are blended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from .sizes import Generate, SizeRule

OVERLAP = 4  # a tile shares a quarter of its side with the next one
MEMORY_SHARE = 0.5  # of the free memory; operators need working memory besides their inputs and outputs
SMALLEST = 64


def tile_side(rule: SizeRule, wanted: int) -> int:
    """Return the side of a tile: the wanted one, rounded up to what the generator runs at."""
    return rule.around(wanted, wanted)[0]


def fitting_side(rule: SizeRule, size: tuple[int, int], pixel_bytes: float, free_bytes: float) -> int:
    """Return the side of the largest tile that fits in memory, halved from the picture's; 0 if all of it fits.

    Args:
        rule: Sizes that the generator runs at.
        size: Height and width of the input.
        pixel_bytes: Memory of the generator's maps per pixel of the input.
        free_bytes: Memory that may be used.
    """
    if pixel_bytes * size[0] * size[1] <= free_bytes:
        return 0
    side = max(size) // 2
    while side > max(SMALLEST, rule.least) and pixel_bytes * side**2 > free_bytes:
        side //= 2
    return tile_side(rule, side)


def in_tiles(
    generate: Generate, inputs: Sequence[Tensor], large: Sequence[bool], rule: SizeRule, side: int | tuple[int, int]
) -> Tensor:
    """Return a generator's output, computed in tiles.

    Args:
        generate: The generator.
        inputs: A batch (N, ...) of each input.
        large: Which of the inputs are pictures (N, C, H, W) that are cut into tiles.
        rule: Sizes that it runs at; H and W are such sizes. If it runs at one alone, they are no smaller.
        side: Of a tile, in pixels; or its height and width.

    Returns:
        The output (N, C', scale * H, scale * W). Tiles fade into each other over their overlap.
    """
    height, width = next(x.shape[2:] for x, cut in zip(inputs, large, strict=True) if cut)
    wanted = (side, side) if isinstance(side, int) else side
    sides = min(wanted[0], height), min(wanted[1], width)
    stride = rule.stride or rule.scale.denominator
    total: Tensor | None = None
    weights = torch.zeros(())
    for top in _starts(height, sides[0], stride):
        for left in _starts(width, sides[1], stride):
            parts = [
                x[:, :, top : top + sides[0], left : left + sides[1]] if cut else x
                for x, cut in zip(inputs, large, strict=True)
            ]
            part = generate(*parts).detach().float().cpu()
            if total is None:
                scaled = [int(rule.scale * n) for n in (height, width)]
                total, weights = torch.zeros(*part.shape[:2], *scaled), torch.zeros(*scaled)
            fade = _fade(part.shape[2])[:, None] * _fade(part.shape[3])[None]
            at_top, at_left = int(rule.scale * top), int(rule.scale * left)
            place = (..., slice(at_top, at_top + part.shape[2]), slice(at_left, at_left + part.shape[3]))
            total[place] += part * fade
            weights[place] += fade
    assert total is not None
    return total / weights


def free_bytes(device: torch.device) -> float:
    """Return the memory that a run may use on a device."""
    if device.type == "cuda":
        return MEMORY_SHARE * torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # another system than Linux
        return float("inf")
    return MEMORY_SHARE * 1024 * kilobytes


def _starts(length: int, side: int, stride: int) -> list[int]:
    """Return where tiles start along an axis: multiples of the stride, the last one ends with the picture."""
    overlap = -(-side // OVERLAP // stride) * stride
    step = max(stride, (side - overlap) // stride * stride)
    return [*range(0, max(1, length - side), step), *([length - side] if length > side else [])]


def _fade(length: int) -> Tensor:
    """Return weights along a side: 1 in the middle, falling to nearly 0 over the overlap at both ends."""
    ramp = torch.arange(1, length + 1) / max(1, length // OVERLAP)
    return torch.minimum(ramp, ramp.flip(0)).clamp(max=1.0)
