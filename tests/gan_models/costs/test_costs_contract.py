"""Contracts of every row of the table of costs, and of budgets in a row's units."""

import pytest
from ganprune.gan_models.costs.catalog import COSTS, FORM_COSTS, cost_of
from ganprune.gan_models.costs.cost import PREFIXES, Cost
from ganprune.spaces.budget import Budgets, parse_budget


def conventions(cost: Cost) -> tuple[str, ...]:
    return (cost.convention,) if cost.convention else ("exact", "published")


@pytest.mark.parametrize("name", COSTS)
def test_every_unit_of_a_cost_reads_back_as_that_cost(name: str):
    """A number with any suffix of a row, and any prefix it takes, is a budget in that cost and amount."""
    cost = COSTS[name]
    units = dict(cost.fixed_suffixes)
    for suffix, amount in cost.suffixes.items():
        units |= {p + suffix: PREFIXES[p] * amount for p in (PREFIXES if cost.prefixed else ("",))}
    for convention in conventions(cost):
        for unit, amount in units.items():
            for text in (f"2.5{unit}", f"2.5 {unit.upper()}"):
                budget = parse_budget(text, convention)
                assert (budget.cost, budget.amount, budget.relative) == (name, pytest.approx(2.5 * amount), False)


@pytest.mark.parametrize("name", COSTS)
def test_every_cost_says_what_it_is(name: str):
    """A row's name is its key, and shown values hold number and unit."""
    cost = COSTS[name]
    assert cost.name == name
    assert cost.show(20.0).startswith("20 ")
    assert cost.axis(20.0)[0] == 1.0
    assert cost_of(cost.stored(8, per_channel=True)) is cost


@pytest.mark.parametrize("name", COSTS)
def test_examples_of_a_cost_are_budgets_in_it(name: str):
    """The proposal of an error message is accepted."""
    assert {parse_budget(text, COSTS[name].convention or "exact").cost for text in COSTS[name].examples} <= {name}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Peak Memory"}, "lower case"),
        ({"suffixes": {}}, "no suffix"),
        ({"suffixes": {"%": 1.0}}, "letters"),
        ({"price": "a:b"}, "both"),
    ],
)
def test_a_row_that_cannot_be_written_as_a_budget_is_refused(change: dict[str, object], says: str):
    """Names and suffixes that no budget could hold are a fault of the row."""
    with pytest.raises(ValueError, match=says):
        Cost(**{"name": "reads", "unit": "reads", "suffixes": {"reads": 1.0}} | change)  # pyright: ignore


def test_budgets_are_parsed_once_and_carried():
    """The first budget is the objective; each cost is named once; only profiled costs need a profile."""
    budgets = Budgets.parse(["25%", "2MB", "20ms", "1MB"])
    assert (budgets.cost, budgets.costs) == ("macs", ("macs", "bytes", "latency_ms"))
    assert budgets.profiled == ("latency_ms",)
    assert budgets.texts == ("25%", "2MB", "20ms", "1MB")
    dense = {"macs": 100.0, "bytes": 3e6, "latency_ms": 50.0}
    priced = budgets.priced(dense, dict.fromkeys(dense, 1.0), "G")
    assert [each.limit for each in priced] == [25.0, 2e6, 20.0, 1e6]


def test_costs_of_the_form_are_those_that_a_plan_determines():
    """Costs that are priced in every study are exact."""
    assert FORM_COSTS == ("macs", "macs_published", "params", "bytes")
    assert not COSTS["latency_ms"].exact
    assert COSTS["latency_ms"].measured_after_search
