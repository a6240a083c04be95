"""`make soak`: searches, resumed searches, exports and reports in one process for minutes or hours; nothing may grow.

    python -m tests.load.soak --minutes 20
    python -m tests.load.soak --minutes 60 --executor ray --round-trials 8

Each round makes a small study with real training, resumes it, reads it, writes its report, exports its front, runs the
exported generator, and removes the study. Memory, file descriptors, threads, processes and disk are measured after each
round; the verdict compares the second quarter with the last.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import gc
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from ganprune.studies.api import RunOptions, Search, Study
from ganprune.studies.bundles.inference import run_bundle
from ganprune.studies.report.html import write_report
from PIL import Image

from ..tiny_study import SMALL
from .measures import Figures, growth, not_flat

METHODS = ("uniform", "magnitude", "reconstruct", "slimming")
MARKS = 10


def one_round(folder: Path, images: Path, number: int, executor: str, trials: int) -> None:
    """Everything that a user does with one study, and its end."""
    folder.mkdir()
    url, options = f"sqlite:///{folder}/s.db", {k: v for k, v in SMALL.items() if k not in ("model", "data", "budgets")}
    options |= {"methods": METHODS, "trials": trials, "seed": number, "prune_steps": 2}
    run = RunOptions(executor=executor, gpus_per_trial=0)
    Search("resnet", "builtin:shapes", "60%", "s", options, url, folder / "artifacts", run).run()
    study = Study.open("s", url, folder / "artifacts").resume(trials=trials + 2, run_options=run)
    study.to_dataframe(metrics=True)
    write_report(study.record, study.at_hand(), folder / "report.html")
    study.export_front(folder / "bundles", overwrite=True)
    bundle = next((folder / "bundles").iterdir())
    run_bundle(bundle, images, folder / "out", device="cpu")
    run_bundle(bundle, images, folder / "out", device="cpu", format="onnx")
    shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--executor", choices=("local", "ray"), default="local")
    parser.add_argument("--round-trials", type=int, default=4, help="trials of each round before it is resumed")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    place = Path(tempfile.mkdtemp(prefix="ganprune-soak-"))
    os.environ["GANPRUNE_CACHE"] = str(place / "cache")
    (place / "temporary").mkdir()
    tempfile.tempdir = str(place / "temporary")
    (place / "images").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(place / "images" / f"{number}.png")
    began, rounds, figures = time.monotonic(), 0, list[Figures]()
    print(
        f"{'minute':>7} {'rounds':>7} {'memory MB':>10} {'files':>6} {'threads':>8} {'processes':>10} {'disk MB':>8}",
        flush=True,
    )
    try:
        marks = 0
        while time.monotonic() - began < 60 * given.minutes:
            one_round(place / "round", place / "images", rounds, given.executor, given.round_trials)
            rounds += 1
            gc.collect()
            figures.append(now := Figures.now(place))
            done = time.monotonic() - began
            if done >= 60 * given.minutes * marks / MARKS:
                marks = int(done * MARKS / (60 * given.minutes)) + 1
                print(
                    f"{done / 60:7.1f} {rounds:7} {now.memory_mb:10.1f} {now.files:6} {now.threads:8} {now.processes:10} "
                    f"{now.disk_mb:8.2f}",
                    flush=True,
                )
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"\n{'figure':12} {'2nd quarter':>12} {'last quarter':>13}")
    for name, (before, after) in growth(figures).items():
        print(f"{name:12} {before:12.1f} {after:13.1f}")
    faults = (
        not_flat(figures) if len(figures) >= 8 else [f"{len(figures)} rounds; expected at least 8. Try more minutes"]
    )
    print(f"\nverdict after {rounds} rounds: {'; '.join(faults) or 'flat'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
