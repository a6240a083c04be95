"""Reconstruct: the plan of the lowest zero-shot score in a search without training. Original to ganprune.

The solver finds widths from the score table, with sensitivities measured end to end. Local search then lowers the error
of cut and refitted networks (`plan_scores.plan_search`). The trial refits and fine-tunes as with any plan. For large
cuts, untrained scores make groups too narrow that training would use; `min_share` limits that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...files.errors import UserError
from ...groups.surgery import cut
from ...plan_scores.least_widths import least_widths
from ...plan_scores.plan_search import find_plan
from ...plan_scores.solver import bounds_of
from ...plan_scores.zero_shot import Features, ZeroShotScorer, cpu_features
from ...reconstruction.reconstruction import MIN_CALIBRATION_INPUTS
from ..method import Pruned, PruneJob
from ..ranking import check_feasible, table_of
from .settings import ReconstructSettings


class Reconstruct:
    """The method: widths by zero-shot scores, without training steps."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cut to the plan that the search found.

        Raises:
            InfeasibleBudget: No plan meets the target.
            UserError: The job has no calibration inputs, or too few to score a plan.
        """
        form, target, settings = job.groups.form, job.target, job.proposal.settings
        assert isinstance(settings, ReconstructSettings)
        check_feasible(form, target)
        table = table_of(job)
        assert job.calibration is not None  # otherwise there would be no table
        features = _features(job, settings)
        scorer = ZeroShotScorer(job.model, job.groups, job.calibration, features)
        uniform = form.solve(
            np.ones(len(form.names)), target.value, target.cost, target.floor, target.multiple, target.model
        )
        widths_by_name = dict(zip(form.names, uniform.tolist(), strict=True))

        def score(widths: Mapping[str, int]) -> float:
            return scorer.score(table.plan(widths)).guide

        found = find_plan(
            form,
            table,
            bounds_of(form, target.cost, target.value, target.model),
            least_widths(form, uniform, settings.min_share, target.floor, target.multiple),
            score,
            reference=widths_by_name,
            starts=job.proposal.starts,
            multiple=target.multiple,
            evaluations=settings.evaluations,
            seed=job.seed,
        )
        if not np.isfinite(found.search.best.score):
            raise UserError(
                f"method {job.proposal.method} cannot score plans: got {len(job.calibration.inputs[0])} calibration "
                f"inputs, of which {len(job.calibration.fitting(job.model)[0])} fit into memory; expected at least "
                f"{MIN_CALIBRATION_INPUTS}. Try 64 of them, or smaller ones"
            )
        plan = table.plan(found.widths)
        record = {
            "table": {"identity": table.identity, "inputs": table.inputs, "macs": table.macs},
            "guide": "outputs" if features is None else "features",
            "evaluations": found.evaluations,
            "calibration_macs": scorer.macs,
            "score": found.search.best.score,
            "uniform_score": next((one.score for one in found.search.visited if one.widths == widths_by_name), None),
            "sensitivities": dict(found.sensitivities),
            "path": [one.score for one in found.search.visited],
        }
        spent = table.macs + scorer.macs
        pruned = cut(job.model, job.groups, plan)
        return Pruned(pruned, plan, record=record, calibration_macs=spent, notes=(_note(record),))


def _note(record: Mapping[str, Any]) -> str:
    """Return a note for the user on how the plan was found."""
    text = f"{record['evaluations']} plans were compared by the error of their {record['guide']}: {record['score']:.3g}"
    return (
        text
        if record["uniform_score"] is None
        else f"{text}, that of the uniform plan is {record['uniform_score']:.3g}"
    )


def _features(job: PruneJob, settings: ReconstructSettings) -> Features | None:
    """Return the encoder of output images on the CPU; None if outputs are compared."""
    judging = job.calibration.judging if job.calibration is not None else ()
    if settings.guide == "outputs" or job.training is None or job.training.encoder is None:
        return None
    if not judging or not len(judging[0]):  # all training inputs are used for fitting
        return None
    return cpu_features(job.training.encoder, job.training.device)
