"""A progress bar of a search for Python: a widget in a notebook, a line in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...search.records.events import Event, Listener, SearchEnded, SearchStarted, TrialFinished, TrialReported


class SearchBar:
    """A bar of the teacher's training, then one of the trials.

    Args:
        sign: -1 if the quality is maximized: events have it with the other sign.
        make: Makes a bar; None: tqdm's for this place.
    """

    def __init__(self, sign: float = 1.0, make: Callable[..., Any] | None = None) -> None:
        if make is None:
            from tqdm.auto import tqdm

            make = tqdm
        self._sign, self._make = sign, make
        self._teacher: Any = None
        self._trials: Any = None
        self._best: float | None = None

    def teacher(self, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Show a step of the teacher's training."""
        if self._teacher is None:
            self._teacher = self._make(total=steps, desc="teacher", unit="step")
        self._teacher.update(step - self._teacher.n)
        if step >= steps:
            self._teacher.close()

    def event(self, event: Event) -> None:
        """Show what happened in the search."""
        if isinstance(event, SearchStarted):
            self._trials = self._make(total=event.total, initial=event.finished, desc="trials", unit="trial")
        if self._trials is None:
            return
        if isinstance(event, TrialReported):
            self._trials.set_postfix_str(f"{self._said()}trial {event.number} at step {event.step}")
        elif isinstance(event, TrialFinished):
            if event.state == "COMPLETE" and event.feasible and event.quality is not None:
                self._best = event.quality if self._best is None else min(self._best, event.quality)
            self._trials.set_postfix_str(f"{self._said()}trial {event.number} {event.state}")
            self._trials.update(int(event.state != "FAIL"))
        elif isinstance(event, SearchEnded):
            self.close()

    def close(self) -> None:
        """End the bars; harmless when repeated."""
        for bar in (self._teacher, self._trials):
            if bar is not None:
                bar.close()

    def _said(self) -> str:
        return "" if self._best is None else f"best {self._sign * self._best:.4g}, "


def both(first: Listener, second: Listener) -> Listener:
    """Return a listener that tells two others, in this order."""

    def listen(event: Event) -> None:
        first(event)
        second(event)

    return listen
