"""One group gives, another takes: the last percent of a budget."""

from itertools import product

import numpy as np
from ganprune.gan_models.costs.channel_swap import exchanged
from ganprune.gan_models.costs.cost_form import CostForm, Row

SIZES = {"a": 8, "b": 8, "c": 8}
PRICES = (3.0, 5.0, 7.0)  # of one channel
ALWAYS = np.zeros(1, dtype=np.int64)
ROWS = [Row(np.arange(8) + 1 + 8 * i, ALWAYS, {"macs": price}) for i, price in enumerate(PRICES)]
FORM = CostForm.from_rows(SIZES, ROWS, costs=("macs",))


def cost(widths) -> float:
    return float(FORM.predict(np.asarray(widths), "macs"))


def test_the_exchange_is_the_best_of_all():
    """No other plan that differs by one step down and one step up costs more within the target."""
    widths, target = np.array([4, 4, 4]), cost([4, 4, 4]) + 2.5
    found = exchanged(FORM, widths, target, "macs", 1, 1)
    steps = [np.array(step) for step in product((-1, 0, 1), repeat=3) if sorted(step) == [-1, 0, 1]]
    best = max(cost(widths + step) for step in steps if cost(widths + step) <= target)
    assert found is not None
    assert cost(found) == best > cost(widths)
    assert sorted(found - widths) == [-1, 0, 1]


def test_nothing_is_exchanged_for_less_than_a_percent():
    """A plan that leaves under 1 % of its target stays, even if an exchange would come closer."""
    widths = np.array([4, 4, 4])
    assert exchanged(FORM, widths, cost(widths) / 0.995, "macs", 1, 1) is None


def test_neither_floor_nor_full_width_is_crossed():
    """A group at its floor gives nothing and one at full width takes nothing."""
    assert exchanged(FORM, np.array([2, 2, 2]), 1e9, "macs", 2, 1) is None
    assert exchanged(FORM, np.array([8, 8, 8]), 1e9, "macs", 1, 1) is None
    found = exchanged(FORM, np.array([8, 2, 6]), 1e9, "macs", 2, 1)
    assert found is not None
    assert found[1] >= 2
    assert found.max() <= 8


def test_widths_stay_multiples():
    """Both groups move by a whole step."""
    found = exchanged(FORM, np.array([4, 4, 4]), 1e9, "macs", 1, 2)
    assert found is not None
    assert sorted(found) == [2, 4, 6]
