"""The least widths of plans found by untrained scores: never below the share of the uniform width."""

import numpy as np
import pytest
from ganprune.gan_models.costs.cost_form import CostForm, Row
from ganprune.gan_models.plan_scores.least_widths import least_widths

FORM = CostForm.from_rows(
    {"a": 16, "b": 64}, [Row(np.arange(1, 17), np.arange(17, 81), {"macs": 1.0, "params": 1.0})], ("macs", "params")
)


@pytest.mark.parametrize(
    ("uniform", "share", "multiple", "fewest"),
    [
        ([4, 16], 0.4, 1, [2, 7]),  # 1.6 and 6.4, rounded up
        ([5, 20], 0.4, 1, [2, 8]),  # exact shares stay
        ([8, 32], 0.4, 8, [8, 16]),  # to the next multiple
        ([16, 64], 1.0, 1, [16, 64]),
        ([4, 16], 0.01, 1, [3, 3]),  # the target's own floor
    ],
)
def test_the_share_of_a_uniform_width_is_rounded_up(uniform, share, multiple, fewest):
    """Half a channel below the share would be a group narrower than what was asked for."""
    floor = 3 if share == 0.01 else 1
    found = least_widths(FORM, np.array(uniform), share, floor, multiple)
    assert found.tolist() == fewest
