"""Budgets as quadratic polynomials of the widths, which price changes of one or two groups in a few operations.

A cost form is bilinear in the widths. Hence c(w + d) = c(w) + g(w) d + d' H d / 2 exactly, with a constant Hessian H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..costs.combined_budgets import Bound
from ..costs.cost_form import CostForm

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class QuadraticCosts:
    """Budgets of one network as shares of their limits: a plan is within all of them if no share is above 1.

    Attributes:
        constant: Constant terms, float64 [B].
        linear: Linear terms, float64 [B, G].
        hessian: Second derivatives, symmetric, float64 [B, G, G].
    """

    constant: Floats
    linear: Floats
    hessian: Floats

    @classmethod
    def of(cls, bounds: Sequence[Bound]) -> QuadraticCosts:
        """Return the polynomials of bounds whose models are cost forms over the same groups."""
        constants, linears, hessians = [], [], []
        for bound in bounds:
            form = bound.model
            assert isinstance(form, CostForm)
            a = form.coefficients[bound.cost] / bound.limit
            cross = (form.left * a[:, None]).T @ form.right
            constants.append(float((form.left_fixed * form.right_fixed) @ a))
            linears.append((a * form.right_fixed) @ form.left + (a * form.left_fixed) @ form.right)
            hessians.append(cross + cross.T)
        return cls(np.array(constants), np.array(linears), np.array(hessians))

    def shares(self, widths: NDArray[np.int64]) -> Floats:
        """Return the costs of widths [G] as shares of the limits [B]."""
        w = widths.astype(np.float64)
        return self.constant + self.linear @ w + 0.5 * (self.hessian @ w) @ w

    def slopes(self, widths: NDArray[np.int64]) -> Floats:
        """Return the gradients [B, G] at widths [G]."""
        return self.linear + self.hessian @ widths.astype(np.float64)

    def most(self, slack: Floats, slopes: Floats, curvatures: Floats) -> Floats:
        """Return the largest change d of one width for which slopes d + curvatures d^2 / 2 is within the slack.

        All shapes broadcast; the last axis is the budgets', over which the minimum of d is taken. A cost that does not
        depend on the width sets no limit, unless its slack is already negative.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(slopes**2 + 2 * curvatures * slack)
            bent = np.where(
                slopes + root > 0, 2 * slack / (slopes + root), -np.inf
            )  # numerically stable near curvature 0
        free = (slopes <= 0) & (curvatures <= 0)
        limits = np.where(free, np.where(slack >= 0, np.inf, -np.inf), bent)
        return np.nan_to_num(limits, nan=-np.inf, posinf=np.inf, neginf=-np.inf).min(-1)
