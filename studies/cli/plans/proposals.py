"""Output of `pareto --at`: plans at a cost between a study's trials, scored before any training."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ....gan_models.files.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from ....search.records.ledger import TrialRecord
    from ...api import Study

EVALUATIONS = 8


def shown_proposals(study: Study, at: str, evaluations: int | None, as_json: bool, console: Console) -> None:
    """Score plans at a cost, and print them with neighboring trained trials.

    Args:
        study: The study.
        at: The cost.
        evaluations: Plans that a local search scores; None: the default number.
        as_json: Print JSON on standard output.
        console: Console for all other output.
    """
    from ....gan_models.files.plain_values import to_json
    from ....spaces.budget import describe
    from ...plans.plan_table import NOTE, PlansFile, plan_table
    from ...plans.proposing import cost_at
    from ...results.outcome import outcome_of

    if evaluations is not None and evaluations < 2:
        raise UserError(f"--evaluations is too small: got {evaluations}; expected 2 or more")
    begun, outcome = time.perf_counter(), outcome_of(study.record)
    target, dense = cost_at(outcome, at), outcome.dense.get(outcome.cost)
    plans = study.propose(at, evaluations or EVALUATIONS)
    seconds = time.perf_counter() - begun
    if as_json:
        content = PlansFile(study.record.name, outcome.cost, outcome.dense, plans, target, seconds)
        print(json.dumps(to_json(content), indent=1, allow_nan=False))
        return
    title = f"proposals of {study.record.name} at {describe(target, outcome.cost)}"
    console.print(plan_table(plans, outcome.cost, dense, title))
    for trial in _neighbors(outcome.front, target):
        share = "" if not dense else f", {100 * (trial.cost or 0) / dense:.1f} % of dense"
        cost = describe(trial.cost or 0.0, outcome.cost)
        console.print(
            f"trained: trial {trial.number}, {trial.new.method}, {cost}{share}: {outcome.metric} {trial.quality:.4g}",
            highlight=False,
        )
    console.print(f"note: {NOTE}; {seconds:.0f} s", highlight=False)
    if plans:
        console.print(f"`ganprune resume {study.record.name} --plan {plans[0].name}` trains the first", highlight=False)


def _neighbors(front: tuple[TrialRecord, ...], target: float) -> list[TrialRecord]:
    """Return the trials of the front next to a cost."""
    below = [trial for trial in front if (trial.cost or 0.0) < target]
    above = [trial for trial in front if (trial.cost or 0.0) >= target]
    return [*below[-1:], *above[:1]]
