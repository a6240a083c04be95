"""Ask, run, tell, record: the loop of a search, and the only writer of trials."""

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

START_TRIES = 3  # a trial whose process died this often before training began is not tried again


class Engine:
    """One search on one study.

    Args:
        ledger: The study's record, opened to be written.
        proposals: What may be searched.
        settings: How long, and how.
        folder: Where the study's files lie.
        study: The study, resolved; goes to every worker.
        prepared: What is prepared of the study; goes to every worker.
        on_event: Called with each event, in the driver's thread.
        step_seconds: Of a simulated study; goes to every worker.
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
        self._asked: dict[int, int] = {}  # attempts that were counted when a trial was given out
        self._starts: dict[int, int] = {}  # times in a row that its process died before training began
        self._held: set[int] = set()  # RUNNING in the record, waiting for a trial of the same network to end
        self._faults: set[str] = set()  # exceptions of refits that were reported
        self._reason: EndReason = "trials"

    @property
    def slots(self) -> int | None:
        """Trials that may run at once; None leaves it to the executor."""
        return self._slots

    def set_slots(self, slots: int) -> None:
        """The executor's own number of places, where the user set none."""
        self._slots = max(1, slots)

    def run(self, executor: Executor, run: str) -> SearchEnded:
        """Search until there is nothing more to do.

        Args:
            executor: Runs the trials.
            run: `package.module:function` of the callable that runs one trial in a worker.

        Returns:
            How it ended. Whatever happens, no trial is left RUNNING.

        Raises:
            KeyboardInterrupt: after running trials were handed back.
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
        """The next trial: one that was put back, else a new one, written before it is given out."""
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
        """A trial's training starts: an attempt is counted."""
        attempt = self.ledger.started(number)
        new = self.ledger.records()[number].new
        self._tell(TrialStarted(number, new.method, new.target, attempt))

    def report(self, number: int, report: TrialReport) -> bool:
        """Store what a trial said at a rung. Returns False when it is to stop."""
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
        """Record a trial that was ended at a rung without a result of its own, by its last report."""
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
        """A trial's process died: back in place, unless it cannot even start."""
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
        """A new trial; None when there are enough, or the batch before its own has not ended."""
        records = self.ledger.records()
        number = len(records)
        if number - self._count("FAIL") >= self.settings.trials:
            return None
        if any(not record.finished for record in records[: self._batch_start(number)]):
            return None
        return self.ledger.create_trial(self._chooser.next(self._known(number), number))

    def _repeats(self, record: TrialRecord) -> bool:
        """Return True if the same network was, or is being, trained the same way: its result is this trial's too."""
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
        """A trial ended: those that waited for it because they are the same network have its result, or are run."""
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
        """Return what trial `number` may know: all records, or with batches the ends of the batches before its own."""
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
