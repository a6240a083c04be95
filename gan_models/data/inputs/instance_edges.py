"""Boundaries of instances, from a map of their numbers: the input that SPADE and pix2pixHD add to labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...files.errors import UserError
from ...files.pictures.picture_reader import read_indices
from .nearest import nearest

INSTANCE = "instance"  # name of a folder with maps of instances, for an input `edges`
EDGES = "edges"


def instance_edges(instances: np.ndarray) -> np.ndarray:
    """Return 1 for each pixel whose neighbor on the left, right, above or below is of another instance; uint8 (H, W).

    Source: `get_edges` of pix2pixHD (Wang et al. 2018, section 3.3).

    Args:
        instances: Numbers of instances (H, W).
    """
    edges = np.zeros(instances.shape, np.uint8)
    across, down = instances[:, 1:] != instances[:, :-1], instances[1:] != instances[:-1]
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges


def read_edges(path: Path, height: int, width: int) -> Tensor:
    """Return the boundaries in a picture of instances' numbers, 0 and 255, float32 (1, H, W).

    Args:
        path: A palette or gray picture, of 8 or 16 bits.
        height: Height that the numbers are resized to first, by nearest neighbor.
        width: Width, likewise.

    Raises:
        UserError: The picture has colors.
        PictureError: It cannot be read.
    """
    numbers = read_indices(path)
    if numbers is None:
        raise UserError(
            f"instance map {path} contains colors instead of instances' numbers: expected a palette or gray, of 8 or "
            f"16 bits. Try PNG in mode P, L or I;16"
        )
    return torch.from_numpy(instance_edges(nearest(numbers, height, width)).astype(np.float32) * 255)[None]
