"""Recipes of fine-tuning against each other: one plan, refitted, trained for equal steps with one setting changed.

Every line of the raw CSV is one recipe of one trial, run by the stages of a study's trials; a line that is there is not
run again. A recipe is compared with `base` by the log-ratio of the two distances at one task and seed. Averaged weights
change no step, so `base` and all variants `ema=SHARE` are measured on one training. A trial takes 10 to 20 s on a free
core, and a few seconds with --small (images of 32 pixels, a quarter of the channels, half of the steps).

    python benchmarks/recipe.py [--tasks demo,cycle] [--variants base,ema=0.05,...] [--method uniform] [--targets 0.25]
        [--seeds 3] [--small] [--lite0 FILE] [--csv docs/recipe.csv] [--out benchmark-runs] [--table]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from compare import STUDY
from compare import TASKS as COMPARED
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.files.seeds import mixed
from ganprune.gan_models.groups.surgery import copy_network
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.training.averaged_weights import AveragedWeights, norms_of, reestimated
from ganprune.gan_models.training.loop import NORM_BATCHES, Networks, train
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.config import StudyConfig
from ganprune.search.configuration.sections import CALIBRATION_IMAGES
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.setup.resolve import resolve
from ganprune.search.trial.trial import STAGES
from ganprune.search.trial.work import TrialWork
from ganprune.spaces.methods import settings_of
from ganprune.spaces.widths import WidthSpace
from torch import nn

STEPS, PRUNE_SHARE = 400, 0.3
TEACHER_SEED = 0
SNGAN = {name: value for name, value in COMPARED["sngan"]["recipe"].items() if name != "distill_output"}

# A configuration made without options cuts plainly: the refit, standard in a search, is named.
TRAINED = {"prune_steps": 0, "finetune_steps": STEPS, "calibration_images": CALIBRATION_IMAGES}

# Name -> fields of the `StudyConfig` of this task: those of the comparison of methods, all steps being fine-tuning.
TASKS: dict[str, Mapping[str, Any]] = {
    **{task: {**fields, **TRAINED} for task, fields in COMPARED.items()},
    "upscaler": {
        **STUDY,
        **TRAINED,
        "model": "srvgg_compact",
        "model_args": {"scale": 2, "num_feat": 24, "num_conv": 6},
        "data": "builtin:shapes",
        "task": "super_resolution",
        "image_size": 32,
        "task_settings": {"degrade": "real", "discriminator": {"ndf": 16}},
        "recipe": {"batch_size": 4, "lr": 1e-3, "distill_output": 10.0},
        "teacher_recipe": {"batch_size": 4, "lr": 1e-3},
    },
}
# The same tasks in a tenth of the time.
_TINY = {
    "image_size": 32,
    "n_train": 300,
    "n_test": 200,
    "teacher_steps": 600,
    "finetune_steps": STEPS // 2,
    "task_settings": {"discriminator": {"ndf": 8}},
}
_TINY_RESNET = {**_TINY, "model_args": {"ngf": 8, "n_blocks": 2}}
TASKS |= {
    "demo-small": {**TASKS["demo"], **_TINY_RESNET},
    "unet-small": {**TASKS["unet"], **_TINY, "model_args": {"ngf": 8, "num_downs": 5}},
    "cycle-small": {**TASKS["cycle"], **_TINY_RESNET},
    "sngan-small": {
        **TASKS["sngan"],
        **_TINY,
        "model_args": {"ngf": 12},
        "task_settings": {"discriminator": {"model": "sngan", "ndf": 12}},
        "teacher_recipe": {**SNGAN, "batch_size": 8, "d_steps": 1},
        "recipe": {**SNGAN, "batch_size": 8, "d_steps": 1, "distill_output": 10.0},
    },
    "upscaler-small": {
        **TASKS["upscaler"],
        **_TINY,
        "model_args": {"scale": 2, "num_feat": 12, "num_conv": 4},
        "image_size": 16,
        "task_settings": {"degrade": "real", "discriminator": {"ndf": 8}},
    },
}


@dataclass(frozen=True)
class Case:
    """One trial of the comparison.

    Attributes:
        task: One of `TASKS`.
        variant: `base`, or changes of the task's recipe: `ema=0.05`, `ema=0.05+reconstruct_first=0.1`.
        method: Name of the pruning method.
        target: Share of the dense network's MACs.
        seed: Of pruning, fine-tuning and the order of data.
    """

    task: str
    variant: str
    method: str
    target: float
    seed: int


def prepared(task: str, out: Path) -> OpenedStudy:
    """Return the task's study with its teacher, trained once."""
    given = {"name": task, "budgets": ["90%"], "seed": TEACHER_SEED, **TASKS[task]}
    resolved, parts = resolve(StudyConfig.from_json(given))
    study = open_study(resolved, parts=parts)
    make_teacher(study, (out / f"study-{task}").absolute())
    return study


