"""The commands that train: `search`, `resume` and `train`. Imports no torch by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from ...gan_models.data.layouts import existing
from ...gan_models.data.spec import is_own
from ...gan_models.files.errors import Refusals, UserError
from ...gan_models.files.plain_values import from_json
from ...gan_models.files.texts.near_names import did_you_mean
from ...gan_models.files.user_code import check_file
from ...gan_models.networks.catalog import NETWORKS
from ...search.config import SPLIT_LABELS, StudyConfig
from ...search.configuration.flags import Flag, Values, flags_of, merge, read_flags, read_settings, read_toml
from ...search.configuration.option import check_given
from ...search.configuration.presets.with_preset import needed_data, with_preset
from ...search.configuration.recognized_teacher import with_recognized
from ...search.configuration.sections import SECTIONS, TEACHER_FIELDS
from ..run_options import ProfileOptions, RunOptions, StudyPlace
from . import options as opt
from .console import wide_console
from .help.interruption import SAME_COMMAND_RESUMES, continued_by, resume_command
from .plans.forecasts import shown_forecast

if TYPE_CHECKING:
    from rich.console import Console

    from ...search.forecast.cost_range import ForecastOptions
    from ...search.preflight.estimate import Estimate
    from ...search.preflight.preflight import Preflight
    from ...search.resolved_study import ResolvedStudy
    from ..api import Search, Study
    from .progress import Display

Section = TypeVar("Section")
WHOLE_RANGE = "90%"  # budget of a forecast without the option
_RUN = (StudyPlace, ProfileOptions, RunOptions)  # share the last table with the study's own options
SEARCH_FLAGS = tuple(flag for table, section in SECTIONS.items() for flag in flags_of(table, section)) + tuple(
    flag for section in _RUN for flag in flags_of("run", section)
)


def _defaulting(flag: Flag, default: str) -> Flag:
    """Return a flag whose help shows another default."""
    text = flag.help.removesuffix(" [required]").partition(" [default")[0]
    return replace(flag, help=f"{text} [default: {default}]")


RESUME_FLAGS = (
    *(
        _defaulting(flag, default)
        for flag in SEARCH_FLAGS
        for name, default in (("trials", "the study's"), ("hours", "no limit"), ("data", "the study's"))
        if flag.name == name
    ),
    *(flag for section in (StudyPlace, RunOptions) for flag in flags_of("run", section)),
)


# Defaults of a forecast that are not a search's own
FORECAST_DEFAULTS: Mapping[tuple[str, ...], str] = {
    ("budgets",): f"{WHOLE_RANGE}, the whole range of costs",
    ("name",): "forecast",
}
FORECAST_FLAGS = tuple(
    _defaulting(flag, FORECAST_DEFAULTS[flag.paths[0]]) if flag.paths[0] in FORECAST_DEFAULTS else flag
    for flag in SEARCH_FLAGS
)


def _of_teacher(flag: Flag) -> bool:
    """Return if a flag changes how a teacher is trained."""
    fields = {path[0] for path in flag.paths}
    return flag.table == "data" or bool(fields & TEACHER_FIELDS)


TEACHER_FLAGS = tuple(
    replace(
        flag,
        name="steps",
        spelling="--steps",
        help=flag.help.replace(", or of a discriminator against a given teacher", ""),
    )
    if flag.name == "teacher_steps"
    else flag
    for flag in filter(_of_teacher, SEARCH_FLAGS)
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="TOML file of options in tables [model], [budget], ..., [run]; options given here win. [default: none]"
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Any value by its path in such a file: training.recipe.decay=0.2; repeatable. [default: none]"
    ),
]


def options_given(
    flags: tuple[Flag, ...], given: Mapping[str, Any], config: Path | None, settings: list[str] | None
) -> Values:
    """Return the values of a file, the flags and `--set`, nested by field; the later of the three win.

    One file serves `search`, `resume` and `train`: it may hold any option of a search.

    Raises:
        UserError: An unknown option, or a text that its option does not take.
    """
    values = read_toml(config, _tables(), SEARCH_FLAGS) if config is not None else {}
    merge(values, read_flags(flags, given))
    merge(values, read_settings(settings or [], _tables(), SEARCH_FLAGS))
    check_given((*SECTIONS.values(), *_RUN), values)
    return with_recognized(values)


def _tables() -> dict[str, tuple[type, ...]]:
    """Return the sections of each table."""
    return {name: (section, *_RUN) if name == "run" else (section,) for name, section in SECTIONS.items()}


def run_values(values: Values) -> tuple[StudyPlace, RunOptions, str]:
    """Take what is of this run out of the values: place, run options, latency profile."""

    def section(cls: type[Section]) -> Section:
        return from_json(cls, {f.name: values.pop(f.name) for f in fields(cast(Any, cls)) if f.name in values}, "run")

    place, profile, options = section(StudyPlace), section(ProfileOptions), section(RunOptions)
    return place, options, profile.latency_profile


@opt.with_flags(SEARCH_FLAGS)
def search(
    given: Mapping[str, Any],
    config: ConfigFile = None,
    set_values: Set = None,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Train nothing: draw qualities at random, and estimate the hours."),
    ] = False,
    seconds_per_step: Annotated[
        float | None,
        typer.Option(help="Seconds per training step, for --simulate. [default: measured in a few steps]"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, estimate the hours, and start nothing.")
    ] = False,
    zero_shot: Annotated[
        bool,
        typer.Option("--zero-shot", help="Stop before any fine-tuning, as `ganprune forecast` does."),
    ] = False,
    ask_above: Annotated[
        float, typer.Option(help="In a terminal, ask before a search that is estimated to take more hours than this.")
    ] = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Search pruned generators that meet a budget."""
    values = options_given(SEARCH_FLAGS, given, config, set_values)
    place, run_options, latency_profile = run_values(values)
    values.setdefault("name", "search")
    whole = checked_whole(values, ("--model", "model"), ("--data", "data"), ("--budget", "budgets"))
    if not dry_run:
        check_early(StudyConfig.from_json(whole))  # before torch is imported; a dry run tells it with all the rest
    if seconds_per_step is not None and not simulate:
        raise UserError("--seconds-per-step is for --simulate; a search measures its trials itself")
    wanted = _search(values, place, run_options, latency_profile)
    found = wanted.preflight(hours=not simulate and not zero_shot, goes_on=zero_shot)
    if dry_run:
        show_preflight(found, as_json)
        return
    resolved = told(wanted, found, wide_console(stderr=True))
    if zero_shot:
        if simulate:
            raise UserError("--zero-shot scores real networks: got --simulate too, which has none; give one of them")
        from ...search.forecast.cost_range import ForecastOptions

        _forecast(wanted, resolved, ForecastOptions(), Path("forecast"), as_json)
        return
    if not simulate and found.estimate is not None:
        ask(found.estimate, ask_above, yes)
    dense = resolved.dense[resolved.cost]
    if simulate:
        from ..simulate import estimate
        from ..simulate import simulate as simulated

        def dry(show: Display) -> Study:
            return simulated(wanted, show.event, seconds_per_step, resolved)

        with continued_by(f"`ganprune delete {wanted.name}` removes what was simulated so far"):
            made = shown_search(resolved.config, dense, dry, as_json, simulated=True)
        wide_console(stderr=as_json).print(estimate(made.record, run_options).line(), highlight=False)
        return
    decided = resolved.config
    with continued_by(resume_command(wanted.name, place.storage)):
        shown_search(
            decided,
            dense,
            lambda show: wanted.run(show.event, show.teacher, resolved),
            as_json,
            split_shown(decided),
        )


