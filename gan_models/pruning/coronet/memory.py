"""Memory of a hypernetwork in training, compared with a device's free memory before any allocation."""

from __future__ import annotations

import torch

from ...files.errors import WorkFailed
from ...training.device_memory import GB, free_bytes
from .generated_weights import HypernetworkSize


class NotEnoughMemory(WorkFailed):
    """An error: the device has too little free memory."""


def check_memory(size: HypernetworkSize, device: torch.device) -> None:
    """Raise NotEnoughMemory if the hypernetwork with its gradients and Adam's state would not fit."""
    free = free_bytes(device)
    if free is not None and size.bytes_in_training > free:
        raise NotEnoughMemory(
            f"coronet's hypernetwork of {size.numbers:,} parameters at embedding size {size.embedding} does not fit "
            f"on {device}: got {free / GB:.1f} GB free; expected {size.bytes_in_training / GB:.1f} GB, with gradients "
            f"and Adam's state. Try a smaller embedding (--setting coronet.embedding=1), fewer workers or a larger "
            f"device"
        )
