"""Hypervolume of simulated studies by stopping rule, at equal training compute; nothing is trained.

As `which_sampler.py`, but a study ends when its trials have used as much training as N whole ones. Rungs at 1/4 and
1/2 of the training, two trials take turns as two workers would.

    python benchmarks/which_stopping.py                                       about 10 minutes on two quiet cores
    python benchmarks/which_stopping.py --compute 25,50 --instances 3 --groups 12        under a minute
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean, stdev

import numpy as np
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.search.records.ledger import TrialRecord
from ganprune.search.records.messages import TrialReport
from ganprune.search.simulation.response_surface import Surface
from ganprune.search.strategy import pareto
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.early_stopping import StoppingRule, rivals_at
from ganprune.search.strategy.proposals import SpaceProposals, ladder_size
from ganprune.spaces.widths import WidthSpace
from which_sampler import BUDGET, form_of

RUNGS = {1: 0.25, 2: 0.5}  # step -> share of the training; 4 is the end
RULES = {
    "none": None,
    "one in 2": StoppingRule(tuple(RUNGS), 2),
    "one in 3": StoppingRule(tuple(RUNGS), 3),
    "one in 4": StoppingRule(tuple(RUNGS), 4),
}


@dataclass(frozen=True)
class Case:
    """One simulated study and what it came to."""

    rule: str
    methods: str
    groups: int
    compute: int
    instance: int
    hypervolume: float = 0.0
    complete: int = 0
    stopped: int = 0


def study(case: Case) -> Case:
    """Run trials until the compute is used up."""
    form, rule = form_of(case.groups), RULES[case.rule]
    surface, space = Surface.drawn(form, case.instance), WidthSpace(form)
    methods = tuple(case.methods.split("+"))
    proposals = SpaceProposals(space, BUDGET * form.dense(), methods, ladder_size(case.compute, methods))
    chooser = Chooser(proposals, Choice(seed=case.instance))
    records: list[TrialRecord] = []
    true: dict[int, tuple[float, float]] = {}
    spent, running = 0.0, []
    while spent < case.compute or running:
        while len(running) < 2 and spent < case.compute:
            number = len(records)
            records.append(TrialRecord(number, "RUNNING", chooser.next(records, number)))
            running.append((number, 0))
        number, done = running.pop(0)
        new, seed = records[number].new, derived_seed(case.instance, number, "trial")
        widths = new.proposal.widths or space.decode(
            dict(zip(form.names, surface.learned(new.method, to_json(new.proposal.settings), seed), strict=True)),
            new.target,
        )
        plan_G = form.widths(widths)
        cost, step = float(form.predict(plan_G)), {0: 1, 1: 2, 2: 4}[done]
        quality = surface.quality(plan_G, step / 4, seed)
        spent += (step - done) / 4
        record = replace(records[number], cost=cost, report=TrialReport(step, quality, cost, {}, widths))
        record = replace(record, rungs={**record.rungs, step: quality}, quality=quality)
        true[number] = (surface.quality(plan_G), cost)
        if step == 4:
            record = replace(record, state="COMPLETE")
        elif rule is not None and not rule.goes_on((quality, cost), rivals_at(records, step, number)):
            record = replace(record, state="PRUNED", stopped="stopped")
        else:
            running.append((number, step))
        records[number] = record
    ended = [r for r in records if r.scored]
    smallest_G = form.widths(space.uniform(proposals.lowest))
    corner = (1.1 * surface.quality(smallest_G), 1.1 * proposals.budget)
    front = pareto.non_dominated([(r.quality, r.cost) for r in ended])
    volume = pareto.hypervolume(np.array([true[r.number] for r in ended])[front], corner) / (corner[0] * corner[1])
    return replace(case, hypervolume=volume, complete=len(ended), stopped=len(records) - len(ended))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compute", default="25,50,100")
    parser.add_argument("--groups", default="12,24,48")
    parser.add_argument("--methods", default="uniform+widths+magnitude")
    parser.add_argument("--instances", type=int, default=8)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    compute, groups = [int(n) for n in given.compute.split(",")], [int(g) for g in given.groups.split(",")]
    cases = [Case(*one) for one in product(RULES, [given.methods], groups, compute, range(given.instances))]
    with ProcessPoolExecutor(given.processes) as pool:
        done = list(pool.map(study, cases))
    for n in compute:
        print(f"\ncompute of {n} whole trials: hypervolume, mean (std), better than none in; complete / stopped")
        none = {(c.groups, c.instance): c.hypervolume for c in done if c.compute == n and c.rule == "none"}
        for rule in RULES:
            here = [c for c in done if c.compute == n and c.rule == rule]
            values = [c.hypervolume for c in here]
            wins = sum(c.hypervolume > none[c.groups, c.instance] for c in here)
            ends = f"{mean(c.complete for c in here):.0f} / {mean(c.stopped for c in here):.0f}"
            spread = stdev(values) if len(values) > 1 else 0.0
            print(f"  {rule:12s}{mean(values):8.4f} ({spread:.4f})   {wins:3d} of {len(here)}   {ends}", flush=True)


if __name__ == "__main__":
    main()
