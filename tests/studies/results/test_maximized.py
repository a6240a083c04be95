"""A study whose objective is a user's own metric that is maximized."""

from dataclasses import replace

import optuna
import pytest
from ganprune.search.config import StudyConfig
from ganprune.studies.results.outcome import outcome_of, quality_of
from ganprune.studies.results.plots import plot_front
from ganprune.studies.results.tables import front_rows, hypervolume_line, trial_rows

from ...tiny_study import SMALL, make


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(
        "def brightness(images):\n    return images.mean((1, 2, 3)) + 2\n\n\nbrightness.better = 'higher'\n"
    )
    config = StudyConfig(name="bright", **{**SMALL, "metric": f"{folder / 'own.py'}:brightness"})
    return make(config, (("uniform", 0.60, "ladder:0", "run"), ("uniform", 0.30, "ladder:1", "run")))


def test_optunas_tables_hold_the_metrics_own_values(study):
    """The direction is to maximize, and values and intermediate values are those that were measured."""
    url = f"sqlite:///{study.root.parent}/study.db"
    found = optuna.load_study(study_name="bright", storage=url)
    assert found.directions == [optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE]
    for trial, record in zip(found.trials, study.record.trials, strict=True):
        measured = quality_of(record)
        assert measured.name.startswith("brightness[")
        assert trial.values[0] == measured.value == -record.quality > 0
        assert list(trial.intermediate_values.values())[-1] == measured.value


def test_the_front_is_that_of_the_highest_values(study):
    """The brighter of two trials is on the front, and the other if it is cheaper, as in Optuna's `best_trials`."""
    outcome = outcome_of(study.record)
    rows = {row.trial: row for row in trial_rows(outcome) if row.trial is not None}
    assert all(row.quality > 0 and row.metric.startswith("brightness[") for row in rows.values())
    brighter = max(rows.values(), key=lambda row: row.quality)
    assert brighter.front
    assert rows[1].front  # the cheapest one
    assert rows[0].front == (rows[0].quality > rows[1].quality)
    best = optuna.load_study(study_name="bright", storage=f"sqlite:///{study.root.parent}/study.db").best_trials
    assert {trial.number for trial in best} == {number for number, row in rows.items() if row.front}
    assert "fd[shapes" in " ".join(brighter.metrics)
    assert "brightness" in hypervolume_line(outcome)
    assert front_rows(outcome)
    assert plot_front(outcome).startswith(b"\x89PNG")


def test_a_worse_trial_is_behind_the_inputs(study):
    """Worse than the untouched inputs are values below theirs."""
    outcome = outcome_of(study.record)
    trial, measured = study.record.trials[0], quality_of(study.record.trials[0])
    above, below = (replace(measured, value=measured.value + by, low=None, high=None) for by in (1.0, -1.0))
    assert replace(outcome, inputs=(above,)).behind_input(trial)
    assert not replace(outcome, inputs=(below,)).behind_input(trial)
