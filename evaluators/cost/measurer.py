"""Times networks in one runtime, or on a remote device by its user's command."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.files.errors import UserError, WorkFailed
from .catalog import RUNTIMES
from .device import COMMAND
from .latency import Effort, MachineBusy, Timing, cuda_clock, measure_latency, wall_clock
from .pytorch import torch_threads
from .runtime import RuntimeUnavailable, bound

Export = Callable[[nn.Module, tuple[Tensor, ...], Path], None]
COMMAND_SECONDS = 900


@dataclass(frozen=True)
class Measurer:
    """A way to time networks: one runtime, used in one way.

    Attributes:
        runtime: A row of the runtimes, or `command` for a remote device.
        threads: Threads on the CPU.
        device: The device of a runtime that has a choice.
        effort: Time spent on one number.
        export: Writes a network as the file that the runtime, or the remote device, takes.
        command: Template of a command that runs the file `{onnx}` on the device and prints JSON.
        dtype: Data type of the arithmetic: `float32`, `int8`.
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
                return run_command(self.command, path, slot=self.slot)
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


def run_command(template: str, path: Path, seconds: float = COMMAND_SECONDS, slot: str = "{onnx}") -> Timing:
    """Return what a user's command measured of an exported file.

    The command is run without a shell, `slot` replaced by the file's path. The last line of its output that is a
    JSON object counts: `median_ms` and, where known, `p90_ms` and `n`; `busy` with a text says that it could not
    measure.

    Raises:
        WorkFailed: It cannot be run, fails, takes too long or prints something else.
        MachineBusy: It says so.
    """
    words = [word.replace(slot, str(path)) for word in shlex.split(template)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        raise WorkFailed(f"--device-command cannot run {words[0]!r}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired:
        raise WorkFailed(f"--device-command took longer than {seconds:g} s: {template}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise WorkFailed(f"--device-command ended with exit code {done.returncode}: {said or template}")
    found = _last_object(done.stdout)
    if found.get("busy"):
        raise MachineBusy(f"the device was busy: {found['busy']}")
    try:
        median = float(found["median_ms"])
        return Timing(median, max(median, float(found.get("p90_ms", median))), int(found.get("n", 1)))
    except (KeyError, TypeError, ValueError):
        raise WorkFailed(
            "--device-command must print one JSON object such as "
            f'{{"median_ms": 12.5, "p90_ms": 13.1, "n": 50}}; it printed {done.stdout.strip()[-200:]!r}'
        ) from None


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict) and not any(isinstance(v, float) and math.isnan(v) for v in value.values()):
            return value
    return {}
