"""Events of a benchmark while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

End = Literal["finished", "failed", "elsewhere"]


@dataclass(frozen=True)
class TeacherMade:
    """The end of a teacher's training.

    Attributes:
        label: The teacher as text.
        seconds: Seconds of its training.
    """

    label: str
    seconds: float

    def __str__(self) -> str:
        """Return the event on one line."""
        return f"{self.label}: trained in {self.seconds:.0f} s"


@dataclass(frozen=True)
class TeacherFailed:
    """The failure of a teacher, whose cells remain missing.

    Attributes:
        label: The teacher as text.
        reason: The reason in one line.
    """

    label: str
    reason: str

    def __str__(self) -> str:
        """Return the event on one line."""
        return f"{self.label}: cannot be made, and its cells stay missing: {self.reason}"


@dataclass(frozen=True)
class CellEnded:
    """The end of a cell in this run.

    Attributes:
        label: The cell as text.
        end: `finished`, `failed`, or `elsewhere` if another process runs it.
        detail: Its distance and seconds, or the reason.
        number: Number of cells that have ended in this run, including this one.
        cells: Number of cells of this run.
    """

    label: str
    end: End
    detail: str
    number: int
    cells: int

    def __str__(self) -> str:
        """Return the event on one line."""
        said = {"finished": "", "failed": "failed: ", "elsewhere": "runs in another process: "}[self.end]
        return f"[{self.number}/{self.cells}] {self.label}: {said}{self.detail}"


BenchEvent = TeacherMade | TeacherFailed | CellEnded
BenchListener = Callable[[BenchEvent], None]


def quiet(event: BenchEvent) -> None:
    """Ignore an event."""
