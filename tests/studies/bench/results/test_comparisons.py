"""Contenders compared with one of them, and the tables that say it."""

import json

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.studies.bench.results.comparisons import compared
from ganprune.studies.bench.results.rows import scored
from ganprune.studies.bench.results.tables import as_json, markdown

from .bench_rows import row

ROWS = [
    *(row("uniform", 10.0 + seed, seed) for seed in range(3)),
    *(row("good", 5.0 + 0.5 * seed, seed, compute_macs=2000.0) for seed in range(3)),
    *(row("bad", 20.2 + 2 * seed, seed) for seed in range(3)),
]


def test_pairs_of_a_seed_tell_contenders_apart():
    """Half of the reference's distance for each seed is better, twice is worse; both survive Holm's correction."""
    found = {one.contender: one for one in compared(ROWS, "uniform").standings}
    assert found["good"].verdict == "better"
    assert found["good"].test.ratio == pytest.approx(0.5)
    assert found["good"].compute == 2.0
    assert found["bad"].verdict == "worse"
    assert found["uniform"].test is None


def test_what_is_behind_stands_first():
    """The table of losses is the first, and the worst contender the first of the overall table."""
    text = markdown(compared(ROWS, "uniform"))
    assert text.startswith("**Behind uniform**")
    assert text.index("| demo | 25% | bad |") < text.index("**All tasks")
    overall = text[text.index("**All tasks") :]
    assert overall.index("| bad |") < overall.index("| good |")


def test_scores_before_training_stand_under_their_own_name():
    """A score is shown beside the distance with the name of its metric, and scores of two metrics are not averaged."""
    score = {"zero_shot": 30.0, "zero_shot_metric": "zero-shot[fd,features=shapes,n=8]"}
    rows = [
        row("a", 10.0, 0, **score),
        row("b", 9.0, 0, **score),
        row("b", 9.0, 1, zero_shot=0.1, zero_shot_metric="x"),
    ]
    text = markdown(compared(rows))
    assert "before any training zero-shot[fd,features=shapes,n=8]" in text
    assert [one.zero_shot for one in compared(rows).standings] == [None, 30.0]


def test_runs_that_differ_by_chance_cannot_be_told():
    """Ratios on both sides of 1 decide nothing."""
    rows = [row("a", 10.0, 0), row("a", 10.0, 1), row("b", 9.0, 0), row("b", 11.0, 1)]
    assert {one.verdict for one in compared(rows).standings} == {"", "cannot tell"}


def test_a_missing_cell_is_said_and_not_filled():
    """Cells that are missing, and cells whose trials all failed, are lines of their own; the others are compared."""
    rows = [*ROWS[:5], row("good", None, 2, state="FAIL", failed="a loss is not finite")]
    found = compared(rows, "uniform", ["demo 25% bad teacher 0 seed 0: missing"])
    assert found.missing == (
        "demo 25% bad teacher 0 seed 0: missing",
        "demo 25% good teacher 0 seed 2: a loss is not finite",
    )
    assert next(one for one in found.standings if one.contender == "good").test.pairs == 2
    assert "Without a result: 2 cells" in markdown(found)


def test_distances_of_two_metrics_are_no_pair():
    """The same teacher and seed are not compared across metrics."""
    rows = [row("a", 10.0), row("b", 5.0, metric="fd[shapes,n=300]")]
    assert [one.test for one in compared(rows).standings] == [None, None]


def test_a_search_is_judged_by_what_its_selection_images_choose():
    """Among several trials, the best on the selection images counts, with its distance on the test images."""
    rows = [row("a", 3.0, selection=2.0, trial=0), row("a", 1.0, selection=4.0, trial=1), row("a", 0.5, state="PRUNED")]
    assert [(one.trial, one.quality) for one in scored(rows)] == [(0, 3.0)]


def test_a_trial_over_its_budget_is_no_result():
    """It is cheaper to be good at a higher cost."""
    assert scored([row("a", 1.0, cost_over_target=1.01)]) == []


def test_a_reference_without_results_is_refused():
    """The message names the contenders that have some."""
    with pytest.raises(UserError, match="got uniform, good, bad"):
        compared(ROWS, "coronet")


def test_json_has_null_for_what_is_not_known():
    """One run has no deviation; JSON knows no NaN."""
    text = json.dumps(as_json(compared([row("a", 10.0), row("b", 5.0)])), allow_nan=False)
    assert json.loads(text)["standings"][0]["deviation"] is None
