import math
import pickle
import shutil
import warnings
from dataclasses import replace

import optuna
import pytest
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.study_folder import OWNER, write_result
from ganprune.search.records.learning_curve import LearningCurve
from ganprune.search.records.messages import TrialOutcome, TrialReport, TrialRequest
from ganprune.studies.database.lock import StudyLocked
from ganprune.studies.database.reader import list_studies, read_study
from ganprune.studies.database.store import Store, delete_study
from sqlalchemy import event

GOOD = TrialOutcome("COMPLETE", 5.0, 1.0, rungs={1: 7.0, 2: 5.0}, widths={"g": 4}, architecture="h", worker="w")


@pytest.fixture
def url(any_url):
    """The contract of stores holds for both kinds of database."""
    return any_url


def put_on_disk(store, number, result=GOOD):
    folder = str(store.folder.trial(number))
    write_result(TrialRequest(number, 1, Proposal("widths", {}, 1.0, "macs"), 0, folder), result)


def reopened(store, url, tmp_path, **options):
    """Return the store that a new driver finds after this one died."""
    store.close()
    return Store.open(url, "s", tmp_path / "a", **options)


def test_a_trial_is_written_in_one_transaction(store, new):
    """Creating a trial, parameters, attributes, state and all, is one commit."""
    begun = []
    engine = store._storage.engine
    event.listen(engine, "begin", lambda connection: begun.append(False))

    def statement(connection, cursor, text, *_):
        if text.startswith(("INSERT", "UPDATE")):
            begun[-1] = True

    event.listen(engine, "before_cursor_execute", statement)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = store.create_trial(new())
    assert begun.count(True) == 1  # the other transactions only read
    assert record.state == "RUNNING"
    rows = optuna.load_study(study_name="s", storage=store._storage.url).trials
    assert rows[0].params == {"target": 0.5, "n": 3, "kind": "b"}
    assert rows[0].user_attrs["plan"] == {"g": 4}
    assert rows[0].state == optuna.trial.TrialState.RUNNING


def test_records_come_back_as_they_were(store, new, url, tmp_path):
    """The next driver reads all that a driver knew: every field of every record, whatever the state."""
    curves = {"finetune": LearningCurve((1, 3), {"l1": (0.5, None)})}
    for number in range(5):
        store.create_trial(new())
        store.started(number)
        store.report(number, TrialReport(1, 7.0, 1.0, {}, widths={"g": 3}, curves=curves))
    store.finish(0, replace(GOOD, curves=curves))
    store.finish(1, TrialOutcome("PRUNED", 7.0, 1.0, rungs={1: 7.0}, stopped="slow"))
    store.finish(2, TrialOutcome("FAIL", stopped="broken"))
    store.requeue(3)
    known = store.records()
    read = read_study(url, "s")
    assert read.trials == known
    assert [t.state for t in known] == ["COMPLETE", "PRUNED", "FAIL", "WAITING", "RUNNING"]
    assert read.attributes["ganprune.config"] == {"x": 1}
    store = reopened(store, url, tmp_path)
    assert store.records()[:4] == known[:4]
    assert store.records()[4].state == "WAITING"
    store.close()


def test_what_a_dead_driver_left_is_told_or_put_back(store, new, url, tmp_path):
    """RUNNING trials found under the lock: told from disk where there is a result, else WAITING in place."""
    for number in (0, 1):
        store.create_trial(new())
        store.started(number)
    put_on_disk(store, 0)
    with reopened(store, url, tmp_path) as again:
        assert [r.state for r in again.records()] == ["COMPLETE", "WAITING"]
        assert again.records()[0].quality == 5.0
        assert again.records()[0].constraints == {"budget": -0.5}
        claimed = again.claim()
        assert (claimed.number, claimed.state, claimed.attempt) == (1, "RUNNING", 1)
        assert claimed.new.params == new().params
        assert again.started(1) == 2
        assert again.claim() is None
        assert len(again.records()) == 2


def test_a_result_that_came_late_is_not_trained_again(store, new):
    """A result that reached the disk after its trial was put back is told when the trial is claimed."""
    store.create_trial(new())
    store.requeue(0)
    put_on_disk(store, 0)
    assert store.claim() is None
    assert store.records()[0].state == "COMPLETE"


