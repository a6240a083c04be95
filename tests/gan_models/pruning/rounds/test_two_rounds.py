"""Large cuts in two rounds: the plan between, the steps, and what interruptions change."""

from dataclasses import replace

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.pruning.rounds.two_rounds import plan_between
from ganprune.gan_models.training.recipe import Recipe
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.trial import trial
from ganprune.search.trial.pruning import prune
from ganprune.spaces.methods import settings_of

from ....tiny_study import SMALL, new_folder, opened

STEPS = {"prune_steps": 3, "finetune_steps": 4, "rungs": (0.5,), "n_test": 60}


def test_the_plan_between_holds_the_last_one_and_the_best_of_the_others():
    """16 channels to 4 go by 8: the four that stay, and the four strongest of those that go."""
    scores = np.arange(16.0)
    between = plan_between(ChannelPlan({"g": (0, 1, 2, 3), "whole": (0, 1)}), {"g": scores, "whole": np.ones(2)})
    assert between.kept == {"g": (0, 1, 2, 3, 12, 13, 14, 15), "whole": (0, 1)}
    with pytest.raises(UserError, match=r"rounds=3; expected 1 or 2"):
        Recipe(rounds=3)


@pytest.fixture(scope="module")
def study():
    config = StudyConfig(name="r", **{**SMALL, **STEPS, "recipe": replace(SMALL["recipe"], rounds=2)})
    plan = opened(config)
    make_teacher(plan, new_folder())
    return plan


def request(study, share, folder):
    target = share * study.resolved.dense["macs"]
    proposal = Proposal("magnitude", settings_of("magnitude", {}), target, "macs")
    return TrialRequest(0, 1, proposal, 7, str(folder), study.resolved, study.prepared)


def untimed(result):
    record = {**result.method_record}
    return replace(
        result, seconds={}, worker="", training=None, measurements=result.measurements[:1], method_record=record
    )


def test_two_rounds_take_as_many_steps_as_one_and_come_to_the_same_plan(study, tmp_path):
    """Steps in between are those of pruning; below a reduction of 75 % nothing is done in between."""
    small = trial.run(request(study, 0.2, tmp_path / "small"), lambda report: True)
    assert (small.steps.prune, small.steps.finetune) == (3, 4)
    assert small.method_record["first round"]["steps"] == 3
    between = small.method_record["first round"]["widths"]
    assert all(between[name] >= width for name, width in small.widths.items())
    assert sum(between.values()) > sum(small.widths.values())
    assert list(small.rungs) == [5, 7]
    large = trial.run(request(study, 0.4, tmp_path / "large"), lambda report: True)
    assert (large.steps.prune, large.steps.finetune) == (0, 7)
    once = open_study(replace(study.resolved, config=replace(study.config, recipe=SMALL["recipe"])), study.prepared)
    assert prune(once, replace(request(study, 0.2, tmp_path), study=once.resolved)).plan.widths == small.widths


def test_a_trial_interrupted_in_its_second_round_ends_as_the_uninterrupted_one(study, tmp_path):
    """Both attempts together are one trial, bit for bit: quality, curve, record and steps."""
    whole = trial.run(request(study, 0.2, tmp_path / "whole"), lambda report: True)

    def dies(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.run(request(study, 0.2, tmp_path / "cut"), dies)
    assert untimed(trial.run(request(study, 0.2, tmp_path / "cut"), lambda report: True)) == untimed(whole)
