"""Hours of a search by closed forms, and the options that shorten it."""

from dataclasses import replace

import pytest
import torch
from ganprune.search.config import StudyConfig
from ganprune.search.preflight.estimate import (
    CONTINUED_SHARE,
    START_S,
    Workload,
    duration,
    estimated,
    options_that_shorten,
)
from ganprune.search.preflight.launch import Placement
from ganprune.search.preflight.timing import Timing
from ganprune.search.simulation.step_times import StepTimes

from ...tiny_study import SMALL

WORK = Workload(
    teacher_steps=1000, trials=10, pruning_trials=0, prune_steps=100, finetune_steps=300, rungs=(), stops=False,
    low=0.5, high=0.5, measured=100, reals=100,
)  # fmt: skip
TIMING = Timing(StepTimes(teacher=2.0, dense=1.0, small=0.5, share=0.0), image=0.01, features=96)
START = START_S[0] + 10 * START_S[1]


def seconds(work=WORK, timing=TIMING) -> dict[str, float]:
    return {part.name: 3600 * part.hours for part in estimated(work, timing).parts}


def test_steps_are_counted_by_the_cost_of_the_plan():
    """Half the cost is on the line between the small network and the dense one: 0.75 s per step here."""
    found = seconds()
    assert found["teacher"] == pytest.approx(2000)
    assert found["fine-tuning"] == pytest.approx(10 * 400 * 0.75)  # who does not prune fine-tunes all the more
    assert found["starting"] == pytest.approx(START)
    assert found["real images, teacher measured"] == pytest.approx(3 * 100 * 0.01)
    assert found["measuring"] == pytest.approx(10 * 100 * 0.01 * 0.75, rel=0.01)
    assert 3600 * estimated(WORK, TIMING).hours == pytest.approx(sum(found.values()))


def test_starting_takes_longer_beside_others():
    """Seconds of starting are those of a quiet machine; steps were timed beside the others already."""
    found = seconds(timing=replace(TIMING, slowdown=3.0))
    assert found["starting"] == pytest.approx(3 * START)
    assert found["teacher"] == seconds()["teacher"]


def test_pruning_steps_are_of_the_dense_network():
    """A method that trains before it cuts spends its pruning steps at full width."""
    found = seconds(replace(WORK, pruning_trials=10))
    assert found["pruning"] == pytest.approx(10 * 100 * 1.0)
    assert found["fine-tuning"] == pytest.approx(10 * 300 * 0.75)


def test_plans_that_are_scored_before_training_take_their_time():
    """Each calibration input of each scored plan takes three times as long as an image that is measured."""
    found = seconds(replace(WORK, plan_inputs=1000.0, at_once=2))
    assert found["scoring plans"] == pytest.approx(1000 * 3.0 * 0.01 / 2)
    assert "scoring plans" not in seconds()


def test_trials_that_run_at_once_share_the_time():
    """Trials take half as long two at a time; the teacher does not."""
    one, two = seconds(), seconds(replace(WORK, at_once=2))
    assert two["fine-tuning"] == pytest.approx(one["fine-tuning"] / 2)
    assert two["teacher"] == one["teacher"]


def test_stopped_trials_are_not_trained_on():
    """Trials that may be stopped at half their steps: a part goes on, and each that gets there is measured."""
    whole = seconds(replace(WORK, prune_steps=0, rungs=(0.5,)))
    stopped = seconds(replace(WORK, prune_steps=0, rungs=(0.5,), stops=True))
    assert stopped["fine-tuning"] == pytest.approx((0.5 + 0.5 * CONTINUED_SHARE) * whole["fine-tuning"])
    assert stopped["measuring"] == pytest.approx((1 + CONTINUED_SHARE) / 2 * whole["measuring"], rel=0.01)


def test_the_front_is_measured_once_more_on_the_test_images():
    """Only a search that chooses by other images does that."""
    assert "front on test images" not in seconds()
    assert seconds(replace(WORK, tested=200))["front on test images"] == pytest.approx(
        4 * (START_S[1] + 200 * 0.01 * 0.75)
    )


def test_a_time_limit_ends_the_search():
    """Hours are the limit's if the search would take more, and the line says both."""
    limited = estimated(replace(WORK, hours=1.0), TIMING)
    assert limited.hours == 1.0 < limited.whole
    assert f"of {duration(limited.whole)} without --hours" in limited.line


def test_options_that_shorten_are_named_with_their_hours_best_first():
    """Each option's hours are those of the search with it; what saves less than a tenth is not named."""
    config = StudyConfig(
        name="e", **SMALL | {"teacher_steps": 1000, "finetune_steps": 300, "prune_steps": 100, "trials": 10}
    )
    found = options_that_shorten(config, WORK, TIMING, Placement(most=1, cpus_per_trial=10**6))
    by_option = {each.option: each.hours for each in found}
    assert by_option["--trials 5"] == pytest.approx(estimated(replace(WORK, trials=5), TIMING).whole)
    assert "--prune-steps 25 --finetune-steps 75" in by_option
    hours = [each.hours for each in found]
    assert hours == sorted(hours)
    assert max(hours) <= 0.9 * estimated(WORK, TIMING).whole
    assert not [option for option in by_option if option.startswith(("--max-concurrent", "--n-eval"))]


def test_a_given_teacher_is_not_named_again():
    """With a teacher and its discriminator there is nothing to train before the search."""
    config = StudyConfig(name="e", **SMALL | {"teacher": "t", "teacher_discriminator": "d", "trials": 4})
    found = options_that_shorten(config, replace(WORK, teacher_steps=0), TIMING, Placement())
    assert not [each for each in found if "--teacher" in each.option]


@pytest.mark.parametrize(
    ("hours", "text"), [(40 / 3600, "40 s"), (2.5 / 60, "2.5 min"), (0.2, "12 min"), (14.5, "14.5 h")]
)
def test_hours_are_shown_in_words(hours, text):
    """Seconds below a minute and a half, minutes below an hour and a half."""
    assert duration(hours) == text


def test_as_many_trials_run_at_once_as_cpus_gpus_and_the_user_allow():
    """One in this process; else CPUs over those of a trial, at most what was asked for."""
    cpu = torch.device("cpu")
    assert Placement(in_turn=True).at_once(cpu) == 1
    assert Placement(cpus_per_trial=10**6).at_once(cpu) == 1
    assert Placement(most=1).at_once(cpu) == 1