@opt.with_flags(FORECAST_FLAGS)
def forecast(
    given: Mapping[str, Any],
    config: ConfigFile = None,
    set_values: Set = None,
    costs: Annotated[int, typer.Option(help="Number of costs at which plans are scored, from the budget down.")] = 8,
    evaluations: Annotated[int, typer.Option(help="Number of plans that are scored at each cost.")] = 6,
    out: Annotated[Path, typer.Option(help="Folder for the picture and the plans.")] = Path("forecast"),
    as_json: opt.Json = False,
) -> None:
    """Predict quality over the whole range of costs, without training a pruned generator."""
    values = options_given(FORECAST_FLAGS, given, config, set_values)
    place, run_options, latency_profile = run_values(values)
    values["name"] = values.get("name") or "forecast"
    values["budgets"] = values.get("budgets") or [WHOLE_RANGE]
    check_early(StudyConfig.from_json(checked_whole(values, ("--model", "model"), ("--data", "data"))))
    from ...search.forecast.cost_range import ForecastOptions

    options = ForecastOptions(costs, evaluations)
    wanted = _search(values, place, run_options, latency_profile)
    resolved = told(wanted, wanted.preflight(hours=False, goes_on=True), wide_console(stderr=True))
    _forecast(wanted, resolved, options, out, as_json)


