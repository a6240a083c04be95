"""Runs the command of a remote device's user on an exported file, and reads the latency that it prints."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ....gan_models.files.errors import WorkFailed
from ..latency import Timing
from .printed_latency import read_latency

COMMAND_SECONDS = 900
SHAPE_SLOT = "{shape}"
MAX_QUOTED_CHARACTERS = 300


def run_command(
    template: str,
    path: Path,
    seconds: float = COMMAND_SECONDS,
    slot: str = "{onnx}",
    shapes: Sequence[tuple[int, ...]] = (),
) -> Timing:
    """Return what a user's command measured of an exported file.

    The command is run without a shell. `slot` is replaced by the file's path, and `{shape}` by the sizes of one input
    of each kind as ncnn's `benchncnn` takes them: width, height and channels, `[64,64,3]`. What it prints may have
    any form of `printed_latency`; programs that print to standard error are read there.

    Args:
        template: The command.
        path: The file.
        seconds: Most seconds.
        slot: Text that the file's path replaces.
        shapes: Of the inputs, batch included.

    Raises:
        WorkFailed: It cannot be run, fails, takes too long or prints no latency.
        MachineBusy: It says so.
    """
    sizes = ",".join(f"[{','.join(map(str, reversed(shape[1:])))}]" for shape in shapes)
    words = [word.replace(slot, str(path)).replace(SHAPE_SLOT, sizes) for word in shlex.split(template)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=seconds, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise WorkFailed(f"--device-command cannot run {words[0]!r}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired:
        raise WorkFailed(f"--device-command took longer than {seconds:g} s: {template}") from None
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout).split())[-MAX_QUOTED_CHARACTERS:]
        raise WorkFailed(f"--device-command ended with exit code {done.returncode}: {said or template}")
    try:
        return read_latency(done.stdout)
    except WorkFailed:
        if not done.stderr.strip():
            raise
        return read_latency(f"{done.stdout}\n{done.stderr}")
