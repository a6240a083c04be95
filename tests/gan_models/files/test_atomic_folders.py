"""Folders that appear whole or not at all, and never in the place of somebody's own files."""

import pytest
from ganprune.gan_models.files.atomic_folders import fresh_folder
from ganprune.gan_models.files.errors import UserError


def test_a_folder_appears_at_the_end_with_all_that_was_written(tmp_path):
    """Until the block ends there is no folder of the name; afterwards nothing else lies beside it."""
    out = tmp_path / "deep" / "bundle"
    with fresh_folder(out, "card.json") as folder:
        (folder / "card.json").write_text("{}")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["card.json"]
    assert list(out.parent.iterdir()) == [out]


def test_an_error_leaves_what_was_there(tmp_path):
    """A block that fails removes its own folder alone: the one that it would replace keeps its content."""
    out = tmp_path / "bundle"
    with fresh_folder(out, "card.json") as folder:
        (folder / "card.json").write_text("old")

    def interrupted() -> None:
        with fresh_folder(out, "card.json", overwrite=True) as folder:
            (folder / "card.json").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (out / "card.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_only_a_folder_of_its_kind_is_replaced(tmp_path):
    """Without the marker a folder is somebody's own, overwrite or not; an empty one, or one with it, is replaced."""
    out = tmp_path / "bundle"
    out.mkdir()
    with pytest.raises(UserError, match=r"bundle exists. Try another name for --out, or --overwrite"):
        fresh_folder(out, "card.json").__enter__()
    for _ in range(2):  # first in the place of an empty folder, then of one with the marker
        with fresh_folder(out, "card.json", overwrite=True) as folder:
            (folder / "card.json").write_text("{}")
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.tex").write_text("years")
    with pytest.raises(UserError, match=r"was not written by an export: got a folder without card\.json"):
        fresh_folder(mine, "card.json", overwrite=True).__enter__()
    assert (mine / "chapter.tex").read_text() == "years"
