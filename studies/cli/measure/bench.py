"""The command `bench`: contenders at equal cost and equal steps, one study per cell. Imports no torch by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ....gan_models.files.errors import UserError, WorkFailed
from ....gan_models.files.texts.number_text import counted
from ....search.config import StudyConfig
from ....search.configuration.flags import Values
from ....search.configuration.sections import SearchOptions
from ...run_options import ProfileOptions, RunOptions
from .. import options as opt
from ..console import wide_console
from ..search import SEARCH_FLAGS, Set, check_early, checked_whole, options_given, run_values

if TYPE_CHECKING:
    from ...bench.bench import Bench
    from ...bench.contender import Contender
    from ...bench.results.comparisons import Comparison
    from ...bench.results.rows import BenchRow

_BENCH_FIELDS = {field.name for section in (SearchOptions, ProfileOptions, RunOptions) for field in fields(section)}
_BENCH_FIELDS = (_BENCH_FIELDS - {"seed", "method_settings", "cpus_per_trial"}) | {
    "budgets",
    "teacher",
    "teacher_discriminator",
}
BENCH_FLAGS = tuple(
    replace(flag, help="Name of the benchmark, with which the names of its studies begin. [default: bench]")
    if flag.paths[0][0] == "name"
    else flag
    for flag in SEARCH_FLAGS
    if flag.paths[0][0] not in _BENCH_FIELDS
)
_IDLE_RUN = {field.name for field in fields(RunOptions)} - {"cpus_per_trial"}


@opt.with_flags(BENCH_FLAGS)
def bench(
    given: Mapping[str, Any],
    config: Annotated[
        list[Path] | None,
        typer.Option(
            help="TOML file of a search, which is one task; repeatable. Options given here win. [default: one task of "
            "the options]"
        ),
    ] = None,
    contender: Annotated[
        list[str] | None,
        typer.Option(
            help="Contender: a method, search/tpe, file.py:name, or a TOML file of options that differ; repeatable. "
            "[default: the methods of --config]"
        ),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(help="Budget of cells: 25%, 2.5GMACs, or 25%+2MB; repeatable. [default: that of --config]"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds per cell.")] = 3,
    teachers: Annotated[
        int, typer.Option(help="Number of teachers that are trained per task, each with its seed.")
    ] = 1,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="Weights of a teacher, as `search` takes them; repeatable. [default: new ones are trained]"),
    ] = None,
    against: Annotated[
        str, typer.Option(help="Contender that the others are compared with. [default: the first]")
    ] = "",
    jobs: Annotated[int, typer.Option(help="Number of cells that run at once.")] = 1,
    plan: Annotated[bool, typer.Option("--plan", help="Show the number of cells and hours, and run nothing.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Show the tables of finished cells, and run nothing.")] = False,
    from_csv: Annotated[
        Path | None,
        typer.Option(help="CSV file of an earlier --csv, whose tables are shown; nothing runs. [default: none]"),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
    csv: Annotated[Path | None, typer.Option(help="CSV file of all trials. [default: none]")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Markdown file of the tables. [default: none]")] = None,
    latex: Annotated[Path | None, typer.Option(help="LaTeX file of the tables, for booktabs. [default: none]")] = None,
    page: Annotated[
        Path | None, typer.Option(help="HTML file of ratios, attainment curves and all tables. [default: none]")
    ] = None,
    set_values: Set = None,
    as_json: opt.Json = False,
) -> None:
    """Compare methods at equal cost and equal steps, over budgets, seeds and teachers."""
    modes = [name for name, asked in (("--plan", plan), ("--table", table), ("--from-csv", from_csv)) if asked]
    if len(modes) > 1:
        raise UserError(f"{' and '.join(modes)} run nothing, each in its way: got both; expected one. Try {modes[0]}")
    if retry_failed and modes:
        raise UserError(f"--retry-failed runs cells: got {modes[0]} too, which runs nothing; expected one of the two")
    files = ResultFiles(csv, markdown, latex, page)
    if plan and any((csv, markdown, latex, page)):
        raise UserError("--plan has no results: got --csv, --markdown, --latex or --page; expected none. Try --table")
    if from_csv is not None:
        _refuse_beside_csv(given, (config, contender, budget, teacher, set_values))
        from ...bench.results.comparisons import compared
        from ...bench.results.rows import read_rows

        rows = read_rows(from_csv)
        _write(rows, compared(rows, against), files, as_json, from_csv.stem)
        return
    from ...bench.bench import Bench

    tasks, place = _tasks(given, config or [], teacher or [], set_values)
    levels, contenders = _levels(tasks, budget or []), _contenders(tasks, contender or [])
    own = {
        name: {k: v for k, v in values.items() if k not in ("methods", "budgets", "name")}
        for name, values in tasks.items()
    }
    name = next((str(values["name"]) for values in tasks.values() if "name" in values), "bench")
    made = Bench(
        own, contenders, levels, seeds, teachers, against, name, place.storage, place.artifacts, jobs,
        threads=place.threads,
    )  # fmt: skip
    if plan:
        found = made.plan()
        print(json.dumps(found.to_json(), indent=1, allow_nan=False) if as_json else found)
        return
    console = wide_console(stderr=True)
    for note in made.design.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)
    if not table:
        made.run(lambda event: console.print(str(event), highlight=False, soft_wrap=True), retry_failed)
    _show(made, files, as_json)


def _refuse_beside_csv(given: Mapping[str, Any], others: Sequence[Any]) -> None:
    """Raise UserError if options of a run are given with a CSV, which contains its own cells."""
    named = [flag.spelling for flag in BENCH_FLAGS if given.get(flag.name) not in (None, [])]
    if named or any(others):
        told = named[0] if named else "--config, --contender, --budget, --teacher or --set"
        raise UserError(
            f"--from-csv reads finished cells: got {told} too; expected --against, --csv, --markdown, --latex, --page "
            "or --json"
        )


@dataclass(frozen=True)
class ResultFiles:
    """Files that results are written to; None: no such file."""

    csv: Path | None
    markdown: Path | None
    latex: Path | None
    page: Path | None


@dataclass(frozen=True)
class _Kept:
    """Database and folder of a benchmark, and the threads of a cell."""

    storage: str
    artifacts: str | None
    threads: int


def _tasks(
    given: Mapping[str, Any], configs: Sequence[Path], teachers: Sequence[str], set_values: list[str] | None
) -> tuple[dict[str, Values], _Kept]:
    """Return the options of each task by its name, and the place of the benchmark."""
    files = list(configs) or [None]
    tasks: dict[str, Values] = {}
    kept = set[_Kept]()
    for path in files:
        values = options_given(BENCH_FLAGS, given, path, set_values)
        place, run, profile = run_values(values)
        where = "the options" if path is None else str(path)
        idle = [name for name in sorted(_IDLE_RUN) if getattr(run, name) != getattr(RunOptions(), name)]
        idle += ["latency_profile"] if profile else []
        if idle:
            raise UserError(
                f"{where}: {idle[0]} acts on no benchmark: got {getattr(run, idle[0], profile)!r}; expected none, as "
                "cells run in processes of this machine. Try --jobs"
            )
        kept.add(_Kept(place.storage, place.artifacts, run.cpus_per_trial))
        values = checked_whole(values, ("--model", "model"), ("--data", "data"))
        if teachers:
            values["teacher"] = list(teachers)
        name = path.stem if path is not None else Path(str(values["model"]).rpartition(":")[2]).stem
        if name in tasks:
            raise UserError(f"task {name!r} is there twice: got two files of this name; expected each once")
        check_early(StudyConfig.from_json(_checkable(values)))
        tasks[name] = values
    if teachers and len(tasks) > 1:
        raise UserError(
            f"--teacher is of one task: got {len(tasks)} tasks; expected one. Try teacher in each task's own file"
        )
    if len(kept) > 1:
        raise UserError("tasks name different databases or folders: got several; expected one. Try --storage")
    return tasks, kept.pop()


def _checkable(values: Values) -> Values:
    """Return a task's values as those of a study, to be checked before torch is imported."""
    teacher = values.get("teacher", "")
    return {
        **values,
        "name": values.get("name", "bench"),
        "budgets": values.get("budgets", ["100%"]),
        "teacher": teacher[0] if isinstance(teacher, list) else teacher,
    }


