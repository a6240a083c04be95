"""Fine-tuning of a cut network: where it stops, and what it says at a rung."""

from dataclasses import replace

import pytest
from ganprune.evaluators.health.collapse import HealthLimits
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.study_folder import read_curve
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.trial.cut_check import check_cut
from ganprune.search.trial.fine_tuning import FineTuning
from ganprune.search.trial.pruning import prune
from ganprune.search.trial.work import TrialWork
from ganprune.spaces.methods import settings_of

from ...tiny_study import SMALL, new_folder, opened


@pytest.fixture(scope="module")
def made():
    """A study of 6 steps of fine-tuning and two rungs, 3 steps of pruning that `uniform` does not use."""
    config = StudyConfig(
        name="f", **SMALL | {"finetune_steps": 6, "rungs": (0.34, 0.67), "prune_steps": 3},
        health=HealthLimits(checks=0),
    )  # fmt: skip
    plan = opened(config)
    make_teacher(plan, new_folder())
    return plan


def work(made, report) -> TrialWork:
    """A trial of `uniform` that is cut and checked."""
    plan, study = made, made.resolved
    target = 0.5 * study.dense["macs"]
    proposal = Proposal("uniform", settings_of("uniform", {}), target, "macs", plan.proposals().widths.uniform(target))
    request = TrialRequest(0, 1, proposal, 7, str(new_folder()), study, plan.prepared)
    trial = TrialWork(open_study(study, plan.prepared), request, report)
    trial.pruned = prune(trial.study, request)
    trial.checked = check_cut(trial.study, trial.pruned, request)
    trial.generators = trial.networks()
    return trial


def test_rungs_lie_behind_the_steps_that_were_not_spent_on_pruning(made):
    """Shares of 6 steps, 2 and 4, after 3 spare ones: reports of trials at a rung had equal training."""
    said = []
    trial = work(made, lambda report: said.append(report) or True)
    record = FineTuning(trial).train()
    assert [report.step for report in said] == [5, 7]
    assert record.steps == 9
    assert said[-1].rungs == {step: report.quality for step, report in zip((5, 7), said, strict=True)}
    assert {report.cost for report in said} == {trial.cost}
    assert set(said[-1].seconds) >= {"finetune", "measure"}


def test_a_rung_that_is_answered_with_no_ends_the_training(made):
    """Nothing is trained after it, and the quality at the rung is on disk before anybody is told."""
    on_disk = []
    trial = work(made, lambda report: False)
    trial.report = lambda report: on_disk.append(read_curve(trial.request.workspace)) or False
    record = FineTuning(trial).train()
    assert (record.steps, record.stopped) == (5, True)
    assert [list(curve) for curve in on_disk] == [[5]]


def test_a_training_that_was_ended_stays_ended(made):
    """After a crash between the answer and the record it is not trained on, whatever would be answered now."""
    first = work(made, lambda report: False)
    FineTuning(first).train()
    again = work(made, lambda report: True)
    again.request = replace(again.request, workspace=first.request.workspace)
    record = FineTuning(again).train()
    assert (record.steps, record.stopped) == (5, True)
