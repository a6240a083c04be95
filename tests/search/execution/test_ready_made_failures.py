"""Faults of Ray's own OptunaSearch (measured with Ray 2.60), each as a test that ours passes.

There: a NaN leaves its trial RUNNING for ever; a missing metric ends the whole experiment; a time limit and Ctrl-C
leave RUNNING trials; stopped trials are COMPLETE with the value of their rung, and may stand on the front; a second
start on the same study proposes the same points again, enqueues its first points twice, and counts its trials from
zero; its pickled state holds the database's password.
"""

import pickle

import optuna
import pytest
from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.execution.ray_hooks import LedgerSearcher, Lifecycle, RungScheduler
from ganprune.search.strategy.chooser import Choice
from ganprune.search.strategy.early_stopping import StoppingRule

from ...fakes.fake_proposals import FakeProposals

LOCAL = InProcessExecutor()


def states(store):
    return [record.state for record in store.records()]


@pytest.mark.parametrize("fault", ["nan", "inf", "missing", "raise", "no memory"])
def test_a_trial_without_a_number_is_over_and_the_search_goes_on(search, store, fault):
    """FAIL with the reason; nothing RUNNING, nothing else touched, another trial takes its place."""
    ended, _ = search(LOCAL, trials=4, faults={"1": fault})
    assert (ended.reason, ended.complete, ended.failed) == ("trials", 4, 1)
    assert states(store)[1] == "FAIL"
    assert store.records()[1].stopped


def test_a_stopped_trial_is_never_complete(search, store):
    """PRUNED, without values in Optuna's tables, and so on no front that anybody computes from them."""
    search(
        LOCAL, trials=14, proposals=FakeProposals(methods=("widths",), rungs_of_ladder=0), stopping=StoppingRule((1,))
    )
    study = optuna.load_study(study_name="s", storage=store._storage.url)
    stopped = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert stopped
    assert all(trial.values is None for trial in stopped)
    assert {trial.number for trial in stopped}.isdisjoint(trial.number for trial in study.best_trials)


def test_a_time_limit_leaves_nothing_running(search, store):
    """An interrupted trial is in place again, to be continued; its attempt does not count."""
    assert search(LOCAL, trials=9, seconds=0.2, hours=0.3 / 3600)[0].reason == "deadline"
    assert "RUNNING" not in states(store)


def test_a_second_start_goes_on_and_repeats_nothing(search, store):
    """The total is the study's; the ladder is not run again; no point is proposed twice, although the seed is the same."""
    search(LOCAL, trials=5, choice=Choice(seed=7))
    first = [record.new.params for record in store.records()]
    ended, _ = search(LOCAL, trials=12, choice=Choice(seed=7))
    assert ended.complete == len(store.records()) == 12
    points = [tuple(sorted(record.new.params.items())) for record in store.records()]
    assert len(set(points)) == 12
    assert [record.new.params for record in store.records()[:5]] == first
    assert [record.new.origin for record in store.records()].count("ladder:0") == 1


def test_what_ray_may_pickle_holds_nothing(store):
    """Searcher, scheduler and callback pickle to nothing: no engine, no database, no password."""
    engine = Engine(store, FakeProposals(), EngineSettings(trials=1), store.folder, None)
    searcher = LedgerSearcher(engine)
    for hook in (searcher, RungScheduler(searcher), Lifecycle(searcher)):
        assert hook.__getstate__() == {}
        assert b"sqlite" not in pickle.dumps(hook)