def checked_whole(values: Values, *needed: tuple[str, str]) -> Values:
    """Return given values with those of their preset.

    Args:
        values: Values by field.
        *needed: Flag and field of each value without which nothing can start.

    Raises:
        UserError: A needed value is missing, or the preset is unknown.
    """
    whole = with_preset(values)
    for option, name in needed:
        if not whole.get(name):
            about = needed_data(values) if name == "data" else ""
            raise UserError(f"{option} is missing: give it as a flag or in --config FILE.toml.{about}".rstrip("."))
    return whole


def _search(values: Values, place: StudyPlace, run_options: RunOptions, latency_profile: str) -> Search:
    """Return the search of given values; what they do not name is left to their preset."""
    from ..api import Search

    model, data, budgets = (values.pop(field, "") for field in ("model", "data", "budgets"))
    name = values.pop("name")
    return Search(model, data, budgets, name, values, place.storage, place.artifacts, run_options, latency_profile)


def _forecast(wanted: Search, resolved: ResolvedStudy, options: ForecastOptions, out: Path, as_json: bool) -> None:
    """Show a forecast under a display of its teacher's training."""
    from .progress import Display

    console = wide_console(stderr=as_json)
    with continued_by(SAME_COMMAND_RESUMES), Display(console, "", resolved.dense[resolved.cost]).live() as show:
        shown_forecast(wanted, resolved, options, out, as_json, console, show.teacher)


def show_preflight(found: Preflight, as_json: bool) -> None:
    """Print a preflight as a table, or as JSON.

    Raises:
        typer.Exit: Something is wrong; the exit code is 2.
    """
    if as_json:
        print(json.dumps({"passes": found.passes, **found.to_json()}, indent=1, allow_nan=False))
    else:
        wide_console().print(str(found), highlight=False, soft_wrap=True)
    if not found.passes:
        raise typer.Exit(2)


def told(wanted: Search, found: Preflight, console: Console) -> ResolvedStudy:
    """Print what a preflight warns of and notes, and the hours; return the study.

    Args:
        wanted: The search.
        found: Its preflight.
        console: Where it is printed.

    Raises:
        UserError: Something is wrong; each mistake has a line of its own.
    """
    for kind in ("warning", "note"):
        for finding in found.of_kind(kind):
            console.print(f"{kind}: {finding.line}", highlight=False, soft_wrap=True)
    resolved = wanted.study_of(found)
    if found.estimate is not None:
        console.print(f"estimate: {found.estimate.line}", highlight=False, soft_wrap=True)
    return resolved


def ask(estimate: Estimate, above: float, yes: bool) -> None:
    """Ask before a long search if a user can answer.

    Raises:
        typer.Exit: The answer is no; the exit code is 1.
    """
    if yes or estimate.hours <= above or not sys.stdin.isatty():
        return
    if not typer.confirm(
        f"start a search of about {estimate.hours:.1f} h? (--yes, or --ask-above HOURS, asks no more)"
    ):
        raise typer.Exit(1)


