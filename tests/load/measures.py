"""Figures of a process: memory, open files, threads, disk; and the verdict whether they are flat."""

import os
import statistics
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path


def megabytes() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def disk_megabytes(*folders: Path) -> float:
    """The size of all files in folders; files that vanish meanwhile are left out."""
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                total += path.lstat().st_size
            except OSError:
                continue
    return total / 2**20


def children() -> int:
    """The number of this process's own children."""
    return sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))


@dataclass(frozen=True)
class Figures:
    """Resources of a process at one moment.

    Attributes:
        memory_mb: Resident memory.
        files: Open file descriptors.
        threads: Threads of Python and of libraries.
        processes: Children.
        disk_mb: The study's folder and the temporary files of this process.
    """

    memory_mb: float
    files: int
    threads: int
    processes: int
    disk_mb: float

    @classmethod
    def now(cls, *folders: Path) -> "Figures":
        """Measure."""
        threads = max(threading.active_count(), len(list(Path("/proc/self/task").iterdir())))
        return cls(
            megabytes(), len(list(Path("/proc/self/fd").iterdir())), threads, children(), disk_megabytes(*folders)
        )


# The growth from the second quarter to the last that is no growth: an allocator's, and a cache's that has a bound.
ALLOWED = {"memory_mb": 0.03, "files": 0.0, "threads": 0.0, "processes": 0.0, "disk_mb": 0.02}
ROUNDING = {"memory_mb": 15.0, "files": 2.0, "threads": 1.0, "processes": 0.0, "disk_mb": 0.5}


def growth(figures: Sequence[Figures]) -> dict[str, tuple[float, float]]:
    """Return the median of each figure in the second quarter and in the last; the first quarter fills caches."""
    quarter = max(len(figures) // 4, 1)
    found = {}
    for field in fields(Figures):
        values = [getattr(one, field.name) for one in figures]
        found[field.name] = (
            statistics.median(values[quarter : 2 * quarter] or values),
            statistics.median(values[-quarter:]),
        )
    return found


def not_flat(figures: Sequence[Figures]) -> list[str]:
    """Return each figure that grew by more than is allowed, as a line."""
    return [
        f"{name} grew from {before:.1f} to {after:.1f}"
        for name, (before, after) in growth(figures).items()
        if after - before > ALLOWED[name] * before + ROUNDING[name]
    ]
