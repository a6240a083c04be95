"""Scored plans as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from ...search.records.plan_score import ERROR, FEATURES_ERROR, PlanScore
from ...spaces.budget import describe
from ..results.measurement_text import with_interval

NOTE = "zero-shot scores: cut and refitted, nothing was trained; this is a forecast, and no front"


def plan_table(plans: Sequence[PlanScore], cost: str, dense: float | None, title: str) -> Table:
    """Return plans as a table for the screen.

    Args:
        plans: In the order of the rows.
        cost: Name of the study's cost objective.
        dense: That cost of the dense network, for shares; None if unknown.
        title: Title of the table.
    """
    qualities = [plan.quality.name for plan in plans if plan.quality is not None]
    errors = [name for features in (False, True) if (name := error_name(plans, features))]
    heads = {
        "plan": [plan.name for plan in plans],
        "found by": [plan.origin for plan in plans],
        "cut from": ["" if plan.parent is None else f"trial {plan.parent}" for plan in plans],
        cost: [describe(plan.cost, cost) for plan in plans],
        "of dense": ["" if not dense else f"{100 * plan.cost / dense:.1f} %" for plan in plans],
        **{name: [_value(plan, name) for plan in plans] for name in errors},
        f"{qualities[0] if qualities else 'zero-shot'} [90 %]": [with_interval(plan.quality) for plan in plans],
        "seconds": [f"{plan.seconds:.1f}" for plan in plans],
    }
    table = Table(title=title, title_justify="left", box=None)
    table.pad_edge = False
    shown = {head: cells for head, cells in heads.items() if any(cells)}
    for head in shown:
        table.add_column(Text(head), justify="left" if head in ("plan", "found by", "cut from") else "right")
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, row))
    return table


@dataclass(frozen=True)
class PlansFile:
    """The content of a file of scored plans, which `resume --plan` reads.

    Attributes:
        study: Name of the study.
        cost: Name of its cost objective.
        dense: Costs of the dense network.
        plans: The plans.
        at: Cost of the proposals; None for a forecast.
        seconds: Time of proposing them; None for a forecast.
        note: Note that scores are zero-shot.
    """

    study: str
    cost: str
    dense: Mapping[str, float]
    plans: tuple[PlanScore, ...]
    at: float | None = None
    seconds: float | None = None
    note: str = NOTE


def error_name(plans: Sequence[PlanScore], features: bool) -> str:
    """Return the name of the errors of features, or of outputs, among plans' scores; empty if there are none."""
    names = (score.name for plan in plans for score in plan.scores if score.name.startswith(ERROR))
    return next((name for name in names if name.startswith(FEATURES_ERROR) == features), "")


def _value(plan: PlanScore, name: str) -> str:
    """Return a plan's score of a name as text; empty without one."""
    return next((f"{score.value:.3g}" for score in plan.scores if score.name == name and score.reason is None), "")


def doubt(plans: Sequence[PlanScore], teacher: PlanScore | None) -> str:
    """Return a line if the study's metric prefers untrained plans to their teacher; empty if it does not.

    Args:
        plans: Scored plans.
        teacher: The plan that keeps all channels, if it was measured.
    """
    whole = None if teacher is None else teacher.quality
    if whole is None or whole.low is None:
        return ""
    found = [plan.name for plan in plans if plan.quality is not None and plan.quality.value < whole.low]
    if not found:
        return ""
    return (
        f"by {whole.name} {', '.join(found)} would be better than the dense teacher, whose outputs they imitate: "
        "judge by the error to the teacher, and by the pictures"
    )
