"""Overhead of a search: asking, telling and scheduling by size of the study, opening it, starting up.

    python benchmarks/overhead.py                                SQLite, 10 to 10,000 trials: half an hour if quiet
    python benchmarks/overhead.py --marks 10,1000                                                      about 2 minutes
    python benchmarks/overhead.py --storage postgresql+psycopg://USER@HOST/NAME
    python benchmarks/overhead.py --start                              search to first training step, against plain Ray
    python benchmarks/overhead.py --ray 1000               1,000 trials that do nothing, in Ray's workers and here

Trials are simulated, so that nearly all the time is the driver's: `ask` is choosing and writing a trial, `report` two
rungs with early stopping's decision, `tell` its start and end. Milliseconds a trial, mean of the last 20 before each
mark; the share is of a trial of 30 s. "CPU ms" is what this process computed in that time: on a loaded machine the
number to look at. Memory is this process's, all in; "read s" reads the study whole, as `show` does.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from ganprune.gan_models.files.plain_values import to_json
from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.execution.ray_executor import RayExecutor
from ganprune.search.records.events import TrialFinished
from ganprune.search.records.messages import TrialOutcome, TrialReport, TrialRequest
from ganprune.search.simulation.response_surface import Surface
from ganprune.search.strategy.chooser import Choice
from ganprune.search.strategy.early_stopping import StoppingRule
from ganprune.search.strategy.proposals import SpaceProposals
from ganprune.spaces.widths import WidthSpace
from ganprune.studies.database.store import Store
from which_sampler import BUDGET, form_of

LAST = 20  # trials that a mean is taken over
TRIAL_S = 30.0
METHODS = ("uniform", "widths", "magnitude")
STARTED = "started at"


def megabytes() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(groups: int, url: str, marks: list[int], folder: Path, sampler: str) -> None:
    """One study from its first trial to the last mark; a row at each mark."""
    form = form_of(groups)
    surface, space = Surface.drawn(form, 0), WidthSpace(form)
    proposals = SpaceProposals(space, BUDGET * form.dense(), METHODS)
    settings = EngineSettings(max(marks), Choice(sampler), StoppingRule((1, 2)), slots=1)
    name, begun = f"overhead-{groups}", time.perf_counter()
    spent: list[tuple[float, float, float, float]] = []
    with Store.create(url, name, folder, {}) as store:
        engine = Engine(store, proposals, settings, store.folder, None)
        while len(spent) < max(marks):
            cpu, moments = time.process_time(), [time.perf_counter()]
            request = engine.ask()
            moments.append(time.perf_counter())
            asked = time.process_time() - cpu
            if not isinstance(request, TrialRequest):
                raise RuntimeError(f"the engine gave {request} after {len(spent)} trials")
            widths, cost, curve = played(request, space, surface)
            cpu = time.process_time() - asked
            moments.append(time.perf_counter())
            engine.started(request.number)
            moments.append(time.perf_counter())
            goes_on = all(
                engine.report(request.number, TrialReport(step, curve[step], cost, {}, widths)) for step in (1, 2)
            )
            moments.append(time.perf_counter())
            if goes_on:
                engine.finished(request.number, TrialOutcome("COMPLETE", curve[4], cost, rungs=curve, widths=widths))
            else:
                engine.stopped(request.number)
            moments.append(time.perf_counter())
            ask, _, start, report, end = (b - a for a, b in pairwise(moments))
            spent.append((ask, report, start + end, time.process_time() - cpu))
            if len(spent) in marks:
                done = time.perf_counter() - begun
                row(groups, url, name, spent, done)
    begun = time.perf_counter()
    with Store.open(url, name, folder):
        opened = time.perf_counter() - begun
    print(f"  opening {max(marks)} trials to go on with them: {opened:.2f} s")


def played(request: TrialRequest, space: WidthSpace, surface: Surface) -> tuple[dict[str, int], float, dict]:
    """Results of a simulated trial: widths, cost, quality by rung."""
    form, proposal, widths = space.form, request.proposal, request.proposal.widths
    if widths is None:
        ratios = surface.learned(proposal.method, to_json(proposal.settings), request.seed)
        widths = space.decode(dict(zip(form.names, ratios, strict=True)), proposal.target)
    plan_G = form.widths(widths)
    curve = {step: surface.quality(plan_G, step / 4, request.seed) for step in (1, 2, 4)}
    return dict(widths), float(form.predict(plan_G)), curve


READ = """
import time
from ganprune.studies.database.reader import read_study
begun = time.perf_counter()
read_study({url!r}, {study!r})
print(time.perf_counter() - begun)
"""


def row(groups: int, url: str, study: str, spent: list[tuple[float, float, float, float]], total: float) -> None:
    """One line of the table."""
    last = spent[-LAST:]
    ask, report, tell, cpu = (1000 * sum(part) / len(last) for part in zip(*last, strict=True))
    whole = ask + report + tell
    child = [sys.executable, "-c", READ.format(url=url, study=study)]  # what it takes is not this process's memory
    read = float(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
    print(
        f"  {len(spent):7d} {groups:7d} {url.partition(':')[0].partition('+')[0]:>11s} {ask:9.1f} {report:9.1f} "
        f"{tell:9.1f} {whole:9.1f} {cpu:9.1f} {whole / TRIAL_S / 10:7.2f} % {megabytes():9.0f} "
        f"{total:9.0f} {read:9.2f}",
        flush=True,
    )


def nothing(request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialOutcome:
    """Return at once: the remaining time is the overhead of a trial beyond its training."""
    proposal = request.proposal
    return TrialOutcome("COMPLETE", proposal.target**-0.5, proposal.target, widths=proposal.widths or {})


def ray_share(n: int, folder: Path) -> None:
    """Time `n` empty trials of uniform plans, in the driver itself and in Ray's workers."""
    form = form_of(13)
    for name, executor in (("local", InProcessExecutor()), ("ray", RayExecutor())):
        proposals = SpaceProposals(WidthSpace(form), BUDGET * form.dense(), ("uniform",))
        moments: list[float] = []
        with Store.create(f"sqlite:///{folder}/{name}.db", name, folder / name, {}) as store:
            engine = Engine(
                store, proposals, EngineSettings(n, slots=2), store.folder, None,
                on_event=lambda event, told=moments: told.append(time.perf_counter())
                if isinstance(event, TrialFinished) else None,
            )  # fmt: skip
            engine.run(executor, "overhead:nothing")
        half = len(moments) // 2
        each = (moments[-1] - moments[half]) / (len(moments) - 1 - half)
        print(f"  {name:5s} {len(moments)} trials: {1000 * each:.0f} ms a trial over the second half, two at once")


