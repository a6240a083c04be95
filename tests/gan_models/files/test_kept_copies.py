"""Copies of a user's files: named by their content, found when the original is gone."""

from pathlib import Path

import pytest
from ganprune.gan_models.files import kept_copies
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.kept_copies import keep, located, look_in


@pytest.fixture(autouse=True)
def no_folders(monkeypatch):
    """Nothing of other tests is looked in."""
    monkeypatch.setattr(kept_copies, "_folders", [])


def test_a_copy_is_found_by_its_name_once_the_original_is_gone(tmp_path):
    """The name that is kept leads to the content, from whatever folder it was said to lie in."""
    source, folder = tmp_path / "mine.py", tmp_path / "study" / "source"
    source.write_text("A = 1")
    name = keep(source, folder, "method")
    source.unlink()
    assert located(Path("/elsewhere") / name).read_text() == "A = 1"
    assert keep(folder / name, folder, "method") == name  # a copy is not copied again
    assert [path.name for path in folder.iterdir()] == [name]


def test_another_content_is_another_copy(tmp_path):
    """A file that was edited does not replace the copy of an earlier study."""
    source, folder = tmp_path / "mine.py", tmp_path / "source"
    source.write_text("A = 1")
    first = keep(source, folder, "method")
    source.write_text("A = 2")
    second = keep(source, folder, "method")
    assert first != second
    assert [(folder / name).read_text() for name in (first, second)] == ["A = 1", "A = 2"]


def test_a_file_that_is_there_is_preferred_and_the_last_folder_comes_first(tmp_path):
    """A path as given wins over copies; of two copies of a name that of the study named last is taken."""
    for place in ("given", "old", "new"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.py").write_text(place)
    look_in(tmp_path / "old")
    look_in(tmp_path / "new")
    assert located(tmp_path / "given" / "a.py").read_text() == "given"
    assert located("nowhere/a.py").read_text() == "new"
    look_in(tmp_path / "old")
    assert located("nowhere/a.py").read_text() == "old"


def test_a_missing_file_is_named_with_its_kind(tmp_path):
    """The error says what the file holds and which one it is."""
    with pytest.raises(UserError, match=r"metric file is missing: got .*gone\.py"):
        keep(tmp_path / "gone.py", tmp_path / "source", "metric")
