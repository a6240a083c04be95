"""Plans that were scored before any training, in a study's record: apart from its trials, one attribute each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ...gan_models.files.plain_values import from_json, to_json
from ...search.records.plan_score import PlanScore
from ..database.store import Store

PREFIX = "ganprune.plan."  # prefix of the attribute that contains a plan, before its name


def recorded_plans(attributes: Mapping[str, Any]) -> tuple[PlanScore, ...]:
    """Return the scored plans of a study, in the order of their names.

    Args:
        attributes: Of the study.
    """
    found = [from_json(PlanScore, value, name) for name, value in attributes.items() if name.startswith(PREFIX)]
    return tuple(sorted(found, key=lambda plan: int(plan.name[1:])))


def record_plans(store: Store, plans: Iterable[PlanScore]) -> tuple[PlanScore, ...]:
    """Store scored plans, and return all of them with their names.

    A plan that is recorded already keeps its name: its scores are those of the same network.

    Args:
        store: The study's record, opened to be written.
        plans: The plans; their names are ignored.
    """
    known = list(recorded_plans(store.attributes))
    named = []
    for plan in plans:
        same = next((old for old in known if _key(old) == _key(plan)), None)
        name = f"P{len(known)}" if same is None else same.name
        named.append(replace(plan, name=name))
        if same is None:
            known.append(named[-1])
        if same is None or len(same.scores) < len(plan.scores):
            store.set_attribute(PREFIX + name, to_json(named[-1]))
    return tuple(named)


def _key(plan: PlanScore) -> tuple[Any, ...]:
    return plan.parent, tuple(sorted(plan.widths.items()))
