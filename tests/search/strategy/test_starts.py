"""First points from the score table, and start plans of searches for a plan."""

from dataclasses import replace

import numpy as np
import pytest
from ganprune.gan_models.costs.cost_form import CostForm, Row
from ganprune.search.records.ledger import TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.search.records.plan_score import PlanErrors, PlanScore, error_scores
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.proposals import N_SOLVED, SpaceProposals
from ganprune.spaces.widths import WidthSpace

SIZES = {"a": 32, "b": 64}
FORM = CostForm.from_rows(
    SIZES, [Row(np.arange(1, 33), np.arange(33, 97), {"macs": 1.0, "params": 1.0})], ("macs", "params")
)
BUDGET = 0.5 * FORM.dense()


def solved(target: float) -> dict[str, int]:
    """Return a plan with `a` four times as wide, relative to its size, as `b`."""
    return WidthSpace(FORM).decode({"a": 2.0, "b": 0.5}, target)


def ended(new, number: int, quality: float) -> TrialRecord:
    widths = dict(new.proposal.widths or WidthSpace(FORM).uniform(new.target))
    cost = float(FORM.predict(FORM.widths(widths)))
    outcome = TrialOutcome("COMPLETE", quality, cost, widths=widths)
    return TrialRecord(number, "COMPLETE", new, quality=quality, cost=cost, outcome=outcome)


@pytest.mark.parametrize("source", [solved, None])
def test_first_points_of_widths_are_the_solvers_at_the_trials_targets(source):
    """Without a score table, no trial starts from it; with one, the first four do, each at a target of its own."""
    proposals = SpaceProposals(WidthSpace(FORM), BUDGET, ("widths",), 2, solved=source)
    chooser, records = Chooser(proposals, Choice()), list[TrialRecord]()
    for number in range(2 + N_SOLVED + 1):
        new = chooser.next(records, number)
        records.append(ended(new, number, 1000 / new.target))
    starts = [record.new for record in records if record.new.origin == "start"]
    assert len(starts) == (N_SOLVED if source else 0)
    assert all(dict(new.proposal.widths) == solved(new.target) for new in starts)
    assert len({new.target for new in starts}) == len(starts)


def test_a_search_for_a_plan_starts_from_the_best_plans_near_its_cost():
    """Trials by quality and scored plans by error, scaled to the target; those of other costs are left out."""
    space = WidthSpace(FORM)
    proposals = SpaceProposals(space, BUDGET, ("reconstruct",), 2, fixed_target=True)
    known = [({"a": 2.0, "b": 0.5}, 0.9), ({"a": 0.5, "b": 2.0}, 0.1), ({"a": 1.0, "b": 1.0}, 0.05)]
    scored = []
    for i, ((ratios, error), share) in enumerate(zip(known, (0.9, 0.9, 0.2), strict=True)):
        widths = space.decode(ratios, share * BUDGET)
        scored.append(
            PlanScore(f"P{i}", widths, space.price(widths), error_scores(PlanErrors(error), "", 8, "p"), "drawn")
        )
    new = Chooser(proposals, Choice(), scored).next([], 0)
    records = [replace(ended(new, 0, 5.0), new=replace(new, origin="ladder:0"))]
    assert Chooser(proposals, Choice()).next([], 0).proposal.starts == ()  # nothing is known
    for known_trials, expected in (([], 2), (records, 3)):
        starts = Chooser(proposals, Choice(), scored).next(known_trials, 7).proposal.starts
        assert len(starts) == expected
        assert all(0.9 * BUDGET < space.price(start) <= BUDGET * (1 + 1e-9) for start in starts)
        best = starts[expected - 2]
        assert best["b"] / 64 > 1.5 * best["a"] / 32
