"""The parallel processes that make teachers and run cells; they end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from ...gan_models.files.errors import UserError, WorkFailed
from .cell_rows import rows_of
from .cells import Place, RunsElsewhere, run_cell, state_of, why_failed
from .design import BenchTeacher, Cell
from .events import BenchListener, CellEnded, End, TeacherFailed, TeacherMade
from .results.rows import scored
from .teachers import MadeTeacher, known_teacher, made_teacher

MAX_RESTARTS = 5  # maximum restarts of processes, because a cell may kill its process each time


@dataclass(frozen=True)
class Ended:
    """The end of a cell in a worker.

    Attributes:
        end: As in `CellEnded`.
        detail: Its distance and seconds, or the reason.
    """

    end: End
    detail: str


@dataclass(frozen=True)
class NoTeacher:
    """An error: the reason that a teacher cannot be made, in one line."""

    reason: str


def run_cells(cells: Sequence[Cell], place: Place, jobs: int, on_event: BenchListener) -> None:
    """Make teachers and run cells, in the cells' order as their teachers become available.

    Args:
        cells: Unfinished cells.
        place: Database and folders of the benchmark.
        jobs: Number of processes.
        on_event: Called with each event, in this process.

    Raises:
        WorkFailed: The processes die again and again.
    """
    queue = CellQueue(cells, place, on_event)
    for _ in range(MAX_RESTARTS + 1):
        try:
            _drive(queue, jobs, place.threads)
            return
        except BrokenProcessPool:
            queue.put_back()
    raise WorkFailed(
        f"the processes of the benchmark died {MAX_RESTARTS + 1} times: got no end of {queue.cells[0].label}; "
        "expected one. Try --jobs 1, or look for a lack of memory; cells that have ended stay"
    )


def _drive(queue: CellQueue, jobs: int, threads: int) -> None:
    """Run a queue in new processes; terminate them if this process is interrupted."""
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (threads,)) as pool:
        try:
            queue.drive(pool, jobs)
        except BrokenProcessPool:
            raise
        except BaseException:
            for process in multiprocessing.active_children():  # the pool's
                process.terminate()  # a running trial is returned to the queue, and resumes in the next run
            raise


class CellQueue:
    """The queue of waiting cells and their teachers."""

    def __init__(self, cells: Sequence[Cell], place: Place, on_event: BenchListener) -> None:
        self.cells, self._place, self._tell = deque(cells), place, on_event
        self._count, self._ended = len(cells), 0
        self._teachers: dict[str, MadeTeacher] = {}
        self._making: dict[Future[MadeTeacher | NoTeacher], BenchTeacher] = {}
        self._running: dict[Future[Ended], Cell] = {}
        for teacher in {cell.teacher.key: cell.teacher for cell in cells}.values():
            if (known := known_teacher(place.root, teacher)) is not None:
                self._teachers[teacher.key] = known

    def drive(self, pool: ProcessPoolExecutor, jobs: int) -> None:
        """Run all cells and teachers."""
        while True:
            while len(self._running) + len(self._making) < jobs and self._start(pool):
                pass
            if not (self._running or self._making):
                return
            open_ones: list[Future[Any]] = [*self._running, *self._making]
            done, _ = wait(open_ones, return_when=FIRST_COMPLETED)
            for future in done:
                self._finish(future)

    def put_back(self) -> None:
        """Requeue cells of dead processes after all others, so that a cell that kills its process runs last."""
        self.cells.extend(self._running.values())
        self._running, self._making = {}, {}

    def _start(self, pool: ProcessPoolExecutor) -> bool:
        """Start the first teacher or cell that is ready; return False if none is."""
        making = {teacher.key for teacher in self._making.values()}
        for cell in self.cells:
            key = cell.teacher.key
            if key in self._teachers:
                self.cells.remove(cell)
                self._running[pool.submit(_cell, cell, self._teachers[key], self._place)] = cell
                return True
            if key not in making:
                self._making[pool.submit(_teacher, cell.teacher, self._place)] = cell.teacher
                return True
        return False

    def _finish(self, future: Future[Any]) -> None:
        result = future.result()  # raises BrokenProcessPool
        if (teacher := self._making.pop(future, None)) is not None:
            label = f"{teacher.task.name} teacher {teacher.number}"
            if isinstance(result, NoTeacher):
                self._tell(TeacherFailed(label, result.reason))
                for cell in [cell for cell in self.cells if cell.teacher.key == teacher.key]:
                    self.cells.remove(cell)
                    self._count -= 1
            else:
                self._teachers[teacher.key] = result
                self._tell(TeacherMade(label, result.seconds))
        else:
            cell = self._running.pop(future)
            self._ended += 1
            self._tell(CellEnded(cell.label, result.end, result.detail, self._ended, self._count))


def _begin(threads: int) -> None:
    """Prepare a worker: it must end with the process that started it, also after a kill."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _teacher(teacher: BenchTeacher, place: Place) -> MadeTeacher | NoTeacher:
    try:
        return made_teacher(place.root, teacher)
    except (UserError, WorkFailed) as error:
        return NoTeacher(_line(error))


def _cell(cell: Cell, teacher: MadeTeacher, place: Place) -> Ended:
    began = time.monotonic()
    try:
        record = run_cell(cell, teacher, place)
    except RunsElsewhere as error:
        return Ended("elsewhere", _line(error))
    except Exception as error:  # one cell must not end the others; its reason is reported
        kind = "" if isinstance(error, UserError | WorkFailed) else f"{type(error).__name__}: "
        return Ended("failed", kind + _line(error))
    if state_of(cell, record) != "finished":
        return Ended("failed", why_failed(record))
    best = scored(rows_of(cell, record, teacher))
    result = f"{best[0].metric} {best[0].quality:.4g} on {best[0].split} images" if best else "no trial in the budget"
    return Ended("finished", f"{result}, {time.monotonic() - began:.0f} s")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
