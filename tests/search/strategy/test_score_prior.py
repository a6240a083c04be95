"""Zero-shot scores as a prior of the width search."""

from dataclasses import replace

import numpy as np
import pytest
from ganprune.gan_models.files.meta_device import build_for_shapes
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.search.records.plan_score import PlanErrors, PlanScore, error_scores
from ganprune.search.samplers.width_model import propose
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.proposals import SpaceProposals
from ganprune.search.strategy.score_prior import MIN_PLANS, expected_slopes
from ganprune.spaces.widths import WidthSpace

RATIOS = ("a", "b")
SLOPE = 0.9  # of the log of error and quality: group `a` matters, `b` less


def value(widths, scale=1.0) -> float:
    return float(scale * np.exp(-SLOPE * np.log(widths["a"] / widths["b"]) / 2))


def plans(n: int) -> list[dict[str, int]]:
    draw = np.random.default_rng(0)
    return [{"a": int(draw.integers(8, 17)), "b": int(draw.integers(8, 17))} for _ in range(n)]


def scored(n: int) -> list[PlanScore]:
    return [
        PlanScore(f"P{i}", widths, 10.0, error_scores(PlanErrors(0.1 * value(widths)), "", 8, "p"), "drawn")
        for i, widths in enumerate(plans(n))
    ]


def trials(n: int, turned: bool = False) -> list[TrialRecord]:
    found = []
    for i, widths in enumerate(plans(n)):
        quality = value(widths, 5.0)
        new = NewTrial(Proposal("widths", {}, 10.0, "macs", widths), {}, {}, "linear")
        outcome = TrialOutcome("COMPLETE", quality, 10.0, widths=widths)
        score = -value(widths) + 9 if turned else 0.1 * value(widths)
        found.append(
            TrialRecord(i, "COMPLETE", new, quality=quality, cost=10.0, zero_shot=PlanErrors(score), outcome=outcome)
        )
    return found


def point(widths, cost):
    mean = np.sqrt(widths["a"] * widths["b"])
    return {name: width / mean for name, width in widths.items()}


def test_scores_say_which_group_matters_before_trials_do():
    """Slopes are those of the errors, up to how well trials agree with them: wider `a` lowers quality, wider `b` not."""
    found = expected_slopes(trials(8), scored(20), point, RATIOS, 10.0)
    assert found[0] < -0.1
    assert found[1] == pytest.approx(-found[0], rel=0.2)


@pytest.mark.parametrize(
    ("records", "given"),
    [
        (trials(5), scored(20)),  # before six trials
        (trials(8, turned=True), scored(20)),  # scores that mislead
        (trials(8), scored(MIN_PLANS - 1)),  # too few plans
        ([], scored(20)),
    ],
)
def test_scores_that_cannot_be_trusted_say_nothing(records, given):
    """Without six trials that agree with them, or without plans, there is no prior."""
    assert expected_slopes(records, given, point, RATIOS, 10.0) is None


def test_the_prior_moves_proposals_and_none_leaves_them_as_they_were():
    """Without trials a proposal follows the prior; a prior of zero is no prior."""
    nothing = np.empty((0, 2)), np.empty(0), np.empty(0)
    draws = [propose(*nothing, 10.0, np.random.default_rng(seed), np.array([-1.0, 1.0])) for seed in range(20)]
    assert np.mean(draws, axis=0)[0] > 0.05
    plain = propose(*nothing, 10.0, np.random.default_rng(3))
    assert np.array_equal(plain, propose(*nothing, 10.0, np.random.default_rng(3), np.zeros(2)))


def test_plans_of_other_costs_teach_the_same_slopes():
    """Plans of another cost are compared at the wanted one: the slope in cost is the model's own."""
    dear = [PlanScore(f"P{i}", p.widths, 40.0, p.scores, "drawn") for i, p in enumerate(scored(20))]
    found = expected_slopes(trials(8), [*scored(20), *dear], point, RATIOS, 10.0)
    assert found[0] < -0.1


def test_a_search_over_a_real_space_proposes_other_plans_with_scores_than_without():
    """The same trials, and scores that agree with them: proposals stay at the cost, and their widths follow."""
    network = build_for_shapes(lambda: build("resnet", {"ngf": 32, "n_blocks": 1}))
    form = find_groups(network, InputSpec.parse("3,16,16").examples()).form
    space = WidthSpace(form)
    proposals = SpaceProposals(space, 0.3 * form.dense(), ("widths",), 2, fixed_target=True)
    draw, seen = np.random.default_rng(0), []
    for i in range(24):
        ratios = np.exp(0.3 * draw.standard_normal(len(form.names)))
        widths = space.decode(dict(zip(form.names, ratios.tolist(), strict=True)), 0.3 * form.dense())
        error = 0.1 / widths[form.names[0]] + 0.01 * i / 24
        seen.append((widths, space.price(widths), error))
    scored = [
        PlanScore(f"P{i}", w, c, error_scores(PlanErrors(e), "", 8, "p"), "drawn")
        for i, (w, c, e) in enumerate(seen[8:])
    ]
    records = []
    for i, (widths, cost, error) in enumerate(seen[:8]):
        params = proposals.translate(widths, cost, 32, "widths", {})
        new = NewTrial(
            Proposal("widths", {}, cost, "macs", widths), params, proposals.distributions("widths"), "linear"
        )
        outcome = TrialOutcome("COMPLETE", 50 * error, cost, widths=widths)
        records.append(
            TrialRecord(i, "COMPLETE", new, quality=50 * error, cost=cost, zero_shot=PlanErrors(error), outcome=outcome)
        )
    ladder = [replace(records[0].new, origin=f"ladder:{i}") for i in range(2)]
    records[:2] = [replace(record, new=new) for record, new in zip(records[:2], ladder, strict=True)]
    plain, informed = (Chooser(proposals, Choice(seed=1), given).next(records, 8) for given in ((), scored))
    assert plain.target == informed.target
    assert plain.proposal.widths != informed.proposal.widths