def test_too_many_attempts_fail(store, new, url, tmp_path):
    """A trial started max_attempts times without an end fails; attempts of clean stops do not count."""
    store.create_trial(new())
    for _ in range(9):
        store.started(0)
        assert store.release() == 1
        assert store.claim().attempt == 0
    store.started(0)
    with reopened(store, url, tmp_path, max_attempts=2) as again:
        assert again.claim().number == 0
        again.started(0)
        again.requeue(0)
        assert again.claim() is None
        assert again.records()[0].stopped == "gave up: started 2 times without an end; its driver died"


def test_telling_twice_is_harmless(store, new):
    """A finished trial stays as it is, whatever is told afterwards."""
    store.create_trial(new())
    first = store.finish(0, GOOD)
    assert store.finish(0, TrialOutcome("FAIL", stopped="late")) == first
    store.report(0, TrialReport(9, 1.0, 1.0, {}))
    assert store.requeue(0) == first
    assert store.records()[0] == first


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (TrialOutcome("COMPLETE", math.nan, 1.0), "quality is nan"),
        (TrialOutcome("COMPLETE", math.inf, 1.0), "quality is inf"),
        (TrialOutcome("COMPLETE", None, 1.0), "quality is missing"),
        (TrialOutcome("COMPLETE", 1.0, math.nan), "cost is nan"),
        (TrialOutcome("COMPLETE", 1.0, 1.0, constraints={"latency_ms": math.nan}), "constraint latency_ms is nan"),
    ],
)
def test_numbers_that_are_none_fail(store, new, url, result, reason):
    """COMPLETE needs finite numbers; anything else is FAIL with the reason, and reads back."""
    store.create_trial(new())
    assert store.finish(0, result).state == "FAIL"
    record = read_study(url, "s").trials[0]
    assert (record.state, record.stopped) == ("FAIL", reason)


def test_optuna_reads_the_front(store, new, url):
    """optuna.load_study's best_trials is the feasible front: no failed, stopped, or over-budget trial is on it."""
    results = [
        TrialOutcome("COMPLETE", 5.0, 1.0),
        TrialOutcome("COMPLETE", 4.0, 1.5),
        TrialOutcome("COMPLETE", 6.0, 1.2),  # dominated
        TrialOutcome("COMPLETE", 1.0, 2.1),  # over the budget of 2
        TrialOutcome("COMPLETE", 0.5, 0.5, constraints={"latency_ms": 0.1}),
        TrialOutcome("PRUNED", 0.1, 0.1, rungs={1: 0.1}, stopped="s"),
        TrialOutcome("FAIL", 0.1, 0.1, stopped="s"),
        TrialOutcome("COMPLETE", 3.0, 2.0),  # exactly the budget
    ]
    for number, result in enumerate(results):
        store.create_trial(new())
        store.finish(number, result)
    study = optuna.load_study(study_name="s", storage=url)
    assert sorted(t.number for t in study.best_trials) == [0, 1, 7]
    assert study.metric_names == ["quality", "cost"]
    assert study.directions == [optuna.study.StudyDirection.MINIMIZE] * 2
    assert [r.number for r in store.records() if r.scored] == [0, 1, 2, 7]
    assert study.trials[3].constraints == {"budget": pytest.approx(0.05)}


def test_optunas_own_tpe_fails_on_such_a_study_and_ours_does_not(store, new, url):
    """The fault of Optuna 5.0 that the mirror avoids: a PRUNED trial with a curve, two objectives, TPE."""
    for number in range(12):
        store.create_trial(new())
        done = TrialOutcome("COMPLETE", 5.0 + number, 1.0)
        store.finish(number, done if number else TrialOutcome("PRUNED", 7.0, 1.0, rungs={1: 7.0}, stopped="s"))
    study = optuna.load_study(study_name="s", storage=url, sampler=optuna.samplers.TPESampler(seed=0))
    space = new().distributions
    with pytest.raises(RuntimeError, match="single direction"):
        study.ask(fixed_distributions=dict(space))
    # test_samplers.py asks all of ours with such a history


def test_parameters_outside_their_space_are_refused(store, new):
    """A point outside its distribution is a mistake of the decoder, and nothing of it is written."""
    with pytest.raises(ValueError, match="target"):
        store.create_trial(new(params={"target": 7.0, "n": 3, "kind": "b"}))
    assert store.records() == ()


def test_another_writer_is_noticed(store, new, url):
    """Trials written by another program stop the search rather than mix with ours."""
    optuna.load_study(study_name="s", storage=url).ask()
    with pytest.raises(RuntimeError, match="another program wrote trials"):
        store.create_trial(new())


