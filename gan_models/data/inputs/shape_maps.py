"""Label maps and edges of the built-in shapes, as a folder of label maps would give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...files.hashes import json_sha256
from ..image_readers import Pictures
from ..spec import DataSpec, PictureForm
from ..synthetic import render_shape_maps
from .instance_edges import instance_edges
from .nearest import nearest


class ShapeMaps:
    """Label maps and edges of `builtin:shapes`, before their images.

    An entry is a label map (1, H, W) of class numbers, edges (1, H, W) of 0 and 255, in any order, and an image.

    Args:
        spec: The data, with seed and counts.
        split: "train", "val" or "test".
        parts: `label` or `edges`, per part before the image.
        forms: The form of each part, and of the image.
        images: The scenes' images.
    """

    def __init__(
        self, spec: DataSpec, split: str, parts: Sequence[str], forms: Sequence[PictureForm], images: Pictures
    ) -> None:
        self.spec, self.split, self.parts, self.forms, self.images = spec, split, parts, forms, images

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the maps of one entry, and its image."""
        found = list[Tensor]()
        for part, form in zip(self.parts, self.forms, strict=False):
            labels, instances = render_shape_maps(self.spec.seed, self.split, [index], max(form.size))
            plane = labels[0] if part == "label" else instances[0]
            plane = nearest(plane, form.height, form.width)
            values = plane if part == "label" else instance_edges(plane) * 255
            found.append(torch.from_numpy(values.astype(np.float32))[None])
        return (*found, *self.images.read(index))

    def digest(self, index: int) -> str:
        """Return the hash of the entry's scene."""
        return json_sha256([self.spec.source, self.spec.seed, self.split, index])
