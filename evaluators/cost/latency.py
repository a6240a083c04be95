"""The time of one call, on a machine that was quiet while it was measured; else no number is given.

One measurement at a time: a lock file in the system's folder for temporary files (TMPDIR, else /tmp), one for each
user, keeps two measuring processes of a user from timing each other.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from ...gan_models.files.errors import UserError, WorkFailed
from ..measurement import Measurement
from .machine_load import Limits, Snapshot, between, snapshot

LOCK_SECONDS = 600.0
BUSY_NOTE = "measured on a busy machine"


class MachineBusy(WorkFailed):
    """Something else ran during every attempt to measure; the message says what was seen."""


@dataclass(frozen=True)
class Timing:
    """The time of one call.

    Attributes:
        median_ms, p90_ms: Over the samples; above 0. The first is what `statistic` says.
        n: Samples behind them.
        inner: Calls in one sample (short calls are timed together).
        tries: Attempts until the machine was quiet.
        busy: What else ran on a machine that was measured although it was busy; empty if it was quiet.
        statistic: What `median_ms` really is: `least` on a busy machine, and what a program on a device prints.

    Raises:
        ValueError: Times that are not finite and above 0, or in the wrong order.
    """

    median_ms: float
    p90_ms: float
    n: int
    inner: int = 1
    tries: int = 1
    busy: str = ""
    statistic: str = "median"

    def __post_init__(self):
        if not (math.isfinite(self.p90_ms) and 0 < self.median_ms <= self.p90_ms and self.n >= 1):
            raise ValueError(f"a timing needs 0 < median <= p90 and a sample, got {self}")

    def measurement(self, name: str, protocol: str) -> Measurement:
        """Return the median in ms under a name such as `latency_ms[measured,threads=2]`."""
        how = f"{protocol}; {self.statistic} of {self.n}, p90 {self.p90_ms:.4g} ms"
        if self.busy:
            note = f"{BUSY_NOTE}: {self.busy}"
            return Measurement(name, self.median_ms, "ms", n=self.n, protocol=f"{how}; --allow-busy", note=note)
        return Measurement(name, self.median_ms, "ms", n=self.n, protocol=f"{how}; quiet at attempt {self.tries}")


@dataclass(frozen=True)
class Effort:
    """The effort that is spent on one number.

    Attributes:
        warm_up: Seconds of calls before the first sample, at least 2 calls.
        seconds: Seconds of samples.
        samples: Fewest samples.
        sample_ms: Calls shorter than this are timed several at once: below it the clock's own cost shows.
        tries: Attempts before the machine is called busy.
        pause: Seconds before the second attempt; doubles with each one.
        limits: What counts as quiet.
    """

    warm_up: float = 0.1
    seconds: float = 0.4
    samples: int = 10
    sample_ms: float = 1.0
    tries: int = 5
    pause: float = 1.0
    limits: Limits = field(default_factory=Limits)

    def allowing_busy(self) -> Effort:
        """Return the same that takes a busy machine's numbers, and marks them."""
        return replace(self, limits=Limits(math.inf, math.inf, math.inf))

    def __post_init__(self):
        if self.samples < 1 or self.tries < 1 or min(self.warm_up, self.seconds, self.pause) < 0:
            raise UserError(f"an effort needs samples and tries of 1 or more and no negative times, got {self}")


Clock = Callable[[Callable[[], object], int], float]


def wall_clock(call: Callable[[], object], inner: int) -> float:
    """Seconds of `inner` calls by the monotonic clock."""
    start = time.perf_counter()
    for _ in range(inner):
        call()
    return time.perf_counter() - start


def cuda_clock(call: Callable[[], object], inner: int) -> float:
    """Seconds of `inner` calls on the current CUDA device, by its own events."""
    import torch

    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(inner):
        call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000.0


def measure_latency(
    call: Callable[[], object],
    effort: Effort | None = None,
    clock: Clock = wall_clock,
    look: Callable[[], Snapshot] = snapshot,
    sleep: Callable[[float], None] = time.sleep,
) -> Timing:
    """Time a call, repeatedly until the machine was quiet before, during and after it.

    The time is the median of the samples. On a machine that was busy, and may be, it is the least of them.

    Args:
        call: What to time; its result is thrown away.
        effort: How much to spend, and what is quiet.
        clock: `wall_clock`, or `cuda_clock` for what runs on a GPU.
        look: Gives the state of the machine.
        sleep: Waits between attempts.

    Raises:
        MachineBusy: No attempt had the machine for itself.
        RuntimeError: Another measurement holds the lock for too long.
    """
    effort = effort or Effort()
    reason = ""
    with exclusive():
        for attempt in range(effort.tries):
            if attempt:
                sleep(effort.pause * 2 ** (attempt - 1))
            inner = _warm_up(call, effort, clock)
            before = look()
            times = _samples(call, effort, clock, inner)
            seen = between(before, look())
            reason = seen.reason(effort.limits)
            if not reason:
                busy = seen.reason(Limits())
                # Other programs only ever add to a sample: a median is then their time, not the call's.
                typical, statistic = (min(times), "least") if busy else (statistics.median(times), "median")
                p90 = max(typical, _p90(times))
                return Timing(1000 * typical, 1000 * p90, len(times), inner, attempt + 1, busy, statistic)
    raise MachineBusy(
        f"the machine was busy: {reason}, in each of {effort.tries} attempts; end other programs and try again"
    )


def _warm_up(call: Callable[[], object], effort: Effort, clock: Clock) -> int:
    """Call until caches and allocators are warm; return the number of calls in one sample."""
    end, fastest, done = time.perf_counter() + effort.warm_up, math.inf, 0
    while done < 2 or time.perf_counter() < end:
        fastest, done = min(fastest, clock(call, 1)), done + 1
    return max(1, math.ceil(effort.sample_ms / 1000 / max(fastest, 1e-7)))


def _samples(call: Callable[[], object], effort: Effort, clock: Clock, inner: int) -> list[float]:
    end, times = time.perf_counter() + effort.seconds, []
    while len(times) < effort.samples or time.perf_counter() < end:
        times.append(clock(call, inner) / inner)
    return times


def _p90(times: list[float]) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, math.ceil(0.9 * len(ordered)) - 1)]


def lock_path() -> Path:
    """Return the lock file of this user's measurements."""
    return Path(tempfile.gettempdir()) / f"ganprune-latency-{os.getuid() if hasattr(os, 'getuid') else 'user'}.lock"


@contextmanager
def exclusive(seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock on measurements against all processes of this user; its holder may take it again.

    Raises:
        RuntimeError: Another process still holds it after the time limit.
    """
    lock = FileLock(str(lock_path()), is_singleton=True)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise WorkFailed(
            f"another measurement has held {lock_path()} for {seconds:.0f} s; wait until it ends, then try again"
        ) from None
    try:
        yield
    finally:
        lock.release()
