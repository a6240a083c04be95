"""The cost of several networks that run in sequence: the sum of their costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .cost_form import CostModel, Floats


@dataclass(frozen=True)
class SummedCost:
    """A `CostModel` of several networks together.

    Attributes:
        names: Groups of all networks [G], each with its network's name and a dot as prefix.
        groups: Network -> its own groups, in the order of its widths.
        models: Network -> price of its plans.
    """

    names: tuple[str, ...]
    groups: Mapping[str, Sequence[str]]
    models: Mapping[str, CostModel]

    def predict(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Return the cost [P] of plans [P, G], or of one, [G]."""
        w = np.asarray(widths)
        place = {name: i for i, name in enumerate(self.names)}
        total = np.zeros(w.shape[:-1])
        for network, model in self.models.items():
            own = [place[f"{network}.{group}"] for group in self.groups[network]]
            total = total + model.predict(w[..., own], cost)
        return total
