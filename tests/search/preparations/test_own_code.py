"""The user's own code as a preparation: copied, checked, and found again."""

from types import SimpleNamespace

import pytest
from ganprune.gan_models.files import kept_copies
from ganprune.gan_models.files.errors import WorkFailed
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.own_code import OWN_CODE

from ...tiny_study import SMALL


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Parts of a study that names a sampler of a user's own."""
    monkeypatch.setattr(kept_copies, "_folders", [])
    (tmp_path / "draw.py").write_text("def draw(seed): ...\n")
    return SimpleNamespace(config=StudyConfig(name="o", **SMALL, sampler=f"{tmp_path / 'draw.py'}:draw"))


def test_it_is_wanted_by_studies_with_own_files_alone(study):
    """A study of rows of tables has nothing to copy."""
    assert OWN_CODE.wanted(study)
    assert not OWN_CODE.wanted(SimpleNamespace(config=StudyConfig(name="o", **SMALL)))


def test_an_edited_copy_is_refused_when_it_is_loaded(study, tmp_path):
    """As made, the folder of the copies is given; a byte more, or a missing file, names the file."""
    artifact = OWN_CODE.make(study, tmp_path / "study")
    (name,) = artifact.files
    assert OWN_CODE.load(study, tmp_path / "study", artifact) == tmp_path / "study" / "source"
    with (tmp_path / "study" / name).open("a") as file:
        file.write("# more")
    with pytest.raises(WorkFailed, match=r"draw-.*\.py is not the file of this study: got another content"):
        OWN_CODE.load(study, tmp_path / "study", artifact)
    (tmp_path / "study" / name).unlink()
    with pytest.raises(WorkFailed, match=r"draw-.*\.py is not the file"):
        OWN_CODE.load(study, tmp_path / "study", artifact)


def test_the_fingerprint_follows_the_content_and_not_the_place(study, tmp_path):
    """A file that was moved is the same code; one that was edited is not."""
    before = OWN_CODE.fingerprint(study)
    (tmp_path / "other").mkdir()
    moved = tmp_path / "other" / "renamed.py"
    moved.write_text((tmp_path / "draw.py").read_text())
    elsewhere = SimpleNamespace(config=StudyConfig(name="o", **SMALL, sampler=f"{moved}:draw"))
    assert OWN_CODE.fingerprint(elsewhere) == before
    moved.write_text("def draw(seed): return 1\n")
    assert OWN_CODE.fingerprint(elsewhere) != before


def test_a_package_with_another_source_is_refused(tmp_path, monkeypatch):
    """A worker whose installed package differs from the driver's is told so, by the object's name."""
    (tmp_path / "drawing_package.py").write_text("def draw(seed): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    study = SimpleNamespace(config=StudyConfig(name="o", **SMALL, sampler="drawing_package:draw"))
    artifact = OWN_CODE.make(study, tmp_path / "study")
    assert (artifact.files, OWN_CODE.wanted(study)) == ({}, True)
    OWN_CODE.load(study, tmp_path / "study", artifact)
    (tmp_path / "drawing_package.py").write_text("def draw(seed): return 1\n")
    with pytest.raises(WorkFailed, match=r"another source of one of drawing_package:draw"):
        OWN_CODE.load(study, tmp_path / "study", artifact)
