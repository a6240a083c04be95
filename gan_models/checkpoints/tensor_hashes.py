"""Hashes of tensors and of networks' weights."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class Digest(Protocol):
    """A hash of bytes, such as those of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...


def tensor_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor's entries, in order."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def add_tensors(digest: Digest, *tensors: Tensor) -> None:
    """Add type, shape and entries of tensors to a hash."""
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor_bytes(tensor))


def add_weights(digest: Digest, network: nn.Module) -> None:
    """Add names and values of a network's parameters and buffers to a hash."""
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        add_tensors(digest, tensor)
