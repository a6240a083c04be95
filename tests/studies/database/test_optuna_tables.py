"""Rows written and read in bulk are Optuna's own rows."""

import math

import optuna
import pytest
from ganprune.search.records.messages import TrialOutcome
from ganprune.studies.database.optuna_tables import insert_trial, read_trials
from ganprune.studies.database.storage import open_storage
from ganprune.studies.database.trial_rows import template


def filled(store, new):
    for i in range(5):
        store.create_trial(new(target=0.1 * (i + 1)))
        store.started(i)
    store.finish(0, TrialOutcome("COMPLETE", 1.5, 0.25, rungs={1: 3.0, 2: 1.5}, constraints={"budget": -0.5}))
    store.finish(1, TrialOutcome("FAIL", stopped="broke", rungs={1: math.nan, 2: math.inf}))
    store.finish(2, TrialOutcome("PRUNED", 4.0, 0.2, rungs={1: 4.0}, stopped="stopped"))
    store.requeue(3)
    return store


def test_bulk_reading_gives_what_optuna_reads(store, url, new):
    """Every field of every trial is the same: states, values, parameters, curves with NaN, attributes, constraints, times."""
    filled(store, new)
    storage = open_storage(url, write=False)
    ours, theirs = read_trials(storage, store._study_id), storage.get_all_trials(store._study_id)
    assert [t.state.name for t in ours] == ["COMPLETE", "FAIL", "PRUNED", "WAITING", "RUNNING"]
    assert [repr(t) for t in ours] == [repr(t) for t in theirs]
    assert [t.constraints for t in ours] == [t.constraints for t in theirs]
    assert [t._trial_id for t in ours] == [t._trial_id for t in theirs]


def test_optuna_reads_what_bulk_writing_wrote(store, url, new):
    """A whole study opens with `optuna.load_study`; its parameters are inside the distributions that stand there."""
    filled(store, new)
    study = optuna.load_study(study_name="s", storage=open_storage(url, write=False))
    assert [t.number for t in study.trials] == list(range(5))
    assert [t.number for t in study.best_trials] == [0]
    for trial in study.trials:
        assert trial.params == {"target": pytest.approx(0.1 * (trial.number + 1)), "n": 3, "kind": "b"}
        assert all(trial.distributions[name]._contains(trial.distributions[name].to_internal_repr(value))
                   for name, value in trial.params.items())  # fmt: skip


def test_a_row_is_written_only_under_its_own_number(store, new):
    """If the study does not have exactly as many trials as the number says, nothing is written."""
    filled(store, new)
    for number in (4, 6):
        assert insert_trial(store._storage, store._study_id, template(new()), number) is None
    assert len(read_trials(store._storage, store._study_id)) == 5
    assert insert_trial(store._storage, store._study_id, template(new()), 5) is not None


def test_attributes_are_replaced_whole(store, new):
    """Writing an attribute again leaves one row of it, with the new value; others stay."""
    store.create_trial(new())
    for attempt in (1, 2):
        assert store.started(0) == attempt
    kept = read_trials(store._storage, store._study_id)[0].user_attrs
    assert kept["attempt"] == 2
    assert kept["method"] == "widths"
