"""Masks of missing pixels, drawn from a number: strokes, or one box."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...data.inputs.nearest import nearest
from ...data.picture_tree import PictureTree
from ...files.errors import UserError, WorkFailed
from ...files.pictures.picture import PictureError
from ...files.pictures.picture_reader import read_picture

STROKES, BOX = "strokes", "box"
DRAWN = (STROKES, BOX)
_STROKES = (2, 5)  # least and most strokes of a mask
_CORNERS = (3, 8)  # corners per stroke
_LENGTH = (0.1, 0.35)  # of a part of a stroke, relative to the image's diagonal
_WIDTH = (0.05, 0.15)  # of a stroke, relative to the shorter side
_BOX = (0.25, 0.5)  # side of a box, relative to that of the image
_SHARE = 0.02  # least share of missing pixels
# Split of pictures -> splits of a folder of masks, of which the first that it has is taken.
_SPLITS = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}
_WHITE = 128  # gray values from here on are holes


def holes(source: str, number: int, height: int, width: int, split: str = "") -> Tensor:
    """Return the mask (1, H, W), float32, 1 where pixels are missing, that belongs to a number.

    Strokes follow free-form masks (Yu et al. 2019, section 3.3): broken lines of random length and width.

    Args:
        source: `strokes`, `box`, or a folder of black and white pictures, of which one is chosen; white is missing.
        number: The number.
        height: Height in pixels.
        width: Width in pixels.
        split: Split of the picture: of a folder with splits, the masks of this one are taken.

    Raises:
        UserError: The folder has no pictures.
        WorkFailed: A picture cannot be read.
    """
    random = np.random.default_rng(number)
    if source == STROKES:
        mask = _strokes(random, height, width)
        while mask.mean() < _SHARE:
            mask = np.maximum(mask, _strokes(random, height, width))
        return torch.from_numpy(mask)[None]
    if source == BOX:
        mask = np.zeros((height, width), np.float32)
        high, wide = (max(1, round(side * random.uniform(*_BOX))) for side in (height, width))
        top, left = random.integers(height - high + 1), random.integers(width - wide + 1)
        mask[top : top + high, left : left + wide] = 1
        return torch.from_numpy(mask)[None]
    files = mask_files(source, split)
    path = files[int(random.integers(len(files)))]
    try:
        picture = read_picture(path)
    except PictureError as error:
        raise WorkFailed(f"mask {path} cannot be decoded: got {error}. Try to repair or remove it") from error
    gray = picture.formed("gray", *picture.size)[:, :, 0]
    return torch.from_numpy((nearest(gray, height, width) >= _WHITE).astype(np.float32))[None]


@cache
def mask_files(source: str, split: str = "") -> tuple[Path, ...]:
    """Return the pictures of a folder of masks.

    Args:
        source: The folder.
        split: "train", "val" or "test": those of this split, if folders name any. Empty: all.

    Raises:
        UserError: There is no such folder, or it has no pictures.
    """
    root = Path(source).expanduser()
    found = PictureTree(root, ("",)).pictures if root.is_dir() else []
    named = [[one for one in found if one.split == name] for name in _SPLITS.get(split, ())]
    files = tuple(one.path for one in next(filter(None, named), found))
    if not files:
        raise UserError(
            f"masks={source!r} has no pictures: expected {', '.join(DRAWN)}, or a folder of black and white pictures, "
            f"white where pixels are missing"
        )
    return files


def _strokes(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    plane = Image.new("L", (width, height))
    draw, diagonal = ImageDraw.Draw(plane), math.hypot(height, width)
    for _ in range(random.integers(_STROKES[0], _STROKES[1] + 1)):
        thick = max(1, round(min(height, width) * random.uniform(*_WIDTH)))
        x, y, angle = random.uniform(0, width), random.uniform(0, height), random.uniform(0, 2 * math.pi)
        for _ in range(random.integers(_CORNERS[0], _CORNERS[1] + 1)):
            angle += math.pi + random.uniform(-1, 1) * math.pi / 3  # back and forth, as when something is erased
            length = diagonal * random.uniform(*_LENGTH)
            end = (
                float(np.clip(x + length * math.cos(angle), 0, width)),
                float(np.clip(y + length * math.sin(angle), 0, height)),
            )
            draw.line([(x, y), end], fill=1, width=thick)
            half = thick / 2
            draw.ellipse([end[0] - half, end[1] - half, end[0] + half, end[1] + half], fill=1)
            x, y = end
    return np.asarray(plane, np.float32)
