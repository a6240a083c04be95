"""Load of a machine during a timing: the CPU time of other processes, and its effect on ours.

Three signals, each blind where another sees. Other processes' CPU time (/proc/stat less our own) shows a busy loop
on a core that we do not need, which still takes cache, memory and clock speed. Our own time in the run queue
(/proc/self/task/*/schedstat) shows that we waited for a core, inside a container too, where /proc/stat may describe the
whole host. A calibrated probe before and after shows what neither counts: a clock that fell, a host that took the core
away. The first two exist on Linux only.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from ...gan_models.files.errors import UserError

PROBE_RUNS = 15
_STEPS = 4000
_BUSY_COLUMNS = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal; idle, iowait and guests are not


@dataclass(frozen=True)
class Snapshot:
    """Clocks at one moment; None where the system does not tell.

    Attributes:
        wall: Seconds of the monotonic clock.
        own: CPU seconds of this process and of its children that ended.
        busy: CPU seconds of all processes since the start, over all CPUs.
        waited: Seconds that this process's threads were ready to run and had no core.
        probe: Median seconds of the probe, taken at this moment.
    """

    wall: float
    own: float
    busy: float | None
    waited: float | None
    probe: float


@dataclass(frozen=True)
class Limits:
    """Limits of a quiet machine.

    Attributes:
        others: Share of the machine's CPUs that other processes may take.
        waited: Share of the wall time that our threads may wait for a core.
        drift: Relative difference of the probe before and after.
    """

    others: float = 0.1
    waited: float = 0.03
    drift: float = 0.25

    def __post_init__(self):
        for name in ("others", "waited", "drift"):
            if not getattr(self, name) > 0:
                raise UserError(f"the limit of {name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class Disturbance:
    """Load between two snapshots.

    Attributes:
        others: CPUs that other processes used on average; None where unknown.
        cpus: CPUs of the machine.
        waited: Share of the wall time that our threads waited for a core; None where unknown.
        drift: The probe afterwards over the probe before, less 1.
    """

    others: float | None
    cpus: int
    waited: float | None
    drift: float

    def reason(self, limits: Limits) -> str:
        """Return the reason that the machine was not quiet, with numbers; empty if it was."""
        if self.others is not None and self.others > limits.others * self.cpus:
            return (
                f"other processes used {self.others:.2f} of {self.cpus} CPUs "
                f"(at most {limits.others * self.cpus:.2g} is quiet)"
            )
        if self.waited is not None and self.waited > limits.waited:
            return f"this process waited for a core {100 * self.waited:.0f} % of the time"
        if abs(self.drift) > limits.drift:
            return f"a fixed computation took {100 * self.drift:+.0f} % time after the measurement against before it"
        return ""


def snapshot() -> Snapshot:
    """Return the clocks now; the probe takes a few milliseconds."""
    probe = _probe()
    own = os.times()
    return Snapshot(
        time.monotonic(),
        own.user + own.system + own.children_user + own.children_system,
        busy_seconds(_read("/proc/stat")),
        _waited(),
        probe,
    )


def between(before: Snapshot, after: Snapshot, cpus: int | None = None) -> Disturbance:
    """Return the load between two snapshots.

    Args:
        before: The first one.
        after: The second one.
        cpus: CPUs of the machine; None asks the system.
    """
    wall = max(after.wall - before.wall, 1e-9)
    others = waited = None
    if before.busy is not None and after.busy is not None:
        # Both clocks tick in hundredths of a second: two ticks of either are no other process.
        excess = (after.busy - before.busy) - (after.own - before.own) - 0.02
        others = max(0.0, excess) / wall
    if before.waited is not None and after.waited is not None:
        waited = max(0.0, after.waited - before.waited) / wall
    return Disturbance(others, cpus or os.cpu_count() or 1, waited, after.probe / before.probe - 1)


def busy_seconds(stat: str) -> float | None:
    """CPU seconds that all processes have used, by the text of /proc/stat; None where it does not say."""
    head = stat.partition("\n")[0].split()
    if len(head) < 9 or head[0] != "cpu":
        return None
    ticks = [int(number) for number in head[1:]]
    return sum(ticks[i] for i in _BUSY_COLUMNS) / os.sysconf("SC_CLK_TCK")


def _waited() -> float | None:
    total, seen = 0, False
    for path in Path("/proc/self/task").glob("*/schedstat"):
        fields = _read(path).split()
        if len(fields) == 3:
            total, seen = total + int(fields[1]), True
    return total / 1e9 if seen else None


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:  # another system, or a thread that has just ended
        return ""


def _probe() -> float:
    """Median seconds of a fixed computation, which fits into the first cache and allocates nothing."""
    times = []
    for _ in range(PROBE_RUNS):
        start, total = time.perf_counter(), 0
        for i in range(_STEPS):
            total ^= i
        times.append(time.perf_counter() - start)
    return statistics.median(times)
