"""`make scale`: 10,000 simulated trials on PostgreSQL, read by 16 processes and the live report while they are written.

    python -m tests.load.scale --trials 10000 --readers 16

Nothing is trained: qualities are drawn from a response surface, so that the time is the driver's and the database's. Each
reader reads the whole study again and again, as `show` does, and checks it. Exit code 1 if a read fails or shows something
that cannot be.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import multiprocessing
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from ganprune.search.records.events import TrialFinished
from ganprune.studies.api import Search
from ganprune.studies.database.reader import StudyRecord, read_study
from ganprune.studies.report.live import LivePage, LiveServer
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.simulate import simulate

from ..postgres import Server, binaries
from .measures import megabytes

STUDY = "scale"
MARKS = (100, 1000, 2500, 5000, 10_000)
_CONTEXT = multiprocessing.get_context("spawn")


def faults_of(record: StudyRecord, before: int) -> list[str]:
    """Return what cannot be in a study that one driver writes: gaps, trials that vanish, results that are not there."""
    numbers = [trial.number for trial in record.trials]
    found = [] if numbers == list(range(len(numbers))) else [f"numbers are not 0 to {len(numbers) - 1}"]
    found += [f"{before} trials, then {len(numbers)}"] if len(numbers) < before else []
    found += [
        f"trial {trial.number} is COMPLETE without quality or cost"
        for trial in record.trials
        if trial.state == "COMPLETE" and (trial.quality is None or trial.cost is None)
    ]
    running = [trial.number for trial in record.trials if not trial.finished]
    return found + ([f"trials {running} have not ended; one runs at a time"] if len(running) > 1 else [])


def read_again(url: str, every_s: float, pipe: Connection, seed: int) -> None:
    """Read the study until the pipe is closed; send (end of the read, its seconds, trials, MB, what was wrong)."""
    dice, seen = random.Random(seed), 0
    while True:
        began = time.monotonic()
        try:
            record = read_study(url, STUDY)
            outcome_of(record).front  # noqa: B018  (a property that is computed)
            wrong, seen = faults_of(record, seen), len(record.trials)
        except Exception as error:
            wrong = [f"{type(error).__name__}: {error}"]
        try:
            pipe.send((time.time(), time.monotonic() - began, seen, megabytes(), wrong))
            if pipe.poll(dice.uniform(0.5, 1.5) * every_s):
                pipe.recv()
                return
        except (BrokenPipeError, EOFError):
            return


class Page(threading.Thread):
    """A browser's requests to the live report, which a process of its own serves."""

    def __init__(self, url: str, folder: Path, every_s: float) -> None:
        super().__init__(daemon=True)
        self.every_s, self.reads = every_s, list[tuple[float, float, int]]()
        self.faults: list[str] = []
        self.pipe, other = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=serve, args=(url, folder, other), daemon=True)
        self.process.start()
        self.address = self.pipe.recv()
        self.ended = threading.Event()

    def run(self) -> None:
        """Ask for the page until the end."""
        while not self.ended.wait(self.every_s):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self.address, timeout=300) as answer:
                    content = answer.read()
                self.reads.append((time.time(), time.monotonic() - began, len(content)))
            except OSError as error:
                self.faults.append(f"live report: {error}")

    def end(self) -> None:
        """Stop the browser and the server."""
        self.ended.set()
        self.join(310)
        self.process.kill()


def serve(url: str, folder: Path, pipe: Connection) -> None:
    """Serve the live report; send its address."""
    while True:
        try:
            read_study(url, STUDY)
            break
        except Exception:  # the study is not made yet
            time.sleep(0.5)
    with LiveServer(LivePage(lambda: read_study(url, STUDY), folder, "scale"), 0) as server:
        pipe.send(server.address)
        server.serve_forever()


