"""Pages of optuna-dashboard: read back by Optuna's own functions, and by the dashboard's where it is installed."""

import shutil

import optuna
import pytest
from ganprune.search.artifacts.study_folder import SHOWN_FILES
from ganprune.search.pictures.kept_pictures import FOLDER, encoded
from ganprune.search.records.events import TrialFinished
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.store import Store, delete_study
from ganprune.studies.integrations.dashboard import dashboard_kept
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
from torch import zeros

from ...tiny_study import made

FINISHED = TrialFinished(0, "uniform", "COMPLETE", 1.0, 1.0, True, None)


@pytest.fixture
def place(tmp_path):
    """A real study, copied: URL and folder of artifacts."""
    shutil.copytree(made().root.parent, tmp_path / "copy")
    root = tmp_path / "copy" / "artifacts"
    (root / "tiny" / "0" / FOLDER).mkdir(exist_ok=True)
    for step in (0, 1):
        strip = root / "tiny" / "0" / FOLDER / f"G-{step:09d}.webp"
        strip.write_bytes(encoded([zeros(3, 16, 16) + step], 10_000))
    return f"sqlite:///{tmp_path}/copy/study.db", root


def keep(place) -> None:
    with Store.open(place[0], "tiny", place[1]) as store, dashboard_kept(store, lambda event: None) as listener:
        listener(FINISHED)


def note_of(study: optuna.Study, number: int) -> str:
    dashboard = pytest.importorskip("optuna_dashboard", reason="pip install 'ganprune[dashboard]'")
    return dashboard.get_note(optuna.trial.Trial(study, study.trials[number]._trial_id))


def test_objectives_have_name_unit_and_direction(place):
    """By the names that Optuna's own plots have on their axes."""
    keep(place)
    study = optuna.load_study(study_name="tiny", storage=place[0])
    assert study.metric_names == ["test fd[shapes,n=8] (lower is better)", "MACs (exact convention)"]
    assert {trial.user_attrs["method"] for trial in study.trials} == {"uniform", "magnitude"}


def test_each_ended_trial_has_a_note(place):
    """It says method, quality with interval, cost as a share, widths of dense and lineage; a running one has none."""
    before = read_study(place[0], "tiny")
    keep(place)
    study = optuna.load_study(study_name="tiny", storage=place[0])
    note = note_of(study, 0)
    assert note.startswith("**uniform**, COMPLETE")
    assert "% of dense)" in note
    assert "| fd\\[shapes,n=8\\], test |" in note
    group, kept = next(iter(before.trials[0].widths.items()))
    assert f"`{group}` {kept}" in note
    assert "Lineage: chosen by ladder:0; seed " in note
    assert "training diverged" in note_of(study, 3)
    assert note_of(study, 6) == ""
    after = read_study(place[0], "tiny")
    assert after.trials[:6] == before.trials[:6]  # nothing of it is taken for a part of a trial; the last was running


def test_a_note_that_somebody_edited_is_left_alone(place):
    """The dashboard counts versions; only our own first one is replaced."""
    dashboard = pytest.importorskip("optuna_dashboard", reason="pip install 'ganprune[dashboard]'")
    keep(place)
    study = optuna.load_study(study_name="tiny", storage=place[0])
    dashboard.save_note(optuna.trial.Trial(study, study.trials[0]._trial_id), "mine")
    keep(place)
    assert note_of(study, 0) == "mine"


def test_the_last_pictures_are_an_artifact_of_the_trial(place):
    """Optuna's store of files reads them, a second search adds none, and they go with the study."""
    for _ in range(2):
        keep(place)
    study = optuna.load_study(study_name="tiny", storage=place[0])
    (meta,) = get_all_artifact_meta(study.trials[0], storage=study._storage)
    assert (meta.filename, meta.mimetype) == ("G-step-1.webp", "image/webp")
    with FileSystemArtifactStore(place[1] / SHOWN_FILES).open_reader(meta.artifact_id) as file:
        assert file.read() == (place[1] / "tiny" / "0" / FOLDER / "G-000000001.webp").read_bytes()
    delete_study(place[0], "tiny", place[1])
    assert list((place[1] / SHOWN_FILES).iterdir()) == []
