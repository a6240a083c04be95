"""The loop of a search (ask, run, tell, record), and the only writer of trials."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...gan_models.files.seeds import derived_seed
from ..artifacts.study_folder import StudyFolder
from ..execution.executor import Asked, Executor
from ..execution.signals import terminated_like_ctrl_c
from ..execution.worker import stop_reason
from ..records.events import (
    EndReason,
    Listener,
    Noted,
    SearchEnded,
    SearchStarted,
    TrialFinished,
    TrialPutBack,
    TrialReported,
    TrialStarted,
    ignore,
)
from ..records.ledger import Ledger, TrialRecord
from ..records.messages import TrialOutcome, TrialReport, TrialRequest, failure
from ..records.plan_score import PlanScore
from ..records.prepared_artifact import Prepared
from ..records.refit_faults import fault_line, refit_faults
from ..resolved_study import ResolvedStudy
from ..strategy.chooser import Chooser, Proposals
from ..strategy.early_stopping import rivals_at
from .checkpoint_cleanup import over_quota
from .settings import EngineSettings

START_TRIES = 3  # maximum number of deaths of a trial's process before its training starts; then it is not tried again


class Engine:
    """The engine of one search on one study.

    Args:
        ledger: The study's record, opened for writing.
        proposals: The sub-spaces to search.
        settings: Limits and rules of the search.
        folder: Folder of the study's files.
        study: The resolved study, sent to every worker.
        prepared: The study's preparations, sent to every worker.
        on_event: Called with each event, in the driver's thread.
        step_seconds: Seconds per step of a simulated study, sent to every worker.
        scored: Plans that were scored and not trained, for the chooser.
    """

    def __init__(
        self,
        ledger: Ledger,
        proposals: Proposals,
        settings: EngineSettings,
        folder: StudyFolder,
        study: ResolvedStudy | None,
        prepared: Prepared | None = None,
        on_event: Listener = ignore,
        step_seconds: Mapping[str, float] | None = None,
        scored: Sequence[PlanScore] = (),
    ):
        self.ledger, self.settings, self.folder = ledger, settings, folder
        self._chooser = Chooser(proposals, settings.choice, scored)
        self._study, self._prepared, self._tell = study, prepared or Prepared(), on_event
        self._step_seconds = step_seconds or {}
        self._slots = settings.slots
        self._deadline = math.inf
        self._reports: dict[int, TrialReport] = {}
        self._asked: dict[int, int] = {}  # number of attempts when a trial was handed out
        self._starts: dict[int, int] = {}  # number of consecutive deaths of its process before training started
        self._held: set[int] = set()  # RUNNING in the record, waiting for the end of a trial of the same network
        self._faults: set[str] = set()  # exceptions of refits that were already reported
        self._reason: EndReason = "trials"

    @property
    def slots(self) -> int | None:
        """Number of trials that may run at once; None: the executor decides."""
        return self._slots

    def set_slots(self, slots: int) -> None:
        """Set the executor's own number of slots, if the user set none."""
        self._slots = max(1, slots)

    def run(self, executor: Executor, run: str) -> SearchEnded:
        """Search until no trial is left to run.

        Args:
            executor: Runs the trials.
            run: `package.module:function` of the callable that runs one trial in a worker.

        Returns:
            The end of the search. No trial is ever left RUNNING.

        Raises:
            KeyboardInterrupt: The user interrupts; running trials were returned.
        """
        if self.settings.hours is not None:
            self._deadline = time.monotonic() + 3600 * self.settings.hours
        finished = self._count("COMPLETE") + self._count("PRUNED")
        self._tell(SearchStarted(self.settings.trials, finished))
        try:
            with terminated_like_ctrl_c():
                executor.drive(self, run)
        except KeyboardInterrupt:
            self._reason = "interrupted"
            raise
        except BaseException:
            self._reason = "error"
            raise
        finally:
            if self._reason == "trials" and self._count("RUNNING"):
                self._reason = "deadline"
            self._hand_back()
            ended = SearchEnded(self._reason, *map(self._count, ("COMPLETE", "PRUNED", "FAIL", "WAITING")))
            self._tell(ended)
        return ended

    def ask(self) -> TrialRequest | Asked:
        """Return the next trial: one that was put back, else a new one, recorded before it is handed out."""
        while True:
            running = self._count("RUNNING")
            if self._over():
                return Asked.WAIT if running else Asked.DONE
            if self._slots is not None and running >= self._slots:
                return Asked.WAIT
            record = self._claimed() or self._created()
            if record is None:
                return Asked.WAIT if self._count("RUNNING") else Asked.DONE
            if record.state == "RUNNING" and not self._repeats(record):
                return self._request(record)

    def started(self, number: int) -> None:
        """Count an attempt: a trial's training starts."""
        attempt = self.ledger.started(number)
        new = self.ledger.records()[number].new
        self._tell(TrialStarted(number, new.method, new.target, attempt))

    def report(self, number: int, report: TrialReport) -> bool:
        """Store a trial's report at a rung. Return False if the trial has to stop."""
        self.ledger.report(number, report)
        self._reports[number] = report
        rule, goes_on = self.settings.stopping, True
        if rule is not None and report.step in rule.rungs:
            rivals = rivals_at(self._known(number), report.step, number)
            goes_on = rule.goes_on((report.quality, report.cost), rivals)
        self._tell(TrialReported(number, report.step, report.quality, report.cost, goes_on))
        return goes_on

    def finished(self, number: int, result: TrialOutcome) -> None:
        """Record a trial's result."""
        before = self._states()
        self.ledger.finish(number, result)
        self._tell_finished(before)
        for kept in (self._reports, self._asked, self._starts):
            kept.pop(number, None)
        self._let_go(self.ledger.records()[number])

    def stopped(self, number: int) -> None:
        """Record a trial that was stopped at a rung without its own result, by its last report."""
        report = self._reports.get(number)
        if report is None:
            self.finished(number, failure("ended without a result and without a report"))
            return
        self.finished(
            number,
            TrialOutcome(
                state="PRUNED",
                quality=report.quality,
                cost=report.cost,
                measurements=report.measurements,
                rungs=report.rungs,
                widths=report.widths,
                architecture=report.architecture,
                stopped=stop_reason(report.step),
                seconds=report.seconds,
                curves=report.curves,
            ),
        )

    def lost(self, number: int, reason: str) -> None:
        """Put a trial back whose process died, unless it cannot even start."""
        before = self._states()
        record = self.ledger.requeue(number, reason)
        begun = record.attempt != self._asked.get(number, -1)
        self._starts[number] = 0 if begun else self._starts.get(number, 0) + 1
        if record.state == "WAITING" and self._starts[number] >= START_TRIES:
            self.ledger.finish(number, failure(f"its process died {START_TRIES} times before it began: {reason}"))
        elif record.state == "WAITING":
            self._tell(TrialPutBack(number, reason))
        self._tell_finished(before)
        self._let_go(self.ledger.records()[number])

    def out_of_time(self) -> bool:
        """Return True if the time limit is over."""
        return time.monotonic() >= self._deadline

    def _over(self) -> bool:
        if self.out_of_time():
            self._reason = "deadline"
            return True
        allowed = self.settings.max_failed or max(5, self.settings.trials // 2)
        if self._count("FAIL") >= allowed:
            self._reason = "failures"
            return True
        if over_quota(self.folder, self.ledger.records(), self.settings.disk_quota):
            self._reason = "quota"
            return True
        return False

    def _claimed(self) -> TrialRecord | None:
        used = len(self.ledger.records()) - self._count("FAIL") - self._count("WAITING")
        if used >= self.settings.trials or not self._count("WAITING"):
            return None
        before = self._states()
        record = self.ledger.claim()
        self._tell_finished(before)
        return record

    def _created(self) -> TrialRecord | None:
        """Return a new trial; None if there are enough, or the previous batch has not ended."""
        records = self.ledger.records()
        number = len(records)
        if number - self._count("FAIL") >= self.settings.trials:
            return None
        if any(not record.finished for record in records[: self._batch_start(number)]):
            return None
        return self.ledger.create_trial(self._chooser.next(self._known(number), number))

    def _repeats(self, record: TrialRecord) -> bool:
        """Return True if the same network was, or is being, trained in the same way; this trial then has its result."""
        number, same = record.number, record.new.identity
        twins = [r for r in self.ledger.records() if same and r.number != number and r.new.identity == same]
        done = next((r for r in twins if r.scored), None)
        if done is not None:
            self.finished(number, done.for_twin())
        elif any(r.state == "RUNNING" and r.number not in self._held for r in twins):
            self._held.add(number)
            return True
        return done is not None

    def _let_go(self, twin: TrialRecord) -> None:
        """End the trials that waited for a trial of the same network: give them its result, or run them."""
        for number in sorted(self._held) if twin.finished else ():
            if self.ledger.records()[number].new.identity == twin.new.identity:
                self._held.discard(number)
                if twin.scored:
                    self.finished(number, twin.for_twin())
                else:
                    self.lost(number, f"trial {twin.number}, the same network, has no result for it")

    def _batch_start(self, number: int) -> int:
        batch = self.settings.batch
        return number - number % batch if batch else 0

    def _known(self, number: int) -> list[TrialRecord]:
        """Return the records that trial `number` may depend on: all, or with batches, those of earlier batches."""
        records = list(self.ledger.records())
        if not self.settings.batch:
            return records
        start = self._batch_start(number)
        blank = {"state": "RUNNING", "quality": None, "cost": None, "rungs": {}, "constraints": {}}
        blank |= {"zero_shot": None, "report": None, "outcome": None}
        return records[:start] + [replace(record, **blank) for record in records[start:number]]

    def _request(self, record: TrialRecord) -> TrialRequest:
        self._asked[record.number] = record.attempt
        return TrialRequest(
            number=record.number,
            attempt=record.attempt + 1,
            proposal=record.new.proposal,
            seed=derived_seed(self.settings.choice.seed, record.number, "trial"),
            workspace=self.folder.workspace(record.number),
            study=self._study,
            prepared=self._prepared,
            step_seconds=self._step_seconds,
        )

    def _hand_back(self) -> None:
        before = self._states()
        self.ledger.release()
        self._tell_finished(before)
        for record in self.ledger.records():
            if before[record.number] == "RUNNING" and record.state == "WAITING":
                self._tell(TrialPutBack(record.number, "the search ends"))

    def _states(self) -> list[str]:
        return [record.state for record in self.ledger.records()]

    def _count(self, state: str) -> int:
        return self._states().count(state)

    def _tell_finished(self, before: list[str]) -> None:
        for old, record in zip(before, self.ledger.records(), strict=False):
            if record.finished and old != record.state:
                r = record
                self._tell(TrialFinished(r.number, r.new.method, r.state, r.quality, r.cost, r.feasible, r.stopped))
                for fault in refit_faults([r]):
                    if fault not in self._faults:
                        self._faults.add(fault)
                        self._tell(Noted(fault_line(fault, [r.number])))
