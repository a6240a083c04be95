"""A given plan as a trial of a study, from its check to its training."""

import json
from dataclasses import replace

import pytest
from ganprune.gan_models.files.atomic_files import read_json
from ganprune.gan_models.files.errors import UserError
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy
from ganprune.studies.api import RunOptions, Search
from ganprune.studies.plans.given_plan import GivenPlan
from ganprune.studies.plans.planned_trial import planned_trial

from ...tiny_study import SMALL, opened


@pytest.fixture(scope="module")
def study():
    """A study of one generator under two budgets."""
    return opened(StudyConfig(name="p", **SMALL | {"budgets": ("60%", "6000params")}))


def uniform(study, share: float) -> dict[str, int]:
    return study.proposals().widths.uniform(share * study.resolved.dense["macs"])


def test_a_plan_becomes_a_trial_of_widths(study):
    """Its target is what it costs, and its origin says the plan."""
    widths = uniform(study, 0.3)
    new = planned_trial(study, GivenPlan("P3", widths))
    assert (new.method, new.proposal.widths, new.origin) == ("widths", widths, "plan:P3")
    assert new.target == study.proposals().widths.price(widths)


def test_channels_make_another_trial_than_their_widths(study):
    """Two plans of the same widths and other channels are other networks."""
    widths = uniform(study, 0.3)
    first = {name: tuple(range(width)) for name, width in widths.items()}
    one, two = (planned_trial(study, GivenPlan("c", widths, channels)) for channels in (first, None))
    assert one.proposal.channels == first
    assert one.identity != two.identity


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nowhere": 3}, "is of another network: got nowhere, which is none of them"),
        ({"model.1": None}, "is of another network: got nothing of model.1"),
        ({"model.1": 0}, "has no such width: got model.1=0; expected 1 to 4"),
        ({"model.1": 5}, "has no such width: got model.1=5; expected 1 to 4"),
    ],
)
def test_a_plan_of_another_network_is_refused(study, change, message):
    """Groups and widths are those of the study's network."""
    widths = {name: width for name, width in (uniform(study, 0.3) | change).items() if width is not None}
    with pytest.raises(UserError, match=message):
        planned_trial(study, GivenPlan("mine.json", widths))


def test_a_plan_over_any_budget_is_refused(study):
    """The first budget and the others are told apart."""
    sizes = dict(zip(study.groups.form.names, study.groups.form.sizes.tolist(), strict=True))
    with pytest.raises(UserError, match=r"plan big is over the budget: got .*; expected at most .* Try a smaller plan"):
        planned_trial(study, GivenPlan("big", sizes))
    tight = replace(
        study.resolved, budgets=(study.resolved.budgets[0], replace(study.resolved.budgets[1], limit=2000.0))
    )
    with pytest.raises(UserError, match="over the budget 6000params: got"):
        planned_trial(OpenedStudy(tight, like=study), GivenPlan("big", uniform(study, 0.58)))


def test_channels_of_another_network_are_refused(study):
    """Each is one of the group's, in rising order."""
    widths = uniform(study, 0.3)
    channels = {name: tuple(range(90, 90 + width)) for name, width in widths.items()}
    with pytest.raises(UserError, match="plan c has no such channels: got"):
        planned_trial(study, GivenPlan("c", widths, channels))


def test_resume_trains_the_plans_it_is_given_and_nothing_else(tmp_path):
    """Two plans of a study of one trial are two more trials, cut to exactly these channels, and the total is three."""
    options = {name: value for name, value in SMALL.items() if name not in ("model", "data", "budgets")}
    options |= {"trials": 1, "methods": ("uniform",), "n_eval": 8}
    search = Search("resnet", "builtin:shapes", "60%", "p", options, f"sqlite:///{tmp_path}/s.db")
    made = replace(search, run_options=RunOptions(executor="local")).run()
    plan = read_json(made.folder.path / "0" / "plan.json")
    channels = {name: kept[1:] or kept for name, kept in plan.items()}
    (tmp_path / "c.json").write_text(json.dumps({"channels": channels}))
    (tmp_path / "w.json").write_text(json.dumps({"widths": dict.fromkeys(plan, 1)}))
    after = made.resume(run_options=RunOptions(executor="local"), plans=[f"{tmp_path}/c.json", f"{tmp_path}/w.json"])
    assert [(trial.state, trial.new.origin) for trial in after.trials[1:]] == [
        ("COMPLETE", "plan:c.json"),
        ("COMPLETE", "plan:w.json"),
    ]
    assert read_json(after.folder.path / "1" / "plan.json") == channels
    assert after.trials[1].new.proposal.channels == {name: tuple(kept) for name, kept in channels.items()}
    assert set(after.trials[2].widths.values()) == {1}
    assert after.config.trials == 3
    assert all(0 < trial.zero_shot.outputs < 2 for trial in after.trials)
