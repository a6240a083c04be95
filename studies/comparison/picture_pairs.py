"""Pictures by two generators for the same inputs, side by side, with maps of their differences.

Shapes: C channels, H x W pixels; images in [-1, 1].
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from ...evaluators.features.image_folders import folder_batches, readable_files
from ...gan_models.files.atomic_files import write_file
from ...gan_models.files.errors import UserError
from .image_sources import Generate, Inputs

LEVELS = 255  # levels of a channel
SIDE = 2.1  # inches per picture
SMALL_SIDE = 200  # pixels below which a picture is drawn without interpolation


@dataclass(frozen=True)
class PicturePair:
    """The pictures of two generators for one input.

    Attributes:
        place: Index of the input.
        a, b: Their outputs (3, H, W).
        shown: Additional pictures by name, (1 or 3, H', W'): the input and its target, if there are such pictures.
    """

    place: int
    a: Tensor
    b: Tensor
    shown: tuple[tuple[str, Tensor], ...] = ()


def spread(n: int, count: int) -> list[int]:
    """Return at most `count` indices, evenly spread over n."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(int)).tolist() if n else []


def generated_pairs(
    a: Generate, b: Generate, inputs: Inputs, device: torch.device, places: Sequence[int]
) -> list[PicturePair]:
    """Return two generators' outputs for the inputs at some indices."""
    pairs, first = list[PicturePair](), 0
    for batch, reference in inputs.batches():
        n = len(batch[0])
        rows = [place - first for place in places if first <= place < first + n]
        first += n
        if not rows:
            continue
        taken = tuple(x[rows].to(device) for x in batch)
        with torch.no_grad():
            made = [inputs.rgb(generate(*taken).float(), taken).cpu() for generate in (a, b)]
        targets = None if reference is None else inputs.rgb(reference[rows].to(device), taken).cpu()
        for i, row in enumerate(rows):
            shown = [("input", batch[0][row])] if batch[0].dim() == 4 and batch[0].shape[1] in (1, 3) else []
            shown += [] if targets is None else [("target", targets[i])]
            pairs.append(PicturePair(first - n + row, made[0][i], made[1][i], tuple(shown)))
    return pairs


def folder_pairs(a: str, b: str, places: Sequence[int]) -> list[PicturePair]:
    """Return the images of two folders at some indices; files of one name belong to one input."""
    sides = [[*_images(folder, places)] for folder in (a, b)]
    return [PicturePair(place, *pair) for place, *pair in zip(places, *sides, strict=True)]


def _images(folder: str, places: Sequence[int]) -> Iterator[Tensor]:
    files = readable_files(Path(folder).expanduser())
    for place in places:
        yield next(iter(folder_batches([files[place]])))[0]


def draw_pairs(pairs: Sequence[PicturePair], a: str, b: str, path: str | Path) -> Path:
    """Write one picture with a row per input: additional pictures, A, B, and the map of their difference.

    A map is the mean over the channels of the absolute difference, in levels of 0 to 255; all maps have one scale.

    Args:
        pairs: At least one.
        a: Name of A.
        b: Name of B.
        path: The PNG; its folder is made.

    Raises:
        UserError: Outputs differ in size.
    """
    if different := [pair for pair in pairs if pair.a.shape != pair.b.shape]:
        shapes = [f"{x.shape[-1]}x{x.shape[-2]}" for x in (different[0].a, different[0].b)]
        raise UserError(f"pictures of two sizes have no difference: got A of {shapes[0]} and B of {shapes[1]} pixels")
    maps = [(pair.a - pair.b).abs().mean(0).mul(LEVELS / 2).numpy() for pair in pairs]
    most = max(max(float(each.max()) for each in maps), 1.0)
    names = [*(name for name, _ in pairs[0].shown), "A", "B", "|A - B|"]
    figure = Figure(figsize=(SIDE * len(names) + 0.9, SIDE * len(pairs) + 0.75), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(len(pairs), len(names), squeeze=False)
    image: Any = None
    for row, (pair, difference) in enumerate(zip(pairs, maps, strict=True)):
        pictures = [*(x for _, x in pair.shown), pair.a, pair.b]
        for place, picture in zip(grid[row], pictures, strict=False):
            place.imshow(_pixels(picture), interpolation=_interpolation(picture))
        image = grid[row][-1].imshow(difference, cmap="magma", vmin=0, vmax=most, interpolation=_interpolation(pair.a))
        grid[row][-1].set_xlabel(f"mean {difference.mean():.3g}, most {difference.max():.3g}", fontsize=8)
        grid[row][0].set_ylabel(f"input {pair.place}", fontsize=8)
    for place, name in zip(grid[0], names, strict=True):
        place.set_title(name, fontsize=10)
    for place in grid.ravel():
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=grid[:, -1].tolist(), shrink=0.85, pad=0.02)
    bar.set_label(f"levels of {LEVELS}", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(f"A: {a}     B: {b}", fontsize=9.5, x=0.01, ha="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "ganprune"})
    return write_file(path, buffer.getvalue())


def _pixels(image: Tensor) -> np.ndarray:
    pixels = image.float().clamp(-1, 1).add(1).mul(LEVELS / 2).round().byte().permute(1, 2, 0).numpy()
    return pixels.repeat(3, 2) if pixels.shape[2] == 1 else pixels


def _interpolation(image: Tensor) -> str:
    return "nearest" if max(image.shape[-2:]) < SMALL_SIDE else "antialiased"
