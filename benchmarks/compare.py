"""The methods against each other: same teacher, data, cost and total training steps, several seeds.

`ganprune bench` with the four tasks of docs/measurements.md. A cell that has ended is not run again, so an interrupted
comparison goes on. Half the table on two cores: about an hour. docs/compare.csv is of the version before `ganprune
bench`: `--table --csv docs/compare.csv` prints its tables.

    python benchmarks/compare.py [--tasks demo,unet,cycle,sngan] [--variants uniform,magnitude,...] [--targets 0.5,0.25]
        [--seeds 3] [--jobs 2] [--csv docs/bench.csv] [--out benchmark-runs] [--table] [--plan]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import Any

from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.teacher_artifact import TeacherArtifact
from ganprune.search.setup.resolve import resolve
from ganprune.studies.bench.bench import Bench
from ganprune.studies.bench.design import OF_SEARCH
from ganprune.studies.bench.results.comparisons import compared
from ganprune.studies.bench.results.fronts import growth
from ganprune.studies.bench.results.rows import read_rows, write_rows
from ganprune.studies.bench.results.tables import markdown
from ganprune.studies.cli.demo import OPTIONS

PRUNE, FINETUNE = 120, 280

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


def prepared(task: str, out: Path) -> tuple[OpenedStudy, TeacherArtifact]:
    """Return a task's study and its teacher, trained once: for measurements that are no benchmark of contenders."""
    given = {"name": task, "budgets": ["90%"], "seed": 0, **TASKS[task]}
    resolved, parts = resolve(StudyConfig.from_json(given))
    study = open_study(resolved, parts=parts)
    return study, make_teacher(study, (out / f"study-{task}").absolute())


def main() -> None:
    """Run the cells that are missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument(
        "--variants", default=",".join(name for name, spec in METHODS.items() if not spec.searches_ratios)
    )
    parser.add_argument("--targets", default="0.5,0.25,0.125")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--csv", type=Path, default=Path("docs/bench.csv"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--table", action="store_true", help="print the tables of the CSV only")
    parser.add_argument("--plan", action="store_true", help="say what a run would do")
    given = parser.parse_args()
    if given.table:
        rows = read_rows(given.csv)
        print(markdown(compared(rows, "uniform"), growth(rows)))
        return
    unknown = [name for name in given.tasks.split(",") if name not in TASKS]
    if unknown:
        parser.error(f"task {unknown[0]!r} is unknown; known: {', '.join(TASKS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        {task: {k: v for k, v in TASKS[task].items() if k not in OF_SEARCH} for task in given.tasks.split(",")},
        given.variants.split(","),
        [f"{100 * float(target):g}%" for target in given.targets.split(",")],
        given.seeds,
        name="compare",
        storage=f"sqlite:///{given.out.absolute() / 'compare.db'}",
        jobs=given.jobs,
    )
    if given.plan:
        print(bench.plan())
        return
    bench.run(lambda event: print(event, flush=True))
    rows = bench.rows()
    write_rows(rows, given.csv)
    print(markdown(bench.compared(), growth(rows)))


if __name__ == "__main__":
    main()
