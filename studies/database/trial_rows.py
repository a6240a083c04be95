"""Conversion between Optuna's rows and ganprune's records: the attributes of a trial."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from sys import intern
from typing import Any, cast

from optuna.trial import FrozenTrial, TrialState, create_trial

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...gan_models.files.plain_values import from_json, to_json
from ...gan_models.pruning.proposal import Proposal
from ...search.records.layout_0_1 import upgraded_row
from ...search.records.learning_curve import LearningCurve
from ...search.records.ledger import NewTrial, TrialRecord
from ...search.records.messages import TrialOutcome, TrialReport
from ...search.records.plan_score import errors_of
from ...spaces.methods import BITS, TARGET, stored_settings
from .dashboard_fields import ARTIFACT
from .lazy_records import EMPTY

LOST_REASON = "lost"  # reason that a trial was last put back
CONSTRAINT = "constraints:"  # the system attribute in which Optuna's Trial.set_constraint stores them
# Places of outcome fields that are not attributes, or are attributes of another name. All others are attributes of
# their own names.
ROW_FIELDS = ("state", "rungs", "constraints")  # the state, Optuna's intermediate values, Optuna's constraints
PLAN = "plan"  # the widths: of the proposal until the cut network's are known
CURVES = "curves"  # losses by phase, of a report and of an outcome
OUTCOME = tuple(field.name for field in fields(TrialOutcome) if field.name not in (*ROW_FIELDS, "widths"))


def template(new: NewTrial) -> FrozenTrial:
    """Return the row of a new trial, RUNNING, to write in one transaction.

    Raises:
        ValueError: A parameter is outside its distribution, or missing.
    """
    attributes = {"origin": new.origin, "identity": new.identity, "attempt": 0, **proposal_attributes(new)}
    return create_trial(
        state=TrialState.RUNNING,
        params=dict(new.params),
        distributions=cast(dict, new.distributions),
        user_attrs=attributes,
        system_attrs=dict(new.sampler_state),
    )


def proposal_attributes(new: NewTrial, plan: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return the attributes of a trial's proposal, without values stored elsewhere in the row.

    Settings, target and bits that are parameters of the trial stay parameters, where samplers and other programs read
    them. Given widths are the attribute `plan`, like those that a method finds.

    Args:
        new: The trial.
        plan: Channels per group of the cut network, if known; different given widths are stored in addition.
    """
    proposal, params = new.proposal, new.params
    fields = {name: value for name, value in to_json(proposal).items() if not _in_params(params, name, value)}
    method, widths = fields.pop("method"), fields.pop("widths")
    for later in ("channels", "parent"):  # as in rows of versions that cut only the teacher
        if fields[later] is None:
            del fields[later]
    settings = fields.pop("settings").items()
    fields["settings"] = {k: value for k, value in settings if not _in_params(params, f"{method}.{k}", value)}
    if widths is None or (plan is not None and dict(plan) != widths):
        return {"method": method, "proposal": fields | {"widths": widths}}
    return {"method": method, "proposal": fields, "plan": widths}


