"""Studies in Python: launch a search, resume it from its database, export from its front.

Search(model="resnet", data="builtin:shapes", budget="25%").run()
Study.open("name").front()
Study.open("name").export(trial=3, out="bundle")
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluators.measurement import Measurement
from ..gan_models.export.file_options import FileOptions
from ..gan_models.files.errors import Refusals, UserError, WorkFailed
from ..gan_models.files.kept_copies import look_in
from ..gan_models.files.plain_values import to_json
from ..gan_models.files.user_code import blaming
from ..search.artifacts.error_log import tracebacks_in
from ..search.artifacts.remote import SHARED, is_url
from ..search.artifacts.study_folder import StudyFolder
from ..search.config import StudyConfig
from ..search.configuration.object_names import with_names
from ..search.configuration.presets.with_preset import with_preset
from ..search.configuration.recognized_teacher import with_recognized
from ..search.configuration.sections import SECTIONS
from ..search.engine.engine import Engine
from ..search.engine.settings import EngineSettings
from ..search.execution.executor import InProcessExecutor
from ..search.execution.signals import HandedBack
from ..search.forecast.cost_range import ForecastOptions, check_calibration
from ..search.forecast.solved_widths import SolvedWidths
from ..search.preflight.finding import Finding
from ..search.preflight.launch import Launch
from ..search.preflight.preflight import Preflight, examined, of_errors
from ..search.preparations.opened_study import OpenedStudy, check_there, open_study
from ..search.preparations.prepare import gather, make_teacher, prepare
from ..search.preparations.teacher import TEACHER as TEACHER_FILE
from ..search.records.events import Listener, Noted, SearchEnded, ignore
from ..search.records.ledger import TrialRecord
from ..search.records.plan_score import PlanScore
from ..search.resolved_study import ResolvedStudy
from ..search.setup.idle_options import Facts, idle_notes
from ..search.setup.kept_files import copied_from
from ..search.setup.resolve import resolve
from .bundles.card import Card
from .bundles.export import best_under, export_front, export_trial
from .bundles.trial_weights import prepared_of
from .database.latency_profiles import find_profile
from .database.reader import COST_LIMIT, PATIENCE_S, StudyRecord, read_study
from .database.storage import parse_url
from .database.store import Store, check_free, is_there, make_way
from .edited_files import OWN_FILES, edited_note
from .finalist_costs import Remeasured, Way, measure_again, measure_front
from .integrations.dashboard import dashboard_kept
from .integrations.trackers.feed import tracked
from .notebook.frames import curve_frame, trial_frame
from .notebook.progress_bar import SearchBar, both
from .notebook.summary import html_of, line_of
from .plans.forecasting import Forecast, OnPlan, make_forecast
from .plans.given_plan import read_plan
from .plans.plan_records import known_scores, recorded_plans
from .plans.planned_trial import ORIGIN_PREFIX, forecast_trials, planned_trial
from .plans.proposing import cost_at, propose_plans
from .plans.untrained import export_plan
from .results.environment import ENVIRONMENT, with_this
from .results.failed_trials import check_failures
from .results.outcome import (
    CONFIG,
    DENSE,
    IMAGES,
    PREPARED_KEY,
    SIMULATED,
    TEACHER,
    VERSION,
    outcome_of,
    recorded,
    resolved_of,
)
from .resume_checks import MADE_WITH_KEY, check_unchanged, made_with
from .resume_options import resumed
from .run_options import ProfileOptions, RunOptions, default_storage, engine_settings
from .tested_front import measure_on_test, record_tested

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL import Image

REQUIRED_FIELDS = ("name", "model", "data", "budgets")  # of a configuration
TRIAL = "ganprune.search.trial.trial:run"
TEST_SHARE = 0.05  # of a time limit, reserved for measuring the front on the test split

OnTeacher = Callable[[int, int, Mapping[str, float]], None]


def artifacts_beside(storage: str) -> Path:
    """Return the default folder of artifacts: `ganprune-artifacts` next to a SQLite file, or in the current folder."""
    url = parse_url(storage)
    beside = Path(url.database).parent if url.get_backend_name() == "sqlite" and url.database else Path.cwd()
    return beside / "ganprune-artifacts"


@dataclass(frozen=True)
class Search:
    """A search to be launched.

    Attributes:
        model: Catalog name, `package.module:function` or `path.py:function`; empty if a teacher
            `spandrel:FILE` or a preset says it; or the function that builds it.
        data: `builtin:shapes`, a folder, or data of your own: `path.py:name`, or the function, class or dataset.
        budget: One budget or several; the first is the cost objective. Empty if a preset says it.
        name: The study's name.
        options: Any other field of `StudyConfig`, by name. Functions, classes and objects that a module has a name for
            may replace names: `{"task": MyTask, "methods": [Mine], "own_training": fit}`.
        storage: The database's URL; by default that of the environment variable `GANPRUNE_STORAGE`, else
            `sqlite:///ganprune.db`.
        artifacts: Folder of artifacts, or an fsspec URL (`s3://bucket/folder`); None puts it next to the database.
        run_options: How to run.
        latency_profile: For budgets in ms: a profile's file, or its id in the database; empty takes the one of this
            machine.

    Raises:
        ValueError: Anything out of range, in one line.
    """

    model: str | Callable[..., Any]
    data: object
    budget: str | Sequence[str]
    name: str = "search"
    options: Mapping[str, Any] = field(default_factory=dict)
    storage: str = field(default_factory=default_storage)
    artifacts: str | Path | None = None
    run_options: RunOptions = field(default_factory=RunOptions)
    latency_profile: str = ""

    def config(self) -> StudyConfig:
        """Return the configuration as given, checked."""
        return self._config().checked()

    def _config(self) -> StudyConfig:
        """Return the configuration as given; resolving checks it."""
        return StudyConfig.from_json(with_preset(with_recognized(self._given)))

    @property
    def _given(self) -> dict[str, Any]:
        """The values of a configuration that were given."""
        if not isinstance(self.budget, str | list | tuple):
            raise UserError(
                f"budget is not text: got {self.budget!r}; expected one such as '25%', or a list of several"
            )
        budgets = (self.budget,) if self.budget and isinstance(self.budget, str) else tuple(self.budget)
        named = {"name": self.name, "model": self.model, "data": self.data, "budgets": budgets}
        return with_names({**self.options, **named})

    def preflight(self, hours: bool = True, goes_on: bool = False) -> Preflight:
        """Return all that can be said of the search before it starts; writes nothing, and takes no name.

        What is opened for it stays open in this process: `run` continues with it.

        Args:
            hours: Estimate the hours; that trains for some steps.
            goes_on: A study of this name may exist already, as for a forecast.

        Raises:
            WorkFailed: The database cannot be reached.
        """
        config, study, refusals = None, None, Refusals()
        try:
            config = self._config()
        except UserError as error:
            refusals.add(error)
            config = self._readable(refusals)
        with refusals.kept(), blaming():
            study = None if config is None else open_study(self._resolved(config))
        with refusals.kept():
            if not (goes_on and is_there(self.storage, self.name)):
                check_free(self.storage, self.name)
        notes = study.resolved.notes if study is not None else ()
        found = [*of_errors(refusals.errors), *(Finding("note", note) for note in notes)]
        if config is None:
            return examined(None, found)
        config = study.config if study is not None else config
        return examined(Launch(config, self.run_options.placement(), self.artifacts_root(), study), found, hours)

    def study_of(self, found: Preflight) -> ResolvedStudy:
        """Return the study of a preflight; tracebacks of the user's own code go to the log in the study's folder.

        Args:
            found: What `preflight` returned.

        Raises:
            UserError: There are errors; each has a line of its own.
        """
        with tracebacks_in(self._folder):
            return found.study()

    @property
    def _folder(self) -> str:
        """The study's folder, or its URL."""
        root = self.artifacts_root()
        return f"{root}/{self.name}" if is_url(root) else str(StudyFolder.at(root, self.name).path)

    def _readable(self, refusals: Refusals) -> StudyConfig | None:
        """Return the configuration without the options that cannot be read: the others can be checked all the same."""
        given, found = dict[str, Any](), None
        with refusals.kept():
            given = with_preset(self._given)
        least = {name: given[name] for name in (*REQUIRED_FIELDS, "input_shape") if name in given}
        least["name"] = "search"  # until the name that was given has passed
        with refusals.kept():
            found = StudyConfig.from_json(least) if given else None
        for name, value in given.items() if found is not None else ():
            with refusals.kept():
                found = StudyConfig.from_json(least | {name: value})
                least[name] = value
        return found

    def resolve(self) -> ResolvedStudy:
        """Return what would be searched, decided, checked and priced; trains and writes nothing.

        What is opened for it stays open in this process: `run` continues with it.
        """
        return self._resolved(self._config())

    def _resolved(self, config: StudyConfig) -> ResolvedStudy:
        profile = partial(find_profile, self.storage, self.latency_profile)
        resolved, parts = resolve(config, find_profile=profile, sharing=self.run_options.sharing)
        idle = self._idle_notes(resolved)
        return open_study(replace(resolved, notes=(*resolved.notes, *idle)), parts=parts).resolved

    def _idle_notes(self, resolved: ResolvedStudy) -> list[str]:
        """Return a line for each option that was given and does not act. Raises UserError: One of them is refused."""
        profile = {"latency_profile": self.latency_profile} if self.latency_profile else {}
        return _idle(resolved, self.run_options, {**self.options, **profile})

    def artifacts_root(self) -> str:
        """Return the absolute folder of artifacts, or their URL."""
        root = str(self.artifacts or artifacts_beside(self.storage))
        return root if is_url(root) else str(Path(root).expanduser().absolute())

    def attributes(self, study: OpenedStudy, root: str) -> dict[str, Any]:
        """Return what the record says of the study before its first trial."""
        resolved = study.resolved
        return {
            **recorded(resolved),
            VERSION: version("ganprune"),
            DENSE: dict(resolved.dense),  # this and the next two are what version 0.1.0 reads
            COST_LIMIT: resolved.limit,
            IMAGES: dict(resolved.data.images),
            MADE_WITH_KEY: made_with(study),
            ENVIRONMENT: with_this(None),
            "ganprune.artifacts": root,
        }

    def run(
        self,
        on_event: Listener = ignore,
        on_teacher: OnTeacher | None = None,
        resolved: ResolvedStudy | None = None,
        progress: bool = False,
    ) -> Study:
        """Make the study and its teacher, and search.

        Args:
            on_event: Told what happens.
            on_teacher: Called with (step, steps, losses) while the teacher is trained.
            resolved: What `resolve` or a preflight's `study` gave; None checks everything and resolves the study now.
            progress: Show a bar: a widget in a notebook, a line in a terminal.

        Raises:
            UserError: The configuration does not fit network or data, or a study of this name exists, or its files.
            EveryTrialFailed: No trial has a result.
            WorkFailed: The database cannot be used, or training failed.
        """
        resolved = resolved or self.study_of(self.preflight(hours=False))
        study, root = open_study(resolved), self.artifacts_root()
        source = StudyFolder.at(root, self.name).source
        if progress:
            on_event, on_teacher = _with_bar(study.config, on_event, on_teacher)
        with self._created(study, root) as store:
            with tracebacks_in(store.folder.path):
                _search(store, study.kept_in(source), self.run_options, on_event, on_teacher)
        made = Study.open(self.name, self.storage, root, PATIENCE_S)
        check_failures(made.record, made.folder.path)
        return made

    def forecast(
        self,
        options: ForecastOptions = ForecastOptions(),
        on_plan: OnPlan = lambda plan: None,
        on_teacher: OnTeacher | None = None,
        resolved: ResolvedStudy | None = None,
    ) -> Forecast:
        """Make the study, score plans over the whole range of costs without training one, and stop there.

        A study of this name with the same options continues: what it has scored already is not scored again.
        `Study.resume` trains from it: given plans, or the best at each cost and then trials as a search has them.

        Args:
            options: How many costs and plans.
            on_plan: Called with each plan that was measured.
            on_teacher: As in `run`; nothing is trained for a given teacher.
            resolved: As in `run`.

        Raises:
            UserError, WorkFailed: As `run`; and a study of this name has other options.
        """
        resolved = resolved or self.study_of(self.preflight(hours=False, goes_on=True))
        study, root = open_study(resolved), self.artifacts_root()
        source = StudyFolder.at(root, self.name).source
        check_calibration(study)
        if is_there(self.storage, self.name):
            with Store.open(self.storage, self.name, root, self.run_options.max_attempts) as store:
                resumed(StudyConfig.from_json(store.attributes[CONFIG]), to_json(study.config))  # refuses other options
                check_unchanged(store, study, accept=False)
                with tracebacks_in(store.folder.path):
                    return make_forecast(store, study.kept_in(source), options, on_plan, on_teacher)
        with self._created(study, root) as store, tracebacks_in(store.folder.path):
            return make_forecast(store, study.kept_in(source), options, on_plan, on_teacher)

    def _created(self, study: OpenedStudy, root: str) -> Store:
        """Create the study in the database and return it, open for writing."""
        source, maximizes = StudyFolder.at(root, self.name).source, study.config.maximizes
        make_way(self.storage, self.name, root)
        return Store.create(
            self.storage,
            self.name,
            root,
            lambda: {**self.attributes(study.kept_in(source), root), OWN_FILES: copied_from(study.config)},
            self.run_options.max_attempts,
            maximizes,
        )


