"""The log of a study or a trial with the tracebacks of the user's own code; the screen has one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ...gan_models.files.errors import UserError, errors_of
from ...gan_models.files.user_code import blamed, take_tolerated
from .remote import is_url

LOG = "errors.log"


@contextmanager
def tracebacks_in(folder: str | Path, named: bool = True) -> Iterator[None]:
    """Write the traceback of the user's own code, if that ends the block, to a log, and name the log in the error.

    Tracebacks of failures that were tolerated in the block are written, too.

    Args:
        folder: Of the study or the trial; it is made. Nothing is written behind a URL.
        named: Name it; of trials that fail alike, the errors stay alike without.

    Raises:
        UserCodeFailed: The user's own code raised, and nothing has reported it yet.
    """
    try:
        yield
    except Exception as error:
        found = blamed(error) or error
        parts = errors_of(found) if isinstance(found, UserError) else (found,)
        for part in parts:
            if trace := getattr(part, "traceback", ""):
                _log(folder, part, trace, named)
        if isinstance(found, UserError) and len(parts) > 1:
            raise type(found)(parts) from error  # type: ignore[arg-type]  # with the parts' new texts
        if found is not error:
            raise found from error
        raise
    finally:
        for tolerated in take_tolerated():
            if trace := getattr(tolerated, "traceback", ""):
                _log(folder, tolerated, trace, named=False)


def _log(folder: str | Path, error: Exception, trace: str, named: bool) -> None:
    """Append a traceback to a folder's log; a folder that cannot be written leaves the error as it is."""
    if is_url(folder):
        return
    path, text = Path(folder).absolute() / LOG, str(error)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n{trace.rstrip()}\n\n")
    except OSError:
        return
    if named:
        error.args = (f"{text}; its traceback is in {path}",)
