"""A resume refuses, by name, what is not as it was when the study was made; accepting it is recorded."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ganprune.studies import resume_checks as changes
from ganprune.studies.api import RunOptions, Search, Study
from ganprune.studies.comparison.fid import measure_fid
from ganprune.studies.comparison.measure_options import FidOptions
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.store import Store
from ganprune.studies.results.accepted_changes import ACCEPTED_CHANGES, accepted_changes
from ganprune.studies.resume_checks import MADE_WITH_KEY, PREPARED_KEY, StudyChanged
from PIL import Image

LOCAL = RunOptions(executor="local")
OPTIONS = {
    "model_args": {"width": 6}, "input_shape": (3, 16, 16), "image_size": 16, "trials": 1, "teacher_steps": 1,
    "finetune_steps": 1, "rungs": (), "metric": "shapes", "methods": ("uniform",), "device": "cpu",
    "task_settings": {"discriminator": {"ndf": 4}},
}  # fmt: skip
SOURCE = """
from torch import nn
def generator(width):
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())
"""


def draw(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 32, 3), dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study of one trial on a folder of images, with a generator from a file."""
    place = tmp_path_factory.mktemp("made") / "here"
    for split in ("train", "val", "test"):
        (place / "pairs" / split).mkdir(parents=True)
        for i in range(3):
            draw(place / "pairs" / split / f"{i}.png", i)
    (place / "own.py").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        Search(f"{place}/own.py:generator", "pairs", "60%", "s", OPTIONS, run_options=LOCAL).run()
    return place.rename(place.with_name("moved"))  # so that no test finds the first one's files


@pytest.fixture
def place(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "own.py").unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def resume(trials: int = 2, **options) -> Study:
    """The data moved with the study, and is recorded at its old place."""
    return Study.open("s").resume(trials, run_options=LOCAL, options={"data": "pairs"}, **options)


def recorded(**values: str) -> None:
    """The study was made with something else than there is now."""
    with Store.open("sqlite:///ganprune.db", "s", "ganprune-artifacts") as store:
        store.set_attribute(MADE_WITH_KEY, store.attributes[MADE_WITH_KEY] | values)


def test_what_a_study_was_made_with_is_recorded_and_an_unchanged_one_goes_on(place):
    """Data, space, budget, metric and code by name; nothing changed, nothing refused, nothing accepted."""
    assert list(Study.open("s").record.attributes[MADE_WITH_KEY]) == ["data", "space", "budget", "metric", "code"]
    study = resume()
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    assert ACCEPTED_CHANGES not in study.record.attributes


def another_image(place):
    draw(place / "pairs" / "test" / "1.png", 99)


def another_generator(place):
    (copy,) = (place / "ganprune-artifacts" / "s" / "source").glob("*.py")
    copy.write_text(SOURCE.replace("ReLU", "SiLU"))


def other_weights(place):
    shutil.copy(
        place / "ganprune-artifacts" / "s" / "0" / "generator.safetensors",
        place / "ganprune-artifacts" / "s" / "teacher" / "discriminator-G.safetensors",
    )


def no_teacher(place):
    shutil.rmtree(place / "ganprune-artifacts" / "s" / "teacher")


def another_fingerprint(place):
    with Store.open("sqlite:///ganprune.db", "s", "ganprune-artifacts") as store:
        prepared = store.attributes[PREPARED_KEY]
        store.set_attribute(PREPARED_KEY, prepared | {"teacher": prepared["teacher"] | {"fingerprint": "000000"}})


CHANGED = {
    "data": (another_image, r"another data \(recorded [0-9a-f]{24}, found [0-9a-f]{24}\)"),
    "code": (another_generator, r"another code \(recorded \w+ [0-9a-f]{12}, found \w+ [0-9a-f]{12}\)"),
    "teacher": (other_weights, r"another teacher's discriminator-G.safetensors \(recorded"),
    "no teacher": (no_teacher, r"another teacher \(recorded [0-9a-f]{24}, found missing\)"),
    "space": (lambda place: recorded(space="0" * 64), "another space"),
    "budget": (lambda place: recorded(budget="60% = 17"), r"another budget \(recorded 60% = 17, found 60% = "),
    "preparation": (another_fingerprint, r"another teacher \(recorded 000000, found [0-9a-f]{24}\)"),
    "metric": (lambda place: recorded(metric="inception 0"), r"another metric \(recorded inception 0, found shapes"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_changed_is_refused_by_name_and_nothing_is_run(place, what):
    """One line that names it and the way out; no trial is made, the record stays as it is."""
    change, says = CHANGED[what]
    change(place)
    before = read_study("sqlite:///ganprune.db", "s")
    with pytest.raises(StudyChanged, match=says) as refused:
        resume()
    assert "--accept-changes" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert read_study("sqlite:///ganprune.db", "s") == before


def test_another_version_is_refused(place, monkeypatch):
    """Code that changes results is known by ganprune's version."""
    monkeypatch.setattr(changes, "version", lambda name: "99.0")
    with pytest.raises(StudyChanged, match=r"another code \(recorded ganprune .*found ganprune 99.0"):
        resume()


def test_accepting_goes_on_and_is_recorded(place):
    """The trials after it are made with what is there now, the record says what was overruled and from when on."""
    another_image(place)
    study = resume(accept_changes=True)
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    (entry,) = study.record.attributes[ACCEPTED_CHANGES]
    assert entry["trials"] == 1
    assert list(entry["changes"]) == ["data"]
    assert study.record.attributes[MADE_WITH_KEY]["data"] == entry["changes"]["data"][1]
    resume(3)  # it is not refused a second time
    (line,) = accepted_changes(study.record.attributes)
    assert line.startswith("from trial 1 on: data (recorded ")


def dies(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("change", ["another image", "one more image"])
def test_after_other_test_images_were_accepted_quality_is_measured_against_them(place, change):
    """New trials and the teacher are measured against the images that are there; trials before are set aside, in words,
    and no trial after it takes their results over; a crash half way changes nothing of that."""
    if change == "another image":
        another_image(place)
    else:
        draw(place / "pairs" / "test" / "3.png", 99)
    teacher = Study.open("s").record.attributes["ganprune.teacher"]["measurements"][0]["value"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ganprune.search.preparations.teacher.write_json", dies)
        with pytest.raises(KeyboardInterrupt):
            resume(accept_changes=True)
    study = resume(3, accept_changes=True)
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 3
    old, new = study.trials[0], study.trials[1]
    assert old.violated == ("measured against other real images",)
    assert not old.scored
    assert {trial.number for trial in study.front()} <= {1, 2}
    assert new.outcome.same_as is None
    assert study.record.attributes["ganprune.teacher"]["measurements"][0]["value"] != teacher
    study.export(1, place / "bundle")
    measured = measure_fid("bundle", "pairs", FidOptions(metric="shapes")).measurements[0]
    assert new.quality == pytest.approx(measured.value, rel=1e-6)
    assert resume(4).trials[0].violated  # and it stays so


def test_other_training_images_leave_qualities_comparable(place):
    """If the real images that quality is measured against are the same, no trial is set aside."""
    draw(place / "pairs" / "train" / "1.png", 99)
    study = resume(accept_changes=True)
    assert [trial.scored for trial in study.trials] == [True, True]
    assert list(study.record.attributes[ACCEPTED_CHANGES][0]["changes"]) == ["data"]


def test_a_lost_teacher_that_is_accepted_is_made_again(place):
    """The search goes on with a teacher made anew, measured anew."""
    no_teacher(place)
    study = resume(accept_changes=True)
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    assert (place / "ganprune-artifacts" / "s" / "teacher" / "teacher.json").is_file()
