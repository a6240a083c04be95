"""Budgets mean what people mean by them, and bad ones get one line."""

import pytest
from ganprune.spaces.budget import BudgetError, describe, parse_budget

DENSE = {"macs": 6.0482e9, "macs_published": 18.1404e9, "params": 54.4e6, "bytes": 217.6e6}
CHEAPEST = {"macs": 3e6, "macs_published": 1e7, "params": 1e4, "bytes": 4e4}


@pytest.mark.parametrize(
    ("text", "cost", "amount"),
    [
        ("2.5GMACs", "macs", 2.5e9),
        ("2.5 gmacs", "macs", 2.5e9),
        ("5GFLOPs", "macs", 2.5e9),
        ("300MMACs", "macs", 3e8),
        ("1.2Mparams", "params", 1.2e6),
        ("2MB", "bytes", 2e6),
        ("2MiB", "bytes", 2 * 2**20),
        ("20ms", "latency_ms", 20.0),
        ("1e9MACs", "macs", 1e9),
    ],
)
def test_absolute_budgets(text: str, cost: str, amount: float):
    """Units and prefixes read as written; a FLOP is half a MAC; MB is 10^6 and MiB 2^20 bytes."""
    budget = parse_budget(text)
    assert (budget.cost, budget.amount, budget.relative, budget.network) == (cost, amount, False, None)


def test_a_percentage_is_of_the_dense_network_in_the_convention():
    """25 % of exact MACs is not 25 % of published ones."""
    assert parse_budget("25%").resolve(DENSE, CHEAPEST) == 0.25 * 6.0482e9
    assert parse_budget("25%", "published").resolve(DENSE, CHEAPEST) == 0.25 * 18.1404e9


def test_a_budget_may_be_for_one_generator():
    """AtoB=25% is for AtoB."""
    budget = parse_budget("AtoB=25%")
    assert (budget.network, budget.amount, budget.relative) == ("AtoB", 0.25, True)


def test_the_conversion_of_flops_is_said():
    """A budget in FLOPs gets a note with its MACs."""
    assert parse_budget("5GFLOPs").note == "5GFLOPs = 2.5 GMACs (1 MAC = 2 FLOPs)"


@pytest.mark.parametrize(
    "text", ["0", "-1GMACs", "5", "0%", "101%", "nanGMACs", "", "GMACs", "5 parsecs", "=5%", "1e999%"]
)
def test_what_is_no_budget_gets_one_line(text: str):
    """Every refusal names what was given and what is allowed, in one line."""
    with pytest.raises(BudgetError) as error:
        parse_budget(text)
    assert repr(text) in str(error.value)
    assert "write 25%" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"), [("1e9GMACs", "leaves nothing to prune"), ("0.001%", "cannot be met"), ("100%", "leaves")]
)
def test_a_budget_outside_the_network_names_the_range(text: str, says: str):
    """Too large and too small budgets are refused with the range that can be met."""
    with pytest.raises(BudgetError, match=says) as error:
        parse_budget(text).resolve(DENSE, CHEAPEST)
    assert "between 3 MMACs (smallest plan) and 6.048 GMACs (dense network)" in str(error.value)


def test_costs_are_described_for_people():
    """Every cost is shown with a unit that fits."""
    assert describe(49_551_507_456, "macs") == "49.55 GMACs"
    assert describe(11_378_179, "params") == "11.38 M parameters"
    assert describe(2_000_000, "bytes") == "2 MB"
    assert describe(56_799_264_768, "macs_published") == "56.8 GMACs (published)"
