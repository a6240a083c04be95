"""Trackers: each row of the table is fed a real record, twice, and has every number once."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.packages import Package, PackageMissing
from ganprune.search.pictures.kept_pictures import FOLDER, encoded
from ganprune.search.records.events import Noted, TrialStarted
from ganprune.studies.database.store import Store
from ganprune.studies.integrations.trackers import feed
from ganprune.studies.integrations.trackers.catalog import TRACKERS
from ganprune.studies.integrations.trackers.feed import tracked
from ganprune.studies.integrations.trackers.tracked_runs import experiment_of, teacher_run, trial_run
from ganprune.studies.integrations.trackers.tracker import TrackedPicture, TrackedRun, TrackerSpec, plain_name
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.run_options import RunOptions
from torch import zeros

from ...tiny_study import made


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A real study, copied, with its record open."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made().root.parent, tmp_path / "copy")
    with Store.open(f"sqlite:///{tmp_path}/copy/study.db", "tiny", tmp_path / "copy" / "artifacts") as opened:
        (opened.folder.trial(0) / FOLDER).mkdir(exist_ok=True)
        for step in (0, 1):
            strip = opened.folder.trial(0) / FOLDER / f"G-{step:09d}.webp"
            strip.write_bytes(encoded([zeros(3, 16, 16)], 10_000))
        yield opened


@pytest.fixture(params=TRACKERS.own)
def name(request, tmp_path, monkeypatch) -> str:
    """A tracker of ours whose package is installed."""
    for package in TRACKERS[request.param].needs:
        if not package.installed():
            pytest.skip(f"{package.name} is not installed: pip install 'ganprune[{package.extra}]'")
    if request.param == "mlflow":
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return request.param


def runs_of(store: Store) -> dict[str, TrackedRun]:
    """Every run of the record, by name."""
    outcome = outcome_of(feed.StudyRecord(store.study, store.attributes, tuple(store.records())))
    front = {trial.number for trial in outcome.front}
    runs = [trial_run(outcome, store.whole(r.number), r.number in front, store.folder) for r in store.records()]
    runs.append(teacher_run(outcome, store.folder))
    return {run.name: run for run in runs}


def points_of(name: str, store: Store, run: str) -> dict[str, int]:
    """The number of points that each curve and picture of a run has in a tracker."""
    if name == "tensorboard":
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(store.folder.path / "tensorboard" / run), {"scalars": 0, "images": 0})
        events.Reload()
        tags = events.Tags()
        found = {tag: len(events.Scalars(tag)) for tag in tags["scalars"]}
        return found | {tag: len(events.Images(tag)) for tag in tags["images"]}
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    there = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    (mine,) = [one for one in there if one.info.run_name == run]
    found = {metric: len(client.get_metric_history(mine.info.run_id, metric)) for metric in mine.data.metrics}
    files = [file.path.rpartition("-")[0] for file in client.list_artifacts(mine.info.run_id, "pictures")]
    return found | {file: files.count(file) for file in files}


def test_a_tracker_has_each_number_and_picture_of_the_record_once(name, store):
    """A second search on the same study continues its runs and adds nothing to them."""
    for _ in range(2):
        events = []
        with tracked([name], store, events.append) as listener:
            listener(TrialStarted(0, "uniform", 1.0, 1))
        assert [event.note.split(": ")[0] for event in events if isinstance(event, Noted)] == ["tracked"]
    runs = runs_of(store)
    expected = {curve: len(points) for curve, points in runs["trial-0000"].curves.items()}
    assert points_of(name, store, "trial-0000") == expected | {"pictures/G": 2}
    assert any(curve.startswith("loss-finetune/") for curve in expected)
    assert any(curve.startswith("result/fd_shapes") for curve in expected)
    experiment = experiment_of(outcome_of(made().record), str(store.attributes["ganprune.id"]), store.folder)
    tracker = TRACKERS[name].open(experiment)
    for run in runs.values():
        if run.curves:
            assert tracker.known(run) == run.last_steps()


def test_what_a_tracker_has_is_left_out_by_name_and_step():
    """Points, pictures and the note of earlier steps are not sent again; later ones are."""
    pictures = tuple(TrackedPicture("pictures/G", step, Path()) for step in (1, 5))
    run = TrackedRun("trial-0001", "COMPLETE", 5, {}, {"a": ((1, 0.5), (5, 0.25)), "b": ((5, 1.0),)}, pictures, "text")
    left = run.beyond({"a": 1, "b": 5, "pictures/G": 1, "note": 5})
    assert left.curves == {"a": ((5, 0.25),)}
    assert [picture.step for picture in left.pictures] == [5]
    assert left.note == ""
    assert run.beyond({}) == run


def test_names_are_those_that_every_tracker_takes():
    """Brackets, commas and spaces of a metric's name become underscores."""
    assert plain_name("result/fd[shapes,n=8]") == "result/fd_shapes_n_8"
    assert plain_name("result/fd[shapes,n=8]/low") == "result/fd_shapes_n_8/low"


