"""A benchmark's design: tasks, contenders, budgets, teachers and seeds, and the cells that they make.

A cell is one study. Its name ends in a hash of everything that determines its result. A finished cell is therefore
found again after any other run, and a changed option makes another cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from ...evaluators.quality.catalog import METRICS
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256, json_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.pruning.catalog import method_spec
from ...search.config import StudyConfig
from ...search.configuration.flags import merge
from ...search.configuration.presets.with_preset import with_preset
from ...search.configuration.recognized_teacher import with_recognized
from ...search.configuration.sections import TEACHER_FIELDS, DataOptions, SearchOptions
from ...search.setup.defaults import steps_of
from ...search.study_name import check_study_name
from .contender import Contender

BUDGET_SEPARATOR = "+"  # separator of the budgets of one level: 25%+2MB
# Options of a search that a cell does not take from its task: the contender sets them, or the cell is one trial.
SEARCH_FIELDS = {field.name for field in fields(SearchOptions)} - {"seed", "trial_seed", "methods", "method_settings"}
LONGEST_PART = 16  # maximum characters of a task or a contender in a study's name


@dataclass(frozen=True)
class BenchTask:
    """A task of a benchmark: a network, its data and its training.

    Attributes:
        name: Name for tables.
        options: Fields of `StudyConfig`, `model` and `data` among them.
        teachers: Weights of given teachers, in the form of `--teacher`; empty: teachers are trained.
    """

    name: str
    options: Mapping[str, Any]
    teachers: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchTeacher:
    """One teacher of a task.

    Attributes:
        task: Its task.
        number: Number of the teacher, from 0.
    """

    task: BenchTask
    number: int

    @property
    def given(self) -> str:
        """The given weights; empty if it is trained."""
        return self.task.teachers[self.number] if self.task.teachers else ""

    @property
    def seed(self) -> int:
        """The seed of its training and of the images; given teachers share their images."""
        own = int(self.task.options.get("seed", 0))
        return own if self.given else own + self.number

    @cached_property
    def options(self) -> dict[str, Any]:
        """The fields of `StudyConfig` that determine it."""
        used = TEACHER_FIELDS | {field.name for field in fields(DataOptions)}
        own = {name: value for name, value in self.task.options.items() if name in used}
        weights = {"teacher": self.given} if self.given else {}
        return {**own, **weights, "seed": self.seed}

    @cached_property
    def key(self) -> str:
        """A hash of the options and, by content, of the given weights."""
        options = self.options | {"teacher": _content(self.given)}
        return json_sha256(to_json(options))[:12]


@dataclass(frozen=True)
class Cell:
    """One study of a benchmark.

    Attributes:
        bench: The benchmark's name.
        contender: Name of the contender.
        taking: The contender.
        budget: The budget as stated; several with `+` between them, the first is the objective.
        teacher: The teacher, and with it the task.
        seed: Seed of the trials.
        steps: Steps of pruning and of fine-tuning, the same for all contenders.
    """

    bench: str
    contender: str
    taking: Contender
    budget: str
    teacher: BenchTeacher
    seed: int
    steps: tuple[int, int]

    @property
    def task(self) -> BenchTask:
        """The cell's task."""
        return self.teacher.task

    @property
    def label(self) -> str:
        """The cell as text."""
        return f"{self.task.name} {self.budget} {self.contender} teacher {self.teacher.number} seed {self.seed}"

    @property
    def trials(self) -> int:
        """Trials of its study."""
        return int(self.taking.all_options["trials"])

    @cached_property
    def options(self) -> dict[str, Any]:
        """Fields of `StudyConfig`, without name and teacher."""
        own = {name: value for name, value in self.task.options.items() if name not in SEARCH_FIELDS}
        own = {name: value for name, value in own.items() if name not in ("teacher_steps", "teacher_recipe", "methods")}
        fixed = own.pop("method_settings", {})
        values = merge(to_json(own), to_json(self.taking.all_options))
        named = self.taking.methods
        kept = {name: v for name, v in fixed.items() if not named or name.rpartition(".")[0] in named}
        settings = {**kept, **values.pop("method_settings", {})}
        prune, finetune = self.steps
        values |= {"method_settings": settings} if settings else {}
        values |= {} if {"prune_steps", "finetune_steps"} & set(self.taking.options) else {
            "prune_steps": prune, "finetune_steps": finetune,
        }  # fmt: skip
        return {
            **values,
            "budgets": tuple(self.budget.split(BUDGET_SEPARATOR)),
            "seed": self.teacher.seed,
            "trial_seed": self.seed,
        }

    @cached_property
    def study(self) -> str:
        """The name of its study."""
        key = json_sha256([to_json(self.options), self.teacher.key])[:10]
        parts = [self.bench, self.task.name, self.contender.rpartition(":")[2], self.budget]
        named = "-".join(_slug(part) for part in parts)
        return f"{named}-t{self.teacher.number}-s{self.seed}-{key}"


