"""The engine's own rules: when it stops, what it uses again, what does not depend on timing."""

import json
from dataclasses import replace

import pytest
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.reconstruction.record import Reconstruction
from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.execution.executor import Asked, InProcessExecutor
from ganprune.search.execution.ray_cluster import RayOptions
from ganprune.search.execution.ray_executor import RayExecutor
from ganprune.search.records.events import Noted
from ganprune.search.records.messages import TrialOutcome, TrialReport, failure
from ganprune.search.records.refit_faults import fault_line, refit_faults
from ganprune.search.strategy.chooser import Choice
from ganprune.search.strategy.early_stopping import StoppingRule
from ganprune.studies.database.store import Store

from ...fakes.fake_proposals import FakeProposals
from ...fakes.fake_study import fake_study

LOCAL = InProcessExecutor()


def what_it_came_to(store):
    return [(r.number, r.state, r.new.params, r.quality, r.cost, r.rungs, r.stopped) for r in store.records()]


def make(store, **settings):
    return Engine(store, FakeProposals(), EngineSettings(**{"trials": 9, **settings}), store.folder, None)


def result(cost=0.5):
    return TrialOutcome("COMPLETE", 1.0, cost)


def test_trials_is_the_studys_total(search, store):
    """A second search to the same total does nothing; a higher total adds what is missing; failures do not count."""
    first, _ = search(LOCAL, trials=4, faults={"1": "raise"})
    assert (first.complete, first.failed) == (4, 1)
    again, events = search(LOCAL, trials=4)
    assert again == first
    assert [type(event).__name__ for event in events] == ["SearchStarted", "SearchEnded"]
    more, _ = search(LOCAL, trials=6)
    assert more.complete == 6


def test_many_failures_end_the_search(search):
    """A search of failing trials ends with the reason."""
    ended, _ = search(LOCAL, trials=100, faults={str(n): "raise" for n in range(100)}, max_failed=3)
    assert (ended.reason, ended.failed, ended.complete) == ("failures", 3, 0)


def test_in_pieces_or_at_once_by_either_executor(ray_running, search, store, tmp_path):
    """With batches, two workers, one, or a search in three pieces give the same study: asks, stops and values."""
    settings = {"stopping": StoppingRule((1, 2)), "batch": 3, "faults": {"4": "raise"}}
    search(RayExecutor(RayOptions(num_cpus=2)), trials=12, **settings)
    study = fake_study(faults={"4": "raise"})
    with Store.create(f"sqlite:///{tmp_path}/b.db", "s", tmp_path / "b", {"ganprune.cost_limit": 1.0}) as other:
        for trials in (5, 7, 12):
            options = EngineSettings(trials=trials, stopping=StoppingRule((1, 2)), batch=3)
            Engine(other, FakeProposals(), options, other.folder, study).run(LOCAL, "tests.fakes.fake_trials:run")
        assert what_it_came_to(other) == what_it_came_to(store)
        assert {r.state for r in other.records()} == {"COMPLETE", "PRUNED", "FAIL"}


def test_a_batch_waits_for_the_one_before(store):
    """With batches of 2 the third trial is not asked before both of the first have ended."""
    engine = make(store, batch=2)
    first, second = engine.ask(), engine.ask()
    assert engine.ask() is Asked.WAIT
    engine.finished(second.number, result())
    assert engine.ask() is Asked.WAIT
    engine.finished(first.number, result())
    assert engine.ask().number == 2


def test_a_batch_knows_nothing_of_how_far_its_own_trials_are(store):
    """With batches a trial is shown the others of its batch as they were asked for, whatever they have reported since."""
    engine = make(store, batch=3)
    first, second = engine.ask(), engine.ask()
    known = engine._known(2)
    engine.report(first.number, TrialReport(1, 3.0, 0.5, {}, widths={"a": 3}))
    engine.finished(second.number, replace(result(), widths={"a": 5}))
    assert engine._known(2) == known


def test_slots_bound_what_runs_at_once(store):
    """No more trials are given out than there are slots."""
    engine = make(store, slots=2)
    first = engine.ask()
    engine.ask()
    assert engine.ask() is Asked.WAIT
    engine.finished(first.number, result())
    assert engine.ask().number == 2


def test_trials_that_were_put_back_come_first(store):
    """A lost trial is the next one given out: same number, seed, settings and workspace, one attempt later."""
    engine = make(store)
    lost, _ = engine.ask(), engine.ask()
    engine.started(lost.number)
    engine.lost(lost.number, "killed")
    again = engine.ask()
    assert (again.number, again.attempt) == (lost.number, 2)
    assert replace(again, attempt=1) == lost
    assert len(store.records()) == 2


def test_a_worker_that_never_starts_is_given_up(store):
    """Three deaths before training began are a failure with the reason; no attempt is counted."""
    engine = make(store)
    for _ in range(3):
        asked = engine.ask()
        assert asked.number == 0
        engine.lost(0, "no memory")
    record = store.records()[0]
    assert (record.state, record.attempt) == ("FAIL", 0)
    assert record.stopped == "its process died 3 times before it began: no memory"


