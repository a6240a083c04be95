"""Local search: within budgets and evaluations, never the same plan twice, the same again for a seed."""

from collections.abc import Mapping

import numpy as np
from ganprune.gan_models.costs.combined_budgets import Bound
from ganprune.gan_models.costs.cost_form import CostForm, Row
from ganprune.gan_models.plan_scores.local_search import local_search

SIZES = {"a": 32, "b": 48, "c": 24}


def _form() -> CostForm:
    a, b, c, three = np.arange(1, 33), np.arange(33, 81), np.arange(81, 105), np.zeros(3, dtype=np.int64)
    rows = [Row(a, three, {"macs": 9.0}), Row(b, a, {"macs": 9.0}), Row(c, b, {"macs": 9.0})]
    return CostForm.from_rows(SIZES, rows, costs=("macs",))


def _search(seen: list[dict[str, int]], evaluations: int = 60, seed: int = 0):
    form = _form()
    limit = 0.4 * form.dense()

    def score(widths: Mapping[str, int]) -> float:
        seen.append(dict(widths))
        return (np.log(widths["a"] / 14) ** 2 + np.log(widths["c"] / 20) ** 2).item()

    start = dict(zip(form.names, form.solve([1, 1, 1], limit).tolist(), strict=True))
    bounds = (Bound("macs", limit, form),)
    return form, limit, local_search(form, bounds, np.array([2, 2, 2]), 1, score, [start], evaluations, seed)


def test_every_plan_is_new_and_within_the_budget():
    """All plans differ, none costs more than the limit, and there are as many as allowed."""
    seen: list[dict[str, int]] = []
    form, limit, found = _search(seen)
    assert len(seen) == len(found.visited) == 60
    assert len({tuple(widths.values()) for widths in seen}) == 60
    assert all(float(form.predict(form.widths(widths))) <= limit for widths in seen)


def test_the_best_plan_is_better_than_the_start():
    """The score falls to less than a tenth of the uniform plan's."""
    *_, found = _search([])
    assert found.best.score < 0.1 * found.visited[0].score
    assert found.best.score == min(one.score for one in found.visited)


def test_the_same_seed_visits_the_same_plans():
    """Plans and their order follow from the seed alone."""
    assert _search([])[2] == _search([])[2]
    assert _search([])[2] != _search([], seed=1)[2]


def test_starts_count_as_evaluations():
    """With one evaluation only the first start is scored."""
    seen: list[dict[str, int]] = []
    _search(seen, evaluations=1)
    assert len(seen) == 1
