"""The line after Ctrl-C: the stored results, and the command that continues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...run_options import default_storage

CODE = 130  # exit code after Ctrl-C, as in shells
RUN_AGAIN = "run the command again"
SAME_COMMAND_RESUMES = "the same command continues from all that is done"


@contextmanager
def continued_by(advice: str) -> Iterator[None]:
    """End the command with this advice after a Ctrl-C inside the context.

    Args:
        advice: Text after "interrupted; ".
    """
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(advice) from stopped


def resume_command(study: str, storage: str) -> str:
    """Return the advice for a study that was interrupted: the command that resumes it.

    Args:
        study: Name of the study.
        storage: Its database, which the advice includes unless it is the default.
    """
    place = "" if storage == default_storage() else f" --storage '{storage}'"
    return f"`ganprune resume {study}{place}` continues from all that is done"
