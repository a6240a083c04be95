"""One attempt at a trial in a worker: lock its folder, run it, and write result.json before reporting."""

import contextlib
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...gan_models.files.errors import UserError, WorkFailed
from ..artifacts.error_log import tracebacks_in
from ..artifacts.remote import at_hand
from ..artifacts.study_folder import write_result
from ..records.messages import TrialOutcome, TrialReport, TrialRequest, failure

Run = Callable[[TrialRequest, Callable[[TrialReport], bool]], TrialOutcome]

DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)
LOCK_WAIT_S = 60.0  # a worker may outlive a dead driver by some seconds


class OutOfDisk(WorkFailed):
    """An error: the disk is full. The trial is not the cause, and every other trial would also fail."""


def load_run(run: str) -> Run:
    """Return the `Run` named `package.module:function`. Raises the errors of `load_function`."""
    return load_function(run)


def load_function(run: str) -> Callable[..., Any]:
    """Return the callable named `package.module:function`.

    Raises:
        ValueError: The text has another form, or there is no such module or function.
    """
    module_name, separator, attribute = run.partition(":")
    if not (module_name and separator and attribute):
        raise ValueError(f"invalid name of a run function: got {run!r}; expected package.module:function")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"cannot load the run function {run!r}: {error}") from None
    return function


def limit_threads(threads: int) -> None:
    """Let this process compute with `threads` threads.

    More threads than CPUs make small trainings several times slower, because OpenMP's barriers wait for a core.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:  # otherwise torch reads OMP_NUM_THREADS when the trial imports it
        torch.set_num_threads(threads)


def stop_reason(step: int) -> str:
    """Return the reason of a trial that was stopped at a rung."""
    return f"stopped early at step {step}: its rivals there were better"


@contextlib.contextmanager
def alone_in(folder: Path, patience_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Make this process the only one that trains in `folder` inside the context.

    A worker may outlive its driver by some seconds, while the next driver runs its trial again: two workers would
    overwrite each other's checkpoints.

    Raises:
        TimeoutError: Another process still trains there after `patience_s`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=patience_s)
    try:
        lock.acquire(poll_interval=0.2)
    except Timeout:
        raise TimeoutError(f"another process still trains in {folder}. Try to end it") from None
    except (NotImplementedError, OSError):  # a file system without locks
        pass
    try:
        yield
    finally:
        lock.release()


def out_of_disk(error: BaseException) -> OSError | None:
    """Return the error of a full disk (or of a user's quota) that `error` is or was caused by, or None."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in DISK_FULL_ERRORS:
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def perform(run: str, request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialOutcome:
    """Run one trial; its result is on disk (`<workspace>/result.json`) before it is returned.

    An exception becomes a FAIL result with the end of the traceback. That result is not written to disk: after a crash
    of the driver, a failed trial is tried again.

    Raises:
        OutOfDisk: The disk is full.
    """
    stopped_at: list[int] = []

    def listen(told: TrialReport) -> bool:
        goes_on = report(told)
        if not goes_on:
            stopped_at.append(told.step)
        return goes_on

    try:
        function = load_run(run)
        with at_hand(request) as here, alone_in(Path(here.workspace)):
            with tracebacks_in(here.workspace, named=False):
                result = function(here, listen)
            if not isinstance(result, TrialOutcome):
                raise TypeError(f"{run} returned another type: got {type(result).__name__}; expected TrialOutcome")
            if result.state == "PRUNED" and stopped_at:
                result = replace(result, stopped=stop_reason(stopped_at[0]))
            write_result(here, result)
    except Exception as error:
        if (full := out_of_disk(error)) is not None:
            raise OutOfDisk(
                f"no space left on the device for trial {request.number} ({full.filename or request.workspace}). Try "
                f"to free space (`ganprune gc` removes checkpoints off the front), then run `ganprune resume`"
            ) from None
        _let_go()
        return failure(_reason(error), getattr(error, "traceback", "") or traceback.format_exc())
    return result


def _reason(error: Exception) -> str:
    """Return the reason of a failed trial: the message of an error of ganprune, or any other with its class."""
    text = str(error)
    told = isinstance(error, UserError | WorkFailed) and bool(text)
    return text if told else f"{type(error).__name__}: {text}"


def _let_go() -> None:
    """Release memory, so that a trial that ran out of memory does not affect the next one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
