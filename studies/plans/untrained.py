"""The export of a scored plan that was never trained: only with explicit consent, which the card repeats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...gan_models.export.file_options import FileOptions
from ...gan_models.pruning.proposal import Proposal
from ...search.artifacts.study_folder import StudyFolder
from ...search.forecast.rebuilt_plan import rebuilt_plan
from ...search.records.ledger import NewTrial, TrialRecord
from ...search.records.messages import TrialOutcome
from ...search.records.plan_score import PlanScore
from ...spaces.methods import settings_of
from ..bundles.card import Card
from ..bundles.export import NotExportable, StudyExporter, Untrained
from ..bundles.trial_weights import open_recorded
from ..database.reader import StudyRecord
from ..results.outcome import outcome_of
from .plan_records import recorded_plans
from .planned_trial import METHOD, ORIGIN_PREFIX


def export_plan(
    study: StudyRecord,
    name: str,
    artifacts_root: str | Path,
    out: str | Path,
    untrained: bool,
    overwrite: bool = False,
    int8: bool = False,
    formats: Sequence[str] | None = None,
    options: FileOptions = FileOptions(),
) -> Card:
    """Write the network of a scored plan as a bundle; it is cut and refitted again, as for its score.

    Args:
        study: The study's record.
        name: Name of the plan.
        artifacts_root: Folder of all studies' artifacts.
        out: The bundle's folder.
        untrained: True if the user confirms that it was never trained.
        overwrite: True to replace an existing bundle.
        int8: True to also write the file in 8 bits.
        formats: Names of export formats; None: those that are written by default.
        options: Options of the files.

    Raises:
        NotExportable: There is no such plan, or `untrained` is False.
        UserError, ArtifactError, RuntimeError: As for `export_trial`.
    """
    plans = recorded_plans(study)
    plan = next((each for each in plans if each.name == name), None)
    if plan is None:
        there = f"{plans[0].name} to {plans[-1].name}" if plans else "none"
        raise NotExportable(f"plan is not known: got {name}; study {study.name!r} has {there}")
    if not untrained:
        raise NotExportable(
            f"plan {name} was not trained: got a network that is cut and refitted; expected a trained trial. "
            f"Try `ganprune resume {study.name} --plan {name}`, or --untrained, and the card says so"
        )
    outcome, folder = outcome_of(study), StudyFolder(Path(artifacts_root), study.name)
    opened = open_recorded(outcome, folder)
    parent = next((trial for trial in study.trials if trial.number == plan.parent), None)
    model, kept = rebuilt_plan(opened, folder.path, plan, parent)
    stands_in = _stand_in(plan, outcome.cost, kept.architecture(outcome.config.model_name, outcome.config.model_args))
    exporter = StudyExporter(study, artifacts_root, int8, formats, options=options)
    return exporter.export(stands_in, out, overwrite, Untrained(name, model, kept))


def _stand_in(plan: PlanScore, cost: str, architecture: str) -> TrialRecord:
    """Return the provenance of a plan for a bundle, in the form of a trial that is not recorded."""
    scores = sorted(plan.scores, key=lambda score: score is not plan.quality)
    widths = dict(plan.widths)
    proposal = Proposal(METHOD, settings_of(METHOD, {}), plan.cost, cost, widths, parent=plan.parent)
    outcome = TrialOutcome(
        "COMPLETE", cost=plan.cost, measurements=tuple(scores), widths=widths, architecture=architecture
    )
    return TrialRecord(
        -1, "COMPLETE", NewTrial(proposal, {}, {}, f"{ORIGIN_PREFIX}{plan.name}"), cost=plan.cost, outcome=outcome
    )
