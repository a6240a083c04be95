"""The methods against each other: same teacher, data, cost and total training steps, several seeds.

Every line of the raw CSV is one trial, run by the same code that a study's trials run; a line that is there is not
run again, so an interrupted comparison goes on. Widths of `given` methods are uniform. Half the table on two cores:
about an hour.

    python benchmarks/compare.py [--tasks demo,unet,cycle,sngan] [--variants uniform,magnitude,...] [--targets 0.5,0.25]
        [--seeds 3] [--jobs 2] [--csv docs/compare.csv] [--out benchmark-runs] [--table]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
import traceback
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock
from ganprune.gan_models.files.seeds import mixed
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.records.teacher_artifact import TeacherArtifact
from ganprune.search.setup.resolve import resolve
from ganprune.search.trial import trial as trials
from ganprune.spaces.methods import settings_of
from ganprune.spaces.widths import WidthSpace
from ganprune.studies.cli.demo import OPTIONS

PRUNE, FINETUNE = 120, 280
TEACHER_SEED = 0

RECIPE = {"batch_size": 4, "lr": 2e-3, "distill_output": 50.0}
STUDY = {**OPTIONS, "prune_steps": PRUNE, "finetune_steps": FINETUNE, "metric": "shapes", "rungs": ()}
SMALL = {"image_size": 32, "n_train": 1000, "n_test": 300}

# Name -> what a study of this task is configured with.
TASKS: dict[str, dict[str, Any]] = {
    "demo": {**STUDY, "model": "resnet", "data": "builtin:shapes"},
    "unet": {
        **STUDY,
        "model": "unet",
        "model_args": {"ngf": 16, "num_downs": 6},
        "data": "builtin:shapes",
        "teacher_steps": 2000,
    },
    "cycle": {
        **STUDY,
        **SMALL,
        "model": "resnet",
        "data": "builtin:stripes",
        "prune_network": "AtoB",
        "teacher_steps": 2000,
    },
    "sngan": {
        **STUDY,
        **SMALL,
        "model": "sngan_32",
        "model_args": {"ngf": 24},
        "data": "builtin:shapes",
        "task": "unconditional",
        "task_settings": {"discriminator": {"model": "sngan", "ndf": 32}},
        "teacher_steps": 2000,
        "teacher_recipe": {"batch_size": 16, "lr": 5e-4, "betas": (0.0, 0.9), "d_steps": 2},
        "recipe": {"batch_size": 16, "lr": 5e-4, "betas": (0.0, 0.9), "d_steps": 2, "distill_output": 10.0},
    },
}


@dataclass(frozen=True)
class Variant:
    """A method with settings other than its defaults."""

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    bits: int = 32


# Every method at its defaults, and what switches one part of a method off.
VARIANTS: dict[str, Variant] = {
    **{name: Variant(name) for name in METHODS if not METHODS[name].searches_ratios},
    "coronet/random init": Variant("coronet", {"init": "random"}),
    "mggc/no feedback": Variant("mggc", {"feedback": False}),
    "mggc/whole discriminator": Variant("mggc", {"prune_discriminator": False}),
    "mggc/no density": Variant("mggc", {"density": "off"}),
    "mggc/free logits": Variant("mggc", {"agent": "logits"}),
    "mggc/no prior": Variant("mggc", {"prior": 0.0}),
    "slimming/pruning alone": Variant("slimming", {"objective": "gan"}),
    "slimming/8 bits": Variant("slimming", {"order": "joint"}, bits=8),
    "slimming/8 bits after": Variant("slimming", {"order": "sequential"}, bits=8),
    **{f"{name}/8 bits": Variant(name, bits=8) for name in ("uniform", "magnitude", "coronet", "mggc")},
}


@dataclass(frozen=True)
class Case:
    """One trial of the comparison."""

    task: str
    variant: str
    target: float
    seed: int


def prepared(task: str, out: Path) -> tuple[OpenedStudy, TeacherArtifact]:
    """Return the task's study and its teacher, trained once."""
    given = {"name": task, "budgets": ["90%"], "seed": TEACHER_SEED, **TASKS[task]}
    resolved, parts = resolve(StudyConfig.from_json(given))
    study = open_study(resolved, parts=parts)
    return study, make_teacher(study, (out / f"study-{task}").absolute())


