"""The progress of a search for people: one live display in a terminal, plain lines elsewhere."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.texts.number_text import counted, percent
from ...search.records.events import (
    Event,
    Noted,
    SearchEnded,
    SearchStarted,
    TrialFinished,
    TrialPutBack,
    TrialReported,
    TrialStarted,
)
from ..database.reader import StudyRecord

_PLAIN_EVERY = 10.0  # seconds between lines of the teacher's training where nobody watches
_N_LAST_FAILURES = 3  # failed trials that are named where too many failed


class TooManyFailed(WorkFailed):
    """A search ended because its trials fail; one line with the last reasons."""


class Display:
    """The display of a search's progress.

    Args:
        console: Console for the output.
        metric: Name of the quality, for the lines.
        dense: Cost of the dense network, for shares.
        sign: -1 if the quality is maximized: events have it with the other sign.

    Attributes:
        ended: How the search ended; None before that.
    """

    def __init__(self, console: Console, metric: str, dense: float, sign: float = 1.0) -> None:
        self.console, self.metric, self.dense, self.sign = console, metric, dense, sign
        self.ended: SearchEnded | None = None
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._running: dict[int, str] = {}
        self._finished, self._total, self._best = 0, 0, ""
        self._best_quality = float("inf")
        self._begun, self._said, self._already = time.monotonic(), 0.0, 0

    @contextmanager
    def live(self) -> Iterator[Display]:
        """Show the bars inside the context; print nothing in a pipe."""
        if not self.console.is_terminal:
            yield self
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}", markup=False), console=self.console) as progress:
            self._progress = progress
            try:
                yield self
            finally:
                self._progress = None

    def teacher(self, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Show a step of the teacher's training."""
        note = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
        if self._progress is not None:
            self._bar("teacher", steps, step, note)
        elif time.monotonic() - self._said > _PLAIN_EVERY or step == steps:
            self._said = time.monotonic()
            self.console.print(f"teacher: step {step} of {steps}: {note}", highlight=False)

    def event(self, event: Event) -> None:
        """Something happened in the search."""
        if isinstance(event, Noted):
            self._say(f"note: {event.note}", always=True)
        elif isinstance(event, SearchStarted):
            self._total, self._finished, self._already = event.total, event.finished, event.finished
            self._begun = time.monotonic()
            self._say(f"search: {event.finished} of {counted(event.total, 'trial')} done", always=False)
        elif isinstance(event, TrialStarted):
            self._running[event.number] = event.method
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            self._say(
                f"trial {event.number}: {event.method} at {self._share(event.target)} of the cost{again}", always=False
            )
        elif isinstance(event, TrialReported):
            self._say(
                f"trial {event.number}: {self.metric} {self.sign * event.quality:.4g} at step {event.step}",
                always=False,
            )
        elif isinstance(event, TrialPutBack):
            self._running.pop(event.number, None)
            self._say(f"trial {event.number} goes back: {event.reason}", always=True)
        elif isinstance(event, TrialFinished):
            self._end_of_trial(event)
        elif isinstance(event, SearchEnded):
            self.ended = event
            if event.reason != "trials":
                self._say(f"search ended: {event.reason}", always=True)
        self._draw()

    def refuse_failures(self, record: StudyRecord) -> None:
        """Raise TooManyFailed where the search ended by failures: what there is was shown, and the work failed.

        Args:
            record: The study as it stands now; a resume may have run no trial of its own.
        """
        if self.ended is None or self.ended.reason != "failures":
            return
        failed = [trial for trial in record.trials if trial.state == "FAIL"]
        reasons: dict[str, list[str]] = {}
        for trial in failed[-_N_LAST_FAILURES:]:
            reasons.setdefault(textwrap.shorten(trial.stopped or "", 200), []).append(str(trial.number))
        last = "; ".join(
            f"trial{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}: {why}" for why, numbers in reasons.items()
        )
        # the engine allows for half as many failures as the study has trials
        enough = 2 * (len(failed) + 1)
        raise TooManyFailed(
            f"too many trials failed ({len(failed)} of {len(record.trials)}); the last, {last}. Repair the cause, then "
            f"`ganprune resume {record.name} --trials {enough}` (or more) continues"
        )

    def _end_of_trial(self, event: TrialFinished) -> None:
        self._running.pop(event.number, None)
        self._finished += event.state != "FAIL"
        if event.state == "COMPLETE" and event.quality is not None and event.cost is not None:
            value = self.sign * event.quality
            text = f"trial {event.number}: {event.method} {self.metric} {value:.4g} at {self._share(event.cost)}"
            if event.feasible and event.quality < self._best_quality:
                self._best_quality = event.quality
                self._best = f"best {value:.4g} (trial {event.number}, {self._share(event.cost)})"
            self._say(f"{text}, {self._finished} of {self._total} done{self._left()}", always=False)
        else:
            self._say(f"trial {event.number}: {event.method} {event.state}: {event.reason}", always=True)

    def _share(self, cost: float) -> str:
        return f"{percent(cost / self.dense)}%"

    def _left(self) -> str:
        done = self._finished - self._already
        if not done or self._finished >= self._total:
            return ""
        seconds = (time.monotonic() - self._begun) / done * (self._total - self._finished)
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"

    def _say(self, text: str, always: bool) -> None:
        if self._progress is None or always:
            self.console.print(text, highlight=False)

    def _draw(self) -> None:
        if self._progress is not None and self._total:
            running = ", ".join(f"{number} {method}" for number, method in sorted(self._running.items()))
            note = f"{self._best}{self._left()}" + (f"; running {running}" if running else "")
            self._bar("trials", self._total, self._finished, note)

    def _bar(self, name: str, total: int, done: int, note: str) -> None:
        assert self._progress is not None
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total, note="")
        self._progress.update(self._bars[name], completed=done, note=note)
