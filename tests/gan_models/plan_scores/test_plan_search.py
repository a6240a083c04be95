"""The search for a plan: within its evaluations, and led by what is measured end to end."""

from collections.abc import Mapping

import numpy as np
import pytest
from ganprune.gan_models.costs.combined_budgets import Bound
from ganprune.gan_models.costs.cost_form import CostForm, Row
from ganprune.gan_models.plan_scores.plan_search import FoundPlan, find_plan, measured_sensitivities
from ganprune.gan_models.plan_scores.score_table import GroupScores, ScoreTable

SIZES = {"early": 24, "middle": 24, "late": 24}
TRUE = {"early": 0.1, "middle": 1.0, "late": 20.0}  # what an output loses per loss of the table


def _form() -> CostForm:
    flats = [np.arange(begin, begin + 24) + 1 for begin in (0, 24, 48)]
    three = np.zeros(3, dtype=np.int64)
    pairs = [(flats[0], three), (flats[1], flats[0]), (flats[2], flats[1]), (three, flats[2])]
    return CostForm.from_rows(SIZES, [Row(a, b, {"macs": 9.0}) for a, b in pairs], costs=("macs",))


def _table() -> ScoreTable:
    losses = (*(1 / np.arange(1, 24) - 1 / 24).tolist(), 0.0)
    return ScoreTable({name: GroupScores(tuple(range(24)), losses) for name in SIZES})


def _score(widths: Mapping[str, int]) -> float:
    table = _table()
    return sum(TRUE[name] * table.groups[name].losses[width - 1] for name, width in widths.items())


def _found(evaluations: int) -> FoundPlan:
    form = _form()
    limit = 0.3 * form.dense()
    uniform = dict(zip(form.names, form.solve([1, 1, 1], limit).tolist(), strict=True))
    bounds = (Bound("macs", limit, form),)
    return find_plan(form, _table(), bounds, np.ones(3, int), _score, reference=uniform, evaluations=evaluations)


def test_sensitivities_are_the_score_per_loss_of_each_group():
    """A group that alone is cut says what the output loses per loss in the table; their mean is 1."""
    found = measured_sensitivities(_table(), dict.fromkeys(SIZES, 12), _score, 3)
    mean = sum(TRUE.values()) / 3
    assert found == pytest.approx({name: value / mean for name, value in TRUE.items()})


def test_neighbors_share_a_sensitivity_if_there_are_fewer_evaluations_than_groups():
    """Two plans for three groups: the first two groups are cut together."""
    found = measured_sensitivities(_table(), dict.fromkeys(SIZES, 12), _score, 2)
    assert found["early"] == found["middle"] < found["late"]


def test_the_group_that_the_output_needs_keeps_the_most():
    """With measured sensitivities the last group is the widest, and the score is lower than the table's own plan's."""
    found, untold = _found(12), _found(1)
    assert found.widths["late"] > 1.5 * max(found.widths["early"], found.widths["middle"])
    assert untold.sensitivities == dict.fromkeys(SIZES, 1.0)
    assert found.search.best.score < 0.8 * untold.search.best.score


@pytest.mark.parametrize("evaluations", [1, 2, 9, 30])
def test_no_more_plans_are_scored_than_allowed(evaluations: int):
    """Plans that measure sensitivities count, too; the same search again finds the same plan."""
    found = _found(evaluations)
    assert found.evaluations == evaluations
    assert _found(evaluations) == found