class Broken:
    """A tracker whose server is gone."""

    where = "nowhere"
    calls = 0

    def known(self, run):
        return {}

    def write(self, run):
        Broken.calls += 1
        raise ConnectionError("the server\nis gone")

    def close(self):
        raise ConnectionError("and does not say goodbye")


def test_a_tracker_that_fails_is_noted_once_and_the_others_go_on(store, monkeypatch):
    """Its exception does not reach the search; it is tried once more at the end, and no more."""
    monkeypatch.setitem(TRACKERS._loaded, "broken", TrackerSpec(lambda experiment: Broken(), "Broken"))
    events, written = [], []

    class Working(Broken):
        def write(self, run):
            written.append(run.name)

        def close(self):
            pass

    monkeypatch.setitem(TRACKERS._loaded, "working", TrackerSpec(lambda experiment: Working(), "Working"))
    monkeypatch.setattr(Broken, "calls", 0)
    with tracked(["broken", "working"], store, events.append) as listener:
        for _ in range(3):
            listener(TrialStarted(0, "uniform", 1.0, 1))
    notes = [event.note for event in events if isinstance(event, Noted)]
    failed = [note for note in notes if "failed" in note]
    assert failed == ["tracker broken failed, and the search continues without it: ConnectionError: the server is gone"]
    assert Broken.calls == 2
    assert {"teacher", *(f"trial-{number:04d}" for number in range(7))} <= set(written)


def test_a_tracker_that_does_not_answer_holds_up_no_search(store, monkeypatch):
    """The end of a search waits a short while, and says what was not sent."""
    gone = threading.Event()

    class Silent(Broken):
        def write(self, run):
            gone.wait(30)

        def close(self):
            pass

    monkeypatch.setitem(TRACKERS._loaded, "silent", TrackerSpec(lambda experiment: Silent(), "Silent"))
    monkeypatch.setattr(feed, "CLOSE_S", 0.05)
    events = []
    with tracked(["silent"], store, events.append):
        pass
    gone.set()
    assert events[-1] == Noted("tracker silent did not take everything in 0.05 s")


def test_a_tracker_that_is_not_installed_or_unknown_is_refused_before_anything_starts(monkeypatch):
    """The line names the command that installs it; near names are proposed."""
    missing = TrackerSpec("nowhere:open", "Missing", (Package("no_such_module", extra="mlflow"),))
    monkeypatch.setitem(TRACKERS._loaded, "missing", missing)
    with pytest.raises(PackageMissing, match=r"tracker Missing needs no_such_module.*pip install 'ganprune\[mlflow\]'"):
        RunOptions(track=("missing",))
    with pytest.raises(UserError, match=r"unknown tracker 'tensorbord'.*Did you mean tensorboard\?"):
        RunOptions(track=("tensorbord",))


def test_a_picture_is_read_when_it_is_sent(tmp_path):
    """Its pixels are those of the strip."""
    path = tmp_path / "G.webp"
    path.write_bytes(encoded([zeros(3, 16, 16) - 1, zeros(3, 16, 16) + 1], 10_000))
    pixels = TrackedPicture("pictures/G", 0, path).pixels()
    assert pixels.shape == (32, 16, 3)
    assert pixels.dtype == np.uint8
    assert (pixels[:16] == 0).all()
    assert (pixels[16:] == 255).all()
