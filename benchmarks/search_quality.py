"""Is it worth it? Inherited weights against scratch, L1 scores against random ones, searches against uniform plans.

Built-in shapes at 64x64, one teacher, fd[shapes] on 300 test images, lower is better. On two cores:
`inherit` and `scores` about 6 minutes each, `search` about 6 minutes a seed. `controls` makes the uniform plans alone.

    python benchmarks/search_quality.py [inherit] [scores] [controls] [search] [--seeds 3] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from statistics import mean
from typing import Any, Literal

import numpy as np
import torch
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.baseline_settings import MagnitudeSettings
from ganprune.gan_models.pruning.catalog import make_method
from ganprune.gan_models.pruning.method import Pruned, PruneJob, Target
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.pruning.ranking import l1_scores, plan_within_target
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import CostCheck, TrialRequest
from ganprune.search.records.teacher_artifact import TeacherArtifact
from ganprune.search.setup.resolve import resolve
from ganprune.search.strategy.pareto import hypervolume
from ganprune.search.trial.cut_check import CutCheck
from ganprune.search.trial.trial import STAGES
from ganprune.search.trial.work import TrialWork
from ganprune.spaces.methods import settings_of
from ganprune.spaces.widths import WidthSpace
from ganprune.studies.api import RunOptions, Search, Study
from ganprune.studies.cli.demo import OPTIONS
from ganprune.studies.results.outcome import Outcome, outcome_of, points

STEPS = 300
SETTINGS: dict[str, Any] = {
    **OPTIONS, "prune_steps": 90, "finetune_steps": STEPS - 90, "metric": "shapes", "rungs": ()
}  # fmt: skip


def opened(out: Path) -> tuple[OpenedStudy, TeacherArtifact]:
    """Return the bench that all comparisons share; its teacher is trained once."""
    given = {**SETTINGS, "name": "bench", "model": "resnet", "data": "builtin:shapes", "budgets": ["40%"]}
    resolved, parts = resolve(StudyConfig.from_json(given))
    study = open_study(resolved, parts=parts)
    return study, make_teacher(study, out)


def finetuned(bench: OpenedStudy, plan: ChannelPlan, seed: int, folder: Path, scratch: bool) -> float:
    """Quality of one plan after the study's fine-tuning, from the teacher's weights or from random ones."""
    torch.manual_seed(seed)
    source = build(bench.config.model, bench.config.model_args) if scratch else bench.generators[bench.names[0]]
    model = cut(source, bench.groups, plan).requires_grad_(True)
    cost = float(bench.groups.form.predict(bench.groups.form.widths(plan.widths)))
    proposal = Proposal("uniform", settings_of("uniform", {}), cost, "macs")
    request = TrialRequest(seed, 1, proposal, seed, str(folder), bench.resolved, bench.prepared)
    checked = CutCheck({"macs": cost}, (), CostCheck())
    work = TrialWork(bench, request, lambda report: True)
    work.pruned, work.checked = Pruned(model, plan), checked
    for stage in ("quantize", "finetune", "measure"):
        STAGES[stage](work)
    return float(work.outcome.quality or float("nan"))


def row(name: str, values: list[float]) -> None:
    """One line of a table: every seed and the mean."""
    print(f"  {name:34s} {'  '.join(f'{v:7.2f}' for v in values)}   mean {mean(values):7.2f}", flush=True)


def inherit(bench: OpenedStudy, teacher: TeacherArtifact, seeds: range, out: Path) -> None:
    """Half width, the same plan: the teacher's strongest channels against training from scratch."""
    plan_widths = {name: max(1, size // 2) for name, size in bench.groups.sizes.items()}
    scores = l1_scores(bench.generators[bench.names[0]], bench.groups)
    plan = ChannelPlan({n: tuple(sorted(np.argsort(-scores[n], kind="stable")[:w])) for n, w in plan_widths.items()})
    share = float(bench.groups.form.predict(bench.groups.form.widths(plan.widths))) / bench.groups.form.dense()
    print(f"half width ({share:.1%} of MACs), {STEPS} steps, fd[shapes,n=300], teacher {quality(teacher):.2f}:")
    for name, scratch in (("inherited", False), ("from scratch", True)):
        row(name, [finetuned(bench, plan, s, out / f"{name[:4]}-{s}", scratch) for s in seeds])


def scores(bench: OpenedStudy, seeds: range, out: Path) -> None:
    """`magnitude` at 25 % and 10 % of MACs with its scores, and with random ones."""
    method = make_method("magnitude")
    for share in (0.25, 0.1):
        target = Target("macs", share * bench.groups.form.dense())
        print(f"{share:.0%} of MACs, {STEPS} steps, fd[shapes,n=300]:")
        model = bench.generators[bench.names[0]]
        job = PruneJob(
            model, "G", bench.groups, Proposal("magnitude", MagnitudeSettings(), target.value, target.cost), target, 0
        )
        plans = {"uniform widths, strongest channels": [_uniform(bench, target.value)] * len(seeds)}
        plans["magnitude"] = [method.prune(job).plan] * len(seeds)
        plans["magnitude, random scores"] = [_random(bench, target, seed) for seed in seeds]
        for name, given in plans.items():
            folders = [out / f"{share}-{name[:3]}{len(name)}-{seed}" for seed in seeds]
            cases = zip(given, seeds, folders, strict=True)
            row(name, [finetuned(bench, plan, seed, folder, False) for plan, seed, folder in cases])


def _uniform(bench: OpenedStudy, target: float) -> ChannelPlan:
    widths = WidthSpace(bench.groups.form).uniform(target)
    ranked = l1_scores(bench.generators[bench.names[0]], bench.groups)
    return ChannelPlan({n: tuple(sorted(np.argsort(-ranked[n], kind="stable")[:w])) for n, w in widths.items()})


def _random(bench: OpenedStudy, target: Target, seed: int) -> ChannelPlan:
    draw = np.random.default_rng(seed)
    ranked = l1_scores(bench.generators[bench.names[0]], bench.groups)
    return plan_within_target(bench.groups.form, {n: draw.permutation(s) for n, s in ranked.items()}, target)


def studied(name: str, seed: int, out: Path, options: dict[str, Any], executor: Literal["ray", "local"]) -> Outcome:
    """One study with the shared teacher; an interrupted or finished one continues from its record."""
    folder = out / f"study-{name}-{seed}"
    storage, run_options = f"sqlite:///{folder}.db", RunOptions(executor)
    teacher = {"teacher": str(out / "teacher" / "generator-G.safetensors")}
    teacher |= {"teacher_discriminator": str(out / "teacher" / "discriminator-G.safetensors")}
    if folder.exists():
        study = Study.open(name, storage, folder).resume(run_options=run_options)
    else:
        options = {**SETTINGS, **teacher, **options, "seed": seed}
        study = Search("resnet", "builtin:shapes", "40%", name, options, storage, folder, run_options).run()
    return outcome_of(study.record)


def uniform_plans(seed: int, out: Path, n_trials: int, executor: Literal["ray", "local"]) -> Outcome:
    """As many trials as the search has, all uniform plans, evenly spread."""
    return studied("uniform", seed, out, {"trials": n_trials, "methods": ["uniform"], "ladder": n_trials}, executor)


def search(seeds: range, out: Path, n_trials: int, controls: int, executor: Literal["ray", "local"]) -> None:
    """Compare a search with the default methods with as many uniform plans, which also set the reference point."""
    print(f"{n_trials} trials under 40 % of MACs, {STEPS} steps each; hypervolume, share of the reference's rectangle:")
    print(f"  {'':6s} {'search':>8s} {'uniform plans':>14s} {'difference':>11s}   methods on the search's front")
    gained = []
    for seed in seeds:
        found = studied("search", seed, out, {"trials": n_trials}, executor)
        line, corner = f"  seed {seed}", None
        if seed < controls:
            plans = uniform_plans(seed, out, n_trials, executor)
            worst = max(float(trial.quality or 0.0) for trial in plans.scored)
            corner = (1.1 * worst, 1.1 * float(plans.limit or 0.0))
            volumes = [_volume(outcome, *corner) for outcome in (found, plans)]
            gained.append(volumes[0] - volumes[1])
            line += f" {volumes[0]:8.4f} {volumes[1]:14.4f} {gained[-1]:+11.4f}"
        front = [trial.new.method for trial in found.front]
        counts = ", ".join(f"{name} {front.count(name)}" for name in dict.fromkeys(front))
        print(f"{line}   {counts}", flush=True)
    if gained:
        print(f"  difference: mean {mean(gained):+.4f}, from {min(gained):+.4f} to {max(gained):+.4f}", flush=True)


def _volume(outcome: Outcome, quality: float, cost: float) -> float:
    return hypervolume(points(outcome.scored), (quality, cost)) / (quality * cost)


def quality(teacher: TeacherArtifact) -> float:
    """Return the teacher's own quality."""
    return teacher.measurements[0].value


def main() -> None:
    """Run the named comparisons, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["inherit", "scores", "search"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--controls", type=int, default=3, help="seeds that also search uniform plans alone")
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--executor", choices=("ray", "local"), default="ray")
    given = parser.parse_args()
    bench, teacher = opened(given.out.absolute())
    seeds = range(given.seeds)
    if "inherit" in given.parts:
        inherit(bench, teacher, seeds, given.out)
    if "scores" in given.parts:
        scores(bench, seeds, given.out)
    if "controls" in given.parts:
        for seed in seeds:
            uniform_plans(seed, given.out.absolute(), given.trials, given.executor)
    if "search" in given.parts:
        search(seeds, given.out.absolute(), given.trials, min(given.controls, given.seeds), given.executor)


if __name__ == "__main__":
    main()
