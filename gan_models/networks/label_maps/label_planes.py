"""Label maps as planes that convolutions can read: one per class, and one of instance edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def label_planes(label: Tensor, classes: int, edges: Tensor | None) -> Tensor:
    """Return float planes (N, classes, H, W), one-hot, followed by the edges' plane if there is one.

    Args:
        label: Class numbers (N, H, W).
        classes: Number of classes.
        edges: Mask (N, 1, H, W) that is 1 at the boundaries of instances; None: there is none.
    """
    planes = one_hot(label, classes).permute(0, 3, 1, 2)
    if edges is None:
        return planes.to(torch.get_default_dtype())
    return torch.cat((planes.to(edges.dtype), edges), 1)