def run(case: Case, out: Path) -> dict[str, Any]:
    """One line of the raw table."""
    torch.set_num_threads(1)
    bench, teacher = prepared(case.task, out)
    variant = VARIANTS[case.variant]
    form = bench.groups.form
    target = case.target * form.dense()
    given = METHODS[variant.method].widths == "given"
    # The same number for all methods at one target, so that they see the same batches where they train alike.
    seed = mixed(case.seed, 7, round(1e4 * case.target))
    request = TrialRequest(
        number=0,
        attempt=1,
        proposal=Proposal(
            variant.method,
            settings_of(variant.method, variant.settings),
            target,
            "macs",
            WidthSpace(form).uniform(target) if given else None,
            variant.bits,
        ),
        seed=seed,
        workspace=str(
            out / "trials" / f"{case.task}-{re.sub('[^a-z0-9]+', '-', case.variant)}-{case.target}-{case.seed}"
        ),
        study=bench.resolved,
        prepared=bench.prepared,
    )
    line: dict[str, Any] = {"task": case.task, "variant": case.variant, "target": case.target, "seed": case.seed}
    try:
        result = trials.run(request, lambda report: True)
    except (RuntimeError, ValueError) as error:
        traceback.print_exc()
        return line | {"failed": str(error)[:300]}
    record = result.method_record
    before = record.get("cost_before_landing", {})
    names = [m.name for m in result.measurements]
    return line | {
        "macs": result.cost,
        "cost_over_target": result.cost / target,
        "own_cost_over_target": before.get("ratio") if isinstance(before, Mapping) else None,
        "quality": result.quality,
        "metric": names[0] if names else "",
        "teacher": teacher.measurements[0].value,
        "prune_steps": result.steps.prune if result.steps else 0,
        "finetune_steps": result.steps.finetune if result.steps else 0,
        "prune_seconds": round(result.seconds.get("prune", 0.0), 1),
        "finetune_seconds": round(result.seconds.get("finetune", 0.0), 1),
        "widths": " ".join(str(w) for w in result.widths.values()),
    }


KEYS = ["task", "variant", "target", "seed"]


def table(path: Path) -> pd.DataFrame:
    """Mean quality and spread over the seeds, by task, target and variant."""
    raw = pd.read_csv(path)
    done = raw[raw["quality"].notna()]
    grouped = done.groupby(["task", "target", "variant"], sort=False)
    result = grouped["quality"].agg(["mean", "min", "max", "count"])
    result["cost/target"] = grouped["cost_over_target"].mean()
    result["own cost/target"] = grouped["own_cost_over_target"].mean()
    uniform = done[done["variant"] == "uniform"].groupby(["task", "target"])["quality"].mean().to_dict()
    result["of uniform"] = [
        row["mean"] / uniform.get((task, target), float("nan")) for (task, target, _), row in result.iterrows()
    ]
    return result.sort_values(["task", "target", "mean"], ascending=[True, False, True])


def print_tables(found: pd.DataFrame) -> None:
    """One Markdown table a task, best mean first at each target."""
    for task in dict.fromkeys(found.index.get_level_values("task")):
        print(
            f"\n**{task}**\n\n| of dense MACs | variant | mean | lowest to highest | seeds | over uniform | own plan |"
        )
        print("|---|---|---|---|---|---|---|")
        for (_, target, variant), row in found.loc[[task]].iterrows():
            own = "" if pd.isna(row["own cost/target"]) else f"{row['own cost/target']:.3f}"
            spread = f"{row['min']:.4g} to {row['max']:.4g}"
            cells = f"{target:.1%} | {variant} | {row['mean']:.4g} | {spread} | {row['count']:.0f}"
            print(f"| {cells} | {row['of uniform']:.2f} | {own} |")


def main() -> None:
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="demo,unet,cycle,sngan")
    parser.add_argument("--variants", default=",".join(name for name in VARIANTS if "/" not in name))
    parser.add_argument("--targets", default="0.5,0.25,0.125")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--csv", type=Path, default=Path("docs/compare.csv"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--table", action="store_true", help="print the tables of the CSV only")
    given = parser.parse_args()
    out = given.out.absolute()
    tasks, variants = given.tasks.split(","), given.variants.split(",")
    for kind, names, known in (("task", tasks, TASKS), ("variant", variants, VARIANTS)):
        unknown = [name for name in names if name not in known]
        if unknown:
            parser.error(f"{kind} {unknown[0]!r} is unknown; known: {', '.join(known)}")
    if not given.table:
        cases = [
            Case(task, variant, float(target), seed)
            for task in tasks
            for seed in range(given.seeds)
            for target in given.targets.split(",")
            for variant in variants
        ]
        run_missing(cases, given.csv, out, given.jobs)
    print_tables(table(given.csv))


def run_missing(cases: list[Case], path: Path, out: Path, jobs: int) -> None:
    """Runs the cases that the CSV has no line of, in `jobs` processes."""
    known = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEYS)
    done = {tuple(row) for row in known[KEYS].itertuples(index=False, name=None)}
    missing = [case for case in cases if (case.task, case.variant, case.target, case.seed) not in done]
    for task in dict.fromkeys(case.task for case in missing):
        prepared(task, out)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_and_note, case, path, out) for case in missing]
        for future in futures:
            print(future.result(), flush=True)


def run_and_note(case: Case, path: Path, out: Path) -> str:
    """Runs one case and adds its line to the CSV."""
    line = run(case, out)
    columns = [*KEYS, *COLUMNS]
    with FileLock(str(path.absolute()) + ".lock"):
        new = not path.exists()
        pd.DataFrame([line], columns=columns).to_csv(path, mode="a", header=new, index=False, float_format="%.6g")
    return f"{case}: {line.get('quality', line.get('failed'))}"


COLUMNS = [
    "macs", "cost_over_target", "own_cost_over_target", "quality", "metric", "teacher", "prune_steps", "finetune_steps",
    "prune_seconds", "finetune_seconds", "widths", "failed",
]  # fmt: skip


if __name__ == "__main__":
    main()
