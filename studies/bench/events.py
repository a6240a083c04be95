"""What a benchmark tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

End = Literal["finished", "failed", "elsewhere"]


@dataclass(frozen=True)
class TeacherMade:
    """A teacher that is there now.

    Attributes:
        label: The teacher, for people.
        seconds: Seconds of its training.
    """

    label: str
    seconds: float

    def __str__(self) -> str:
        """The event on one line."""
        return f"{self.label}: trained in {self.seconds:.0f} s"


@dataclass(frozen=True)
class TeacherFailed:
    """A teacher that cannot be made; its cells stay missing.

    Attributes:
        label: The teacher, for people.
        reason: Why, in one line.
    """

    label: str
    reason: str

    def __str__(self) -> str:
        """The event on one line."""
        return f"{self.label}: cannot be made, and its cells stay missing: {self.reason}"


@dataclass(frozen=True)
class CellEnded:
    """A cell that is not run any more.

    Attributes:
        label: The cell, for people.
        end: `finished`, `failed`, or `elsewhere` if another process runs it.
        detail: Its distance and seconds, or the reason.
        number: Cells that have ended in this run, this one included.
        cells: Cells of this run.
    """

    label: str
    end: End
    detail: str
    number: int
    cells: int

    def __str__(self) -> str:
        """The event on one line."""
        said = {"finished": "", "failed": "failed: ", "elsewhere": "runs in another process: "}[self.end]
        return f"[{self.number}/{self.cells}] {self.label}: {said}{self.detail}"


BenchEvent = TeacherMade | TeacherFailed | CellEnded
BenchListener = Callable[[BenchEvent], None]


def quiet(event: BenchEvent) -> None:
    """Tell nothing."""
