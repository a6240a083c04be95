"""All values of one trial in the record: as plain JSON, and as lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import COSTS, shown_cost
from ...gan_models.files.errors import UserError
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.seeds import derived_seed
from ...search.records.ledger import TrialRecord
from ...spaces.budget import describe
from .environment import ENVIRONMENT
from .measurement_text import with_interval
from .outcome import TEACHER, Outcome, cost_name, measurements_of
from .tables import trial_rows

_REFERENCE = re.compile(r"(.+?):([^:]*)")


def trial_reference(text: str) -> tuple[str, int | None]:
    """Return the study's name and the trial's number of `NAME:7`; None of `NAME` alone.

    Raises:
        UserError: There is no number after the colon.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return text, None
    name, number = found.groups()
    if not (number.isascii() and number.isdigit()):
        raise UserError(f"{text} names no trial: got {number!r}; expected a number. Try {name}:0")
    return name, int(number)


def find_trial(outcome: Outcome, number: int) -> TrialRecord:
    """Return a trial by its number.

    Raises:
        UserError: The study has no such trial.
    """
    trials = outcome.study.trials
    found = next((trial for trial in trials if trial.number == number), None)
    if found is None:
        name = outcome.study.name
        there = f"0 to {trials[-1].number}. Try {name}:{trials[-1].number}" if trials else "none, it has no trials yet"
        raise UserError(f"study {name} has no trial {number}: got {number}; expected {there}")
    return found


def seed_of(outcome: Outcome, trial: TrialRecord) -> int:
    """Return the seed of a trial's training; for a repeated network, that of the trained trial."""
    ended = trial.outcome
    trained = trial.number if ended is None or ended.same_as is None else ended.same_as
    return derived_seed(outcome.config.seed_of_trials, trained, "trial")


def trial_page(outcome: Outcome, trial: TrialRecord) -> dict[str, Any]:
    """Return all values of one trial as plain JSON.

    Args:
        outcome: Outcome of its study.
        trial: The trial.
    """
    row = next(row for row in trial_rows(outcome) if row.trial == trial.number)
    proposal, ended = trial.new.proposal, trial.outcome
    sizes = {} if outcome.resolved is None else outcome.resolved.groups
    dense = {} if isinstance(sizes, dict) else dict(zip(sizes.names, sizes.sizes, strict=True))
    attributes = outcome.study.attributes
    teacher = attributes.get(TEACHER) or {}
    seconds = dict(ended.seconds) if ended is not None else {}
    return {
        "study": outcome.study.name,
        "trial": trial.number,
        "method": trial.new.method,
        "state": trial.state,
        "front": row.front,
        "reason": row.reason,
        "chosen_by": trial.new.origin,
        "attempts": trial.attempt,
        "seed": seed_of(outcome, trial),
        "settings": to_json(proposal.settings),
        "recipe": dict(proposal.recipe or {}),
        "bits": row.bits,
        "target": {"cost": proposal.cost, "value": trial.new.target},
        "widths": {name: {"kept": kept, "dense": dense.get(name)} for name, kept in trial.widths.items()},
        "architecture": "" if ended is None else ended.architecture,
        "seconds": seconds | ({"total": sum(seconds.values())} if seconds else {}),
        "steps": None if ended is None else to_json(ended.steps),
        "compute_macs": None if ended is None else ended.compute_macs,
        "quality_name": row.metric,
        "quality": row.quality,
        "cost": row.cost,
        "share_of_dense": row.share,
        "split": row.split,
        "rungs": {str(step): outcome.value(value) for step, value in trial.rungs.items()},
        "measurements": [m.to_json() for m in measurements_of(trial)],
        "measured_on_test": [m.to_json() for m in outcome.tested(trial.number)],
        "measured_after_search": [m.to_json() for m in outcome.finalists(trial.number)],
        "measured_earlier": [
            {"until": until, "measurements": [m.to_json() for m in measured]}
            for until, measured in outcome.finalists_before(trial.number)
        ],
        "zero_shot": [] if ended is None else [m.to_json() for m in ended.zero_shot],
        "lineage": {
            "teacher": teacher.get("origin", ""),
            "data_sha256": teacher.get("data", ""),
            "parent": proposal.parent,
            "same_as": None if ended is None else ended.same_as,
            "weights": None if ended is None or ended.artifact is None else to_json(ended.artifact),
        },
        "worker": "" if ended is None else ended.worker,
        "environment": attributes.get(ENVIRONMENT) or [],
    }


