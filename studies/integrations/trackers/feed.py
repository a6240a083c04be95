"""The feed of trackers: the record of a search, sent while it runs. A tracker that fails stops nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Condition, Thread

from ....gan_models.files.user_code import one_line
from ....search.records.events import (
    Event,
    Listener,
    Noted,
    TrialFinished,
    TrialPutBack,
    TrialReported,
    TrialStarted,
)
from ...database.reader import StudyRecord
from ...database.store import ID, Store
from ...results.outcome import Outcome, outcome_of
from .catalog import TRACKERS
from .tracked_runs import experiment_of, teacher_run, trial_run
from .tracker import Experiment, TrackedRun, Tracker

MAX_START_WAIT_S = 60.0  # that a search waits for a tracker before its first trial; MLflow makes its database then
CLOSE_S = 20.0  # that the end of a search waits for its trackers


class Sender:
    """One tracker with a thread of its own: a server that does not answer holds up no trial.

    Of each run the latest state alone waits to be sent. The tracker is opened by the thread, and asked once per run
    for what it has; only what is new is written.

    Args:
        name: A row of the table of trackers.
        experiment: The study.
    """

    def __init__(self, name: str, experiment: Experiment) -> None:
        self.name, self.notes = name, list[str]()
        self._experiment = experiment
        self._waiting: dict[str, TrackedRun] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._changed = Condition()
        self._ends, self._failed, self._opened = False, False, False
        self._tracker: Tracker | None = None
        self._thread = Thread(target=self._serve, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def wait_until_open(self) -> None:
        """Wait for the tracker to be open, or to fail; a short while."""
        with self._changed:
            self._changed.wait_for(lambda: self._opened, MAX_START_WAIT_S)

    def offer(self, run: TrackedRun) -> None:
        """Take a run as it is now; an earlier state of it that was not sent is replaced."""
        with self._changed:
            self._waiting[run.name] = run
            self._changed.notify()

    def end(self, until: float) -> None:
        """Send what waits, and stop; at most until a time of `time.monotonic`."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self.notes.append(f"tracker {self.name} did not take everything in {CLOSE_S:g} s")

    def _serve(self) -> None:
        """Send runs until the end; the thread's own loop."""
        try:
            self._open()
        except Exception as error:  # a tracker of another package, or its server, may raise anything
            self._note_failure(None, error)
        with self._changed:
            self._opened = True
            self._changed.notify_all()
        while (run := self._next()) is not None:
            try:
                self._send(self._open(), run)
            except Exception as error:
                self._note_failure(run, error)
        if self._tracker is not None:
            try:
                self._tracker.close()
            except Exception as error:
                self._note_failure(None, error)

    def _open(self) -> Tracker:
        """Return the tracker, opened now if it is not."""
        if self._tracker is None:
            self._tracker = TRACKERS.find(self.name).open(self._experiment)
            self.notes.append(f"tracked: {self._tracker.where}")
        return self._tracker

    def _next(self) -> TrackedRun | None:
        """Return the next run to be sent; None at the end. After a failure nothing more is tried before the end."""
        with self._changed:
            while not self._ends and (self._failed or not self._waiting):
                self._changed.wait()
            if not self._waiting:
                return None
            return self._waiting.pop(next(iter(self._waiting)))

    def _send(self, tracker: Tracker, run: TrackedRun) -> None:
        """Write what is new of a run."""
        if run.name not in self._known:
            self._known[run.name] = dict(tracker.known(run))
        new = run.beyond(self._known[run.name])
        tracker.write(new)
        self._known[run.name] |= new.last_steps()

    def _note_failure(self, run: TrackedRun | None, error: Exception) -> None:
        """Note the first failure; the run is tried once more at the end, and what is known of it is asked again."""
        with self._changed:
            if not self._failed:
                self.notes.append(f"tracker {self.name} failed, and the search continues without it: {one_line(error)}")
                if run is not None and not self._ends:
                    self._waiting.setdefault(run.name, run)
            self._failed = True
            if self._ends:
                self._waiting.clear()
        if run is not None:
            self._known.pop(run.name, None)


class Feed:
    """The trackers of one search. The driver's thread tells it of events; it reads the record and passes runs on.

    Args:
        names: Rows of the table of trackers.
        store: The study's record.
        on_event: The next listener; it receives the feed's notes, too.
    """

    def __init__(self, names: Sequence[str], store: Store, on_event: Listener) -> None:
        self._store, self._on_event = store, on_event
        self._outcome = self._read()
        self._failed = False
        experiment = experiment_of(self._outcome, str(store.attributes.get(ID, "")), store.folder)
        self._senders = [Sender(name, experiment) for name in names]
        for sender in self._senders:
            sender.wait_until_open()
        self._say()
        self._offer_all()

    def event(self, event: Event) -> None:
        """Pass on a trial that changed."""
        if isinstance(event, TrialStarted | TrialReported | TrialFinished | TrialPutBack):
            trials = tuple(self._store.records())
            self._outcome = replace(self._outcome, study=replace(self._outcome.study, trials=trials))
            self._offer(event.number)
        self._on_event(event)
        self._say()

    def end(self) -> None:
        """Send what is left, with what was measured after the search, and wait for it a short while."""
        self._outcome = self._read()
        self._offer_all()
        until = time.monotonic() + CLOSE_S
        for sender in self._senders:
            sender.end(until)
        self._say()

    def _read(self) -> Outcome:
        record = StudyRecord(self._store.study, self._store.attributes, tuple(self._store.records()))
        return outcome_of(record)

    def _offer_all(self) -> None:
        """Offer the teacher and every trial as the record has them; what a tracker has already is not sent again."""
        with self._kept_from_the_search():
            if (teacher := teacher_run(self._outcome, self._store.folder)) is not None:
                self._pass_on(teacher)
        self._offer(*range(len(self._outcome.study.trials)))

    def _offer(self, *numbers: int) -> None:
        front = {trial.number for trial in self._outcome.front}
        for number in numbers:
            with self._kept_from_the_search():
                self._pass_on(trial_run(self._outcome, self._store.whole(number), number in front, self._store.folder))

    @contextmanager
    def _kept_from_the_search(self) -> Iterator[None]:
        """Note the first run that cannot be made, and continue: what is shown elsewhere ends no search."""
        try:
            yield
        except Exception as error:
            if not self._failed:
                self._failed = True
                self._on_event(Noted(f"not all runs are tracked: {type(error).__name__}: {one_line(error)}"))

    def _pass_on(self, run: TrackedRun) -> None:
        for sender in self._senders:
            sender.offer(run)

    def _say(self) -> None:
        """Tell the notes of the senders, each once."""
        for sender in self._senders:
            while sender.notes:
                self._on_event(Noted(sender.notes.pop(0)))


@contextmanager
def tracked(names: Sequence[str], store: Store, on_event: Listener) -> Iterator[Listener]:
    """Give a listener that feeds trackers and tells another one; trackers end with the block.

    Args:
        names: Rows of the table of trackers; none: only the other listener receives events.
        store: The study's record, with its teacher.
        on_event: The other listener.
    """
    if not names:
        yield on_event
        return
    feed = Feed(names, store, on_event)
    try:
        yield feed.event
    finally:
        feed.end()