def _in_params(params: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in params and params[name] == value and type(params[name]) is type(value)


def _proposal_of(attributes: Mapping[str, Any], params: Mapping[str, Any]) -> Proposal:
    """Return the proposal that `proposal_attributes` wrote."""
    stored, method = attributes["proposal"], intern(attributes["method"])
    start = f"{method}."
    settings = {name.removeprefix(start): value for name, value in params.items() if name.startswith(start)}
    return Proposal(
        method=method,
        settings=stored_settings(method, settings | stored["settings"]),
        target=stored.get(TARGET, params.get(TARGET)),
        cost=intern(stored["cost"]),
        widths=stored["widths"] if "widths" in stored else attributes["plan"],
        bits=stored.get(BITS, params.get(BITS)),
        channels=_channels(stored.get("channels")),
        parent=stored.get("parent"),
        recipe=stored.get("recipe", EMPTY),
        starts=tuple(stored.get("starts", ())),
    )


def _channels(stored: Mapping[str, list[int]] | None) -> dict[str, tuple[int, ...]] | None:
    return None if stored is None else {group: tuple(kept) for group, kept in stored.items()}


def record_of(row: FrozenTrial, fixed: Mapping[str, Any] = EMPTY, whole: bool = True, sign: float = 1.0) -> TrialRecord:
    """Return the record of a row.

    Args:
        row: The row.
        fixed: Settings that the study fixes, by `method.setting`; rows of version 0.1.0 do not repeat them.
        whole: False to omit the outcome, which halves the time.
        sign: Factor from an objective's value in Optuna's tables to a quality: -1 if the study maximizes it.

    Raises:
        UserError: The trial was not written by ganprune.
    """
    attributes = upgraded_row(row.user_attrs, fixed)
    if "method" not in attributes or "proposal" not in attributes:
        raise UserError(f"trial {row.number} was not written by ganprune; a study takes trials from one program only")
    complete = row.state == TrialState.COMPLETE
    quality, cost = row.values if complete else (attributes.get("quality"), attributes.get("cost"))
    quality, cost = _number(quality), _number(cost)
    if complete and quality is not None:
        quality *= sign
    stopped = attributes.get("stopped")
    rungs = {int(step): sign * float(value) for step, value in sorted(row.intermediate_values.items())}
    record = TrialRecord(
        number=row.number,
        state=row.state.name,  # pyright: ignore[reportArgumentType]
        new=NewTrial(
            proposal=_proposal_of(attributes, row.params),
            params=row.params,
            distributions=row.distributions,
            origin=intern(attributes.get("origin", "")),  # these few texts are the same in every trial
            identity=attributes.get("identity", ""),
            sampler_state={k: v for k, v in row.system_attrs.items() if not k.startswith((CONSTRAINT, ARTIFACT))},
        ),
        attempt=attributes.get("attempt", 0),
        quality=quality,
        cost=cost,
        constraints=dict(row.constraints),
        rungs=rungs,
        zero_shot=errors_of([Measurement.from_json(score) for score in attributes.get("zero_shot", ())]),
        stopped=None if stopped is None else intern(stopped),
        lost=intern(attributes.get(LOST_REASON, "")),
    )
    if record.finished:
        return replace(record, outcome=_outcome_of(attributes, record)) if whole else record
    if not rungs or quality is None or cost is None:
        return record
    widths, plan = attributes.get(PLAN, EMPTY), attributes.get("architecture", "")
    curves = from_json(dict[str, LearningCurve], attributes.get(CURVES, {}), f"trial {row.number}")
    report = TrialReport(max(rungs), quality, cost, rungs, widths, plan, curves=curves)
    return replace(record, report=report)


def _outcome_of(attributes: Mapping[str, Any], record: TrialRecord) -> TrialOutcome:
    """Return a trial's outcome, from its row's attributes and the rest of its record."""
    stored = {name: attributes[name] for name in OUTCOME if name in attributes}
    known = {name: getattr(record, name) for name in ("state", "quality", "cost", "rungs", "constraints", "stopped")}
    return from_json(TrialOutcome, {**stored, **known, "widths": attributes.get(PLAN, {})}, f"trial {record.number}")


def _number(value: Any) -> float | None:
    """Return a float from JSON, which has texts for NaN and infinity."""
    return None if value is None else float(value)


def checked(outcome: TrialOutcome) -> TrialOutcome:
    """Return `outcome`, or FAIL for a COMPLETE trial without finite quality, cost and constraints."""
    if outcome.state != "COMPLETE":
        return outcome
    numbers = {"quality": outcome.quality, "cost": outcome.cost}
    numbers |= {f"constraint {name}": value for name, value in outcome.constraints.items()}
    for name, value in numbers.items():
        if value is None or not math.isfinite(value):
            reason = f"{name} is {'missing' if value is None else value}"
            quality = outcome.quality if outcome.quality is not None and math.isfinite(outcome.quality) else None
            return replace(outcome, state="FAIL", stopped=reason, quality=quality, constraints={})
    return outcome


def within_budget(outcome: TrialOutcome, limit: float | None) -> TrialOutcome:
    """Return `outcome` with the constraint that its cost is at most `limit` (cost / limit - 1; above 0 is over)."""
    if limit is None or outcome.cost is None or outcome.state != "COMPLETE":
        return outcome
    return replace(outcome, constraints={**outcome.constraints, "budget": outcome.cost / limit - 1})


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON, without empty ones."""
    found = {key: to_json(value) for key, value in values.items()}
    return {key: value for key, value in found.items() if value is not None and value not in ("", {}, [])}


def _of_plan(new: NewTrial, plan: Mapping[str, int]) -> dict[str, Any]:
    """Return the proposal's attribute again if the attribute `plan` no longer has the given widths."""
    given = new.proposal.widths
    return {"proposal": proposal_attributes(new, plan)["proposal"]} if given is not None and plan else {}


def report_attributes(new: NewTrial, report: TrialReport) -> dict[str, Any]:
    """Return a report's attributes as they are written, without empty ones.

    Its rungs are Optuna's intermediate values, and its step is the last of them.
    """
    values = {name: getattr(report, name) for name in ("cost", "quality", "architecture")}
    return _of_plan(new, report.widths) | _filled({**values, PLAN: report.widths, CURVES: report.curves})


def outcome_attributes(new: NewTrial, outcome: TrialOutcome) -> dict[str, Any]:
    """Return an outcome's attributes as they are written, without empty ones.

    Quality and cost are also attributes, in every state, because Optuna stores values of COMPLETE trials only.
    """
    last = outcome.rungs[max(outcome.rungs)] if outcome.rungs else None
    values = {name: getattr(outcome, name) for name in OUTCOME}
    values |= {PLAN: outcome.widths, "quality": last if outcome.quality is None else outcome.quality}
    return _of_plan(new, outcome.widths) | _filled(values)
