"""The contract of executors, run over both: what is recorded does not depend on who ran it."""

import os
import signal
import time

import optuna
import pytest
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.execution.worker import OutOfDisk, alone_in, load_run
from ganprune.search.strategy.early_stopping import StoppingRule

from ...fakes.fake_proposals import FakeProposals
from ...fakes.fake_study import fake_study


def load(store):
    return optuna.load_study(study_name="s", storage=store._storage.url)


def test_everything_is_recorded_and_the_search_goes_on(executor, search, store):
    """Exceptions, NaN, infinity and missing values are FAIL with the reason; over budget is infeasible; none leads.

    A complete trial's row holds its values, curve, constraint and attributes; no worker knows the database.
    """
    faults = {"1": "raise", "3": "nan", "4": "inf", "5": "missing", "6": "over", "7": "no memory"}
    ended, _ = search(executor, trials=6, faults=faults, max_failed=9)
    assert (ended.reason, ended.complete, ended.failed, ended.waiting) == ("trials", 6, 5, 0)
    records = store.records()
    assert {r.number: r.state for r in records if r.state == "FAIL"} == dict.fromkeys((1, 3, 4, 5, 7), "FAIL")
    assert records[7].stopped == "MemoryError: Unable to allocate 20. GiB"
    assert records[1].stopped == "ValueError: this trial is broken on two lines"
    assert "fake_trials.py" in records[1].outcome.traceback
    assert [records[i].stopped for i in (3, 4, 5)] == ["quality is nan", "quality is inf", "quality is missing"]
    assert records[6].state == "COMPLETE"
    assert not records[6].feasible

    study = load(store)
    best = {t.number for t in study.best_trials}
    assert best
    assert best.isdisjoint({1, 3, 4, 5, 6, 7})
    assert study.metric_names == ["quality", "cost"]
    assert [t.number for t in study.trials] == list(range(11))
    row = study.trials[0]
    assert row.values == pytest.approx([10 + 5 * 0.04 + 1, 1.0])
    assert sorted(row.intermediate_values) == [1, 2, 4]
    assert row.constraints == {"budget": 0.0}
    attributes = row.user_attrs
    assert attributes["method"] == "uniform"
    assert row.params["target"] == 1.0
    assert attributes["proposal"] == {"cost": "macs", "bits": 32, "settings": {"x": 0.5}, "widths": {"a": 64}}
    assert attributes["plan"] == {"a": 3}
    assert attributes["architecture"] == "arch0"
    assert attributes["measurements"][0]["name"] == "fd[x]"
    assert attributes["artifact"]["path"] == "0/weights"
    assert not {"rungs", "state", "constraints", "traceback"} & set(attributes)  # no second copy, and nothing empty
    assert attributes["seconds"] == {"train": 0.1}
    assert attributes["worker"].startswith("pid ")
    assert attributes["attempt"] == 1
    assert store.folder.result(0).quality == row.values[0]
    assert "sqlite" not in (store.folder.trial(0) / "result.json").read_text()


def test_stopped_trials_keep_their_curve(executor, search, store):
    """A trial stopped at a rung is PRUNED, keeps its curve and is not on the front; asking goes on."""
    proposals = FakeProposals(methods=("widths",), rungs_of_ladder=0)
    ended, events = search(executor, trials=20, proposals=proposals, stopping=StoppingRule((1, 2)))
    pruned = [r for r in store.records() if r.state == "PRUNED"]
    assert ended.pruned == len(pruned) >= 3
    assert ended.complete + ended.pruned == 20
    for record in pruned:
        assert list(record.rungs) == [1, 2][: len(record.rungs)]
        assert record.stopped.startswith(f"stopped early at step {max(record.rungs)}")
        assert record.quality == record.rungs[max(record.rungs)]
    study = load(store)
    assert {t.number for t in study.best_trials}.isdisjoint({r.number for r in pruned})
    assert study.trials[pruned[0].number].values is None
    assert study.trials[pruned[0].number].intermediate_values
    assert {r.new.origin for r in store.records()} == {"linear"}
    stops = [e.number for e in events if getattr(e, "goes_on", True) is False]
    assert sorted(stops) == [r.number for r in pruned]


