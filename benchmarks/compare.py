"""The methods against each other: same teacher, data, cost and total training steps, several seeds.

`ganprune bench` with the four tasks of docs/measurements.md. A cell that has ended is not run again, so an interrupted
comparison continues. Half the table on two cores: about an hour. docs/compare.csv is of the version before `ganprune
bench`: `--table --csv docs/compare.csv` prints its tables.

    python benchmarks/compare.py [--tasks demo,unet,cycle,sngan] [--variants uniform,magnitude,...] [--targets 0.5,0.25]
        [--seeds 3] [--teachers 1] [--jobs 2] [--csv docs/bench.csv] [--out benchmark-runs] [--table] [--scatter FILE]
        [--plan]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.teacher_artifact import TeacherArtifact
from ganprune.search.setup.resolve import resolve
from ganprune.studies.bench.bench import Bench
from ganprune.studies.bench.catalog import contender_of
from ganprune.studies.bench.contender import Contender
from ganprune.studies.bench.design import SEARCH_FIELDS
from ganprune.studies.bench.results.comparisons import compared
from ganprune.studies.bench.results.fronts import growth
from ganprune.studies.bench.results.rows import BenchRow, read_rows, write_rows
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

# Methods of the files beside this one, by the contender's name. Those of torch-pruning need that package installed.
PEERS = {
    "torch-pruning/local": "torch_pruning_methods.py:Local",
    "torch-pruning/global": "torch_pruning_methods.py:Global",
    "torch-pruning/local/refitted": "torch_pruning_methods.py:LocalRefitted",
    "torch-pruning/global/refitted": "torch_pruning_methods.py:GlobalRefitted",
    "random plan": "random_plans.py:RandomPlan",
}


def contender(name: str) -> Contender:
    """Return a contender by name: one of `PEERS`, a method, or a row of the table of contenders."""
    if name in PEERS:
        return Contender({"methods": (str(Path(__file__).with_name(PEERS[name])),)})
    return contender_of(name)


def prepared(task: str, out: Path) -> tuple[OpenedStudy, TeacherArtifact]:
    """Return a task's study and its teacher, trained once: for measurements without contenders."""
    given = {"name": task, "budgets": ["90%"], "seed": 0, **TASKS[task]}
    resolved, parts = resolve(StudyConfig.from_json(given))
    study = open_study(resolved, parts=parts)
    return study, make_teacher(study, (out / f"study-{task}").absolute())


def draw_scatter(rows: Sequence[BenchRow], path: Path) -> None:
    """Draw zero-shot errors of each task's first teacher against distances at the end, and print Kendall's tau."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker
    from scipy.stats import kendalltau

    tasks = list(dict.fromkeys(row.task for row in rows))
    variants = list(dict.fromkeys(row.variant for row in rows if row.zero_shot is not None))
    markers = dict(zip(("25%", "12.5%", "50%"), "o^s", strict=True))
    colors = matplotlib.colormaps["tab20"]
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(3.4 * len(tasks), 4), layout="constrained", squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        for budget, marker in markers.items():
            shown = [
                row
                for row in rows
                if (row.task, row.budget, row.teacher_number) == (task, budget, 0)
                and row.zero_shot is not None
                and row.quality is not None
            ]
            for index, variant in enumerate(variants):
                points = [(row.zero_shot, row.quality) for row in shown if row.variant == variant]
                if points:
                    label = f"{variant}, {budget}"
                    axis.scatter(*zip(*points, strict=True), marker=marker, color=colors(index % 20), label=label)
            if len(shown) > 2:
                found = kendalltau([row.zero_shot for row in shown], [row.quality for row in shown])
                print(f"{task} {budget}: tau {found.statistic:+.2f} (p {found.pvalue:.2g}), {len(shown)} trials")
        axis.set(title=task, xscale="log", yscale="log", xlabel="zero-shot error of outputs")
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            side.set_major_formatter("{x:g}")
            side.set_minor_formatter(ticker.NullFormatter())
    axes[0][0].set_ylabel("fd[shapes,n=300] at the end")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run the cells that are missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument(
        "--variants",
        help=f"also {', '.join(PEERS)}",
        default=",".join(name for name, spec in METHODS.items() if not spec.searches_ratios),
    )
    parser.add_argument("--targets", default="0.5,0.25,0.125")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--teachers", type=int, default=1, help="of each task, trained with other seeds")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--csv", type=Path, default=Path("docs/bench.csv"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--table", action="store_true", help="print the tables of the CSV only")
    parser.add_argument("--scatter", type=Path, help="draw errors before training against distances at the end")
    parser.add_argument("--plan", action="store_true", help="say what a run would do")
    given = parser.parse_args()
    if given.scatter:
        draw_scatter(read_rows(given.csv), given.scatter)
        return
    if given.table:
        rows = read_rows(given.csv)
        print(markdown(compared(rows, "uniform"), growth(rows)))
        return
    unknown = [name for name in given.tasks.split(",") if name not in TASKS]
    if unknown:
        parser.error(f"task {unknown[0]!r} is unknown; known: {', '.join(TASKS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        {task: {k: v for k, v in TASKS[task].items() if k not in SEARCH_FIELDS} for task in given.tasks.split(",")},
        {name: contender(name) for name in given.variants.split(",")},
        [f"{100 * float(target):g}%" for target in given.targets.split(",")],
        given.seeds,
        teachers=given.teachers,
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
