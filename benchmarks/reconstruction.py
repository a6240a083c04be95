"""Cuts that are refitted against plain cuts: before training, after 100 steps and after 400 steps.

Every line of the raw CSV is one trial, run by the stages of a study's trials; a line that is there is not run again.
Teachers are those of `compare.py`. A quarter of the table on two cores: about half an hour.

    python benchmarks/reconstruction.py [--tasks demo,cycle] [--variants cut/l1,refit/schur,...] [--methods uniform]
        [--targets 0.5,0.25,0.125] [--seeds 2] [--csv docs/reconstruction.csv] [--out benchmark-runs] [--table]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from compare import TASKS, prepared
from ganprune.gan_models.files.seeds import mixed
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.records.messages import TrialRequest
from ganprune.search.trial.trial import STAGES
from ganprune.search.trial.work import TrialWork
from ganprune.spaces.methods import settings_of
from ganprune.spaces.widths import WidthSpace

STEPS, RUNG = 400, 0.25
INPUTS = 64
VARIANTS = ("cut/l1", "cut/l2", "cut/schur", "cut/gauss_newton", "refit/l1", "refit/l2", "refit/schur")


@dataclass(frozen=True)
class Case:
    """One trial."""

    task: str
    variant: str
    method: str
    target: float
    seed: int


def run(case: Case, out: Path) -> dict[str, Any]:
    """Return one line of the raw table."""
    torch.set_num_threads(1)
    bench, _ = prepared(case.task, out)
    kind, ranking = case.variant.split("/")
    config = replace(
        bench.config, prune_steps=0, finetune_steps=STEPS, rungs=(RUNG,), calibration_images=INPUTS, reduction=0
    )
    bench = open_study(replace(bench.resolved, config=config), bench.prepared)
    form = bench.groups.form
    target = case.target * form.dense()
    given = METHODS[case.method].widths == "given"
    widths = WidthSpace(form).uniform(target) if given else None
    name = f"{case.task}-{case.method}-{case.variant}-{case.target}-{case.seed}".replace("/", "-")
    request = TrialRequest(
        number=0,
        attempt=1,
        proposal=Proposal(case.method, settings_of(case.method, {"ranking": ranking}), target, "macs", widths),
        seed=mixed(case.seed, 7, round(1e4 * case.target)),
        workspace=str(out / "refits" / name),
        study=bench.resolved,
        prepared=bench.prepared,
    )
    work = TrialWork(bench, request, lambda report: True)
    STAGES["prune"](work)
    done = work.pruned.reconstructions[bench.names[0]]
    if kind == "cut":
        work.pruned = _plain(work)
    before = bench.measure(work.pruned.model, full=False)[0]
    for stage in ("check", "quantize", "finetune", "measure"):
        STAGES[stage](work)
    curve = work.outcome.rungs
    return {
        **vars(case),
        "metric": before.name,
        "untrained": before.value,
        "steps_100": curve[round(RUNG * STEPS)],
        "steps_400": work.outcome.quality,
        "output_error_cut": done.before,
        "output_error_refitted": done.after,
        "refit_seconds": round(done.seconds, 2),
        "refit_macs": done.macs,
    }


def _plain(work: TrialWork) -> Any:
    """Return what was cut without its refit."""
    from ganprune.gan_models.groups.surgery import cut

    name = work.study.names[0]
    model = cut(work.study.generators[name].cpu(), work.study.groups, work.pruned.plan)
    return replace(work.pruned, model=model, reconstructions={})


KEYS = ["task", "variant", "method", "target", "seed"]
COLUMNS = {"untrained": "no training", "steps_100": "100 steps", "steps_400": "400 steps"}


def print_table(path: Path) -> None:
    """Print means over the seeds as one Markdown table."""
    raw = pd.read_csv(path)
    print("| task | share of MACs | method | ranking | refitted | no training | 100 steps | 400 steps | seeds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (task, target, method, variant), rows in raw.groupby(["task", "target", "method", "variant"], sort=False):
        kind, ranking = str(variant).split("/")
        values = " | ".join(f"{rows[name].mean():.4g}" for name in COLUMNS)
        refitted = "yes" if kind == "refit" else "no"
        print(f"| {task} | {target:.1%} | {method} | {ranking} | {refitted} | {values} | {len(rows)} |")


def main() -> None:
    """Run what is not in the CSV yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="demo,cycle")
    parser.add_argument("--variants", default="cut/l1,cut/l2,cut/schur,refit/l1,refit/schur")
    parser.add_argument("--methods", default="uniform")
    parser.add_argument("--targets", default="0.25")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--csv", type=Path, default=Path("docs/reconstruction.csv"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    done = set()
    if given.csv.exists():
        done = set(pd.read_csv(given.csv)[KEYS].astype(str).itertuples(index=False, name=None))
    cases = [
        Case(task, variant, method, float(target), seed)
        for seed in range(given.seeds)
        for task in given.tasks.split(",")
        for target in given.targets.split(",")
        for method in given.methods.split(",")
        for variant in given.variants.split(",")
    ]
    assert {case.task for case in cases} <= set(TASKS)
    for case in [] if given.table else cases:
        if tuple(str(getattr(case, key)) for key in KEYS) in done:
            continue
        line = pd.DataFrame([run(case, given.out)])
        line.to_csv(given.csv, mode="a", header=not given.csv.exists(), index=False)
        print(line.to_string(index=False, header=False), flush=True)
    print_table(given.csv)


if __name__ == "__main__":
    main()
