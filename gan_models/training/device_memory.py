"""Whether a device can hold a hypernetwork, said before anything is allocated."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ..files.errors import WorkFailed
from ..pruning.coronet.generated_weights import HypernetworkSize

GB = 1e9


class NotEnoughMemory(WorkFailed):
    """The device has too little free memory."""


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a device; None where it cannot be asked."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
        return 1024 * available  # what the kernel could free is counted in
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def check_memory(size: HypernetworkSize, device: torch.device) -> None:
    """Raises NotEnoughMemory where the hypernetwork with its gradients and Adam's state would not fit."""
    free = free_bytes(device)
    if free is not None and size.bytes_in_training > free:
        raise NotEnoughMemory(
            f"coronet's hypernetwork has {size.numbers:,} numbers at embedding size {size.embedding}, which take "
            f"{size.bytes_in_training / GB:.1f} GB with gradients and Adam's state, and {device} has {free / GB:.1f} GB"
            " free: use a smaller embedding (--setting coronet.embedding=1), fewer workers or a larger device"
        )