PLAIN = """
import os, time
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
from ray import tune
def trivial(config):
    print("{started}", time.time(), flush=True)
    open(config["file"], "w").write(str(time.time()))
    tune.report({{"x": 1}})
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
tune.Tuner(trivial, param_space={{"file": {file!r}}}, run_config=tune.RunConfig(verbose=0, storage_path={out!r})).fit()
"""
SEARCH = """
import time
from ganprune.search.records.events import TrialReported, TrialStarted
from ganprune.studies.api import Search
def tell(event):
    if isinstance(event, (TrialStarted, TrialReported)):
        open({file!r}, "a").write(f"{{time.time()}} {{type(event).__name__}}\\n")
options = dict(model_args=dict(ngf=8, n_blocks=1), image_size=32, n_train=64, n_test=16, trials=1, teacher_steps=1,
    finetune_steps=2, rungs=(0.5,), metric="shapes", teacher={teacher!r}, teacher_discriminator={judge!r},
    recipe=dict(batch_size=4, distill_output=10.0))
Search("resnet", "builtin:shapes", "40%", "start", options, "sqlite:///{out}/start.db").run(tell)
"""


def start(folder: Path) -> None:
    """From the start of a process to a trial's begin, of a search with a given teacher and of plain Ray Tune."""
    teacher = folder / "teacher.safetensors"
    train = [
        Path(sys.executable).with_name("ganprune"),
        "train",
        "--model",
        "resnet",
        "--model-args",
        "ngf=8,n_blocks=1",
    ]
    train += ["--data", "builtin:shapes", "--image-size", "32", "--steps", "1", "--batch-size", "4", "--out", teacher]
    subprocess.run(train, check=True, capture_output=True)
    given: dict[str, Any] = {"started": STARTED, "out": str(folder), "teacher": str(teacher)}
    given["judge"] = str(teacher.with_suffix(".discriminator.safetensors"))
    for name, code in (("ray.init and a trivial Tuner.fit", PLAIN), ("search", SEARCH)):
        file = folder / "moments.txt"
        file.unlink(missing_ok=True)
        begun = time.time()
        done = subprocess.run(
            [sys.executable, "-c", code.format(file=str(file), **given)], capture_output=True, text=True, check=False
        )
        if not file.exists():
            raise RuntimeError(f"{name} told nothing: {done.stderr[-2000:]}")
        for line in file.read_text().splitlines():
            moment, _, what = line.partition(" ")
            print(f"  {name:34s} {what or 'begins':15s} {float(moment) - begun:6.1f} s")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--marks", default="10,1000,10000")
    parser.add_argument("--groups", default="13,60")
    parser.add_argument("--sampler", default=Choice().sampler)
    parser.add_argument("--storage", help="a database's URL; default: a new SQLite file")
    parser.add_argument("--start", action="store_true", help="measure the start alone")
    parser.add_argument("--ray", type=int, default=0, metavar="N", help="measure N trials that do nothing alone")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ganprune-overhead-"))
    try:
        if given.start:
            start(folder)
            return
        if given.ray:
            ray_share(given.ray, folder)
            return
        heads = ("ask ms", "report ms", "tell ms", "sum ms", "CPU ms", "of 30 s", "MB", "s in all", "read s")
        print(f"  {'trials':>7s} {'groups':>7s} {'database':>11s} " + " ".join(f"{head:>9s}" for head in heads))
        for groups in map(int, given.groups.split(",")):
            url = given.storage or f"sqlite:///{folder}/{groups}.db"
            measure(groups, url, [int(n) for n in given.marks.split(",")], folder / "artifacts", given.sampler)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
