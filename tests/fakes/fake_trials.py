"""Tiny trials for the tests of the engine: importable by name, in this process and in Ray's workers."""

import errno
import math
import os
import time
from pathlib import Path

from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.errors import UserError
from ganprune.search.records import messages as request_module
from ganprune.search.records.messages import Artifact, TrialOutcome, TrialReport, TrialRequest

from .fake_study import orders_of


def quality_at(request: TrialRequest, step: int) -> float:
    """Cheap plans are worse, `x` has its best at 0.3, longer training helps; every third trial is a bad one."""
    bad = 100.0 * (request.number % 3 == 2)
    return 10 / request.proposal.target + 5 * (request.proposal.settings.get("x", 0.3) - 0.3) ** 2 + 4 / step + bad


def run(request: TrialRequest, report) -> TrialOutcome:
    """A trial with rungs at 1, 2, 4 and what goes wrong by `settings["fault"]`."""
    fault = orders_of(request).get("faults", {}).get(str(request.number), "")
    folder, target = Path(request.workspace), request.proposal.target
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "starts.txt", "a") as file:
        file.write(f"{request.attempt}\n")
    if fault == "full disk" and request.attempt == 1:
        raise RuntimeError("cannot save") from OSError(errno.ENOSPC, "No space left on device", "weights")
    if fault == "no memory":
        raise MemoryError("Unable to allocate 20. GiB")
    if fault == "raise":
        raise ValueError("this trial is broken\non two lines")
    if fault == "die" and request.attempt == 1:
        os._exit(1)
    if fault == "always die":
        os._exit(1)
    if fault.startswith("meet "):  # only possible for trials that run at the same time
        other = folder.parent / fault.removeprefix("meet ") / "starts.txt"
        deadline = time.monotonic() + 60
        while not other.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("the other trial never started")
            time.sleep(0.02)
    rungs = {}
    for step in (1, 2, 4):
        time.sleep(orders_of(request).get("seconds", 0.0))
        rungs[step] = quality_at(request, step)
        if step < 4 and not report(TrialReport(step, rungs[step], target, rungs, widths={"a": 3})):
            return TrialOutcome("PRUNED", rungs[step], target, rungs=rungs, stopped="was told to")
    quality = {"nan": math.nan, "inf": math.inf}.get(fault, rungs[4])
    if fault == "missing":
        quality = None
    cost = target * (20.0 if fault == "over" else 1.0)
    measured = Measurement.absent("fd[x]", "1", "none")
    if quality is not None and math.isfinite(quality):
        measured = Measurement("fd[x]", quality, "1")
    return TrialOutcome(
        "COMPLETE",
        quality,
        cost,
        measurements=(measured,),
        rungs=rungs,
        widths={"a": 3},
        architecture=f"arch{request.number}",
        artifact=Artifact(f"{request.number}/weights", "0" * 64),
        seconds={"train": 0.1},
        worker=f"pid {os.getpid()} threads {os.environ.get('OMP_NUM_THREADS')}",
        method_record={
            "ganprune": request_module.__file__,
            "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "secrets": sorted(name for name, value in os.environ.items() if "://" in value and "@" in value),
        },
    )


def run_without_reports(request: TrialRequest, report) -> TrialOutcome:
    """A trial that is long away between two reports."""
    (Path(request.workspace) / "pid.txt").write_text(str(os.getpid()))
    time.sleep(orders_of(request)["seconds"])
    return TrialOutcome("COMPLETE", 1.0, request.proposal.target)


def resources(given: dict) -> dict:
    """CPUs left for others while this runs, and whether it has a process of its own."""
    import ray

    time.sleep(1.0)  # until Ray's own count of what is free has caught up
    free = ray.available_resources().get("CPU", 0.0)
    return {**given, "free_cpus": free, "own_process": ray.get_runtime_context().worker.mode != 0}


def refuses(given: dict) -> dict:
    """Refuse what the user gave."""
    raise UserError(given["why"])


def dies_alone(given: dict) -> dict:
    """End the process without a word."""
    os._exit(7)
