"""Plans at a cost between those of the trials, scored before any training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...gan_models.costs.catalog import FORM_COSTS
from ...spaces.widths import WidthSpace
from ..preparations.opened_study import OpenedStudy
from ..records.ledger import TrialRecord
from ..records.plan_score import PlanScore
from .cost_range import check_calibration
from .cuttable import Cuttable, trial_networks
from .plan_scorer import KnownScores, PlanScorer
from .plans_at_cost import plans_at, sensitivities, space_of

Widths = Mapping[str, int]
ROUNDING = 1e-9


def plans_between(
    study: OpenedStudy,
    folder: Path,
    front: Sequence[TrialRecord],
    target: float,
    evaluations: int,
    known: KnownScores = KnownScores(),
) -> Iterator[PlanScore]:
    """Yield scored plans at or under a cost, their networks cut from the teacher, or from the nearest dearer trial.

    The plans are the uniform one; those of the front's neighbors and their geometric mean, scaled to the cost; the
    score table's; and those that a local search on the error finds from these. The study's metrics are measured, too.

    Args:
        study: The study, with its teacher.
        folder: Its files.
        front: The front of trials, by rising cost.
        target: The cost.
        evaluations: Plans per generator that the local search scores at most.
        known: Scores that the study has already: none of them is made again.

    Raises:
        UserError: The study has no calibration inputs.
    """
    check_calibration(study)
    space = space_of(study)
    starts = _starts(space, front, target)
    scorer = PlanScorer.of_teacher(study, folder, evaluations + len(starts) + 3, known)
    found = plans_at(
        study, scorer, target, sensitivities(study, scorer), list(starts.values()), evaluations + len(starts)
    )
    named = {**starts, found.origin(found.best): found.best, "uniform": found.uniform}
    chosen = _distinct(named)
    for origin, widths in chosen.items():
        yield scorer.record(widths, origin, "proposal")
    parent = next((trial for trial in front if (trial.cost or 0.0) >= target and _weights(folder, trial)), None)
    if parent is None:
        return
    networks = trial_networks(study, folder, parent)
    own = PlanScorer(study, networks, parent.number, keeps=len(chosen) + 1, known=known)
    inside = {origin: _inside(study, networks, space, widths, target) for origin, widths in chosen.items()}
    for origin, widths in _distinct({name: plan for name, plan in inside.items() if plan is not None}).items():
        yield own.record(widths, origin, "proposal")


def _starts(space: WidthSpace, front: Sequence[TrialRecord], target: float) -> dict[str, dict[str, int]]:
    """Return plans derived from the front's neighbors of a cost, by their origin."""
    below = [trial for trial in front if (trial.cost or 0.0) < target and trial.widths]
    above = [trial for trial in front if (trial.cost or 0.0) >= target and trial.widths]
    near = [*below[-1:], *above[:1]]
    found = {f"trial {trial.number}, scaled": _scaled(space, trial.widths, target) for trial in near}
    if len(near) == 2:
        one, two = (np.log(space.form.widths(trial.widths)) for trial in near)
        costs = np.log([float(trial.cost or 1.0) for trial in near])
        part = float(np.clip((np.log(target) - costs[0]) / max(costs[1] - costs[0], 1e-12), 0, 1))
        mean = dict(zip(space.form.names, np.exp((1 - part) * one + part * two).tolist(), strict=True))
        origin = f"between trials {near[0].number} and {near[1].number}"
        found = {origin: _scaled(space, mean, target), **found}
    return found


def _scaled(space: WidthSpace, widths: Mapping[str, float], target: float) -> dict[str, int]:
    """Return the plan of the same proportions at a cost; tied groups have their mean."""
    shares = {name: widths[name] / size for name, size in zip(space.form.names, space.form.sizes, strict=True)}
    if set(space.dimensions) == set(shares):
        return space.decode(shares, target)
    whole = {name: max(1, round(width)) for name, width in widths.items()}
    return space.decode(space.encode(whole), target)


def _distinct(named: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return plans without those that are the same as an earlier one."""
    kept: dict[str, dict[str, int]] = {}
    for origin, widths in named.items():
        if widths not in kept.values():
            kept[origin] = widths
    return kept


def _inside(
    study: OpenedStudy, networks: Mapping[str, Cuttable], space: WidthSpace, widths: Widths, target: float
) -> dict[str, int] | None:
    """Return the plan of the same proportions that a trial's network can be cut to; None if there is none.

    Args:
        study: The study.
        networks: The trial's.
        space: The study's space.
        widths: The plan.
        target: The cost.
    """
    shares = {side.name: side.share for side in study.sides} or dict.fromkeys(networks, 1.0)
    solves = space.cost in FORM_COSTS and not space.bounds
    plan: dict[str, int] = {}
    for name, own in networks.items():
        start = "" if len(networks) == 1 else f"{name}."
        form = own.groups.form
        wanted = {group: min(widths[start + group], size) for group, size in own.groups.sizes.items()}
        if solves:
            limit = shares[name] * target
            ratios = [wanted[group] / size for group, size in own.groups.sizes.items()]
            solved = form.solve(ratios, limit, space.cost, 1, study.config.channel_multiple)
            wanted = dict(zip(form.names, solved.tolist(), strict=True))
        plan |= {start + group: width for group, width in wanted.items()}
    if set(plan) != set(widths) or space.target_of(plan) > target * (1 + ROUNDING):
        return None
    return plan


def _weights(folder: Path, trial: TrialRecord) -> bool:
    """Return True if a trial's float32 weights are there."""
    artifact = trial.ended().artifact
    return artifact is not None and bool(artifact.plan) and (folder / artifact.path).is_file()
