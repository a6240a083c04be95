"""Between Optuna's rows and our records: which attribute of a trial holds what."""

import math
from collections.abc import Mapping
from dataclasses import replace
from sys import intern
from typing import Any, cast

from optuna.trial import FrozenTrial, TrialState, create_trial

from ...gan_models.files.errors import UserError
from ...search.records.ledger import NewTrial, TrialRecord
from ...search.records.messages import TrialReport, TrialResult, number_or_none, plain

CONSTRAINT = "constraints:"  # where Optuna's Trial.set_constraint stores them, in the system attributes
_OURS = (
    "method",
    "target",
    "origin",
    "request",
    "identity",
    "attempt",
    "stopped",
    "rungs",
    "cost",
    "quality",
)


def template(new: NewTrial) -> FrozenTrial:
    """The row of a new trial, RUNNING, to be written whole.

    Raises:
        ValueError: a parameter lies outside its distribution, or is missing.
    """
    widths = new.request.get("widths")
    attributes = {
        "method": new.method,
        "target": new.target,
        "origin": new.origin,
        "request": plain(new.request),
        "identity": new.identity,
        "attempt": 0,
    } | ({"plan": plain(widths)} if widths else {})
    return create_trial(
        state=TrialState.RUNNING,
        params=dict(new.params),
        distributions=cast(dict, new.distributions),
        user_attrs=attributes,
        system_attrs=dict(new.sampler_state),
    )


def record_of(row: FrozenTrial) -> TrialRecord:
    """The record that a row holds.

    Raises:
        ValueError: the trial was not written by ganprune.
    """
    attributes = row.user_attrs
    if "method" not in attributes or "request" not in attributes:
        raise UserError(f"trial {row.number} was not written by ganprune; a study takes trials from one program only")
    complete = row.state == TrialState.COMPLETE
    quality, cost = row.values if complete else (attributes.get("quality"), attributes.get("cost"))
    stopped = attributes.get("stopped")
    rungs = {int(step): float(value) for step, value in row.intermediate_values.items()}
    return TrialRecord(
        number=row.number,
        state=row.state.name,  # pyright: ignore[reportArgumentType]
        new=NewTrial(
            method=intern(attributes["method"]),  # the same few texts in every trial
            params=row.params,
            distributions=row.distributions,
            target=attributes["target"],
            origin=intern(attributes.get("origin", "")),
            request=attributes["request"],
            identity=attributes.get("identity", ""),
            sampler_state={k: v for k, v in row.system_attrs.items() if not k.startswith(CONSTRAINT)},
        ),
        attempt=attributes.get("attempt", 0),
        quality=number_or_none(quality),
        cost=number_or_none(cost),
        constraints=dict(row.constraints),
        rungs=dict(sorted(rungs.items())),
        stopped=None if stopped is None else intern(stopped),
        attributes={key: value for key, value in attributes.items() if key not in _OURS},
    )


def checked(result: TrialResult) -> TrialResult:
    """`result`, or the FAIL that it really is: a COMPLETE trial has a finite quality, cost and constraints."""
    if result.state != "COMPLETE":
        return result
    numbers = {"quality": result.quality, "cost": result.cost}
    numbers |= {f"constraint {name}": value for name, value in result.constraints.items()}
    for name, value in numbers.items():
        if value is None or not math.isfinite(value):
            reason = f"{name} is {'missing' if value is None else value}"
            quality = result.quality if result.quality is not None and math.isfinite(result.quality) else None
            return replace(result, state="FAIL", stopped=reason, quality=quality, constraints={})
    return result


def within_budget(result: TrialResult, limit: float | None) -> TrialResult:
    """`result` with the constraint that its cost is at most `limit` (cost / limit - 1; above 0 is over)."""
    if limit is None or result.cost is None or result.state != "COMPLETE":
        return result
    return replace(result, constraints={**result.constraints, "budget": result.cost / limit - 1})


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: plain(value) for key, value in values.items() if value is not None and value not in ("", {}, [])}


def report_attributes(report: TrialReport) -> dict[str, Any]:
    """A report's attributes as they are written; those with nothing in them are left out."""
    return _filled(
        {
            "cost": report.cost,
            "quality": report.quality,
            "rungs": report.rungs,
            "plan": report.widths,
            "architecture": report.architecture,
        }
    )


def result_attributes(result: TrialResult) -> dict[str, Any]:
    """A result's attributes as they are written; those with nothing in them are left out."""
    last = result.rungs[max(result.rungs)] if result.rungs else None
    values: Mapping[str, Any] = {
        "plan": result.widths,
        "architecture": result.architecture,
        "measurements": list(result.measurements),
        "rungs": result.rungs,
        "artifact": result.artifact,
        "stopped": result.stopped,
        "seconds": result.seconds,
        "worker": result.worker,
        "record": result.record,
        "cost": result.cost,
        "quality": last if result.quality is None else result.quality,
    }
    return _filled(values)
