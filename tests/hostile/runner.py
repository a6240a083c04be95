"""Workers that perform cases, each with a time limit; a worker that crashes or hangs is replaced."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

from .cases import Performer, Verdict, kind_of, limit_memory

LIMIT_S = 10.0
_CONTEXT = multiprocessing.get_context("fork")


def _work(pipe: Connection, root: Path, seed: int, keep: bool) -> None:
    """Perform the cases whose numbers arrive, and send `ready`, `begun` and the verdicts."""
    log = os.open(root / "logs" / str(os.getpid()), os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    limit_memory()
    performer = Performer(root, seed, keep)
    pipe.send("ready")
    while (number := pipe.recv()) is not None:
        performer.prepare(number)
        pipe.send("begun")
        pipe.send(performer.perform(number))


class Worker:
    """A process that performs one case at a time.

    Attributes:
        case: The number of its case; None if it is idle.
    """

    def __init__(self, root: Path, seed: int, keep: bool) -> None:
        self.root = root
        self.pipe, other = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_work, args=(other, root, seed, keep), daemon=True)
        self.process.start()
        other.close()
        self.case: int | None = None
        self._begun: float | None = None

    def give(self, number: int) -> None:
        """Have it perform a case."""
        self.case, self._begun = number, None
        self.pipe.send(number)

    def verdict(self) -> Verdict | None:
        """Return the verdict on its case, if it is known: its own, or that it crashed or hangs."""
        number = self.case
        assert number is not None
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, Verdict):
                    self.case = None
                    return message
                self._begun = time.monotonic() if message == "begun" else self._begun
        except (EOFError, ConnectionResetError):
            self.process.join(10)
            self.case = None
            log = (self.root / "logs" / str(self.process.pid)).read_text(errors="replace")[-3000:]
            return Verdict(number, kind_of(number), "fault", f"crash: exit code {self.process.exitcode}", log)
        if self._begun is not None and time.monotonic() - self._begun > LIMIT_S:
            log = self._stack()
            self.case = None
            return Verdict(number, kind_of(number), "fault", f"hang: more than {LIMIT_S:.0f} s", log)
        return None

    def _stack(self) -> str:
        """End a worker that hangs, and return where it was."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGABRT)  # faulthandler writes the stack
        self.process.join(5)
        self.end()
        return (self.root / "logs" / str(self.process.pid)).read_text(errors="replace")[-6000:]

    @property
    def alive(self) -> bool:
        """True if it can be given another case."""
        return self.process.is_alive()

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def perform(root: Path, numbers: list[int], seed: int, workers: int = 2, keep: bool = False) -> Iterator[Verdict]:
    """Yield the verdict on each case, in the order in which they end.

    A case that hangs is performed a second time alone, because the machine may have been busy.
    """
    left, again = list(reversed(numbers)), list[int]()
    crew = [Worker(root, seed, keep) for _ in range(min(workers, len(numbers)))]
    try:
        while left or again or any(worker.case is not None for worker in crew):
            for place, worker in enumerate(crew):
                if worker.case is None and left and worker.alive:
                    worker.give(left.pop())
                elif worker.case is None and again and worker.alive and all(one.case is None for one in crew):
                    number = again.pop()
                    worker.give(number)
                    while (found := worker.verdict()) is None:
                        wait([worker.pipe, worker.process.sentinel], 0.2)
                    yield found
                elif worker.case is not None and (found := worker.verdict()) is not None:
                    if found.told.startswith("hang"):
                        again.append(found.number)
                    else:
                        yield found
                if not worker.alive and worker.case is None and (left or again):
                    crew[place] = Worker(root, seed, keep)
            wait([worker.pipe for worker in crew if worker.case is not None], 0.05)
    finally:
        for worker in crew:
            worker.end()
