"""A benchmark in Python: contenders at equal cost and equal steps, run cell by cell, and the results.

Bench(tasks={"demo": {"model": "resnet", "data": "builtin:shapes"}}, contenders=("uniform", "coronet")).run()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...gan_models.files.errors import UserError
from ...search.artifacts.remote import is_url
from ..api import artifacts_beside
from ..database.reader import StudyRecord
from ..database.store import delete_study
from ..run_options import default_storage
from .catalog import contender_of
from .cell_rows import rows_of
from .cells import Place, records_of, state_of
from .contender import Contender
from .design import Design, task_of
from .events import BenchListener, quiet
from .plan import UNFINISHED_STATES, Plan, planned
from .results.comparisons import Comparison, compared
from .results.rows import BenchRow
from .teachers import known_teacher
from .workers import run_cells


@dataclass(frozen=True)
class Bench:
    """A benchmark: methods x budgets x seeds x teachers, one study per cell in one database.

    Attributes:
        tasks: Name -> fields of `StudyConfig`, `model` and `data` among them; `teacher` is one given teacher, a list
            several.
        contenders: Names (a row of the contenders, a method, `file.py:name`), or `Contender` by name.
        budgets: Levels; several costs of one level have `+` between them.
        seeds: Number of trial seeds, or the seeds.
        teachers: Number of teachers that are trained per task.
        against: The contender that the others are compared with; empty: the first.
        name: The benchmark's name, which its studies begin with.
        storage: The database's URL.
        artifacts: Folder of artifacts; None: next to the database.
        jobs: Number of cells that run at once.
        threads: Number of threads per cell.

    Raises:
        UserError: An argument is out of range.
    """

    tasks: Mapping[str, Mapping[str, Any]]
    contenders: Sequence[str] | Mapping[str, Contender]
    budgets: Sequence[str] = ("25%",)
    seeds: int | Sequence[int] = 3
    teachers: int = 1
    against: str = ""
    name: str = "bench"
    storage: str = field(default_factory=default_storage)
    artifacts: str | Path | None = None
    jobs: int = 1
    threads: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        """Check all options that need neither data nor networks."""
        for what, value in (("jobs", self.jobs), ("threads", self.threads)):
            if value < 1:
                raise UserError(f"{what} is not possible: got {value}; expected 1 or more. Try 1")
        if isinstance(self.seeds, int) and self.seeds < 1:
            raise UserError(f"the number of seeds is not possible: got {self.seeds}; expected 1 or more. Try 3")
        if self.artifacts is not None and is_url(str(self.artifacts)):
            raise UserError(
                f"a benchmark keeps its teachers in a folder: got artifacts {self.artifacts}; expected a folder of "
                "this machine. Try --artifacts FOLDER"
            )
        self.design  # noqa: B018  # raises

    @cached_property
    def design(self) -> Design:
        """All cells."""
        tasks = []
        for name, options in self.tasks.items():
            teachers = options.get("teacher", ())
            several = () if isinstance(teachers, str) else tuple(teachers)
            own = options if not several else {key: value for key, value in options.items() if key != "teacher"}
            tasks.append(task_of(name, own, several))
        named = self.contenders
        contenders = dict(named) if isinstance(named, Mapping) else {name: contender_of(name) for name in named}
        if not isinstance(named, Mapping) and len(contenders) < len(named):
            twice = next(name for name in named if list(named).count(name) > 1)
            raise UserError(f"contender {twice!r} is there twice: got {', '.join(named)}; expected each once")
        seeds = tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(self.seeds)
        return Design(self.name, tuple(tasks), contenders, tuple(self.budgets), seeds, self.teachers, self.against)

    @property
    def place(self) -> Place:
        """The place of database and artifacts."""
        root = Path(self.artifacts or artifacts_beside(self.storage)).expanduser().absolute()
        return Place(self.storage, root, self.threads)

    def records(self) -> dict[str, StudyRecord]:
        """Return the existing studies of the cells, by name.

        Raises:
            StorageError: The database cannot be read.
        """
        return records_of(self.place, [cell.study for cell in self.design.cells()])

    def plan(self, hours: bool = True) -> Plan:
        """Return the plan of a run; write nothing, and time a few steps to estimate the hours.

        Raises:
            UserErrors: A task or a budget is not possible; each mistake has a line.
        """
        return planned(self.design, self.place, self.records(), self.jobs, hours)

    def run(self, on_event: BenchListener = quiet, retry_failed: bool = False) -> None:
        """Run the unfinished cells, resuming interrupted ones.

        Args:
            on_event: Called with each event.
            retry_failed: True to remove failed cells, and run them again.

        Raises:
            WorkFailed: The database cannot be used, or the processes die again and again.
        """
        cells, there = self.design.cells(), self.records()
        states = {cell.study: state_of(cell, there.get(cell.study)) for cell in cells}
        for name in [name for name, state in states.items() if state == "failed" and retry_failed]:
            delete_study(self.storage, name, self.place.root)
            states[name] = "missing"
        left = [cell for cell in cells if states[cell.study] in UNFINISHED_STATES]
        if left:
            run_cells(left, self.place, self.jobs, on_event)

    def rows(self) -> list[BenchRow]:
        """Return every trial that has ended, in the order of the cells."""
        there, found = self.records(), list[BenchRow]()
        for cell in self.design.cells():
            if (record := there.get(cell.study)) is not None:
                found += rows_of(cell, record, known_teacher(self.place.root, cell.teacher))
        return found

    def compared(self) -> Comparison:
        """Return the contenders compared; cells without a result are named.

        Raises:
            UserError: There is no result of the contender that the others are compared with.
        """
        there = self.records()
        missing = [
            f"{cell.label}: {state}"
            for cell in self.design.cells()
            if (state := state_of(cell, there.get(cell.study))) in UNFINISHED_STATES
        ]
        return compared(self.rows(), self.design.reference, missing)
