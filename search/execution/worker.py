"""One attempt at a trial, in the process that runs it: alone in its folder, its result on disk before it is told."""

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

FULL = (errno.ENOSPC, errno.EDQUOT)
ALONE_S = 60.0  # a worker outlives a dead driver by some seconds


class OutOfDisk(WorkFailed):
    """A trial could not write its files: no fault of the trial, and no other one would fare better."""


def load_run(run: str) -> Run:
    """The `Run` that `package.module:function` names. Raises as `load_function`."""
    return load_function(run)


def load_function(run: str) -> Callable[..., Any]:
    """The callable that `package.module:function` names.

    Raises:
        ValueError: the text has another form, or there is no such module or function.
    """
    module_name, separator, attribute = run.partition(":")
    if not (module_name and separator and attribute):
        raise ValueError(f"a run function is named package.module:function; got {run!r}")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"cannot load the run function {run!r}: {error}") from None
    return function


def limit_threads(threads: int) -> None:
    """Let this process compute with `threads` threads.

    More threads than CPUs make small trainings several times slower: OpenMP's barriers wait for a core.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:  # else torch reads OMP_NUM_THREADS when the trial imports it
        torch.set_num_threads(threads)


def stop_reason(step: int) -> str:
    """Return the reason of a trial that was stopped at a rung."""
    return f"stopped early at step {step}: its rivals there were better"


@contextlib.contextmanager
def alone_in(folder: Path, patience_s: float = ALONE_S) -> Iterator[None]:
    """Make this process the only one that trains in `folder` for as long as the block runs.

    A worker may outlive its driver by some seconds, while the next driver has its trial run again: two of them would
    take each other's checkpoints away.

    Raises:
        TimeoutError: Another process still trains there after `patience_s`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=patience_s)
    try:
        lock.acquire(poll_interval=0.2)
    except Timeout:
        raise TimeoutError(f"another process still trains in {folder}; end it") from None
    except (NotImplementedError, OSError):  # a file system without locks
        pass
    try:
        yield
    finally:
        lock.release()


def out_of_disk(error: BaseException) -> OSError | None:
    """The error of a full disk (or of a user's quota) that `error` is, or was raised for."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in FULL:
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def perform(run: str, request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialOutcome:
    """Run one trial; its result is on disk (`<workspace>/result.json`) before it is returned.

    An exception becomes a FAIL result with the traceback's end. That one is not kept on disk: after a crash of
    the driver a failed trial may as well be tried again.

    Raises:
        OutOfDisk: the disk is full.
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
                raise TypeError(f"{run} must return a TrialOutcome; got {type(result).__name__}")
            if result.state == "PRUNED" and stopped_at:
                result = replace(result, stopped=stop_reason(stopped_at[0]))
            write_result(here, result)
    except Exception as error:
        if (full := out_of_disk(error)) is not None:
            raise OutOfDisk(
                f"no space left on the device for trial {request.number} ({full.filename or request.workspace}); "
                "make room (`ganprune gc` removes checkpoints off the front), then `ganprune resume`"
            ) from None
        _let_go()
        return failure(_reason(error), getattr(error, "traceback", "") or traceback.format_exc())
    return result


def _reason(error: Exception) -> str:
    """Return the reason of a failed trial: what an error of ours says, or any other one with its class."""
    text = str(error)
    told = isinstance(error, UserError | WorkFailed) and bool(text)
    return text if told else f"{type(error).__name__}: {text}"


def _let_go() -> None:
    """A trial that failed for want of memory must not take the next one's."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