@dataclass(frozen=True)
class Design:
    """All cells of a benchmark.

    Attributes:
        name: The benchmark's name, which its studies begin with.
        tasks: The tasks.
        contenders: Contenders by name; the others are compared with the first, unless `against` names another.
        budgets: Levels, one after the other.
        seeds: Seeds of trials.
        teachers: Number of trained teachers per task, if none are given.
        against: The contender that the others are compared with.

    Raises:
        UserError: There is nothing to run, a name occurs twice, or an option is invalid.
    """

    name: str
    tasks: tuple[BenchTask, ...]
    contenders: Mapping[str, Contender]
    budgets: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    teachers: int = 1
    against: str = ""

    def __post_init__(self) -> None:
        check_study_name(self.name)
        for what, values in (
            ("task", [task.name for task in self.tasks]),
            ("contender", list(self.contenders)),
            ("budget", list(self.budgets)),
            ("seed", [str(seed) for seed in self.seeds]),
        ):
            if not values:
                raise UserError(f"a benchmark has no {what}: got none; expected one or more. Try --help for how")
            twice = [value for value in dict.fromkeys(values) if values.count(value) > 1]
            if twice:
                raise UserError(f"{what} {twice[0]!r} is there twice: got {', '.join(values)}; expected each once")
        if self.teachers < 1:
            raise UserError(f"the number of teachers is not possible: got {self.teachers}; expected 1 or more. Try 1")
        if self.reference not in self.contenders:
            raise UserError(
                f"contender {self.reference!r} takes no part: got it to compare with; expected one of "
                f"{', '.join(self.contenders)}"
            )
        for task in self.tasks:
            self._check(task)

    def _check(self, task: BenchTask) -> None:
        """Check a task's options with each contender's, without data and networks."""
        if task.teachers and self.teachers > 1:
            raise UserError(
                f"task {task.name!r} has {len(task.teachers)} given teachers: got {self.teachers} to train, too; "
                "expected one of the two. Try without --teachers"
            )
        for cell in self._cells(task, self.budgets, self.seeds[:1]):
            config = StudyConfig.from_json({**cell.options, "name": "cell"}).checked()
            named = config.objective or config.metric
            if named in METRICS.own and not METRICS.find(named).lower_is_better:
                raise UserError(higher_is_better(named))

    @property
    def reference(self) -> str:
        """The contender that the others are compared with."""
        return self.against or next(iter(self.contenders))

    @property
    def notes(self) -> list[str]:
        """Options of tasks that have no effect here, one line each."""
        return [
            f"{task.name}: {', '.join(idle)} of a search acts on no cell of one trial: contenders decide it"
            for task in self.tasks
            if (idle := sorted(SEARCH_FIELDS & set(task.options)))
        ]

    def teachers_of(self, task: BenchTask) -> list[BenchTeacher]:
        """Return a task's teachers."""
        return [BenchTeacher(task, number) for number in range(len(task.teachers) or self.teachers)]

    def cells(self) -> list[Cell]:
        """Return all cells: compared ones are adjacent, and the first budget comes first."""
        return [
            cell for budget in self.budgets for task in self.tasks for cell in self._cells(task, (budget,), self.seeds)
        ]

    def _cells(self, task: BenchTask, budgets: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
        steps = self._steps(task)
        for budget in budgets:
            for teacher in self.teachers_of(task):
                for seed in seeds:
                    for name, contender in self.contenders.items():
                        yield Cell(self.name, name, contender, budget, teacher, seed, steps)

    def _steps(self, task: BenchTask) -> tuple[int, int]:
        """Return the steps of pruning and of fine-tuning that all contenders have, whether they train or not."""
        given = StudyConfig.from_json({**_readable(task.options), "name": "task", "budgets": ["100%"]})
        trains = any(method_spec(method).trains for one in self.contenders.values() for method in one.methods)
        open_choice = any(not contender.methods for contender in self.contenders.values())
        return steps_of(given.prune_steps, given.finetune_steps, trains or open_choice)


def higher_is_better(metric: str) -> str:
    """Return the error message for a metric of which higher is better: its ratios would have the opposite meaning."""
    return (
        f"a benchmark compares ratios of distances: got {metric}, of which higher is better; expected a metric of "
        "which lower is better. Try the distance, and --also-measure for this one"
    )


def task_of(name: str, options: Mapping[str, Any], teachers: Sequence[str] = ()) -> BenchTask:
    """Return a task.

    Args:
        name: Name for tables.
        options: Fields of `StudyConfig`; `teacher` is one given teacher.
        teachers: Given teachers, instead of `teacher`.

    Raises:
        UserError: `model` or `data` is missing, or a discriminator is given.
    """
    options = with_preset(with_recognized(options))
    for needed in ("model", "data"):
        if not options.get(needed):
            raise UserError(f"task {name!r} has no {needed}: got none; expected --{needed}, or {needed} in its file")
    if options.get("teacher_discriminator"):
        raise UserError(
            f"task {name!r} has a discriminator: got {options['teacher_discriminator']}; expected a generator "
            "alone; a benchmark trains its discriminator once, for all contenders. Try without teacher_discriminator"
        )
    own = str(options.pop("teacher", "") or "")
    given = tuple(teachers) or ((own,) if own else ())
    options.pop("name", None)
    options.pop("budgets", None)
    return BenchTask(name, options, given)


def _readable(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in SEARCH_FIELDS}


def _content(weights: str) -> list[str]:
    """Return the text of given weights with the hash of each file that it names."""
    files = [re.sub(r"^\w+=", "", part.strip()) for part in weights.split(",")]
    paths = [located(Path(text))[0] for text in dict.fromkeys([weights, *files]) if text]
    return [file_sha256(path) for path in paths if path.is_file()] or [weights]


def _slug(text: str) -> str:
    """Return a text as a part of a study's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:LONGEST_PART] or "x"