def _levels(tasks: Mapping[str, Values], budgets: Sequence[str]) -> list[str]:
    """Return the levels of cost: those of the flags, or else the budgets of the tasks' files as one level."""
    if budgets:
        return list(budgets)
    of_files = dict.fromkeys("+".join(values["budgets"]) for values in tasks.values() if values.get("budgets"))
    if len(of_files) != 1:
        got = ", ".join(of_files) or "none"
        raise UserError(
            f"--budget is missing: got {got} in the tasks' files; expected one level of cost. Try --budget 25%"
        )
    return list(of_files)


def _contenders(tasks: Mapping[str, Values], named: Sequence[str]) -> dict[str, Contender]:
    """Return the contenders by name: those of the flags, or else the methods of the tasks' files."""
    from ...bench.catalog import contender_of
    from ...bench.contender import Contender

    methods = list(dict.fromkeys(name for values in tasks.values() for name in values.get("methods", ())))
    names = list(named) or methods
    if not names:
        raise UserError(
            "--contender is missing: got none; expected two or more. Try --contender uniform --contender coronet"
        )
    found: dict[str, Contender] = {}
    for text in names:
        path = Path(text)
        name = path.stem if path.suffix == ".toml" else text
        if name in found:
            raise UserError(f"contender {name!r} is there twice: got {', '.join(names)}; expected each once")
        found[name] = Contender(options_given((), {}, path, None)) if path.suffix == ".toml" else contender_of(text)
    return found


def _show(made: Bench, files: ResultFiles, as_json: bool) -> None:
    """Print the existing results, and fail if a cell has none.

    Raises:
        WorkFailed: A cell has no result.
    """
    rows, comparison = made.rows(), made.compared()
    _write(rows, comparison, files, as_json, made.name)
    if comparison.missing:
        raise WorkFailed(
            f"{counted(len(comparison.missing), 'cell has', 'cells have')} no result: {comparison.missing[0]}; the "
            "same command continues, and --retry-failed runs failed ones anew"
        )


def _write(rows: Sequence[BenchRow], comparison: Comparison, files: ResultFiles, as_json: bool, name: str) -> None:
    """Write the files, and print the tables if nothing else shows them."""
    from ....gan_models.files.atomic_files import write_file
    from ...bench.results.fronts import growth
    from ...bench.results.latex import latex
    from ...bench.results.rows import rows_to_json, write_rows
    from ...bench.results.tables import as_json as plain
    from ...bench.results.tables import markdown as text

    growths = growth(rows)
    if files.csv is not None:
        write_rows(rows, files.csv)
    if files.markdown is not None:
        write_file(files.markdown, text(comparison, growths).encode())
    if files.latex is not None:
        write_file(files.latex, latex(text(comparison, growths)).encode())
    if files.page is not None:
        from ...bench.page.bench_page import bench_page

        write_file(files.page, bench_page(rows, comparison, growths, name).encode())
    if as_json:
        print(json.dumps({**plain(comparison, growths), "trials": rows_to_json(rows)}, indent=1, allow_nan=False))
    elif files.markdown is None and files.latex is None and files.page is None:
        print(text(comparison, growths), end="")
