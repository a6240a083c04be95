"""Every preparation of the table keeps one contract: recorded with its files, made once, checked, kept by cleanup."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.study_folder import StudyFolder
from ganprune.search.config import StudyConfig
from ganprune.search.engine.checkpoint_cleanup import clean
from ganprune.search.latency.predictor import opened as opened_profile
from ganprune.search.preparations.catalog import PREPARATIONS
from ganprune.search.preparations.eval_images import RealImages
from ganprune.search.preparations.preparation import PreparationRow, PreparedArtifact
from ganprune.search.preparations.prepare import gather, prepare
from ganprune.search.preparations.reference_features import IDENTITY, computed, same_features
from ganprune.search.records.ledger import NewTrial, TrialRecord

from ...fakes.analytic_device import ARGUMENTS, INPUTS, profiled
from ...tiny_study import SMALL, new_folder, opened

METRIC = """
class Mine:
    better = "lower"
    def prepare(self, real): ...
    def reset(self, full): ...
    def update(self, outputs, references): ...
    def compute(self): return []
"""


@pytest.fixture(scope="module")
def study():
    """A study that wants every row: own code, a budget in ms, and the methods that ask for preparations."""
    profile = profiled(points=2)
    code = new_folder() / "mine.py"
    code.write_text(METRIC)
    whole = opened_profile(profile, "resnet", ARGUMENTS, INPUTS).form.dense()
    options = SMALL | {"model_args": ARGUMENTS, "budgets": (f"{0.7 * whole:.6f}ms",)}
    needing = [name for name in METHODS if METHODS.find(name).preparations]
    methods = {
        "methods": ("uniform", *needing),
        "prune_steps": 1,
        "also_measure": (f"{code}:Mine",),
        "select_on": "selection",
        "calibration_images": 8,
    }
    return opened(StudyConfig(name="prepared", **options, **methods), find_profile=lambda config: profile)


@pytest.fixture(scope="module")
def folder(study):
    made = StudyFolder(new_folder(), "prepared").path
    (made / "teacher" / "shared").mkdir(parents=True)
    (made / "teacher" / "shared" / "manifold-0.safetensors").write_bytes(b"samples")
    (made / "teacher" / "shared" / "score-table-0.json").write_bytes(b"{}")
    return made


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_row_is_made_once_recorded_and_checked(name, study, folder):
    """An artifact that is there is not made again; a file that is another one is named, and refused when it is loaded."""
    row = PREPARATIONS.find(name).open()
    if name not in PREPARATIONS.own and not row.wanted(study):
        pytest.skip("another package's row, which this study does not want")
    assert row.wanted(study)
    prepare(study, folder, names=[*itertools.takewhile(lambda other: other != name, PREPARATIONS)])
    made = row.make(study, folder)
    assert (made.name, made.fingerprint) == (name, row.fingerprint(study))
    assert made.files
    before = {file: (folder / file).stat().st_mtime_ns for file in made.files}
    assert row.make(study, folder) == made
    assert {file: (folder / file).stat().st_mtime_ns for file in made.files} == before
    again = from_json(PreparedArtifact, json.loads(json.dumps(to_json(made))))
    assert again == made
    assert again.changed(folder) == {}
    assert row.load(study, folder, again) is not None
    other = replace(again, files=dict.fromkeys(again.files, "0" * 64))
    assert set(other.changed(folder)) == set(again.files)
    with pytest.raises((WorkFailed, UserError), match="put it back"):
        row.load(study, folder, other)
    clean(StudyFolder(folder.parent, folder.name), [failed()], weights=True)
    assert again.changed(folder) == {}


class Notes:
    """A preparation of another package."""

    def wanted(self, study):
        return True

    def fingerprint(self, study):
        return "1"

    def make(self, study, folder, progress=None):
        (folder / "notes.txt").write_text("made")
        return PreparedArtifact.of("notes", "1", folder, [folder / "notes.txt"])

    def load(self, study, folder, artifact):
        return (folder / "notes.txt").read_text()


NOTES = Notes()


def test_a_row_of_another_package_is_made_with_ours(study, folder, monkeypatch):
    """It comes after ours, is recorded under its name, can be loaded, and gathering leaves it alone."""
    monkeypatch.setitem(PREPARATIONS.own, "notes", PreparationRow(f"{__name__}:NOTES"))
    prepared = prepare(study, folder)
    assert list(prepared.artifacts) == [name for name in PREPARATIONS if PREPARATIONS.find(name).open().wanted(study)]
    assert prepared.artifacts["notes"].files.keys() == {"notes.txt"}
    assert study.load("notes") == "made"
    (folder / "notes.txt").write_text("made by somebody else")
    assert gather(study, folder) == prepared


def failed() -> TrialRecord:
    """A trial that cleanup removes."""
    new = NewTrial(Proposal("uniform", {}, 1.0, "macs", None, 32), {}, {}, "ladder:0")
    return TrialRecord(0, new, "FAIL", 1)


def test_the_same_images_in_the_same_encoder_are_known_by_their_identity(study):
    """Features that another number of threads rounds otherwise stay comparable; one pixel more or less does not."""
    now = computed(study)
    (name,) = study.names
    assert same_features({**now, name: now[name] + 1.0}, now)
    assert not same_features({**now, IDENTITY: now[IDENTITY].flip(0)}, now)
    assert torch.equal(computed(study)[IDENTITY], now[IDENTITY])


@pytest.mark.parametrize("cached", [False, True])
def test_each_real_image_is_read_once_for_features_and_identity(study, cached, tmp_path, monkeypatch):
    """If the features are in the cache, their identity still is of the images that there are."""
    monkeypatch.setenv("GANPRUNE_CACHE", str(tmp_path))
    if cached:
        computed(study)
    read, original = [], RealImages.batches

    def counted(images):
        for batch in original(images):
            read.append(len(batch))
            yield batch

    monkeypatch.setattr(RealImages, "batches", counted)
    computed(study)
    assert sum(read) == len(study.test_data)


def test_features_that_differ_by_rounding_are_the_same(study):
    """Those of version 0.1.0 have no identity; another image is another sample."""
    before = {"G": torch.rand(4, 8)}
    assert same_features(before, {"G": before["G"] * (1 + 1e-7)})
    assert not same_features(before, {"G": torch.rand(4, 8)})
    assert not same_features(before, {"G": torch.rand(5, 8)})