def _idle(resolved: ResolvedStudy, run_options: RunOptions, given: Mapping[str, Any]) -> list[str]:
    """Return a line for each option that was given, those of the run included, and does not act."""
    run = {f.name: getattr(run_options, f.name) for f in fields(run_options)}
    every = {**given, **{name: value for name, value in run.items() if value != getattr(RunOptions(), name)}}
    sections = (*SECTIONS.values(), ProfileOptions, RunOptions)
    return idle_notes(sections, Facts(resolved.config, resolved.bits, run_options, every))


def _with_bar(
    config: StudyConfig, on_event: Listener, on_teacher: OnTeacher | None
) -> tuple[Listener, OnTeacher | None]:
    """Return listeners that show a progress bar, and tell those that were given."""
    bar = SearchBar(config.sign)

    def teacher(step: int, steps: int, losses: Mapping[str, float]) -> None:
        bar.teacher(step, steps, losses)
        if on_teacher is not None:
            on_teacher(step, steps, losses)

    return both(bar.event, on_event), teacher


def _with_room(study: OpenedStudy, store: Store) -> OpenedStudy:
    """Return a study whose total of trials covers all existing ones."""
    there = sum(record.state != "FAIL" for record in store.records())
    if there <= study.config.trials:
        return study
    config = replace(study.config, trials=there)
    return open_study(replace(study.resolved, config=config), parts=study)


