"""The cost of several networks together."""

import numpy as np
import pytest
from ganprune.gan_models.costs.summed_cost import SummedCost


class Product:
    """A cost that is no sum over groups."""

    def predict(self, widths, cost="macs"):
        return np.prod(np.asarray(widths, dtype=float), axis=-1) * (2 if cost == "other" else 1)


def test_several_networks_cost_the_sum():
    """Two networks one after the other: each by its own groups, under its own name, in any order."""
    summed = SummedCost(("x.a", "y.b", "x.b"), {"x": ("b", "a"), "y": ("b",)}, {"x": Product(), "y": Product()})
    assert float(summed.predict([4, 5, 6])) == pytest.approx(4 * 6 + 5)
    np.testing.assert_allclose(summed.predict([[4, 5, 6], [1, 2, 3]], "other"), [58, 10])