def changed(recipe: Recipe, variant: str) -> Recipe:
    """Return a recipe with the changes of a variant; `terms.NAME` is the weight of a term of distillation."""
    values = to_json(recipe)
    for change in [] if variant == "base" else variant.split("+"):
        name, value = change.split("=")
        parent, _, own = name.rpartition(".")
        (values.setdefault(parent, {}) if parent else values)[own] = int(value) if own == "rounds" else float(value)
    return from_json(Recipe, values)


def work_on(case: Case, out: Path) -> TrialWork:
    """Return the work on a trial that is cut and has not been trained."""
    torch.set_num_threads(1)
    bench = prepared(case.task, out)
    config = replace(bench.config, recipe=changed(bench.config.recipe, case.variant))
    if config.recipe.rounds > 1:  # the steps between the two cuts are those of pruning
        between = round(PRUNE_SHARE * config.finetune_steps)
        config = replace(config, prune_steps=between, finetune_steps=config.finetune_steps - between)
    bench = open_study(replace(bench.resolved, config=config), bench.prepared)
    form = bench.groups.form
    target = case.target * form.dense()
    given = METHODS[case.method].widths == "given"
    name = f"{case.task}-{case.method}-{case.variant}-{case.target}-{case.seed}"
    request = TrialRequest(
        number=0,
        attempt=1,
        proposal=Proposal(
            case.method,
            settings_of(case.method, {}),
            target,
            "macs",
            WidthSpace(form).uniform(target) if given else None,
        ),
        # The same for all variants, so that they see the same batches.
        seed=mixed(case.seed, 7, round(1e4 * case.target)),
        workspace=str(out / "recipes" / name),
        study=bench.resolved,
        prepared=bench.prepared,
    )
    work = TrialWork(bench, request, lambda report: True)
    for stage in ("prune", "check", "quantize"):
        STAGES[stage](work)
    return work


def run(case: Case, out: Path) -> list[dict[str, Any]]:
    """Return the lines of one training."""
    work = work_on(case, out)
    for stage in ("finetune", "measure"):
        STAGES[stage](work)
        work.clock.lap(stage)
    return [line(case, work, work.outcome.measurements[0])]


def run_averaged(case: Case, shares: Mapping[str, float], out: Path) -> list[dict[str, Any]]:
    """Return the lines of one training by the task's own recipe, measured with its last and with averaged weights.

    Args:
        case: The trial, with the variant `base`.
        shares: Half-life by variant; 0 of `base`.
        out: Folder of the runs.
    """
    work = work_on(case, out)
    study, steps = work.study, work.finetune_steps
    networks = Networks(nn.ModuleDict(work.generators), copy_network(study.discriminators).requires_grad_(True))
    factors = {name: replace(work.recipe, ema=share).averaging(steps) for name, share in shares.items()}
    averages = {name: AveragedWeights(networks.generators, beta) for name, beta in factors.items()}

    def take_in(_step: int, _losses: Mapping[str, float]) -> None:
        for average in averages.values():
            average.update()

    task, seed = study.task(), mixed(work.request.seed, 3)
    train(
        task, networks, study.train_data, work.recipe, steps=steps, seed=seed, teacher=study.generators,
        on_step=take_in,
    )  # fmt: skip
    work.clock.lap("finetune")
    lines = []
    for name, average in averages.items():
        with average.in_place():
            norms = norms_of(networks.generators) if factors[name] else []
            with reestimated(norms), torch.no_grad():
                for batch in islice(batches(study.train_data, work.recipe.batch_size, mixed(seed, 43)), NORM_BATCHES):
                    task.generate(work.generators, batch)
            measured = study.measure(study.joined(work.generators), full=True)[0]
        lines.append(line(replace(case, variant=name), work, measured))
    return lines


