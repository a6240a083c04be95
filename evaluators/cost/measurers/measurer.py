"""Times networks in one runtime, or on a remote device by its user's command."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ....gan_models.files.errors import UserError
from ..catalog import RUNTIMES
from ..device import COMMAND
from ..latency import Effort, Timing, cuda_clock, measure_latency, wall_clock
from ..pytorch import torch_threads
from ..runtime import RuntimeUnavailable, bound
from .device_command import run_command

Export = Callable[[nn.Module, tuple[Tensor, ...], Path], None]


@dataclass(frozen=True)
class Measurer:
    """A way to time networks: one runtime, used in one way.

    Attributes:
        runtime: A row of the runtimes, or `command` for a remote device.
        threads: Threads on the CPU.
        device: The device of a runtime that has a choice.
        effort: Time spent on one number.
        export: Writes a network as the file that the runtime, or the remote device, takes.
        command: Template of a command that runs the file `{onnx}` on the device and prints its latency.
        dtype: Data type of the arithmetic: `float32`, `float16`, `int8`.
        slot: The text of the template that the file's path replaces.
        filename: The name that the exported file is given.

    Raises:
        UserError: An unknown runtime, no thread, or a template without a file.
    """

    runtime: str = "eager"
    threads: int = 1
    device: str = "cpu"
    effort: Effort = field(default_factory=Effort)
    export: Export | None = None
    command: str = ""
    dtype: str = "float32"
    slot: str = "{onnx}"
    filename: str = "network.onnx"

    def __post_init__(self):
        if self.runtime != COMMAND:
            RUNTIMES.find(self.runtime)
        if self.threads < 1:
            raise UserError(f"threads is wrong: got {self.threads}; expected 1 or more")
        if self.runtime == COMMAND and self.slot not in self.command:
            raise UserError(
                f"--device-command {self.command!r} names no {self.slot}; write for example "
                f"'ssh phone bench {self.slot}'"
            )

    def allowing_busy(self) -> Measurer:
        """Return the same that takes a busy machine's numbers, and marks them."""
        return replace(self, effort=self.effort.allowing_busy())

    def __call__(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> Timing:
        """Time one forward pass.

        Args:
            model: Run in eval mode; not changed.
            inputs: Of one call, batch included.

        Raises:
            MachineBusy: The machine was not quiet.
            RuntimeUnavailable: The runtime cannot run this network.
        """
        if self.runtime != COMMAND and RUNTIMES.find(self.runtime).takes == "network":
            return self._timed(model, inputs)
        if self.export is None:
            raise RuntimeUnavailable(f"runtime {self.runtime} needs a way to write files, and was given none")
        with tempfile.TemporaryDirectory(prefix="ganprune-latency-") as folder:
            path = Path(folder) / self.filename
            self.export(model, inputs, path)
            if self.runtime == COMMAND:
                return run_command(self.command, path, slot=self.slot, shapes=[tuple(x.shape) for x in inputs])
            return self._timed(path, inputs)

    def _timed(self, source: nn.Module | Path, inputs: tuple[Tensor, ...]) -> Timing:
        runtime = RUNTIMES.find(self.runtime)
        clock = cuda_clock if runtime.gpu and torch.device(self.device).type == "cuda" else wall_clock
        with torch_threads(self.threads), torch.inference_mode():
            settle_allocator()
            session = runtime.open(source, self.dtype, self.threads, self.device)
            call = bound(session, *(x.detach().cpu().numpy() for x in inputs))
            return measure_latency(call, self.effort, clock)


def settle_allocator() -> None:
    """Bring the allocator to the state of a process that has run for a while.

    glibc hands blocks back to the system, and waits for fresh pages in the next call, until it has seen one as large
    (up to 32 MiB) freed: before that the same call takes up to three times as long.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
