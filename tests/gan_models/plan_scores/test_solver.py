"""The solver: the best of all plans on small forms, and within every budget on any."""

import itertools

import numpy as np
import pytest
from ganprune.gan_models.costs.combined_budgets import BindingCost, Bound
from ganprune.gan_models.costs.cost_form import CostForm, InfeasibleBudget, Row
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.plan_scores.score_table import GroupScores, ScoreTable
from ganprune.gan_models.plan_scores.solver import bounds_of, solve


def _form(sizes: dict[str, int], draw: np.random.Generator) -> CostForm:
    """Return a form in which some groups meet on two axes of one tensor, as in a network."""
    ends = np.cumsum([0, *sizes.values()])
    flats = [np.arange(begin, end) + 1 for begin, end in itertools.pairwise(ends)]
    flats.append(np.zeros(3, dtype=np.int64))
    pairs = [*itertools.pairwise(range(len(flats))), (0, 0), (0, len(sizes) - 1)]
    rows = [
        Row(flats[left], flats[right], {"macs": float(draw.integers(1, 50)), "params": float(draw.integers(1, 9))})
        for left, right in pairs
    ]
    return CostForm.from_rows(sizes, rows, costs=("macs", "params"))


def _table(sizes: dict[str, int], draw: np.random.Generator) -> ScoreTable:
    groups = {}
    for name, size in sizes.items():
        losses = np.cumsum(draw.exponential(size=size - 1) * draw.exponential())[::-1]
        groups[name] = GroupScores(tuple(range(size)), (*losses.tolist(), 0.0))
    return ScoreTable(groups)


def _exhaustive(form: CostForm, table: ScoreTable, bounds: tuple[Bound, ...], floors: np.ndarray) -> float:
    ranges = [range(floor, size + 1) for floor, size in zip(floors, form.sizes, strict=True)]
    plans = np.array(list(itertools.product(*ranges)))
    fits = np.all([bound.model.predict(plans, bound.cost) <= bound.limit for bound in bounds], axis=0)
    scores = sum(losses[plans[:, group] - 1] for group, losses in enumerate(table.losses))
    return float(np.asarray(scores)[fits].min())


@pytest.mark.parametrize("seed", range(20))
def test_no_plan_within_two_budgets_has_a_lower_sum(seed: int):
    """The solution is the best of all plans of a small network, under MACs and parameters at once."""
    draw = np.random.default_rng(seed)
    sizes = {"a": 9, "b": 7, "c": 8, "d": 6}
    form, table = _form(sizes, draw), _table(sizes, draw)
    bounds = tuple(Bound(cost, float(draw.uniform(0.2, 0.8)) * form.dense(cost), form) for cost in ("macs", "params"))
    floors = np.array([1, 2, 1, 1])
    widths = solve(form, table, bounds, floors)
    for bound in bounds:
        assert float(form.predict(form.widths(widths), bound.cost)) <= bound.limit
    assert widths["b"] >= 2
    assert table.score(widths) == pytest.approx(_exhaustive(form, table, bounds, floors))


class _Steps:
    """A cost that no form prices: it rises in steps of eight channels."""

    def __init__(self, form: CostForm) -> None:
        self._form = form

    def predict(self, widths: np.ndarray, cost: str = "macs") -> np.ndarray:
        return self._form.predict(-(-np.asarray(widths) // 8) * 8, "macs")


@pytest.mark.parametrize("seed", range(5))
def test_a_cost_that_no_form_prices_is_met_as_well(seed: int):
    """Under a latency in steps of eight channels no plan of whole steps is a twentieth better."""
    draw = np.random.default_rng(seed)
    sizes = {"a": 40, "b": 64, "c": 32}
    form, table = _form(sizes, draw), _table(sizes, draw)
    bounds = bounds_of(form, "latency_ms", 0.4 * form.dense(), _Steps(form))
    widths = solve(form, table, bounds, np.array([1, 1, 1]))
    assert float(_Steps(form).predict(form.widths(widths))) <= bounds[0].limit
    whole = [np.arange(8, size + 1, 8) for size in form.sizes]
    plans = np.array(list(itertools.product(*whole)))
    fitting = plans[bounds[0].model.predict(plans) <= bounds[0].limit]
    assert table.score(widths) <= 1.05 * min(table.losses_at(plan) for plan in fitting)


def test_widths_are_multiples_above_their_floors():
    """With a multiple of 4 every width is one, or full, and at or above its group's floor."""
    draw = np.random.default_rng(3)
    sizes = {"a": 18, "b": 24, "c": 16}
    form, table = _form(sizes, draw), _table(sizes, draw)
    widths = solve(form, table, bounds_of(form, "macs", 0.3 * form.dense()), np.array([5, 4, 1]), 4)
    assert widths["a"] >= 8
    assert all(width % 4 == 0 or width == sizes[name] for name, width in widths.items())


def test_a_target_bound_by_other_budgets_is_taken_apart():
    """The cost that binds several budgets gives each of them, so that all are met exactly."""
    form = _form({"a": 9, "b": 7}, np.random.default_rng(1))
    other = Bound("params", 10.0, form)
    target = Bound("macs", 100.0, form)
    assert bounds_of(form, "macs", 100.0, BindingCost(form, 100.0, (other,))) == (target, other)


def test_the_same_seed_gives_the_same_widths():
    """Two solutions of a network of 12 groups are equal."""
    draw = np.random.default_rng(5)
    sizes = {f"g{number}": 32 for number in range(12)}
    form, table = _form(sizes, draw), _table(sizes, draw)
    bounds = bounds_of(form, "macs", 0.25 * form.dense())
    floors = np.full(12, 2)
    assert solve(form, table, bounds, floors) == solve(form, table, bounds, floors)


def test_what_cannot_be_met_is_refused_by_name():
    """A budget below the smallest plan, and a table of another network, are told in one line."""
    draw = np.random.default_rng(0)
    sizes = {"a": 9, "b": 7}
    form, table = _form(sizes, draw), _table(sizes, draw)
    with pytest.raises(InfeasibleBudget, match="the smallest plan costs"):
        solve(form, table, bounds_of(form, "macs", 1.0), np.array([4, 4]))
    with pytest.raises(UserError, match="another network"):
        solve(form, _table({"a": 9, "b": 8}, draw), bounds_of(form, "macs", 1.0), np.array([4, 4]))
