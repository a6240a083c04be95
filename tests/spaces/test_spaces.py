"""Every point of every sub-space decodes to a plan inside its target, and says what was really built."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.costs.combined_budgets import Bound
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import METHODS, check_fixed
from ganprune.gan_models.tracing.unpruned_reasons import Why
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.strategy.proposals import SpaceProposals, ladder_size
from ganprune.spaces.methods import MethodSpace
from ganprune.spaces.recipes import recipe_settings
from ganprune.spaces.widths import WidthSpace, ladder, select
from hypothesis import given, settings
from hypothesis import strategies as st

from .random_points import draw

with torch.device("meta"):
    FORM = find_groups(build("resnet", {"ngf": 16, "n_blocks": 3}), torch.empty(1, 3, 32, 32)).form
DENSE = FORM.dense()


@settings(max_examples=50, deadline=None)
@given(
    method=st.sampled_from(sorted(METHODS)), seed=st.integers(0, 9999), budget=st.floats(0.1, 0.9), tied=st.booleans()
)
def test_points_decode_inside_their_target(method, seed, budget, tied):
    """Widths cost at most the target, the target at most the budget, and the point built lies in the space."""
    widths = WidthSpace(FORM, ties=("model.1?.conv_block.1",) if tied else ())
    space = MethodSpace(method, widths, max(budget * DENSE / 8, 1.001 * widths.cheapest()), budget * DENSE)
    point, built = space.decode(draw(space, seed))
    assert space.low <= point.target <= space.high
    if METHODS[method].widths == "given":
        assert FORM.predict(FORM.widths(point.widths)) <= point.target
    else:
        assert point.widths is None
    for name, dist in space.distributions().items():
        assert dist._contains(dist.to_internal_repr(built[name]))
    assert set(built) == set(space.distributions())


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 9999), budget=st.floats(0.1, 0.9), params=st.floats(0.05, 0.9), memory=st.floats(0.05, 0.9),
    multiple=st.sampled_from([1, 4]),
)  # fmt: skip
def test_a_plan_meets_every_budget_and_leaves_little_of_the_one_that_binds(seed, budget, params, memory, multiple):
    """Decoded under three budgets a plan is at or under each, and no group can be widened within all of them."""
    bounds = tuple(
        Bound(cost, share * FORM.dense(cost), FORM) for cost, share in (("params", params), ("bytes", memory))
    )
    widths = WidthSpace(FORM, multiple=multiple, bounds=bounds)
    point = draw(MethodSpace("widths", WidthSpace(FORM), 0.02 * DENSE, budget * DENSE), seed)
    ratios = {name.removeprefix("ratio:"): value for name, value in point.items() if name.startswith("ratio:")}
    plan = FORM.widths(widths.decode(ratios, budget * DENSE))
    shares = [FORM.predict(plan) / (budget * DENSE), *(FORM.predict(plan, b.cost) / b.limit for b in bounds)]
    assert max(shares) <= 1 + 1e-12
    wider = plan + multiple * np.eye(len(plan), dtype=int)
    wider = wider[(wider <= FORM.sizes).all(1)]
    over = [FORM.predict(wider) / (budget * DENSE), *(FORM.predict(wider, b.cost) / b.limit for b in bounds)]
    assert max(shares) >= 0.998 or (np.max(over, axis=0) > 1).all()
    assert widths.dearest(budget * DENSE) <= budget * DENSE


def test_targets_are_drawn_up_to_what_the_other_budgets_leave():
    """A bound that binds lowers the highest target to what some plan can cost; the ladder has no plan twice."""

    def under(share: float) -> SpaceProposals:
        bounds = (Bound("params", share * FORM.dense("params"), FORM),)
        return SpaceProposals(WidthSpace(FORM, bounds=bounds), 0.5 * DENSE, ("uniform", "widths"), n_ladder=6)

    assert under(0.99).highest == 0.5 * DENSE
    tight = under(0.1)
    uniform = tight.widths.price(tight.widths.uniform(0.5 * DENSE))
    assert uniform < tight.highest < 0.4 * DENSE  # plans of other shapes cost more within the same parameters
    plans = [tight.identity(tight.decode(method, params, 0)[0]) for method, params in tight.ladder()]
    assert len(set(plans)) == len(plans) == 6
    for method in tight.methods:
        assert tight.distributions(method)["target"].high == tight.highest


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999))
def test_what_was_built_decodes_to_itself(seed):
    """The ratios recorded for a plan, at its own cost as the target, give the plan again, to the last channel."""
    widths = WidthSpace(FORM)
    space = MethodSpace("widths", widths, 0.02 * DENSE, 0.5 * DENSE)
    drawn = draw(space, seed)
    drawn = {name: value**0.5 if name.startswith("ratio:") else value for name, value in drawn.items()}
    point, _ = space.decode(drawn)
    cost = float(FORM.predict(FORM.widths(point.widths)))
    again = widths.decode(widths.encode(point.widths), cost)
    assert all(abs(again[name] - width) <= 1 for name, width in point.widths.items())


def test_tied_groups_share_one_dimension_and_one_ratio():
    """A tie is one dimension, and groups of equal size under it have equal widths before the last channels are filled."""
    widths = WidthSpace(FORM, ties=("model.1?.conv_block.1",))
    assert len(widths.dimensions) == len(FORM.names) - 2
    built = widths.decode(dict.fromkeys(widths.dimensions, 1.0) | {"model.1?.conv_block.1": 0.3}, 0.3 * DENSE)
    tied = [width for name, width in built.items() if "conv_block" in name]
    assert len(tied) == 3
    assert max(tied) - min(tied) <= 1


def test_the_ladder_runs_from_the_budget_down():
    """Uniform plans fall in equal steps of the logarithm, the first close under the budget itself."""
    proposals = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("magnitude", "widths", "uniform"), n_ladder=5)
    rungs = [proposals.decode(method, params, 0)[0] for method, params in proposals.ladder()]
    assert [method for method, _ in proposals.ladder()] == ["uniform"] * 5
    costs = [float(FORM.predict(FORM.widths(rung.widths))) for rung in rungs]
    assert costs == sorted(costs, reverse=True)
    assert 0.99 * 0.25 * DENSE <= costs[0] <= 0.25 * DENSE
    assert np.allclose(np.diff(np.log(ladder(1.0, 8.0, 4))), -np.log(2))


def test_a_uniform_plan_is_a_point_of_widths_with_the_same_identity():
    """The ladder teaches the width search: the translated point builds the same network, and is known as the same."""
    proposals = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("uniform", "widths"), n_ladder=4)
    for method, params in proposals.ladder():
        first, _ = proposals.decode(method, params, 0)
        there = proposals.translate(first.widths, first.target, 32, "widths", {})
        again, _ = proposals.decode("widths", there, 0)
        difference = [abs(again.widths[name] - width) for name, width in first.widths.items()]
        assert max(difference) <= 1
        if max(difference) == 0:
            assert proposals.identity(again) == proposals.identity(first)


def test_patterns_choose_groups():
    """--prune and --keep work on group names, and one that matches nothing is refused with the names."""
    names = ["stem", "body.1", "body.2"]
    assert select(names, ["body*"], []) == {"stem": Why.NOT_CHOSEN()}
    assert select(names, [], ["*.2"]) == {"body.2": Why.CHOSEN_TO_STAY(pattern="*.2")}
    with pytest.raises(ValueError, match=r"matches no group: got 'nose\*'; expected one of stem"):
        select(names, ["nose*"], [])


def test_the_ladder_leaves_room_for_the_search():
    """Half of a short study, a fifth where a method learns widths, eight plans of a long one."""
    assert [ladder_size(n, ["uniform", "widths"]) for n in (1, 4, 10, 16, 100)] == [2, 2, 5, 8, 8]
    assert [ladder_size(n, ["uniform", "coronet"]) for n in (1, 4, 10, 16, 20, 100)] == [2, 2, 3, 3, 4, 8]


def test_only_quotients_of_ratios_count():
    """The uniform plan is ratio 1 everywhere at every cost, and a common factor changes nothing."""
    widths = WidthSpace(FORM)
    for share in (0.1, 0.3, 0.6):
        uniform = widths.uniform(share * DENSE)
        assert all(0.7 < ratio < 1.4 for ratio in widths.encode(uniform).values())
        assert widths.decode(dict.fromkeys(widths.dimensions, 0.5), share * DENSE) == uniform


def test_learned_methods_start_from_sound_settings():
    """A learned method's first points are its defaults from the budget down; methods of given widths have the ladder."""
    proposals = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("uniform", "widths", "magnitude"))
    assert proposals.starts("uniform") == proposals.starts("widths") == []
    starts = [proposals.decode("magnitude", point, 0)[0] for point in proposals.starts("magnitude")]
    assert [start.settings for start in starts] == [METHODS["magnitude"].settings()] * 8
    assert np.isclose(starts[0].target, 0.25 * DENSE)
    assert np.isclose(starts[-1].target, proposals.lowest)


