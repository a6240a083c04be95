"""The order in which cells and their teachers run, with results that are made by hand in the place of processes."""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from ganprune.studies.bench.bench import Bench
from ganprune.studies.bench.cells import Place
from ganprune.studies.bench.design import Cell
from ganprune.studies.bench.events import CellEnded, TeacherFailed, TeacherMade
from ganprune.studies.bench.teachers import MadeTeacher
from ganprune.studies.bench.workers import CellQueue, Ended, NoTeacher

TASK = {"model": "resnet", "data": "builtin:shapes", "finetune_steps": 7}


class Pool:
    """Answers each call at once, and notes what was asked for.

    Args:
        answer: Of a cell or a teacher.
    """

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer, self.asked = answer, []

    def submit(self, function: Any, what: Any, *rest: Any) -> Future:
        """Return a future that has ended."""
        self.asked.append(what.label if isinstance(what, Cell) else f"teacher of {what.task.name}")
        future: Future = Future()
        result = self.answer(what)
        future.set_exception(result) if isinstance(result, Exception) else future.set_result(result)
        return future


def queue(folder: Path, told: list) -> CellQueue:
    """Two tasks with one contender and one seed each."""
    bench = Bench({"a": TASK, "b": {**TASK, "n_train": 9}}, ("uniform",), seeds=1, artifacts=folder)
    return CellQueue(bench.design.cells(), Place("sqlite:///none.db", folder), told.append)


def made(what: Any) -> Any:
    """Make whatever is asked for."""
    return Ended("finished", "") if isinstance(what, Cell) else MadeTeacher({}, 1.0, None)


def test_a_cell_runs_as_soon_as_its_teacher_is_there(tmp_path):
    """With one process the first task ends before the second one's teacher is begun."""
    told, pool = [], Pool(made)
    queue(tmp_path, told).drive(pool, 1)
    assert pool.asked == [
        "teacher of a", "a 25% uniform teacher 0 seed 0", "teacher of b", "b 25% uniform teacher 0 seed 0",
    ]  # fmt: skip
    assert [type(event) for event in told] == [TeacherMade, CellEnded] * 2
    assert str(told[-1]).startswith("[2/2] b 25% uniform")


def test_cells_of_a_teacher_that_cannot_be_made_stay_missing(tmp_path):
    """The reason is told once, and the other task runs."""
    told = []
    pool = Pool(
        lambda what: (
            NoTeacher("no data") if getattr(what, "number", None) == 0 and what.task.name == "a" else made(what)
        )
    )
    queue(tmp_path, told).drive(pool, 1)
    assert [type(event) for event in told] == [TeacherFailed, TeacherMade, CellEnded]
    assert "no data" in str(told[0])


def test_a_cell_whose_process_dies_is_put_behind_the_others(tmp_path):
    """A cell that kills its process runs again after all others, in a new process."""
    told, dies = [], [BrokenProcessPool("killed")]
    waiting = queue(tmp_path, told)
    with pytest.raises(BrokenProcessPool):
        waiting.drive(Pool(lambda what: dies.pop() if isinstance(what, Cell) and dies else made(what)), 1)
    waiting.put_back()
    pool = Pool(made)
    waiting.drive(pool, 1)
    assert pool.asked == ["teacher of b", "b 25% uniform teacher 0 seed 0", "a 25% uniform teacher 0 seed 0"]
