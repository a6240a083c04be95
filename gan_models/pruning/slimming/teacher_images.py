"""The teacher's images of each input, computed once as long as memory allows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LIMIT_BYTES = 256_000_000


class TeacherImages:
    """A cache of the teacher's images; those made from images only are stored, the oldest dropped first.

    Latents are new at every step, so nothing is stored if an input is not an image. The teacher processes one example
    at a time: a stored image must not depend on the batch, or a resumed run would differ in the last bits.

    Args:
        teacher: The teacher, in eval mode on the inputs' device.
        limit_bytes: Maximum number of stored bytes.
    """

    def __init__(self, teacher: Callable[..., Any], limit_bytes: int = LIMIT_BYTES) -> None:
        self._teacher, self._limit = teacher, limit_bytes
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self._bytes = 0
        self.computed = 0

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return images [N, C', H', W'] without gradient of inputs [N, ...]."""
        with torch.no_grad():
            if any(x.dim() != 4 or x.shape[2:] == (1, 1) for x in inputs):  # an input is not an image
                self.computed += len(inputs[0])
                return self._teacher(*inputs)
            return torch.cat([self._one(one) for one in zip(*(x.split(1) for x in inputs), strict=True)])

    def _one(self, one: tuple[Tensor, ...]) -> Tensor:
        key = hashlib.sha256(b"".join(x.cpu().contiguous().numpy().tobytes() for x in one)).digest()
        if key not in self._kept:
            self.computed += 1
            self._kept[key] = made = self._teacher(*one)
            self._bytes += made.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
            return made
        return self._kept[key]
