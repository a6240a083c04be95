"""Do zero-shot scores help the width search? Simulated studies with and without them as a prior; nothing is trained.

The network is a ResNet, its cost form the real one, qualities come from `search/simulation/response_surface.py`. Before
each study a number of plans are scored: at drawn costs, half of them near uniform, with an error that has the
response's form and other weights of the groups, exp(mislead * N(0, 1)) times the true ones: 0 is a score that knows the
truth. Trials have scores of the same kind. Hypervolume as in `which_sampler.py`, of true qualities of the measured
front; each pair is of one response, one seed.

    python benchmarks/zero_shot_prior.py                                   some 10 minutes on two quiet cores
    python benchmarks/zero_shot_prior.py --trials 25 --instances 4 --groups 12 --mislead 0,2
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import dataclass, replace
from functools import cache
from statistics import mean, stdev

import numpy as np
import torch
from ganprune.gan_models.costs.cost_form import CostForm
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.records.ledger import TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.search.records.plan_score import PlanErrors, PlanScore, error_scores
from ganprune.search.simulation.response_surface import DENSE_QUALITY, Surface
from ganprune.search.strategy import pareto
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.proposals import SpaceProposals, ladder_size
from ganprune.search.strategy.score_agreement import score_agreement
from ganprune.spaces.widths import WidthSpace

BUDGET = 0.4  # of the dense network's MACs
METHODS = ("uniform", "widths")
PLANS = 48  # scored before a study
SCATTER = 0.05  # standard deviation of a log error that does not depend on the plan


@dataclass(frozen=True)
class Case:
    """One simulated study."""

    groups: int
    trials: int
    instance: int
    mislead: float
    prior: bool


@cache
def form_of(groups: int) -> CostForm:
    """Return the cost form of a ResNet with this many channel groups (9 for four blocks), at 64x64."""
    with torch.device("meta"):
        network = build("resnet", {"ngf": 16, "n_blocks": groups - 5})
    return find_groups(network, InputSpec.parse("3,64,64").examples()).form


def scores_of(surface: Surface, mislead: float) -> Surface:
    """Return the response of the scores: the same groups with other weights."""
    draw = np.random.default_rng(derived_seed(surface.seed, 1, "mislead"))
    matters = surface.matters * np.exp(mislead * draw.standard_normal(len(surface.matters)))
    return replace(surface, matters=matters / matters.sum())


def study(case: Case) -> tuple[float, float]:
    """Return the hypervolume of a study, and Kendall's tau over its trials of similar cost."""
    form = form_of(case.groups)
    surface, space = Surface.drawn(form, case.instance), WidthSpace(form)
    judged, draw = scores_of(surface, case.mislead), np.random.default_rng(case.instance)

    def error(widths: dict[str, int]) -> float:
        excess = judged.quality(form.widths(widths)) - DENSE_QUALITY
        return float(0.01 * excess * np.exp(SCATTER * draw.standard_normal()))

    proposals = SpaceProposals(space, BUDGET * form.dense(), METHODS, ladder_size(case.trials, METHODS))
    scored = []
    for i in range(PLANS):
        target = proposals.lowest * (proposals.highest / proposals.lowest) ** draw.random()
        spread = 0.0 if i % 8 == 0 else 0.15 if i % 2 else 0.4
        ratios = np.exp(spread * draw.standard_normal(len(form.names)))
        widths = space.decode(dict(zip(form.names, ratios.tolist(), strict=True)), target)
        scores = error_scores(PlanErrors(error(widths)), "", 8, "drawn")
        scored.append(PlanScore(f"P{i}", widths, space.price(widths), scores, "drawn"))
    chooser = Chooser(proposals, Choice("linear", seed=case.instance), scored if case.prior else ())
    records, true = [], []
    for number in range(case.trials):
        new = chooser.next(records, number)
        widths = dict(new.proposal.widths or {})
        plan_G, seed = form.widths(widths), derived_seed(case.instance, number, "trial")
        cost, quality = float(form.predict(plan_G)), surface.quality(plan_G, noise=seed)
        outcome = TrialOutcome("COMPLETE", quality, cost, widths=widths)
        record = TrialRecord(number, "COMPLETE", new, quality=quality, cost=cost, outcome=outcome)
        records.append(replace(record, zero_shot=PlanErrors(error(widths))))
        true.append((surface.quality(plan_G), cost))
    smallest_G = form.widths(space.uniform(proposals.lowest))
    corner = (1.1 * surface.quality(smallest_G), 1.1 * proposals.budget)
    front = pareto.non_dominated([(r.quality, r.cost) for r in records])
    volume = pareto.hypervolume(np.array(true)[front], corner) / (corner[0] * corner[1])
    agreed = score_agreement(records)
    return volume, agreed.alike if agreed is not None and agreed.alike is not None else float("nan")


def main() -> None:
    """Simulate the studies, and print the paired difference of each pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", default="12,25,50")
    parser.add_argument("--groups", default="12,24")
    parser.add_argument("--mislead", default="0,0.5,1,2")
    parser.add_argument("--instances", type=int, default=8)
    given = parser.parse_args()
    print("groups trials mislead   tau  without  with prior   difference (sd)   better in")
    for groups in map(int, given.groups.split(",")):
        for trials in map(int, given.trials.split(",")):
            for mislead in map(float, given.mislead.split(",")):
                pairs = []
                for instance in range(given.instances):
                    without, tau = study(Case(groups, trials, instance, mislead, prior=False))
                    with_prior, _ = study(Case(groups, trials, instance, mislead, prior=True))
                    pairs.append((without, with_prior, tau))
                gains = [b - a for a, b, _ in pairs]
                spread = stdev(gains) if len(gains) > 1 else 0.0
                taus = [tau for _, _, tau in pairs if tau == tau]
                print(
                    f"{groups:6d} {trials:6d} {mislead:7g} {mean(taus) if taus else float('nan'):5.2f}  "
                    f"{mean(a for a, _, _ in pairs):.4f}   {mean(b for _, b, _ in pairs):.4f}      "
                    f"{mean(gains):+.4f} ({spread:.4f})    {sum(g > 0 for g in gains)} of {len(gains)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
