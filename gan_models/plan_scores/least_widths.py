"""The minimum width of each group in a plan that is found by untrained scores. Imports no torch.

For large cuts, untrained scores make groups narrow that training would use. Each group therefore keeps a share of its
width in the uniform plan of the same cost. Original to ganprune.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..costs.cost_form import CostForm

MIN_SHARE = 0.4  # docs/measurements.md compares shares
ROUNDING = 1e-9  # rounding error of a share times a width


def least_widths(
    form: CostForm, uniform: NDArray[np.int64], min_share: float = MIN_SHARE, floor: int = 1, multiple: int = 1
) -> NDArray[np.int64]:
    """Return the minimum number of channels of each group [G]: a share of its uniform width, rounded up, or the floor.

    Args:
        form: The cost form with the groups.
        uniform: Widths of the uniform plan at the cost [G].
        min_share: The share.
        floor: Minimum number of channels per group.
        multiple: Widths are multiples of this, or the full width.
    """
    wanted = np.ceil(min_share * uniform / multiple - ROUNDING) * multiple
    return form.fit(wanted, floor, multiple)
