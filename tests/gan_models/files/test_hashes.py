"""Hashes of files."""

from ganprune.gan_models.files import hashes
from ganprune.gan_models.files.hashes import file_sha256, remembered_sha256


def test_a_remembered_hash_follows_the_file(tmp_path, monkeypatch):
    """A file is read once while it stays as it is, and once more after it was written again."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    reads = []
    monkeypatch.setattr(hashes, "file_sha256", lambda path: reads.append(path) or file_sha256(path))
    assert remembered_sha256(path) == remembered_sha256(str(path)) == file_sha256(path)
    assert len(reads) == 1
    path.write_bytes(b"other")
    assert remembered_sha256(path) == file_sha256(path)
    assert len(reads) == 2
