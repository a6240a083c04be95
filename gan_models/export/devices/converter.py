"""Converters of other packages: they print, also past Python, and raise many kinds of errors."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

from ...files.errors import WorkFailed
from ..exporter import NotConverted

LONGEST_REASON = 300


@contextmanager
def converting(network: str, title: str) -> Iterator[None]:
    """Run a converter without its output; an error becomes one line.

    Args:
        network: Class of the network, for the message.
        title: The format's name for people.

    Raises:
        NotConverted: The converter raised anything.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with _unheard(), redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except WorkFailed:
        raise
    except Exception as error:  # converters raise many kinds
        raise NotConverted(f"{network} cannot be written as {title}: {reason_of(error)}") from error
    finally:
        logging.disable(before)


def reason_of(error: Exception) -> str:
    """Return an error's class and the first lines of its message, as one short line."""
    text = " ".join(str(error).split())
    if len(text) > LONGEST_REASON:
        text = f"{text[:LONGEST_REASON]}..."
    return f"{type(error).__name__}: {text or 'no reason given'}"


@contextmanager
def _unheard() -> Iterator[None]:
    """Send standard output and error of this process, also of its C++ code, to a file that is thrown away."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as sink:
        try:
            for number in (1, 2):
                os.dup2(sink.fileno(), number)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)
