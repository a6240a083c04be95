"""Ways to run a network for timing it: PyTorch eager, torch.compile, ONNX Runtime, or somebody else's command."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.files.errors import UserError, WorkFailed
from .device import COMMAND, RUNTIMES
from .latency import Effort, MachineBusy, Timing, cuda_clock, measure_latency, wall_clock

Export = Callable[[nn.Module, tuple[Tensor, ...], Path], None]
COMMAND_SECONDS = 900


class RuntimeUnavailable(WorkFailed):
    """A runtime does not work here, or not with this network; the message says what to use instead."""


@dataclass(frozen=True)
class Measurer:
    """Times networks in one runtime.

    Attributes:
        runtime: `eager`, `compile`, `onnxruntime` or `command`.
        threads: Of the CPU runtimes.
        device: Where eager and compiled networks run.
        effort: How much to spend on one number.
        export: Writes a network as ONNX; needed by `onnxruntime` and `command`.
        command: Template of a command that runs `{onnx}` on the device and prints JSON.

    Raises:
        ValueError: An unknown runtime, no thread, or a template without `{onnx}`.
    """

    runtime: str = "eager"
    threads: int = 1
    device: str = "cpu"
    effort: Effort = field(default_factory=Effort)
    export: Export | None = None
    command: str = ""

    def __post_init__(self):
        if self.runtime not in (*RUNTIMES, COMMAND):
            raise UserError(f"runtime {self.runtime!r} is unknown; use {', '.join(RUNTIMES)}")
        if self.threads < 1:
            raise UserError(f"threads is {self.threads}; use 1 or more")
        if self.runtime == COMMAND and "{onnx}" not in self.command:
            raise UserError(
                f"--device-command {self.command!r} names no {{onnx}}; write for example 'ssh phone bench {{onnx}}'"
            )

    def __call__(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> Timing:
        """Times one forward pass.

        Args:
            model: Run in eval mode; not changed.
            inputs: Of one call, batch included.

        Raises:
            MachineBusy: The machine was not quiet.
            RuntimeUnavailable: The runtime cannot run this network.
        """
        if self.runtime in ("onnxruntime", COMMAND):
            with tempfile.TemporaryDirectory(prefix="ganprune-latency-") as folder:
                path = Path(folder) / "network.onnx"
                if self.export is None:
                    raise RuntimeUnavailable(f"runtime {self.runtime} needs a way to write ONNX, and was given none")
                self.export(model, inputs, path)
                if self.runtime == COMMAND:
                    return run_command(self.command, path)
                with _threads(self.threads):
                    return measure_latency(onnx_call(path, inputs, self.threads), self.effort)
        with _threads(self.threads), torch.inference_mode():
            settle_allocator()
            placed = model.eval().to(self.device)
            here = tuple(x.to(self.device) for x in inputs)
            call = compiled(placed, here) if self.runtime == "compile" else lambda: placed(*here)
            clock = cuda_clock if torch.device(self.device).type == "cuda" else wall_clock
            return measure_latency(call, self.effort, clock)


def settle_allocator() -> None:
    """Brings the allocator to where a process comes that has run for a while.

    glibc hands blocks back to the system, and waits for fresh pages in the next call, until it has seen one as large
    (up to 32 MiB) freed: before that the same call takes up to three times as long.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def compiled(model: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    """A call of the compiled network, compiled already.

    Raises:
        RuntimeUnavailable: torch.compile does not work here (no C++ compiler, as a rule), or not with this network.
    """
    torch.compiler.reset()  # else many shapes of one block count as recompilations, and torch gives up
    try:
        fast = torch.compile(model, dynamic=False, fullgraph=True)
        fast(*inputs)
    except Exception as error:  # the compiler raises many kinds
        line = next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)
        raise RuntimeUnavailable(
            f"torch.compile does not work here ({line[:200]}); install a C++ compiler, or use --runtime eager or "
            "onnxruntime"
        ) from error
    return lambda: fast(*inputs)


def onnx_call(path: Path, inputs: Sequence[Tensor], threads: int) -> Callable[[], object]:
    """A call of an ONNX file in ONNX Runtime on the CPU; the session is open already.

    Raises:
        RuntimeUnavailable: ONNX Runtime is missing, or cannot run the file.
    """
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        feed = {name: x.detach().cpu().numpy() for name, x in zip(names, inputs, strict=True)}
        session.run(None, feed)
    except Exception as error:  # ONNX Runtime's errors have no common parent
        raise RuntimeUnavailable(
            f"ONNX Runtime cannot run the network: {' '.join(str(error).split())[:300]}"
        ) from error
    return lambda: session.run(None, feed)


def run_command(template: str, onnx: Path, seconds: float = COMMAND_SECONDS) -> Timing:
    """What somebody's command measured of an ONNX file.

    The command is run without a shell, `{onnx}` replaced by the file's path. The last line of its output that is a
    JSON object counts: `median_ms` and, where known, `p90_ms` and `n`; `busy` with a text says that it could not
    measure.

    Raises:
        RuntimeError: It cannot be run, fails, takes too long or prints something else.
        MachineBusy: It says so.
    """
    words = [word.replace("{onnx}", str(onnx)) for word in shlex.split(template)]
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


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
