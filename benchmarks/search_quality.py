"""Is it worth it? Inherited weights against scratch, L1 scores against random ones, the search against its ladder.

Built-in shapes at 64x64, one teacher, fd[shapes] on 300 test images, lower is better. On two cores:
`inherit` and `scores` about 6 minutes each, `search` about 12 minutes a seed.

    python benchmarks/search_quality.py [inherit] [scores] [search] [--seeds 3] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from ganprune.gan_models.catalog import build
from ganprune.gan_models.plan import ChannelPlan
from ganprune.gan_models.pruning.catalog import make_method, method_spec
from ganprune.gan_models.pruning.method import Pruned, PruneJob, Target
from ganprune.gan_models.pruning.ranking import l1_scores, land
from ganprune.gan_models.surgery import cut
from ganprune.search import trial as trials
from ganprune.search.bench import Bench, open_bench
from ganprune.search.config import StudyConfig
from ganprune.search.cut_check import CutCheck
from ganprune.search.request import TrialRequest
from ganprune.search.teacher import make_teacher, resolve
from ganprune.spaces.widths import WidthSpace
from ganprune.studies.api import RunOptions, Search, Study
from ganprune.studies.demo import OPTIONS
from ganprune.studies.outcome import outcome_of

STEPS = 300
SETTINGS: dict[str, Any] = {**OPTIONS, "finetune_steps": STEPS, "metric": "shapes", "rungs": ()}


def opened(out: Path) -> tuple[Bench, dict[str, Any]]:
    """The bench that all comparisons share; its teacher is trained once."""
    given = {**SETTINGS, "name": "bench", "model": "resnet", "data": "builtin:shapes", "budgets": ["40%"]}
    config, _ = resolve(StudyConfig.from_json(given))
    teacher = make_teacher(config, out / "teacher")
    return open_bench(config, teacher), teacher


def finetuned(
    bench: Bench, teacher: dict[str, Any], plan: ChannelPlan, seed: int, folder: Path, scratch: bool
) -> float:
    """Quality of one plan after the study's fine-tuning, from the teacher's weights or from random ones."""
    torch.manual_seed(seed)
    source = build(bench.config.model, bench.config.model_args) if scratch else bench.generators[bench.names[0]]
    model = cut(source, bench.groups, plan).requires_grad_(True)
    cost = float(bench.groups.form.predict(bench.groups.form.widths(plan.widths)))
    request = TrialRequest(
        seed, 1, "uniform", {}, cost, "macs", None, seed, str(folder), bench.config.to_json(), teacher
    )
    checked = CutCheck({"macs": cost}, (), {})
    run = trials._Trial(bench, request, Pruned(model, plan), checked, trials._Clock(), lambda report: True)
    return float(run.finetune().quality or float("nan"))


def row(name: str, values: list[float]) -> None:
    """One line of a table: every seed and the mean."""
    print(f"  {name:34s} {'  '.join(f'{v:7.2f}' for v in values)}   mean {mean(values):7.2f}", flush=True)


def inherit(bench: Bench, teacher: dict[str, Any], seeds: range, out: Path) -> None:
    """Half width, the same plan: the teacher's strongest channels against training from scratch."""
    plan_widths = {name: max(1, size // 2) for name, size in bench.groups.sizes.items()}
    scores = l1_scores(bench.generators[bench.names[0]], bench.groups)
    plan = ChannelPlan({n: tuple(sorted(np.argsort(-scores[n], kind="stable")[:w])) for n, w in plan_widths.items()})
    share = float(bench.groups.form.predict(bench.groups.form.widths(plan.widths))) / bench.groups.form.dense()
    print(f"half width ({share:.1%} of MACs), {STEPS} steps, fd[shapes,n=300], teacher {quality(teacher):.2f}:")
    for name, scratch in (("inherited", False), ("from scratch", True)):
        row(name, [finetuned(bench, teacher, plan, s, out / f"{name[:4]}-{s}", scratch) for s in seeds])


def scores(bench: Bench, teacher: dict[str, Any], seeds: range, out: Path) -> None:
    """`magnitude` at 25 % and 10 % of MACs with its scores, and with random ones."""
    method = make_method("magnitude")
    for share in (0.25, 0.1):
        target = Target("macs", share * bench.groups.form.dense())
        print(f"{share:.0%} of MACs, {STEPS} steps, fd[shapes,n=300]:")
        model = bench.generators[bench.names[0]]
        job = PruneJob(model, "G", bench.groups, target, None, method_spec("magnitude").defaults(), 0)
        plans = {"uniform widths, strongest channels": [_uniform(bench, target.value)] * len(seeds)}
        plans["magnitude"] = [method.prune(job).plan] * len(seeds)
        plans["magnitude, random scores"] = [_random(bench, target, seed) for seed in seeds]
        for name, given in plans.items():
            folders = [out / f"{share}-{name[:3]}{len(name)}-{seed}" for seed in seeds]
            cases = zip(given, seeds, folders, strict=True)
            row(name, [finetuned(bench, teacher, plan, seed, folder, False) for plan, seed, folder in cases])


def _uniform(bench: Bench, target: float) -> ChannelPlan:
    widths = WidthSpace(bench.groups.form).uniform(target)
    ranked = l1_scores(bench.generators[bench.names[0]], bench.groups)
    return ChannelPlan({n: tuple(sorted(np.argsort(-ranked[n], kind="stable")[:w])) for n, w in widths.items()})


def _random(bench: Bench, target: Target, seed: int) -> ChannelPlan:
    draw = np.random.default_rng(seed)
    ranked = l1_scores(bench.generators[bench.names[0]], bench.groups)
    return land(bench.groups.form, {n: draw.permutation(s) for n, s in ranked.items()}, target)


def search(seeds: range, out: Path, n_trials: int, controls: int) -> None:
    """Hypervolume of a search's front, of its own ladder and, for the first seeds, of as many uniform plans."""
    print(f"{n_trials} trials under 40 % of MACs, {STEPS} steps each; hypervolume, share of the reference's rectangle:")
    print(f"  {'':6s} {'ladder':>8s} {'front':>8s} {'gained':>8s} {'uniform only':>13s} {'front - uniform only':>21s}")
    for seed in seeds:
        volumes = {}
        for name, methods, ladder in (
            ("search", ["uniform", "widths", "magnitude"], 8),
            ("uniform", ["uniform"], n_trials),
        ):
            if name == "uniform" and seed >= controls:
                continue
            folder = out / f"study-{name}-{seed}"
            options = {**SETTINGS, "trials": n_trials, "methods": methods, "ladder": ladder, "seed": seed}
            options |= {"teacher": str(out / "teacher" / "generator-G.safetensors")}
            options |= {"teacher_discriminator": str(out / "teacher" / "discriminator-G.safetensors")}
            storage = f"sqlite:///{folder}.db"
            if folder.exists():  # an earlier, interrupted run of this benchmark
                study = Study.open(name, storage, folder).resume()
            else:
                study = Search("resnet", "builtin:shapes", "40%", name, options, storage, folder, RunOptions()).run()
            volumes[name] = outcome_of(study.record)
        found = volumes["search"].hypervolume()
        assert found is not None
        line = f"  seed {seed} {found.ladder:8.4f} {found.front:8.4f} {found.gain:+8.4f}"
        if "uniform" in volumes:
            theirs = _volume(volumes["uniform"], found.quality, found.cost)
            line += f" {theirs:13.4f} {found.front - theirs:+21.4f}"
        print(line, flush=True)


def _volume(outcome: Any, quality: float, cost: float) -> float:
    from ganprune.search.pareto import hypervolume
    from ganprune.studies.outcome import points

    return hypervolume(points(outcome.scored), (quality, cost)) / (quality * cost)


def quality(teacher: dict[str, Any]) -> float:
    """The teacher's own quality."""
    return float(teacher["measurements"][0]["value"])


def main() -> None:
    """Runs the comparisons that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["inherit", "scores", "search"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--controls", type=int, default=3, help="seeds that also search uniform plans alone")
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    given = parser.parse_args()
    bench, teacher = opened(given.out.absolute())
    seeds = range(given.seeds)
    if "inherit" in given.parts:
        inherit(bench, teacher, seeds, given.out)
    if "scores" in given.parts:
        scores(bench, teacher, seeds, given.out)
    if "search" in given.parts:
        search(seeds, given.out.absolute(), given.trials, min(given.controls, given.seeds))


if __name__ == "__main__":
    main()