def line(marks: Sequence[str]) -> str:
    """A line of the table."""
    return "  " + " ".join(f"{mark:>11s}" for mark in marks)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--every", type=float, default=60.0, metavar="SECONDS", help="between two reads of one reader")
    parser.add_argument("--storage", help="a database's URL; default: a new PostgreSQL server")
    given = parser.parse_args()
    if given.storage is None and binaries() is None:
        print("no PostgreSQL binaries: apt-get install postgresql, or give --storage")
        return 2
    folder, server = Path(tempfile.mkdtemp(prefix="ganprune-scale-")), None if given.storage else Server()
    try:
        return measure(given, server.new_database() if server else given.storage, folder)
    finally:
        if server is not None:
            server.remove()
        shutil.rmtree(folder, ignore_errors=True)


def measure(given: argparse.Namespace, url: str, folder: Path) -> int:
    """Write, read, print; return the exit code."""
    options = {"model_args": {"ngf": 4, "n_blocks": 1}, "image_size": 16, "n_train": 8, "n_test": 8, "metric": "shapes"}
    wanted = Search("resnet", "builtin:shapes", "60%", STUDY, options | {"trials": given.trials}, url, folder)
    marks = [mark for mark in MARKS if mark < given.trials] + [given.trials]
    began, ended = time.time(), list[float]()
    readers: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
    pages: list[Page] = []
    reads: list[tuple[float, float, int, float, list[str]]] = []
    print(
        f"{given.trials} trials, {given.readers} readers every {given.every:g} s and the live report, on {url.partition(':')[0]}"
    )
    heads = (
        "trials",
        "seconds",
        "trial ms",
        "driver CPU",
        "driver MB",
        "reads",
        "read s",
        "p95 s",
        "most s",
        "reader MB",
        "page s",
        "page MB",
    )
    print(line(heads), flush=True)
    last: tuple[float, float] = (began, time.process_time())

    def start_readers() -> None:
        for number in range(given.readers):
            pipe, other = _CONTEXT.Pipe()
            process = _CONTEXT.Process(target=read_again, args=(url, given.every, other, number), daemon=True)
            process.start()
            other.close()
            readers.append((process, pipe))
        pages.append(Page(url, folder, given.every / 4))
        pages[0].start()

    def on_event(event: object) -> None:
        nonlocal last
        if not isinstance(event, TrialFinished):
            return
        ended.append(time.time())
        if len(ended) == 1:
            start_readers()
        if len(ended) in marks:
            since, cpu = last
            last = (time.time(), time.process_time())
            row(len(ended), since, cpu)

    def row(done: int, since: float, cpu: float) -> None:
        for _, pipe in readers:
            while pipe.poll():
                reads.append(pipe.recv())
        here = sorted(seconds for end, seconds, *_ in reads if end >= since)
        page = [(seconds, size) for end, seconds, size in pages[0].reads if end >= since]
        trials = done - max([mark for mark in marks if mark < done], default=0)
        told = [f"{done}", f"{time.time() - began:.0f}", f"{1000 * (time.time() - since) / trials:.1f}"]
        told += [f"{1000 * (time.process_time() - cpu) / trials:.1f}", f"{megabytes():.0f}", f"{len(here)}"]
        told += (
            [f"{statistics.median(here):.2f}", f"{here[int(0.95 * (len(here) - 1))]:.2f}", f"{here[-1]:.2f}"]
            if here
            else ["-"] * 3
        )
        told += [f"{max((mb for *_, mb, _ in reads), default=0):.0f}"]
        told += [f"{statistics.median(s for s, _ in page):.2f}", f"{page[-1][1] / 1e6:.2f}"] if page else ["-", "-"]
        print(line(told), flush=True)

    simulate(wanted, on_event, seconds_per_step=0.01)
    for _, pipe in readers:
        pipe.send("end")
    pages[0].end()
    for process, pipe in readers:
        process.join(120)
        while pipe.poll():
            try:
                reads.append(pipe.recv())
            except (EOFError, OSError):
                break
    record = read_study(url, STUDY)
    faults = [fault for *_, several in reads for fault in several] + pages[0].faults + faults_of(record, len(ended))
    if len(record.trials) != given.trials:
        faults.append(f"{len(record.trials)} trials at the end")
    print(f"\n{len(reads)} reads and {len(pages[0].reads)} pages; failed or impossible: {len(faults)}")
    for fault in sorted(set(faults))[:20]:
        print(f"  {fault[:300]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
