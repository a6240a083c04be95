"""Plans that were scored before any training, in a study's record: separate from its trials, one attribute each.

Each evaluation of a search for plans is also recorded at once, so that an interrupted search resumes from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.plain_values import from_json, to_json
from ...search.forecast.plan_scorer import KnownScores
from ...search.records.plan_evaluation import PlanEvaluation
from ...search.records.plan_score import PlanScore
from ..database.store import Store

PREFIX = "ganprune.plan."  # prefix of the attribute that contains a plan, before its name
EVALUATION = "ganprune.evaluation."  # before the hash of an evaluation's key


class Recorded(Protocol):
    """A study's record, opened for reading or writing."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The study's attributes."""
        ...


def recorded_plans(study: Recorded) -> tuple[PlanScore, ...]:
    """Return the scored plans of a study, in the order of their names."""
    found = [from_json(PlanScore, value, name) for name, value in study.attributes.items() if name.startswith(PREFIX)]
    return tuple(sorted(found, key=lambda plan: int(plan.name[1:])))


def record_plans(store: Store, plans: Iterable[PlanScore]) -> tuple[PlanScore, ...]:
    """Store scored plans, and return all of them with their names.

    A plan that is recorded already keeps its name: its scores are those of the same network.

    Args:
        store: The study's record, opened for writing.
        plans: The plans; their names are ignored.
    """
    known = list(recorded_plans(store))
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


def known_scores(store: Store) -> KnownScores:
    """Return all scores of a study so far; new evaluations are recorded at once.

    Args:
        store: The study's record, opened for writing.
    """
    stored = (value for name, value in store.attributes.items() if name.startswith(EVALUATION))
    evaluations = tuple(from_json(PlanEvaluation, value, "evaluation") for value in stored)

    def keep(evaluation: PlanEvaluation) -> None:
        store.set_attribute(EVALUATION + json_sha256(to_json(evaluation.key))[:24], to_json(evaluation))

    return KnownScores(evaluations, recorded_plans(store), keep)


def _key(plan: PlanScore) -> tuple[int | None, tuple[tuple[str, int], ...]]:
    return plan.parent, tuple(sorted(plan.widths.items()))