def _of_plans(store: Store, settings: EngineSettings) -> EngineSettings:
    """Return the settings of a run that trains the given plans, each to its last rung, and no other new trial."""
    there = sum(record.state != "FAIL" for record in store.records())
    return replace(settings, trials=there, stopping=None)


def _search(
    store: Store,
    study: OpenedStudy,
    options: RunOptions,
    on_event: Listener,
    on_teacher: OnTeacher | None,
    narrowed: Callable[[EngineSettings], EngineSettings] | None = None,
) -> SearchEnded:
    """Teacher first, then trials; both continue from where an earlier run was interrupted, and share the time limit."""
    config, began = study.config, time.monotonic()

    def left_hours() -> float | None:
        return None if config.hours is None else config.hours - (time.monotonic() - began) / 3600

    def on_step(step: int, steps: int, losses: Mapping[str, float]) -> None:
        if on_teacher is not None:
            on_teacher(step, steps, losses)
        if (left := left_hours()) is not None and left <= 0:
            raise HandedBack

    try:
        prepared = prepare(study, store.folder.path, on_step)
        teacher = make_teacher(study, store.folder.path)  # made by now: it is measured
    except HandedBack:
        ended = SearchEnded("deadline", 0, 0, 0, 0)
        on_event(ended)
        return ended
    store.set_attribute(TEACHER, to_json(teacher))
    for note in teacher.notes:
        on_event(Noted(note))
    store.set_attribute(PREPARED_KEY, to_json(prepared.artifacts))
    for name in ("teacher", "source"):
        store.folder.push(name)
    with dashboard_kept(store, on_event) as on_event, tracked(options.track, store, on_event) as on_event:
        left = left_hours()
        if left is not None and config.scored_on != "test":
            left *= 1 - TEST_SHARE
        settings = engine_settings(replace(config, hours=None if left is None else max(left, 1e-9)), options)
        settings = settings if narrowed is None else narrowed(settings)
        open_study(study.resolved, prepared, study)  # trials in this process go on with what is open
        proposals = study.proposals()
        if config.calibration_images and any(map(proposals.takes_plans, proposals.methods)):
            solved = SolvedWidths(study, store.folder.path, known_scores(store))
            proposals = replace(proposals, solved=solved)
        engine = Engine(
            store,
            proposals,
            settings,
            store.folder,
            study=study.resolved,
            prepared=prepared,
            on_event=on_event,
            scored=recorded_plans(store),
        )
        executor = options.make_executor()
        selects = config.scored_on != "test"
        with executor.ready() if selects or study.resolved.measures_finalists else nullcontext():
            ended = engine.run(executor, TRIAL)
            store.folder.pull(SHARED)
            if (by_now := gather(study, store.folder.path)) != prepared:
                store.set_attribute(PREPARED_KEY, to_json(by_now.artifacts))
            if selects or study.resolved.measures_finalists:
                store.folder.pull()
            if selects:
                threads = options.cpus_per_trial
                if untested := measure_on_test(store, study.resolved, prepared, executor, threads, left_hours):
                    on_event(Noted(_untested(store.study, untested)))
            if study.resolved.measures_finalists:
                measure_front(
                    store, study.resolved, prepared, executor, Way(options.device_command, options.allow_busy)
                )
    return ended