def line(case: Case, work: TrialWork, measured: Measurement) -> dict[str, Any]:
    """Return one line of the raw table."""
    return {
        **vars(case),
        "metric": measured.name,
        "quality": measured.value,
        "steps": work.pruned.steps + work.finetune_steps,
        "seconds": round(sum(work.clock.seconds.values()), 1),
    }


KEYS = ["task", "variant", "method", "target", "seed"]


def averaged(variant: str) -> float | None:
    """Return the half-life of a variant that changes no step, 0 of `base`; None if it changes steps."""
    if variant == "base":
        return 0.0
    name, _, value = variant.partition("=")
    return float(value) if name == "ema" and "+" not in value else None


def same_training(a: Case, b: Case) -> bool:
    """Return True if two cases make the same steps."""
    return averaged(a.variant) is not None and averaged(b.variant) is not None and replace(a, variant=b.variant) == b


def print_table(path: Path) -> None:
    """Print each variant's mean distance, and its mean log-ratio to `base` with the spread over seeds."""
    raw = pd.read_csv(path)
    for (task, method, target), rows in raw.groupby(["task", "method", "target"], sort=False):
        base = rows[rows["variant"] == "base"].set_index("seed")["quality"]
        print(f"\n**{task}**, {method}, {target:.1%} of MACs\n")
        print("| recipe | mean | lowest to highest | log-ratio to base, mean and spread | better in | seeds |")
        print("|---|---|---|---|---|---|")
        for variant, part in rows.groupby("variant", sort=False):
            own = part.set_index("seed")["quality"]
            ratios = (own / base).map(math.log).dropna()
            spread = f"{own.min():.4g} to {own.max():.4g}"
            gain = f"{ratios.mean():+.3f} ± {ratios.std():.3f}"
            print(f"| {variant} | {own.mean():.4g} | {spread} | {gain} | {(ratios < 0).sum()} | {len(own)} |")


def main() -> None:
    """Run the cases that are missing in the CSV, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="demo,unet,cycle,sngan,upscaler")
    parser.add_argument("--variants", default="base,ema=0.05")
    parser.add_argument("--method", default="uniform")
    parser.add_argument("--targets", default="0.25")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="tasks in a tenth of the time")
    parser.add_argument(
        "--lite0", type=Path, help="EfficientNet-Lite0's weights: measure in its features, which no recipe uses"
    )
    parser.add_argument("--csv", type=Path, default=Path("docs/recipe.csv"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    done = set()
    if given.csv.exists():
        done = set(pd.read_csv(given.csv)[KEYS].astype(str).itertuples(index=False, name=None))
    tasks = [f"{task}-small" if given.small else task for task in given.tasks.split(",")]
    if given.lite0:
        measured = {"metric": "lite0", "weights": {"lite0": str(given.lite0.absolute())}}
        TASKS.update({f"{task}-lite0": {**TASKS[task], **measured} for task in tasks})
        tasks = [f"{task}-lite0" for task in tasks]
    cases = [
        Case(task, variant, given.method, float(target), seed)
        for task in tasks
        for target in given.targets.split(",")
        for seed in range(given.seeds)
        for variant in given.variants.split(",")
    ]
    assert {case.task for case in cases} <= set(TASKS)
    missing = [case for case in cases if tuple(str(getattr(case, key)) for key in KEYS) not in done]
    for case in [] if given.table else missing:
        if averaged(case.variant) is None:
            lines = run(case, given.out.absolute())
        elif case.variant == next(other.variant for other in missing if same_training(case, other)):
            shares = {other.variant: averaged(other.variant) or 0.0 for other in missing if same_training(case, other)}
            lines = run_averaged(replace(case, variant="base"), shares, given.out.absolute())
        else:
            continue  # measured with the first of them
        table = pd.DataFrame(lines)
        table.to_csv(given.csv, mode="a", header=not given.csv.exists(), index=False, float_format="%.6g")
        print(table.to_string(index=False, header=False), flush=True)
    if given.csv.exists():
        print_table(given.csv)


if __name__ == "__main__":
    main()
