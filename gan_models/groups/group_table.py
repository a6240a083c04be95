"""A network's channel groups as a plain value: names, sizes, what stays whole and why, and the cost of any plan.

Tables, cards and simulations price plans with it; nothing is traced and torch is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..costs.cost_form import CostForm, Floats
from .channel_groups import ChannelGroups

MAX_ENTRIES = 20_000  # numbers of a stored cost form; a larger one is priced from the traced network alone

Terms = tuple[tuple[int, float], ...]  # (group's position, channels per width) where they are not 0


@dataclass(frozen=True)
class StoredCostForm:
    """The bilinear form of `CostForm`, its zeros left out.

    Attributes:
        left, right: Terms of each row [R].
        left_fixed, right_fixed: Channels that always stay [R].
        coefficients: Cost name -> number of each row [R].
    """

    left: tuple[Terms, ...]
    right: tuple[Terms, ...]
    left_fixed: tuple[float, ...]
    right_fixed: tuple[float, ...]
    coefficients: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class GroupTable:
    """The groups of all that a study prunes.

    Attributes:
        names: Groups [G], in the order of the graph.
        sizes: Channels at full width [G].
        whole: Other groups, which the study leaves whole -> the reason.
        unpruned: Modules whose channels all stay -> the reason.
        form: What a plan costs; None for a network whose form is too large to be stored.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    whole: Mapping[str, str] = field(default_factory=dict)
    unpruned: Mapping[str, str] = field(default_factory=dict)
    form: StoredCostForm | None = None

    @classmethod
    def of(
        cls, groups: ChannelGroups, whole: Mapping[str, str], unpruned: Mapping[str, str] | None = None
    ) -> GroupTable:
        """Return the table of traced groups.

        Args:
            groups: As discovery found them.
            whole: Groups left whole -> the reason.
            unpruned: Modules whose channels all stay -> the reason.
        """
        form = groups.form
        left, right = (tuple(_terms(row) for row in matrix) for matrix in (form.left, form.right))
        entries = sum(map(len, (*left, *right))) + (2 + len(form.coefficients)) * len(left)
        stored = None
        if entries <= MAX_ENTRIES:
            stored = StoredCostForm(
                left=left,
                right=right,
                left_fixed=_numbers(form.left_fixed),
                right_fixed=_numbers(form.right_fixed),
                coefficients={cost: _numbers(values) for cost, values in form.coefficients.items()},
            )
        return cls(tuple(form.names), tuple(int(n) for n in form.sizes), dict(whole), dict(unpruned or {}), stored)

    def cost_form(self) -> CostForm | None:
        """Return the cost form, number for number; None if it was too large to be stored."""
        if self.form is None:
            return None
        return CostForm(
            names=self.names,
            sizes=np.array(self.sizes, dtype=np.int64),
            left=_matrix(self.form.left, len(self.names)),
            right=_matrix(self.form.right, len(self.names)),
            left_fixed=np.array(self.form.left_fixed, dtype=np.float64),
            right_fixed=np.array(self.form.right_fixed, dtype=np.float64),
            coefficients={cost: np.array(values, dtype=np.float64) for cost, values in self.form.coefficients.items()},
        )


def _terms(row: Floats) -> Terms:
    return tuple((int(i), float(row[i])) for i in np.flatnonzero(row))


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _matrix(rows: tuple[Terms, ...], width: int) -> Floats:
    matrix = np.zeros((len(rows), width))
    for row, terms in zip(matrix, rows, strict=True):
        for position, value in terms:
            row[position] = value
    return matrix
