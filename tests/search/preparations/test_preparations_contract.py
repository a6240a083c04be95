"""Every preparation of the table keeps one contract: recorded with its files, made once, checked, kept by cleanup."""

import json
from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.catalog import PREPARATIONS
from ganprune.search.preparations.preparation import PreparedArtifact
from ganprune.search.preparations.reference_features import same_features

from ...tiny_study import SMALL, new_folder, opened


@pytest.fixture(scope="module")
def study():
    return opened(StudyConfig(name="prepared", **SMALL | {"methods": ("uniform", "mggc"), "prune_steps": 1}))


@pytest.fixture(scope="module")
def folder(study):
    made = new_folder()
    (made / "teacher" / "shared").mkdir(parents=True)
    (made / "teacher" / "shared" / "manifold-0.safetensors").write_bytes(b"samples")
    return made


ROWS = [name for name in PREPARATIONS if name != "latency_profile"]  # that one's study has a budget in ms: see below


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_made_once_recorded_and_checked(name, study, folder):
    """What is there is not made again; a file that is another one is named, and refused when it is loaded."""
    row = PREPARATIONS.find(name).open()
    assert row.wanted(study)
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
    assert not any(part.isdigit() for file in made.files for part in file.split("/")[:-1])  # in no trial's folder


def test_features_that_differ_by_rounding_are_the_same(study):
    """Another number of threads adds in another order; another image is another sample."""
    import torch

    before = {"G": torch.rand(4, 8)}
    assert same_features(before, {"G": before["G"] * (1 + 1e-7)})
    assert not same_features(before, {"G": torch.rand(4, 8)})
    assert not same_features(before, {"G": torch.rand(5, 8)})
