"""A plan that a user wants to train: the name of a scored one, or a JSON file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...gan_models.files.errors import UserError
from ...gan_models.files.parsers.structured_text import parse_json
from ...search.records.plan_score import PlanScore

_NAME = re.compile(r"P\d+")
_FORMS = '{"widths": {group: number}} or {"channels": {group: [kept, ...]}}'


@dataclass(frozen=True)
class GivenPlan:
    """A plan as given by the user; `planned_trial` checks it against a study.

    Attributes:
        origin: The plan's name, or the file's.
        widths: Channels per group.
        channels: Kept channels per group; None: the strongest.
        parent: Number of the trial whose network is cut; None: the teacher.
    """

    origin: str
    widths: Mapping[str, int]
    channels: Mapping[str, tuple[int, ...]] | None = None
    parent: int | None = None


def read_plan(text: str, study: str, scored: tuple[PlanScore, ...]) -> GivenPlan:
    """Return the plan that a text names.

    Args:
        text: The name of a scored plan, a JSON file, or `FILE::NAME` for one of several plans in a file.
        study: Name of the study, for messages.
        scored: Its scored plans.

    Raises:
        UserError: There is no such plan or file, or the file contains no plan, or several.
    """
    if _NAME.fullmatch(text):
        found = next((plan for plan in scored if plan.name == text), None)
        if found is None:
            there = f"{scored[0].name} to {scored[-1].name}" if scored else "none"
            raise UserError(
                f"plan is not known: got {text}; study {study!r} has {there}. Try `ganprune pareto {study} --at 20%`, "
                "which proposes plans, or a JSON file"
            )
        return GivenPlan(found.name, found.widths, parent=found.parent)
    path, _, wanted = text.partition("::")
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(
            f"plan is not there: got {path}; expected the name of a scored plan, such as P0, or a JSON file"
        )
    try:
        content: Any = parse_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"plan cannot be read: got {path}, which is not JSON; expected {_FORMS}") from error
    return _of_file(content, path, wanted)


def _of_file(content: Any, path: str, wanted: str) -> GivenPlan:
    """Return the plan of a file's content."""
    if isinstance(content, Mapping) and isinstance(content.get("plans"), list):
        plans = [plan for plan in content["plans"] if isinstance(plan, Mapping)]
        names = [str(plan.get("name", "")) for plan in plans]
        chosen = [plan for plan in plans if not wanted or plan.get("name") == wanted]
        if len(chosen) != 1:
            raise UserError(
                f"one plan is trained: got {path} with {', '.join(names) or 'none'}; expected one of them. "
                f"Try --plan {path}::{names[0] if names else 'P0'}"
            )
        content, path = chosen[0], f"{Path(path).name}::{names[plans.index(chosen[0])]}"
    if not isinstance(content, Mapping):
        raise UserError(f"plan cannot be read: got {path} with {type(content).__name__}; expected {_FORMS}")
    entries = content.get("channels") or content.get("widths") or content
    if not isinstance(entries, Mapping) or not entries:
        raise UserError(f"plan cannot be read: got {path} without groups; expected {_FORMS}")
    origin = Path(path).name
    if all(isinstance(value, int) and not isinstance(value, bool) for value in entries.values()):
        return GivenPlan(origin, dict(entries), parent=_parent(content))
    if all(isinstance(value, list) and all(type(i) is int for i in value) for value in entries.values()):
        channels = {group: tuple(kept) for group, kept in entries.items()}
        return GivenPlan(origin, {group: len(kept) for group, kept in channels.items()}, channels)
    raise UserError(f"plan cannot be read: got {path} with other values than whole numbers; expected {_FORMS}")


def _parent(content: Mapping[str, Any]) -> int | None:
    found = content.get("parent")
    return found if type(found) is int else None