def test_a_fixed_setting_is_no_dimension():
    """A setting that a study fixes is not drawn but in every proposal; other settings are unchanged; a value or a name
    that is not allowed is one line."""
    fixed = {"coronet.embedding": 1, "magnitude.cost_exponent": 0.1}
    check_fixed(fixed)
    proposals = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("coronet", "magnitude"), fixed=fixed)
    plain = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("coronet", "magnitude"))
    assert set(plain.distributions("coronet")) - set(proposals.distributions("coronet")) == {"coronet.embedding"}
    proposal, built = proposals.space("coronet").decode(draw(proposals.space("coronet"), 0))
    assert "coronet.embedding" not in built
    assert to_json(proposal.settings)["embedding"] == 1
    assert to_json(proposal.settings)["share"] == built["coronet.share"]
    for name, value in (("coronet.embedding", 3), ("coronet.embedding", True), ("magnitude.cost_exponent", 0.9)):
        with pytest.raises(ValueError, match=f"invalid setting {name}: got .*; expected "):
            check_fixed({name: value})
    with pytest.raises(ValueError, match=r"unknown setting: got 'coronet.embeding'; expected .*coronet.embedding"):
        check_fixed({"coronet.embeding": 1})


def test_settings_of_the_recipe_are_dimensions_of_every_method():
    """The ladder has the study's own values; a drawn one reaches the proposal, its identity and translated plans."""
    chosen = recipe_settings(Recipe(distill_output=3.0), ("ema", "distill_output", "distill_gram"))
    proposals = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("uniform", "widths"), n_ladder=3, recipe=chosen)
    plain = SpaceProposals(WidthSpace(FORM), 0.25 * DENSE, ("uniform", "widths"), n_ladder=3)
    names = {"recipe.ema", "recipe.distill_output", "recipe.distill_gram"}
    assert all(set(proposals.distributions(m)) - set(plain.distributions(m)) == names for m in ("uniform", "widths"))
    assert proposals.distributions("widths")["recipe.distill_output"].choices == (3.0, 10.0, 50.0)
    method, point = proposals.ladder()[0]
    first, _ = proposals.decode(method, point, 0)
    assert first.recipe == {"ema": 0.0, "distill_output": 3.0, "distill_gram": 0.0}
    other, built = proposals.decode(method, {**point, "recipe.ema": 0.05}, 0)
    assert built["recipe.ema"] == other.recipe["ema"] == 0.05
    assert proposals.identity(first) != proposals.identity(other)
    assert Recipe().with_values(other.recipe) == Recipe(ema=0.05, distill_output=3.0, distill_terms={"gram": 0.0})
    translated = proposals.translate(other.widths, other.target, 32, "widths", other.recipe)
    assert set(translated) == set(proposals.distributions("widths"))
    assert translated["recipe.ema"] == 0.05
    assert plain.identity(plain.decode(method, plain.ladder()[0][1], 0)[0]).startswith("given:")
    with pytest.raises(UserError, match="got 'lr'; expected one of ema"):
        recipe_settings(Recipe(), ("lr",))