def test_a_wrong_run_function_is_the_users_error(executor, search, store):
    """A run function that cannot be loaded ends the search before any trial is made."""
    from ganprune.search.engine.engine import Engine
    from ganprune.search.engine.settings import EngineSettings

    engine = Engine(store, FakeProposals(), EngineSettings(trials=2), store.folder, None)
    with pytest.raises(ValueError, match="cannot load the run function 'no_such:run'"):
        engine.run(executor, "no_such:run")
    assert not store.records()


@pytest.mark.parametrize(
    "name", ["run", ":run", "tests.fakes.fake_trials:", "tests.fakes.fake_trials:nothing", "os.nothing:run"]
)
def test_run_functions_are_named_by_module(name):
    """Only package.module:function of something that exists is accepted."""
    with pytest.raises(ValueError, match="run function"):
        load_run(name)


def test_time_limit_hands_back(search, store):
    """At the time limit the running trial is put back, its attempt too, and nothing is left RUNNING."""
    ended, _ = search(InProcessExecutor(), trials=50, seconds=0.2, hours=0.3 / 3600)
    assert ended.reason == "deadline"
    assert [r.state for r in store.records()] == ["WAITING"]
    assert store.records()[0].attempt == 0
    assert not store.folder.result(0)
    ended, _ = search(InProcessExecutor(), trials=2)
    assert [r.state for r in store.records()] == ["COMPLETE"] * 2
    assert store.records()[0].attempt == 1


def test_the_time_limit_is_noticed_between_reports(store):
    """A trial that reports nothing for a minute ends at the limit; it is back in place, and the next run does it."""
    from ganprune.search.engine.engine import Engine
    from ganprune.search.engine.settings import EngineSettings

    settings = EngineSettings(trials=1, hours=0.4 / 3600)
    engine = Engine(store, FakeProposals(), settings, store.folder, fake_study(seconds=60))
    assert engine.run(InProcessExecutor(), "tests.fakes.fake_trials:run_without_reports").reason == "deadline"
    assert [(r.state, r.attempt) for r in store.records()] == [("WAITING", 0)]
    engine = Engine(store, FakeProposals(), settings, store.folder, fake_study(seconds=0))
    assert engine.run(InProcessExecutor(), "tests.fakes.fake_trials:run_without_reports").complete == 1


def test_a_full_disk_ends_the_search_and_no_trial_is_blamed(executor, search, store):
    """The search stops with one line that says what to do; its trial is in place, attempts as before; a resume ends it."""
    with pytest.raises(
        OutOfDisk, match=r"no space left .* trial 1 \(weights\)\. Try to free space .*gc.* then run `ganprune resume`"
    ):
        search(executor, trials=3, faults={"1": "full disk"}, slots=1)
    assert [(r.state, r.attempt) for r in store.records()] == [("COMPLETE", 1), ("WAITING", 0)]
    store.started(1)  # the fault is the first attempt's alone
    ended, _ = search(executor, trials=3, faults={"1": "full disk"}, slots=1)
    assert (ended.complete, ended.failed) == (3, 0)


def test_two_processes_never_train_in_one_folder(tmp_path):
    """A worker that outlives its driver has the folder to itself; the next one waits for it, and not for ever."""
    with alone_in(tmp_path):
        with pytest.raises(TimeoutError, match="another process still trains"), alone_in(tmp_path, 0.3):
            pass
    with alone_in(tmp_path, 0.0):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupt_hands_back(store, monkeypatch, number):
    """Ctrl-C or SIGTERM in a trial puts it back and is raised as KeyboardInterrupt."""
    from ganprune.search.engine.engine import Engine
    from ganprune.search.engine.settings import EngineSettings

    def run(request, report):
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr("tests.fakes.fake_trials.run", run)
    engine = Engine(store, FakeProposals(), EngineSettings(trials=2), store.folder, None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores Ctrl-C
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.run(InProcessExecutor(), "tests.fakes.fake_trials:run")
    finally:
        signal.signal(signal.SIGINT, before)
    assert [r.state for r in store.records()] == ["WAITING"]
