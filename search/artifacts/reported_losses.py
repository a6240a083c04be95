"""Losses that a user's own training reports, kept next to its checkpoints: a kill loses none of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from ..records.learning_curve import Point

FILE = "losses.jsonl"
POINTS = 100  # of a whole training, about as many as our own loop notes
MAX_TERMS = 20
LONGEST_NAME = 60  # letters


class ReportedLosses:
    """The losses of one training: a line per noted step, written when it is reported.

    Of steps between two of the `POINTS` none is noted. Points of an earlier attempt are kept up to where this one
    continues.

    Args:
        folder: The trial's.
        steps: Steps of the whole training.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        self.points: list[Point] = []
        self._path, self._steps, self._every = folder / FILE, steps, max(1, steps // POINTS)
        self._before = _read(self._path)
        self._begun = False

    def note(self, step: int, losses: object) -> None:
        """Keep what was reported at a step, if it is one of those that are kept.

        Args:
            step: Steps that are done; rises from call to call.
            losses: Value by term; a value that is not finite is left out. None: nothing was reported.

        Raises:
            ValueError: `losses` is not a mapping of names to numbers, or has too many terms.
        """
        values = None if losses is None else _checked(losses)
        if not self._begun:
            self._begin([point for point in self._before if point[0] < step])
        last = self.points[-1][0] if self.points else 0
        if values and (step // self._every > last // self._every or step == self._steps):
            self.points.append((step, values))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([step, values]) + "\n")

    def all(self) -> tuple[Point, ...]:
        """Return the points by step; of a training that an earlier attempt had ended, that attempt's."""
        return tuple(self.points if self._begun else self._before)

    def _begin(self, kept: list[Point]) -> None:
        """Continue after the points of an earlier attempt that are before this one's first step."""
        self._begun, self.points = True, kept
        if self._before:
            self._path.write_text("".join(json.dumps([*point]) + "\n" for point in kept), encoding="utf-8")


def _checked(losses: object) -> dict[str, float]:
    """Return losses as numbers. Raises ValueError."""
    if not isinstance(losses, Mapping):
        raise ValueError(f"got a {type(losses).__name__}; expected a mapping of names to numbers")
    if len(losses) > MAX_TERMS:
        raise ValueError(f"got {len(losses)} terms; expected at most {MAX_TERMS}")
    found: dict[str, float] = {}
    for name, value in losses.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(f"got the name {name!r:.80}; expected a text of 1 to {LONGEST_NAME} letters")
        try:
            found[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"got {name} as a {type(value).__name__}; expected one number") from None
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _read(path: Path) -> list[Point]:
    """Return the points of a file; a line that a kill left half written, and what follows it, is left out."""
    found: list[Point] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            step, values = json.loads(line)
        except ValueError:
            break
        if found and step <= found[-1][0]:
            break
        found.append((step, values))
    return found
