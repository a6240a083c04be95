"""Reasons that a network cannot be traced, in one line without torch's terms and output."""

from __future__ import annotations

import inspect
import io
import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from torch import nn

from ...files.texts.number_text import counted

_HINT = (
    "the input shape must be the one that it takes, a branch on a tensor's value must become torch.where, "
    "a size must come from a shape"
)


@contextmanager
def silence() -> Iterator[None]:
    """Suppress torch's logs and prints about a network that it cannot export; the error message suffices."""
    known = [one for name, one in logging.root.manager.loggerDict.items() if name.startswith("torch.")]
    loggers = [(one, one.disabled) for one in known if isinstance(one, logging.Logger)]
    parent = logging.getLogger("torch")  # for loggers that are created during the export
    level = parent.level
    for logger, _ in loggers:
        logger.disabled = True
    parent.setLevel(logging.CRITICAL + 1)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        parent.setLevel(level)
        for logger, disabled in loggers:
            logger.disabled = disabled


def other_inputs(model: nn.Module, given: int) -> str | None:
    """Return the error in the number of inputs of a network; None if its forward takes this number."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):  # a forward that Python cannot inspect
        return None
    try:
        signature.bind(*[None] * given)
    except TypeError:
        varied = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        asked = [one for one in signature.parameters.values() if one.kind not in varied]
        needed = [one.name for one in asked if one.default is inspect.Parameter.empty]
        return (
            f"its forward takes {', '.join(needed) or 'nothing'}: got {counted(given, 'input')}. Try to name each "
            f"input's kind, in order, such as --input-shape 'image:3,64,64;latent:8', with a task that "
            "provides them; or name a wrapper whose forward fixes some or derives them from the others"
        )
    return None


def why_refused(error: Exception) -> str:
    """Return an error of torch.export as `, at FILE:LINE `code`: fault (cure)`, with the place if it is known."""
    text = str(error)
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    if "data-dependent" in first:
        first = "a shape or a branch is data-dependent: it needs the values of the data"
    places = re.findall(r'File "([^"]+)", line (\d+), in \w+\s*\n\s*(.+)', text) or _frames(error)
    place = f", at {places[-1][0]}:{places[-1][1]} `{places[-1][2].strip()}`" if places else ""
    return f"{place}: {first[:200]} ({_HINT})"


def _frames(error: Exception) -> list[tuple[str, str, str]]:
    """Return file, line and code of the calls that led to an error, without those of torch and of this program."""
    own = (Path(torch.__file__).parent, Path(__file__).parents[2], Path(inspect.__file__).parent / "contextlib.py")
    return [
        (frame.filename, str(frame.lineno), frame.line or "")
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.line and not any(Path(frame.filename).is_relative_to(folder) for folder in own)
    ]
