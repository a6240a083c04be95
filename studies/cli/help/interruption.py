"""The line that follows Ctrl-C: what is kept, and the command that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...run_options import default_storage

CODE = 130  # exit code after Ctrl-C, as shells have it
AGAIN = "run the command again"
SAME = "the same command goes on from all that is done"


@contextmanager
def continued_by(advice: str) -> Iterator[None]:
    """Let a Ctrl-C in the block end the command with this advice.

    Args:
        advice: Follows "interrupted; ".
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(advice) from stopped


def resume_command(study: str, storage: str) -> str:
    """Return the advice for a study that was interrupted: the command that resumes it.

    Args:
        study: Its name.
        storage: Its database, which is named unless it is the default.
    """
    place = "" if storage == default_storage() else f" --storage '{storage}'"
    return f"`ganprune resume {study}{place}` goes on from all that is done"