def test_names_must_be_free_to_create_and_there_to_open(store, url, tmp_path):
    """An existing study is not made again, a missing one not opened; both messages help; no lock file is left."""
    with pytest.raises(StudyLocked):
        Store.open(url, "s", tmp_path / "a")
    store.close()
    with pytest.raises(ValueError, match="ganprune resume s"):
        Store.create(url, "s", tmp_path / "a", {})
    with pytest.raises(ValueError, match=r"no study 'other'.*there: s"):
        Store.open(url, "other", tmp_path / "a")
    assert not list(tmp_path.glob("*other*"))
    optuna.create_study(study_name="foreign", storage=url, directions=["minimize", "minimize"]).set_user_attr("k", 1)
    with pytest.raises(ValueError, match="exists"):
        Store.create(url, "foreign", tmp_path / "a", {})
    assert [s.name for s in list_studies(url)] == ["s"]


def test_a_study_takes_up_no_other_studys_files(store, new, url, tmp_path):
    """A folder belongs to one study: another database's of the same name, or one made after its database was lost, is
    refused before anything is written to either; nor does opening or deleting that study touch these files."""
    store.create_trial(new())
    put_on_disk(store, 0)
    store.close()
    other = f"sqlite:///{tmp_path}/other.db"
    with pytest.raises(ValueError, match=r"holds the files of another study named 's'.*--artifacts names another"):
        Store.create(other, "s", tmp_path / "a", pytest.fail)
    assert list_studies(other) == ()
    assert optuna.get_all_study_names(other) == []
    Store.create(other, "s", tmp_path / "b", {}).close()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    for touch in (Store.open, delete_study):
        with pytest.raises(ValueError, match="holds the files of another study"):
            touch(other, "s", tmp_path / "a")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")} == before
    (tmp_path / "a" / "s" / OWNER).unlink()  # files of which nobody knows whose they are
    with pytest.raises(ValueError, match="holds the files of another study"):
        Store.create(f"sqlite:///{tmp_path}/third.db", "s", tmp_path / "a", {})
    with Store.open(url, "s", tmp_path / "a") as again:  # their own study's, which was made before folders were marked
        assert again.folder.result(0) is not None
    assert (tmp_path / "a" / "s" / OWNER).is_file()


def test_artifacts_behind_a_url_belong_to_one_study_too(url, tmp_path, monkeypatch):
    """The mark is behind the URL; this machine's copy of a study that is gone from there is not taken up."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    behind = f"file://{tmp_path}/bucket"
    Store.create(url, "s", behind, {}).close()
    other = f"sqlite:///{tmp_path}/other.db"
    with pytest.raises(ValueError, match="bucket/s holds the files of another study"):
        Store.create(other, "s", behind, {})
    with Store.open(url, "s", behind) as store:
        stale = store.folder.teacher / "teacher.json"
        stale.parent.mkdir()
        stale.write_text("{}")
    shutil.rmtree(tmp_path / "bucket")
    Store.create(other, "s", behind, {}).close()
    assert not stale.exists()


def test_a_foreign_study_is_not_taken_over_because_it_is_empty(url, tmp_path):
    """One that maximizes, or has another number of objectives, is somebody else's even without trials."""
    for name, directions in (("up", ["maximize", "maximize"]), ("one", ["minimize"])):
        optuna.create_study(study_name=name, storage=url, directions=directions)
        with pytest.raises(ValueError, match=f"study '{name}' exists"):
            Store.create(url, name, tmp_path / "a", {})


def test_a_half_made_study_is_made_again(url, tmp_path, monkeypatch):
    """A crash while a study is made does not block its name."""

    def die(self, *_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ganprune.studies.database.store.find_study", die)
        patched.setattr("ganprune.studies.database.store.SCHEMA", "ganprune.half")
        with pytest.raises(KeyboardInterrupt):
            Store.create(url, "s", tmp_path / "a", {"ganprune.config": 1})
    assert list_studies(url) == ()
    with Store.create(url, "s", tmp_path / "a", {"ganprune.config": 2}) as store:
        assert store.attributes["ganprune.config"] == 2


def test_studies_are_deleted_with_their_files(store, new, url, tmp_path):
    """Deleting removes rows and files; a study that runs is not deleted."""
    store.create_trial(new())
    put_on_disk(store, 0)
    with pytest.raises(StudyLocked):
        delete_study(url, "s", tmp_path / "a")
    store.close()
    delete_study(url, "s", tmp_path / "a")
    assert list_studies(url) == ()
    assert not (tmp_path / "a" / "s").exists()


def test_a_store_is_not_pickled(store):
    """A store holds a lock and a password: it goes to no worker."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(store)