def test_a_trial_that_ran_once_and_never_starts_again_is_given_up(store):
    """After an attempt that was cut off, three deaths before training begins are a failure too, not an endless loop."""
    engine = make(store)
    asked = engine.ask()
    engine.started(asked.number)
    engine.lost(0, "machine gone")
    for _ in range(3):
        assert (engine.ask().number, store.records()[0].state) == (0, "RUNNING")
        engine.lost(0, "no memory")
    assert (store.records()[0].state, store.records()[0].attempt) == ("FAIL", 1)
    assert store.records()[0].stopped == "its process died 3 times before it began: no memory"
    assert engine.ask().number == 1


def test_a_stop_without_a_result_keeps_the_last_report(store):
    """Ray ends a stopped trial without a result of its own: its record is made from what it reported last."""
    engine = make(store, stopping=StoppingRule((1,), reduction=1.5))
    for _ in range(4):
        asked = engine.ask()
        engine.started(asked.number)
        report = TrialReport(1, 5.0 + asked.number, 1.0, {}, widths={"g": 2}, architecture="h")
        if not engine.report(asked.number, report):
            engine.stopped(asked.number)
    stopped = [r for r in store.records() if r.state == "PRUNED"]
    assert stopped
    assert stopped[0].rungs == {1: stopped[0].quality}
    assert stopped[0].outcome.widths == {"g": 2}
    assert stopped[0].outcome.architecture == "h"


def test_the_same_network_is_not_trained_twice(store, search):
    """If a proposal repeats a network after all, its earlier result is used and marked; only 4 are trained."""
    proposals = FakeProposals(methods=("uniform",), rungs_of_ladder=4, coarse=True)
    ended, _ = search(LOCAL, trials=12, proposals=proposals, choice=Choice(seed=1))
    assert ended.complete == 12
    trained = [n for n in range(12) if (store.folder.trial(n) / "starts.txt").exists()]
    assert len(trained) == 4
    for record in store.records():
        twin = record.outcome and record.outcome.same_as
        assert (twin is None) == (record.number in trained)
        if twin is not None:
            assert record.quality == store.records()[twin].quality
            assert record.outcome.artifact.path == f"{twin}/weights"


def test_an_exception_that_ended_refits_is_told_once(store):
    """Trials whose cut an exception left as it was are complete; the search says so at the first of each exception."""
    events, proposals = [], FakeProposals()
    engine = Engine(store, proposals, EngineSettings(trials=3), store.folder, None, on_event=events.append)
    for why in ("KeyError: 'x'", "KeyError: 'x'", ""):
        done = replace(result(), reconstructions={"G": Reconstruction(not why, fault=why)})
        engine.finished(engine.ask().number, done)
    notes = [event.note for event in events if isinstance(event, Noted)]
    assert notes == [fault_line("G: KeyError: 'x'", [0])]
    assert refit_faults(store.records()) == {"G: KeyError: 'x'": [0, 1]}
    assert fault_line("G: KeyError: 'x'", [0, 1]).startswith("trials 0, 1: the cut was not refitted")


def test_a_repeat_is_one_after_a_crash_too(store, monkeypatch):
    """A driver that dies between writing a repeat and telling its result does not have it trained when it is back."""
    proposals = always_the_same()
    engine = Engine(store, proposals, EngineSettings(trials=3), store.folder, None)
    engine.finished(engine.ask().number, result())

    def die(number, result):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            engine.ask()
    store.requeue(1)
    assert engine.ask() is Asked.DONE
    assert [(r.state, r.outcome and r.outcome.same_as) for r in store.records()[1:]] == [("COMPLETE", 0)] * 2


def always_the_same():
    """A space of which every point is the same network."""
    proposals = FakeProposals(methods=("uniform",), rungs_of_ladder=2)

    object.__setattr__(proposals, "identity", lambda proposal: "always the same")
    object.__setattr__(proposals, "ladder", list)
    return proposals


@pytest.mark.parametrize("ending", ["COMPLETE", "FAIL", "lost"])
def test_a_repeat_of_a_running_trial_waits_for_it(store, ending):
    """Only one of two trials of one network at once is trained; the other gets its result, or runs without one."""
    engine = Engine(store, always_the_same(), EngineSettings(trials=3), store.folder, None)
    engine.set_slots(2)
    first = engine.ask()
    assert engine.ask() is Asked.WAIT
    assert [r.state for r in store.records()] == ["RUNNING", "RUNNING"]
    if ending == "lost":
        engine.lost(first.number, "killed")
        assert engine.ask().number == first.number
        ending = "COMPLETE"
    engine.finished(first.number, result() if ending == "COMPLETE" else failure("no"))
    again = engine.ask()
    if ending == "COMPLETE":
        assert again is Asked.DONE
        assert [r.outcome.same_as for r in store.records()] == [None, 0, 0]
    else:
        assert again.number == 1


def test_requests_hold_json_only(store):
    """A worker's request is JSON, and two trials have two seeds and two folders."""
    engine = make(store)
    first, second = engine.ask(), engine.ask()
    json.dumps(to_json(first), allow_nan=False)
    assert first.seed != second.seed
    assert first.workspace == str(store.folder.trial(0))


@pytest.mark.parametrize("bad", [{"trials": 0}, {"batch": -1}, {"slots": 0}, {"hours": 0}, {"max_failed": 0}])
def test_settings_are_checked(bad):
    """Settings that make no sense are refused with what was given."""
    with pytest.raises(ValueError, match="got"):
        EngineSettings(**{"trials": 1, **bad})
