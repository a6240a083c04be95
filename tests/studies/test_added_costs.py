"""A cost that another package adds, from the budget's text to tables, plots and checks."""

import pytest
from ganprune.gan_models.costs.catalog import COSTS
from ganprune.search.config import StudyConfig
from ganprune.search.trial.cut_check import CutMismatch
from ganprune.spaces.budget import BudgetError
from ganprune.studies.bundles.export import export_trial
from ganprune.studies.bundles.verify import verify_bundle
from ganprune.studies.results.outcome import measurements_of, named, outcome_of
from ganprune.studies.results.plots import plot_front
from ganprune.studies.results.tables import trial_rows

from ..fakes.activations_cost import ACTIVATIONS
from ..tiny_study import SMALL, make, opened

TRIALS = (("uniform", 0.6, "ladder:0", "run"), ("magnitude", 0.5, "tpe", "run"))


@pytest.fixture(autouse=True)
def added(monkeypatch):
    """The table of costs with one more row."""
    monkeypatch.setitem(COSTS.own, "activations", ACTIVATIONS)


def config(*budgets: str) -> StudyConfig:
    return StudyConfig(name="added", **{**SMALL, "budgets": budgets})


def test_added_cost_is_the_objective_of_a_study(tmp_path):
    """Targets, trials, table and plot are in the added cost; what was predicted was counted on each cut network."""
    dense = opened(config("60%")).prices_of(opened(config("3kactivations")).groups).dense()
    assert "activations" not in dense, "only costs that budgets are in are priced"
    whole = opened(config("3kactivations")).resolved.dense["activations"]
    study = make(config(f"{0.7 * whole / 1e3:.3f}kactivations"), TRIALS)
    outcome = outcome_of(study.record)
    assert (outcome.cost, outcome.dense["activations"]) == ("activations", whole)
    for trial, share in zip(study.record.trials, (0.6, 0.5), strict=True):
        assert trial.state == "COMPLETE"
        assert 0.75 * share * whole < trial.cost <= share * whole
        measured = named(measurements_of(trial), "activations")
        assert (measured.value, measured.unit) == (trial.cost, "numbers")
        assert measured.protocol == "counted on the cut network, one image"
    assert {row.unit for row in trial_rows(outcome)} == {"numbers"}
    assert plot_front(outcome).startswith(b"\x89PNG")
    card = export_trial(study.record, 1, study.root, tmp_path / "bundle")
    assert card.costs["activations"] == study.record.trials[1].cost
    assert card.teacher_costs["activations"] == whole
    assert "numbers" in (tmp_path / "bundle" / "card.md").read_text(encoding="utf-8")
    checks = {check.name: check for check in verify_bundle(tmp_path / "bundle")}
    assert checks["costs"].passed
    assert "activations" in checks["costs"].detail


def test_added_cost_is_a_constraint():
    """Every plan of a study with two budgets meets the second one as well."""
    probe = opened(config("60%", "3kactivations"))
    whole = probe.resolved.dense["activations"]
    study = opened(config("60%", f"{0.45 * whole / 1e3:.3f}kactivations"))
    space = study.proposals().widths
    widths = space.uniform(study.resolved.limit)
    assert float(study.prices.predict(study.groups.form.widths(widths), "activations")) <= 0.45 * whole * (1 + 1e-6)
    assert space.price(widths) < 0.5 * study.resolved.dense["macs"], "the second budget binds"


def test_wrong_price_ends_a_trial(monkeypatch):
    """A row whose price is not what it counts is found at the first cut."""
    from dataclasses import replace

    wrong = replace(ACTIVATIONS, count=lambda network, inputs, quantization: 1.0)
    monkeypatch.setitem(COSTS.own, "activations", wrong)
    with pytest.raises(CutMismatch, match="predicted activations"):
        make(config("3kactivations"), TRIALS)


def test_budget_of_an_added_cost_outside_the_network_names_the_range():
    """The range that can be met is said in the cost's own unit."""
    with pytest.raises(
        BudgetError, match=r"leaves nothing to prune; expected one between .* numbers \(smallest plan\)"
    ):
        opened(config("9Tactivations"))