@opt.with_flags(RESUME_FLAGS)
def resume(
    given: Mapping[str, Any],
    name: opt.Name,
    config: ConfigFile = None,
    set_values: Set = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(
            help="Plan to train as a trial: P0, or a JSON file of widths or channels; repeatable. [default: none]"
        ),
    ] = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Continue although data, teacher or code changed; the record contains a note of it.",
        ),
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Continue a study: train more trials, or what was interrupted."""
    values = options_given(RESUME_FLAGS, given, config, set_values)
    place, run_options, latency_profile = run_values(values)
    if latency_profile:
        raise UserError("latency_profile cannot change: a study keeps the profile that its budgets were priced with")
    from ..api import Study
    from ..results.outcome import outcome_of

    study = Study.open(name, place.storage, place.artifacts)
    found = outcome_of(study.record)
    with continued_by(resume_command(name, place.storage)):
        shown_search(
            found.config,
            found.dense[found.cost],
            lambda show: study.resume(
                run_options=run_options,
                on_event=show.event,
                on_teacher=show.teacher,
                accept_changes=accept_changes,
                options=values,
                plans=tuple(plan or ()),
            ),
            as_json,
            split_shown(found.config),
        )


def split_shown(config: StudyConfig) -> str:
    """Return the name of what trials are compared on, to stand before the quality's; empty for the test split."""
    return SPLIT_LABELS[config.scored_on] if config.scored_on != "test" else ""


def shown_search(
    config: StudyConfig,
    dense: float,
    run: Callable[[Display], Study],
    as_json: bool,
    split: str = "",
    simulated: bool = False,
) -> Study:
    """Run a search under a display, print its front, and return the study.

    Args:
        config: The study's, with its quality.
        dense: Cost of the dense network, for shares.
        run: The search; listens through the display.
        as_json: Print JSON on standard output, everything else on standard error.
        split: Stands before the quality's name, if trials are not compared on the test split.
        simulated: Nothing is measured.

    Raises:
        TooManyFailed: It ended by failures; its front is printed before.
    """
    from ...evaluators.measurement import frechet_name
    from .progress import Display
    from .results import print_front

    console = wide_console(stderr=as_json)
    name = frechet_name("simulated" if simulated else config.metric, 1).partition(",")[0] + "]"
    if config.objective and not simulated:
        name = config.objective.rpartition(":")[2]
    with Display(console, f"{split} {name}".strip(), dense, 1.0 if simulated else config.sign).live() as show:
        study = run(show)
    print_front(study.record, console, as_json)
    show.refuse_failures(study.record)
    return study


@opt.with_flags(TEACHER_FLAGS)
def train_teacher(
    given: Mapping[str, Any],
    out: Annotated[
        Path,
        typer.Option(help="File for the generator's weights, .safetensors; the discriminator's are next to it."),
    ],
    config: ConfigFile = None,
    set_values: Set = None,
) -> None:
    """Train a teacher, to be given to several searches."""
    values = options_given(TEACHER_FLAGS, given, config, set_values)
    run_values(values)  # a search's place and executor are nothing to a teacher alone
    values = checked_whole(values, ("--model", "model"), ("--data", "data"))
    check_early(StudyConfig.from_json({**values, "name": "teacher", "budgets": ["100%"]}))
    from .train_teacher import train_to_file

    own = {path[0] for flag in TEACHER_FLAGS for path in flag.paths}
    for line in train_to_file(values, out, wide_console(stderr=True), own):
        print(line)


def check_early(config: StudyConfig) -> None:
    """Raise UserError for what can be seen without torch: an unknown network, data that are not there.

    The same is checked again with the networks and the data available, if it can be said better there.
    """
    refusals = Refusals()
    refusals.passes(config.checked)
    with refusals.kept():
        if ":" not in config.model and config.model not in NETWORKS:
            known = ", ".join(NETWORKS)
            raise UserError(
                f"model {config.model!r} is not known: use one of {known}, or package.module:function, or "
                f"path/to/file.py:function. {did_you_mean(config.model, NETWORKS)}".rstrip(". ")
            )
    with refusals.kept():
        if is_own(config.data):
            check_file(config.data, "data")
        elif not config.data.startswith("builtin:"):
            existing(config.data)
    refusals.end()
