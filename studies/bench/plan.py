"""The plan of a benchmark before it runs: states of its cells, and the hours of unfinished ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...gan_models.files.plain_values import to_json
from ...gan_models.files.texts.number_text import counted
from ...search.preflight.estimate import Estimate, duration
from ..api import Search
from ..database.reader import StudyRecord
from .cells import Place, State, state_of
from .design import BenchTeacher, Cell, Design
from .teachers import known_teacher

UNFINISHED_STATES: tuple[State, ...] = ("missing", "begun")


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        cells: Number of cells by state, all of them.
        by_task: The same by task and budget, as text.
        teachers: Labels of missing teachers.
        hours: Hours of the remaining cells on `jobs` processes; None if not estimated.
        jobs: Processes.
        notes: Further notes for the user.
    """

    cells: Mapping[State, int]
    by_task: tuple[str, ...]
    teachers: tuple[str, ...]
    hours: float | None
    jobs: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict:
        """Return the plan as plain JSON."""
        return to_json(self)

    def __str__(self) -> str:
        """Return the plan as lines of text."""
        said = ", ".join(f"{count} {state}" for state, count in self.cells.items())
        lines = [f"note: {note}" for note in self.notes]
        lines += [f"{counted(sum(self.cells.values()), 'cell')}: {said}", *(f"  {line}" for line in self.by_task)]
        if self.teachers:
            lines.append(f"teachers to make: {', '.join(self.teachers)}")
        if self.hours is not None:
            lines.append(f"about {duration(self.hours)} with --jobs {self.jobs}")
        return "\n".join(lines)


def planned(design: Design, place: Place, records: Mapping[str, StudyRecord], jobs: int, hours: bool = True) -> Plan:
    """Return the plan of a benchmark; write nothing, and train only a few steps to estimate the hours.

    Args:
        design: All cells.
        place: Database and folders of the benchmark.
        records: Existing studies by name.
        jobs: Cells that run at once.
        hours: True to estimate the hours.

    Raises:
        UserErrors: A task or a budget is not possible; each mistake has a line.
    """
    cells = design.cells()
    states: dict[str, State] = {cell.study: state_of(cell, records.get(cell.study)) for cell in cells}
    left = [cell for cell in cells if states[cell.study] in UNFINISHED_STATES]
    waiting = {
        teacher.key: teacher
        for teacher in (cell.teacher for cell in left)
        if known_teacher(place.root, teacher) is None
    }
    return Plan(
        Counter(states.values()),
        tuple(_lines(cells, states)),
        tuple(f"{teacher.task.name} {teacher.number}" for teacher in waiting.values()),
        _hours(left, list(waiting.values()), place, records, jobs) if hours else None,
        jobs,
        tuple(design.notes),
    )


def _lines(cells: Sequence[Cell], states: Mapping[str, State]) -> list[str]:
    lines = []
    for task, budget in dict.fromkeys((cell.task.name, cell.budget) for cell in cells):
        own = [states[cell.study] for cell in cells if (cell.task.name, cell.budget) == (task, budget)]
        lines.append(f"{task} {budget}: " + ", ".join(f"{count} {state}" for state, count in Counter(own).items()))
    return lines


def _hours(
    left: Sequence[Cell],
    teachers: Sequence[BenchTeacher],
    place: Place,
    records: Mapping[str, StudyRecord],
    jobs: int,
) -> float:
    """Return hours from start to end: by cells that have ended, or else by a few steps of each task."""
    spent = _seconds_spent(left, records)
    total = 0.0
    by_task: dict[str, list[Cell]] = {}
    for cell in left:
        by_task.setdefault(cell.task.name, []).append(cell)
    for own in by_task.values():
        waiting = [teacher for teacher in teachers if teacher.task is own[0].task]
        unknown = [cell for cell in own if cell.study not in spent]
        estimate = _estimate(own[0], place) if waiting or unknown else None
        parts = {part.name: part.hours for part in estimate.parts} if estimate is not None else {}
        teacher = parts.pop("teacher", 0.0)
        total += len(waiting) * teacher + sum(spent.get(cell.study, 0.0) for cell in own) / 3600
        total += sum(cell.trials for cell in unknown) / own[0].trials * sum(parts.values())
    return total / max(1, min(jobs, len(left)))


def _seconds_spent(left: Sequence[Cell], records: Mapping[str, StudyRecord]) -> dict[str, float]:
    """Return the seconds of each cell whose contender has ended cells of its task and budget; their mean."""
    found: dict[str, float] = {}
    for cell in left:
        alike = [name for name in records if name.rpartition("-t")[0] == cell.study.rpartition("-t")[0]]
        seconds = [
            sum(sum(trial.outcome.seconds.values()) for trial in records[name].trials if trial.outcome is not None)
            for name in alike
        ]
        if known := [one for one in seconds if one > 0]:
            found[cell.study] = sum(known) / len(known)
    return found


def _estimate(cell: Cell, place: Place) -> Estimate | None:
    """Return the hours of one cell and its teacher. Raises UserErrors like a search's preflight."""
    from_task = {
        name: cell.task.options[name] for name in ("teacher_steps", "teacher_recipe") if name in cell.task.options
    }
    options = {**cell.options, **from_task, **({"teacher": cell.teacher.given} if cell.teacher.given else {})}
    model, data, budgets = (options.pop(name) for name in ("model", "data", "budgets"))
    search = Search(model, data, budgets, cell.study, options, place.storage, place.root, place.run_options)
    found = search.preflight()
    found.study()  # raises an error
    return found.estimate
