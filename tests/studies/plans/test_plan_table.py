"""Scored plans as a table."""

from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.plain_values import to_json
from ganprune.search.records.plan_score import PlanErrors, PlanScore, as_score, error_scores
from ganprune.studies.plans.plan_table import PlansFile, doubt, plan_table


def plan(name: str, cost: float, quality: float, origin: str = "uniform", parent: int | None = None) -> PlanScore:
    score = as_score(Measurement("fd[shapes,n=9]", quality, "1", quality - 0.5, quality + 0.5, 9, "p"))
    return PlanScore(
        name, {"a": 1}, cost, (*error_scores(PlanErrors(0.1, 0.2), "shapes", 8, "p"), score), origin, parent=parent
    )


PLANS = [plan("P0", 100.0, 5.0, "dense teacher"), plan("P1", 50.0, 6.0), plan("P2", 20.0, 4.0, parent=3)]


def test_scores_stand_under_their_own_names():
    """Headings are those of zero-shot scores; the trial that a plan cuts is named."""
    table = plan_table(PLANS, "macs", 100.0, "forecast")
    heads = [str(column.header) for column in table.columns]
    assert "zero-shot[error,n=8]" in heads
    assert "zero-shot[error,features=shapes,n=8]" in heads
    assert "zero-shot[fd,features=shapes,n=9] [90 %]" in heads
    assert list(table.columns[heads.index("cut from")].cells)[2].plain == "trial 3"
    assert list(table.columns[heads.index("of dense")].cells)[1].plain == "50.0 %"


def test_a_metric_that_prefers_plans_to_their_teacher_is_named():
    """Only plans below the teacher's interval count, and without the teacher's measurement nothing is said."""
    assert doubt(PLANS, PLANS[0]).startswith("by zero-shot[fd,features=shapes,n=9] P2 would be better")
    assert doubt(PLANS[:2], PLANS[0]) == ""
    assert doubt(PLANS, None) == ""


def test_json_says_that_it_is_no_front():
    """A file of it names each plan with its widths."""
    found = to_json(PlansFile("s", "macs", {"macs": 100.0}, tuple(PLANS)))
    assert "no front" in found["note"]
    assert [each["name"] for each in found["plans"]] == ["P0", "P1", "P2"]
    assert found["plans"][2]["parent"] == 3