def _untested(study: str, numbers: Sequence[int]) -> str:
    """Return a note on trials of the front that a time limit left without a measurement on the test split."""
    shown = ", ".join(map(str, numbers))
    return (
        f"not measured on the test split, for the hours are over: trials {shown} of the front. `ganprune resume "
        f"{study}` measures them, and so does their export"
    )


@dataclass(frozen=True)
class Study:
    """A study as it stands in its database.

    Attributes:
        record: Its attributes and trials.
        storage: The database's URL.
        artifacts: The folder of artifacts; where they lie behind a URL, this machine's copy.
        remote: Their URL.
    """

    record: StudyRecord
    storage: str
    artifacts: Path
    remote: str = ""

    @classmethod
    def open(
        cls,
        name: str,
        storage: str | None = None,
        artifacts: str | Path | None = None,
        patience_s: float = 0.0,
    ) -> Study:
        """Read a study. It needs no lock, so it works while the study runs; it waits for an unreachable server.

        Raises:
            UserError: No such study; the message names the existing ones.
            RuntimeError: The database cannot be read.
        """
        storage = storage or default_storage()
        record = read_study(storage, name, patience_s)
        kept = record.attributes.get("ganprune.artifacts")
        if artifacts:
            root = artifacts
        else:
            beside = artifacts_beside(storage)
            root = kept if kept and (is_url(kept) or not (beside / name).is_dir()) else beside
        folder = StudyFolder.at(root, name)
        look_in(folder.source)
        return cls(record, storage, folder.root, folder.remote)

    def __repr__(self) -> str:
        return f"Study({line_of(self.record)})"

    def _repr_html_(self) -> str:
        """Return the front with its table for a notebook."""
        return html_of(outcome_of(self.record))

    def to_dataframe(self, metrics: bool = False, curves: bool = False) -> pd.DataFrame:
        """Return a row per trial, by number.

        Args:
            metrics: Add a column per metric and cost, and `seed`, `settings` and `widths`.
            curves: Add `rungs`, step -> quality, and `losses`, phase -> term -> step -> value; `curves` has them
                as a long table.
        """
        return trial_frame(outcome_of(self.record), metrics, curves)

    def curves(self) -> pd.DataFrame:
        """Return a row per recorded point: trial (missing for the teacher), phase, name, step, value."""
        return curve_frame(outcome_of(self.record))

    def plot_front(self) -> Figure:
        """Return quality against cost as a figure, which a notebook shows. Raises UserError: No trial is complete."""
        from .notebook.figures import front_figure

        return front_figure(outcome_of(self.record))

    def plot_widths(self, *trials: int) -> Figure:
        """Return channels by group as a figure, dense against the best of the front or the given trials.

        Raises:
            UserError: There is no such trial, or its widths are not known.
        """
        from .notebook.figures import widths_figure

        return widths_figure(outcome_of(self.record), trials)

    def plot_curves(self, *trials: int) -> Figure:
        """Return qualities at rungs, and losses of the best of the front or of the given trials, as a figure.

        Raises:
            UserError: There is no such trial, or nothing was recorded of any step.
        """
        from .notebook.figures import curves_figure

        return curves_figure(outcome_of(self.record), trials)

    def pictures(self, *trials: int, rows: int = 4) -> Image.Image:
        """Return a picture: inputs, targets, and outputs of the teacher and of trials; their generators run for it.

        Args:
            trials: Their numbers; up to four of the front if there are none.
            rows: Inputs that are shown.

        Raises:
            UserError: A trial without a generator, or weights or data are not there.
        """
        from PIL import Image

        from .report.image_grid import picture_grid

        return Image.open(io.BytesIO(picture_grid(self.record, self.at_hand(), trials or None, rows)))

    @property
    def folder(self) -> StudyFolder:
        """The study's files."""
        return StudyFolder(self.artifacts, self.record.name, self.remote)

    def at_hand(self) -> Path:
        """Return the folder of artifacts; files behind a URL are copied to this machine, except training states."""
        self.folder.pull()
        return self.artifacts

    @property
    def config(self) -> StudyConfig:
        """The study's configuration, resolved."""
        return StudyConfig.from_json(self.record.attributes[CONFIG])

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials by number."""
        return self.record.trials

    def front(self) -> tuple[TrialRecord, ...]:
        """Return the Pareto front of complete trials inside the budget, cheapest first."""
        return outcome_of(self.record).front

    def best_under(self, budget: str) -> TrialRecord:
        """Return the trial of the best quality at or under a cost (`15%`, `2GMACs`); ValueError if there is none."""
        return best_under(self.record, budget)

    def propose(self, at: str, evaluations: int = 8, on_plan: OnPlan = lambda plan: None) -> tuple[PlanScore, ...]:
        """Score plans at a cost between the trials, and record them as proposals; nothing is trained.

        Args:
            at: The cost: `18%`, `2GMACs`.
            evaluations: Plans that a local search scores at most.
            on_plan: Called with each plan as it is scored.

        Returns:
            Plans, the best of the study's metric first; `resume` trains one by its name.

        Raises:
            UserError: The cost is none of the study's, or it has no calibration inputs.
            RuntimeError: Another process runs the study, or its files are not available.
        """
        outcome = outcome_of(self.record)
        if outcome.note:
            raise UserError(f"study {self.record.name!r} is simulated: there are no networks to cut; search a real one")
        cost_at(outcome, at)
        self.at_hand()
        with Store.open(self.storage, self.record.name, self.remote or self.artifacts) as store:
            return propose_plans(store, outcome, at, evaluations, on_plan)

    def measure(
        self, trials: Sequence[int] = (), command: str = "", allow_busy: bool = False, threads: int = 1
    ) -> tuple[Remeasured, ...]:
        """Measure finalists' costs again on the device, and keep the new numbers in addition to the earlier ones.

        Args:
            trials: Numbers of trials; none: the front.
            command: Template of the command that reaches a remote device; empty: this machine.
            allow_busy: Measure although the machine is busy; the numbers are marked.
            threads: Threads of what surrounds the measurement; the device's are its profile's.

        Raises:
            UserError: No budget is measured on a device, or a trial has no generator.
            RuntimeError: Another process runs the study, or its files are not available.
        """
        self.at_hand()
        look_in(self.folder.source)
        with Store.open(self.storage, self.record.name, self.remote or self.artifacts) as store:
            resolved = resolved_of(self.record)
            if resolved is None:
                raise UserError(
                    f"study {self.record.name!r} was made by an earlier version: got no resolved study; expected one. "
                    f"Try `ganprune resume {self.record.name}` first"
                )
            prepared = prepared_of(self.record, store.folder)
            executor = InProcessExecutor(threads)
            return measure_again(store, resolved, prepared, executor, trials, Way(command, allow_busy))

    @property
    def plans(self) -> tuple[PlanScore, ...]:
        """Plans that were scored before any training; they are not trials."""
        return recorded_plans(self.record)

    def export(
        self,
        trial: int,
        out: str | Path,
        overwrite: bool = False,
        int8: bool = False,
        formats: Sequence[str] | None = None,
        weights: str | Path = "",
        options: FileOptions = FileOptions(),
    ) -> Card:
        """Write one trial's generator as a bundle; every file is loaded again and compared.

        Args:
            trial: Its number.
            out: The bundle's folder.
            overwrite: Whether a bundle that is there is replaced.
            int8: Also write the file in 8 bits.
            formats: Names of export formats; None: those that are written by default.
            weights: File of weights that were trained on elsewhere, instead of the trial's; of two generators
                `AtoB=FILE,BtoA=FILE`. They are measured anew, and the card says where they come from.
            options: Input size, operator set and the like of the files.

        Raises:
            UserError: The trial cannot be exported (its state is named), the folder exists, or a format is unknown.
            RuntimeError: A file does not give what the network gives.
        """
        return export_trial(
            self.record,
            trial,
            self.at_hand(),
            Path(out),
            overwrite,
            int8,
            formats,
            str(weights),
            on_tested=self._record_tested,
            options=options,
        )

    def export_plan(
        self,
        name: str,
        out: str | Path,
        untrained: bool,
        overwrite: bool = False,
        int8: bool = False,
        formats: Sequence[str] | None = None,
        options: FileOptions = FileOptions(),
    ) -> Card:
        """Write the network of a scored plan, cut and refitted but not trained, as a bundle; the card says so.

        Args:
            name: The plan's: `P3`.
            out: The bundle's folder.
            untrained: Must be True, to confirm that nothing was trained.
            overwrite: Replace a bundle that is there.
            int8: Also write the file in 8 bits.
            formats: Names of export formats; None: those that are written by default.
            options: Input size, operator set and the like of the files.

        Raises:
            UserError: There is no such plan, or `untrained` is false, or as of `export`.
        """
        return export_plan(self.record, name, self.at_hand(), Path(out), untrained, overwrite, int8, formats, options)

    def export_front(
        self,
        out: str | Path,
        overwrite: bool = False,
        int8: bool = False,
        formats: Sequence[str] | None = None,
        options: FileOptions = FileOptions(),
    ) -> dict[int, Card]:
        """Write every trial of the front, each into `out/trial-N`. Arguments and errors as for `export`."""
        return export_front(
            self.record,
            self.at_hand(),
            Path(out),
            overwrite,
            int8,
            formats,
            on_tested=self._record_tested,
            options=options,
        )

    def _record_tested(self, number: int, measured: Sequence[Measurement]) -> None:
        """Record what an export measured on the test split, unless another process runs the study."""
        try:
            with Store.open(self.storage, self.record.name, self.remote or self.artifacts) as store:
                record_tested(store, number, measured)
        except WorkFailed as error:
            note = f"what was measured of trial {number} on the test split is on its card alone: {error}"
            warnings.warn(note, stacklevel=2)

    def resume(
        self,
        trials: int | None = None,
        hours: float | None = None,
        run_options: RunOptions | None = None,
        on_event: Listener = ignore,
        on_teacher: OnTeacher | None = None,
        accept_changes: bool = False,
        options: Mapping[str, Any] | None = None,
        plans: Sequence[str] = (),
        progress: bool = False,
    ) -> Study:
        """Continue from the database and the artifacts.

        Args:
            trials: The study's new total; None keeps it.
            hours: Time limit of this run.
            run_options: How to run.
            on_event: Told what happens.
            on_teacher: As in `Search.run`.
            accept_changes: Continue although data, teacher, space, budget, metric or code changed; it is recorded.
            options: Other fields of `StudyConfig` that a resume may change, by name; see `resume_options`.
            plans: Plans to train, each as a trial: names of scored ones, or JSON files. Without a total, these and
                what was interrupted are all that is run. Without plans, the first resume of a forecast begins with its
                best plans, a quarter of the trials.
            progress: As in `Search.run`.

        Raises:
            ValueError: An option that a resume may not change, a total below what is done already, something changed
                since the study was made, or a plan that does not fit the study.
            EveryTrialFailed: No trial has a result.
            RuntimeError: Another process runs the study, or the database cannot be used.
        """
        run_options = run_options or RunOptions()
        given = with_names(options or {}) | {k: v for k, v in (("trials", trials), ("hours", hours)) if v is not None}
        if self.record.attributes.get(SIMULATED):
            raise UserError(f"study {self.record.name!r} is simulated and is not resumed: simulate a new one")
        self.at_hand()
        look_in(self.folder.source)
        with Store.open(
            self.storage, self.record.name, self.remote or self.artifacts, run_options.max_attempts
        ) as store:
            config = StudyConfig.from_json(store.attributes[CONFIG])
            done = sum(record.state != "FAIL" for record in store.records())
            if given.get("trials", done) < done:
                raise UserError(f"--trials is the study's total: {done} are there already, got {given['trials']}")
            made = (store.folder.teacher / TEACHER_FILE).is_file()  # the weights it was given may be gone by now
            was = resolved_of(self.record)
            whole = None if was is None else was.groups.whole
            wanted = resumed(config, given)
            check_there(wanted)
            resolved, parts = resolve(wanted, check_teacher=not made, pinned=whole)
            study = open_study(resolved, parts=parts)
            scored = recorded_plans(store)
            asked = [planned_trial(study, read_plan(text, store.study, scored)) for text in plans]
            check_unchanged(store, study, accept_changes)
            begun = [record.new.origin for record in store.records()]
            if not asked and all(
                origin.startswith(ORIGIN_PREFIX) for origin in begun
            ):  # no search has begun: the forecast's
                forecasts = [new for new in forecast_trials(study, scored) if new.origin not in begun]
                for new in forecasts[: max(0, study.config.trials - done)]:
                    store.requeue(store.create_trial(new).number)
            for new in asked:
                store.requeue(store.create_trial(new).number)
            if asked:
                study = _with_room(study, store)
            edited = edited_note(store.study, store.attributes.get(OWN_FILES) or {}, self.folder.source)
            for note in (*_idle(study.resolved, run_options, given), *filter(None, (edited,))):
                on_event(Noted(note))
            store.set_attribute(ENVIRONMENT, with_this(store.attributes.get(ENVIRONMENT)))
            for name, value in recorded(study.resolved).items():
                store.set_attribute(name, value)
            if progress:
                on_event, on_teacher = _with_bar(study.config, on_event, on_teacher)
            settings = partial(_of_plans, store) if asked and "trials" not in given else None
            with tracebacks_in(store.folder.path):
                _search(store, study, run_options, on_event, on_teacher, settings)
        after = Study.open(self.record.name, self.storage, self.remote or self.artifacts, PATIENCE_S)
        check_failures(after.record, after.folder.path)
        return after
