"""Hypervolume of simulated studies by sampler, compared with as many uniform plans; nothing is trained.

The network is a ResNet with as many groups as asked for, its cost form the real one; qualities come from
`search/simulation/response_surface.py`, one drawn response an instance, with noise. The front is chosen by what was
measured and valued by what is true; hypervolume is the share of the rectangle up to 1.1 x the budget and 1.1 x the
quality of the smallest uniform plan. Trials run one after another. Every number of trials is a study of its own size.

    python benchmarks/which_sampler.py --csv samplers.csv            about 40 minutes on two quiet cores; gp 3 hours
    python benchmarks/which_sampler.py --trials 25,50 --instances 4 --samplers linear,tpe --groups 12,48      1 minute
"""

from __future__ import annotations

import argparse
import os

from ganprune.search.records.messages import TrialOutcome

os.environ.setdefault("OMP_NUM_THREADS", "1")

import csv
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import cache
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from ganprune.gan_models.costs.cost_form import CostForm
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.records.ledger import TrialRecord
from ganprune.search.simulation.response_surface import Surface
from ganprune.search.strategy import pareto
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.proposals import SpaceProposals, ladder_size
from ganprune.spaces.widths import WidthSpace

BUDGET = 0.4  # of the dense network's MACs
UNIFORM = "uniform plans"


@dataclass(frozen=True)
class Case:
    """One simulated study and what it came to."""

    sampler: str
    methods: str
    groups: int
    trials: int
    instance: int
    hypervolume: float = 0.0
    ask_ms: float = 0.0


@cache
def form_of(groups: int) -> CostForm:
    """Return the cost form of a ResNet with this number of channel groups (9 for four blocks), at 64x64."""
    with torch.device("meta"):
        network = build("resnet", {"ngf": 16, "n_blocks": groups - 5})
    return find_groups(network, InputSpec.parse("3,64,64").examples()).form


def study(case: Case) -> Case:
    """Run one study of a case."""
    form, uniform = form_of(case.groups), case.sampler == UNIFORM
    surface, space = Surface.drawn(form, case.instance), WidthSpace(form)
    methods = ("uniform",) if uniform else tuple(case.methods.split("+"))
    ladder = case.trials if uniform else ladder_size(case.trials, methods)
    proposals = SpaceProposals(space, BUDGET * form.dense(), methods, ladder)
    choice = Choice(seed=case.instance) if uniform else Choice(case.sampler, seed=case.instance)
    chooser, records, true, spent = Chooser(proposals, choice), [], [], 0.0
    for number in range(case.trials):
        begun = time.perf_counter()
        new = chooser.next(records, number)
        spent += time.perf_counter() - begun
        seed = derived_seed(case.instance, number, "trial")
        widths = new.proposal.widths or space.decode(
            dict(zip(form.names, surface.learned(new.method, to_json(new.proposal.settings), seed), strict=True)),
            new.target,
        )
        plan_G = form.widths(widths)
        cost, quality = float(form.predict(plan_G)), surface.quality(plan_G, noise=seed)
        outcome = TrialOutcome("COMPLETE", quality, cost, widths=widths)
        records.append(TrialRecord(number, "COMPLETE", new, quality=quality, cost=cost, outcome=outcome))
        true.append((surface.quality(plan_G), cost))
    smallest_G = form.widths(space.uniform(proposals.lowest))
    corner = (1.1 * surface.quality(smallest_G), 1.1 * proposals.budget)
    front = pareto.non_dominated([(r.quality, r.cost) for r in records])
    volume = pareto.hypervolume(np.array(true)[front], corner) / (corner[0] * corner[1])
    return Case(*astuple(case)[:5], volume, 1000 * spent / case.trials)


def table(done: Sequence[Case], samplers: Sequence[str], trials: Sequence[int]) -> None:
    """Mean and spread over instances, by methods, groups and number of trials."""
    for methods, groups in sorted({(case.methods, case.groups) for case in done}, key=lambda key: (key[0], key[1])):
        print(f"\n{methods}, {groups} groups: hypervolume, mean (std over instances); ms an ask in the longest study")
        print(f"  {'':14s}" + "".join(f"{n:>18d}" for n in trials) + f"{'ms':>8s}")
        for sampler in (UNIFORM, *samplers):
            here = [c for c in done if (c.methods, c.groups, c.sampler) == (methods, groups, sampler)]
            cells = [[c.hypervolume for c in here if c.trials == n] for n in trials]
            line = "".join(f"{mean(v):10.4f} ({stdev(v) if len(v) > 1 else 0:.4f})" for v in cells)
            asks = mean(c.ask_ms for c in here if c.trials == max(trials))
            print(f"  {sampler:14s}{line}{asks:8.1f}", flush=True)


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", default="linear,tpe,nsga2,random,qmc", help="gp is slow: 1 s an ask")
    parser.add_argument("--trials", default="25,50,100,300")
    parser.add_argument("--groups", default="12,24,48")
    parser.add_argument("--methods", default="uniform+widths,uniform+widths+magnitude", help="a + b, several by commas")
    parser.add_argument("--instances", type=int, default=8)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    samplers, trials = given.samplers.split(","), [int(n) for n in given.trials.split(",")]
    groups = [int(g) for g in given.groups.split(",")]
    cases = [
        Case(*one)
        for one in product((UNIFORM, *samplers), given.methods.split(","), groups, trials, range(given.instances))
    ]
    begun, done = time.perf_counter(), []
    with ProcessPoolExecutor(given.processes) as pool, open(given.csv or os.devnull, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Case)])
        for case in pool.map(study, cases):
            done.append(case)
            writer.writerow(astuple(case))
            file.flush()
    table(done, samplers, trials)
    print(f"\n{len(done)} studies in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
