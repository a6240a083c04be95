"""Plans that a finished study proposes between its trials, and the training of one."""

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.search.config import StudyConfig
from ganprune.studies.api import RunOptions, Study
from ganprune.studies.plans.proposing import cost_at
from ganprune.studies.results.outcome import outcome_of

from ...records_by_hand import record, trial
from ...tiny_study import SMALL, TRIALS, make

AT = 0.45


@pytest.fixture(scope="module")
def proposed():
    """A study of two uniform trials, and what it proposes between them."""
    tiny = make(StudyConfig(name="between", calibration_images=8, **SMALL), TRIALS[:2])
    study = Study.open("between", f"sqlite:///{tiny.root.parent}/study.db", tiny.root)
    return study, study.propose(f"{AT:.0%}", evaluations=2)


def test_proposals_are_at_the_cost_and_no_trials(proposed):
    """Each is at or under it, scored under its own name and recorded; the front stays what it was."""
    study, plans = proposed
    dense = study.record.attributes["ganprune.dense"]["macs"]
    assert plans
    assert all(0.8 * AT * dense < plan.cost <= AT * dense * (1 + 1e-9) for plan in plans)
    assert all(score.name.startswith("zero-shot[") for plan in plans for score in plan.scores)
    assert all(plan.error > 0 for plan in plans)
    after = Study.open("between", study.storage, study.artifacts)
    assert {plan.name for plan in after.plans} == {plan.name for plan in plans}
    assert len(after.trials) == 2
    assert [plan.quality.value for plan in plans] == sorted(plan.quality.value for plan in plans)


def test_plans_between_trials_are_among_them(proposed):
    """The mean of the neighbors stands beside the neighbors scaled and the uniform plan; some are cut from the dearer."""
    _, plans = proposed
    origins = {plan.origin for plan in plans}
    assert any(origin.startswith("between trials") or origin.endswith(", scaled") for origin in origins)
    assert {plan.parent for plan in plans} == {None, 0}


def test_a_proposal_is_trained_from_the_network_that_it_was_cut_from(proposed):
    """The trial is COMPLETE, passes the check of its cut, and its record names the trial that it goes on from."""
    study, plans = proposed
    plan = next(plan for plan in plans if plan.parent == 0)
    after = study.resume(run_options=RunOptions(executor="local"), plans=[plan.name])
    last = after.trials[-1]
    assert (last.state, last.new.proposal.parent, last.new.origin) == ("COMPLETE", 0, f"plan:{plan.name}")
    assert dict(last.widths) == dict(plan.widths)
    assert last.cost == pytest.approx(plan.cost)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5params", "--at is a cost of study 'by_hand': got 5params, which is params; expected macs"),
        ("50%", "--at is over the budget of study 'by_hand': got 50% = 500 MACs; expected at most 400 MACs"),
        ("much", "budget 'much' is not understood"),
    ],
)
def test_costs_that_are_none_of_the_study_are_refused(text, message):
    """Another cost, more than the budget, and what is no cost."""
    with pytest.raises(UserError, match="^" + message.replace("(", r"\(")):
        cost_at(outcome_of(record(trial(0, 300.0, 5.0))), text)


def test_a_study_without_calibration_inputs_proposes_nothing():
    """One line says what is missing."""
    tiny = make(StudyConfig(name="plain", **SMALL), TRIALS[:1])
    study = Study.open("plain", f"sqlite:///{tiny.root.parent}/study.db", tiny.root)
    with pytest.raises(UserError, match="plans of study 'plain' cannot be scored: got --calibration-images 0"):
        study.propose("45%")
