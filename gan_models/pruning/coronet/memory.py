"""Memory of a hypernetwork in training, compared with what a device has before anything is allocated."""

from __future__ import annotations

import torch

from ...files.errors import WorkFailed
from ...training.device_memory import GB, free_bytes
from .generated_weights import HypernetworkSize


class NotEnoughMemory(WorkFailed):
    """The device has too little free memory."""


def check_memory(size: HypernetworkSize, device: torch.device) -> None:
    """Raise NotEnoughMemory if the hypernetwork with its gradients and Adam's state would not fit."""
    free = free_bytes(device)
    if free is not None and size.bytes_in_training > free:
        raise NotEnoughMemory(
            f"coronet's hypernetwork has {size.numbers:,} numbers at embedding size {size.embedding}, which take "
            f"{size.bytes_in_training / GB:.1f} GB with gradients and Adam's state, and {device} has {free / GB:.1f} GB"
            " free: use a smaller embedding (--setting coronet.embedding=1), fewer workers or a larger device"
        )
