"""Whole files: what a crash or an error leaves behind."""

import os
import threading

import pytest
from ganprune.gan_models.files.atomic_files import read_json, write_file, write_json, written_beside
from ganprune.gan_models.files.errors import UserError


def test_an_error_leaves_the_old_file_and_nothing_beside(tmp_path):
    """A writer that fails half way changes nothing, and removes its part."""
    path = write_file(tmp_path / "new" / "a.txt", b"old")

    def fail():
        with written_beside(path) as beside:
            beside.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_reader_never_sees_a_part(tmp_path):
    """While a file is replaced a hundred times, each reading finds one of the two whole contents."""
    path, contents = tmp_path / "a", (b"x" * 100_000, b"y" * 50_000)
    write_file(path, contents[0])
    writer = threading.Thread(target=lambda: [write_file(path, contents[i % 2]) for i in range(100)])
    writer.start()
    while writer.is_alive():
        assert path.read_bytes() in contents
    writer.join()


def test_json_that_is_not_whole_is_none(tmp_path):
    """A missing, torn or foreign file reads as None, so that it is made again."""
    assert read_json(tmp_path / "none.json") is None
    assert read_json(write_json(tmp_path / "a.json", {"a": float("nan")})) == {"a": "nan"}
    (tmp_path / "a.json").write_text('{"a": ')
    assert read_json(tmp_path / "a.json") is None
    (tmp_path / "a.json").write_text("[1]")
    assert read_json(tmp_path / "a.json") is None


def test_a_folder_is_refused_by_name(tmp_path):
    """A folder in the place of a file is the user's mistake, named as given, and stays as it is."""
    with pytest.raises(UserError, match="a folder; expected the name of a file"):
        write_file(tmp_path, b"x")
    assert os.listdir(tmp_path) == []
