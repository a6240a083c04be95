"""The device that a latency belongs to, and its use. Imports no torch until it is asked."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.packages import UNKNOWN_VERSION
from ...gan_models.files.texts.number_text import counted
from .catalog import RUNTIMES

COMMAND = "command"  # a remote device, by a command that the user gives


@dataclass(frozen=True)
class Device:
    """A device and how networks run on it: numbers of two different ones cannot be mixed.

    Attributes:
        cpu: Model of the CPU; what the user calls a remote device.
        cores: CPUs that this process may use.
        threads: Threads of a network.
        gpu: Model of the GPU where networks run on it, else empty.
        runtime: A row of the runtimes (`eager`, `compile`, `onnxruntime`, ...) or `command`.
        version: Of the runtime; for `command` the format of the files that the device runs.
        dtype: Of weights and activations.
        batch: Images in one call.
    """

    cpu: str
    cores: int
    threads: int
    gpu: str
    runtime: str
    version: str
    dtype: str = "float32"
    batch: int = 1

    def __post_init__(self):
        if min(self.cores, self.threads, self.batch) < 1:
            raise UserError(f"a device has cores, threads and a batch of 1 or more, got {self}")

    @property
    def id(self) -> str:
        """Eight hex digits that stand for all of it."""
        return json_sha256(asdict(self))[:8]

    @property
    def machine(self) -> tuple[str, int, str]:
        """Return the processor, its cores and the GPU, without their use."""
        return self.cpu, self.cores, self.gpu

    def describe(self) -> str:
        """One line for people."""
        where = self.gpu or self.cpu
        threads = counted(self.threads, "thread")
        runtime = f"{self.runtime} {self.version}".strip()
        if self.runtime == COMMAND:
            runtime = f"{self.version or 'ONNX'} files by its command"
        return f"{where}, {runtime}, {threads}, {self.dtype}, batch {self.batch}"


def this_device(runtime: str, threads: int, batch: int = 1, device: str = "cpu", dtype: str = "float32") -> Device:
    """Return this machine, used in this way.

    Raises:
        UserError: There is no such runtime.
    """
    import torch

    row = RUNTIMES.find(runtime)
    on_gpu = torch.device(device).type == "cuda" and row.gpu
    return Device(
        cpu=cpu_model(),
        cores=cpus_allowed(),
        threads=threads,
        gpu=torch.cuda.get_device_name(device) if on_gpu else "",
        runtime=runtime,
        version=row.version().replace(UNKNOWN_VERSION, ""),
        dtype=dtype,
        batch=batch,
    )


def remote_device(name: str, threads: int, batch: int = 1, dtype: str = "float32", format: str = "") -> Device:
    """Return a device behind a command, under the name that its user gives it.

    Args:
        name: The device's name.
        threads: Threads that the command uses there.
        batch: Images in one call.
        dtype: Data type that the command runs files in.
        format: Name of the format of its files, which replaces a version.
    """
    return Device(name, 1, threads, "", COMMAND, format, dtype, batch)


def cpu_model() -> str:
    """Return the CPU's own name, if the system states it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return next((name for name in named if name), platform.processor() or platform.machine())


def cpus_allowed() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