def page_lines(outcome: Outcome, trial: TrialRecord) -> Iterator[str]:
    """Yield the same values as text, one per line."""
    page = trial_page(outcome, trial)
    star = ", on the front" if page["front"] else ""
    yield f"trial {trial.number} of {outcome.study.name}: {page['method']}, {trial.state}{star}"
    if page["reason"]:
        yield f"reason: {page['reason']}"
    yield f"chosen by {page['chosen_by']}, aimed at {describe(trial.new.target, trial.new.proposal.cost)}"
    yield f"seed {page['seed']}, {page['bits']} bits, attempts {page['attempts']}"
    for name in ("settings", "recipe"):
        if page[name]:
            yield f"{name}: {_pairs(page[name])}"
    lineage = page["lineage"]
    origin = lineage["teacher"]
    made = _pairs(origin) if isinstance(origin, Mapping) else str(origin)
    parts = [f"teacher {made}" if made else "", f"cut from trial {lineage['parent']}" * (lineage["parent"] is not None)]
    parts += [f"same network as trial {lineage['same_as']}" * (lineage["same_as"] is not None)]
    parts += [f"data {lineage['data_sha256'][:12]}" if lineage["data_sha256"] else ""]
    yield f"lineage: {'; '.join(filter(None, parts)) or 'not recorded'}"
    if page["seconds"]:
        yield f"seconds: {', '.join(f'{name} {value:.1f}' for name, value in page['seconds'].items())}"
    if page["rungs"]:
        rungs = ", ".join(f"step {step} {value:.4g}" for step, value in page["rungs"].items())
        yield f"{outcome.metric} at rungs: {rungs}"
    for title, measured in (
        (f"measured on {outcome.split}", measurements_of(trial)),
        ("measured on test", outcome.tested(trial.number)),
        ("measured after the search", outcome.finalists(trial.number)),
        *((f"measured earlier, until {until}", measured) for until, measured in outcome.finalists_before(trial.number)),
    ):
        if measured:
            yield f"{title} [90 %]:"
            yield from (f"  {m.name}: {_measured(m)}" for m in measured)
            yield from (f"    {m.note}" for m in measured if m.note and cost_name(m) in COSTS)
            yield from (f"    {m.protocol}" for m in measured if m.protocol and "measured" in m.name)
    if page["widths"]:
        yield "widths (kept of dense channels):"
        for name, width in page["widths"].items():
            yield f"  {name}: {width['kept']}" + (f" of {width['dense']}" if width["dense"] else "")
    yield f"worker: {page['worker'] or 'not recorded'}"
    yield from (f"environment: {_pairs(each)}" for each in page["environment"])


def _measured(m: Measurement) -> str:
    """Return a measurement with interval, unit, n and direction."""
    cost = shown_cost(cost_name(m), m.unit)
    value = cost.show(m.value) if m.reason is None and m.unit not in ("", "1") and m.low is None else ""
    value = value or with_interval(replace(m, reason=m.reason)) + ("" if m.unit in ("", "1") else f" {m.unit}")
    n = f", n={m.n}" if m.n else ""
    return f"{value}{n}" + (f", {m.better} is better" if m.better else "")


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {_pairs(value) if isinstance(value, Mapping) else value}"
        for key, value in values.items()
        if value != ""
    )
