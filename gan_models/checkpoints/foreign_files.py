"""Files that are mistaken for checkpoints, identified by their first bytes or an archive's contents."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from ..files.texts.number_text import counted

_STATE_DICT = "save model.state_dict() with torch.save or as .safetensors"
_STARTS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"<!doctype", "an HTML page, not a checkpoint: the download needed a login, or another link"),
    (b"<html", "an HTML page, not a checkpoint: the download needed a login, or another link"),
    (b"<?xml", "an XML page, not a checkpoint: the download failed, read the page for the reason"),
    (b"{", f"a JSON text, not a checkpoint: {_STATE_DICT}"),
    (b"\x89hdf", f"an HDF5 file (Keras), which contains another framework's weights: convert them, and {_STATE_DICT}"),
    (b"\x93numpy", f"a NumPy array, not a state dict: {_STATE_DICT}"),
    (b"\x1f\x8b", "compressed with gzip: unpack it, and give the file inside"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it, and give the file inside"),
    (b"rar!", "a RAR archive: unpack it, and give the file inside"),
    (b"\x89png", "a PNG image, not a checkpoint"),
    (b"\xff\xd8\xff", "a JPEG image, not a checkpoint"),
    (b"gguf", f"a GGUF file, not a state dict: {_STATE_DICT}"),
)


def foreign_kind(path: Path) -> str:
    """Return a file's kind and a remedy, as text after "checkpoint FILE is"; empty if it may be a checkpoint.

    The file is neither run nor unpickled.

    Args:
        path: A readable file.
    """
    with path.open("rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if path.name.endswith(".index.json"):
        return "the index of a checkpoint in several files: join them into one .safetensors, and give that"
    part = re.search(r"-(\d{4,})-of-(\d{4,})\.\w+$", path.name)
    if part and int(part[2]) > 1:
        return f"part {int(part[1])} of {int(part[2])} of a checkpoint: join them into one .safetensors, and give that"
    for start, what in _STARTS:
        if head.startswith(start):
            return what
    if head[4:8] == b"tfl3":
        return f"a TensorFlow Lite model, not a state dict: {_STATE_DICT}"
    if path.suffix.lower() == ".onnx":
        return f"an ONNX model, not a state dict: {_STATE_DICT}"
    if not path.stat().st_size:
        return "empty (0 bytes): the copy or download failed, repeat it"
    if head.startswith(b"pk"):
        return _archive(path)
    return "a tar archive: unpack it, and give the file inside" if _is_tar(path) else ""


def _is_tar(path: Path) -> bool:
    """Return True if a file is a tar archive of the current format; tarfile's own test accepts files of zeros."""
    with path.open("rb") as file:
        file.seek(257)
        return file.read(5) == b"ustar"


def damaged_record(path: Path) -> str:
    """Return the first member of a zip archive with a wrong checksum; empty if there is none.

    PyTorch writes zeros instead of checksums if they are disabled; those are not compared.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(record.CRC for record in archive.infolist()):
                return ""
            return archive.testzip() or ""
    except Exception:  # of a damaged archive, zipfile raises any kind
        return ""  # the reader reports the error


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # of a damaged archive, zipfile raises any kind
        return ""  # damaged; the reader reports the error
    if any(name.endswith("/data.pkl") for name in names):
        if any("/code/" in name for name in names):
            return f"a TorchScript archive, which contains code: load it with torch.jit.load, and {_STATE_DICT}"
        return ""
    if any(name.endswith((".pt2", "archive_format", "archive_version")) for name in names):
        return f"an exported program of torch.export, not a state dict: {_STATE_DICT}"
    if names and all(name.endswith(".npy") for name in names):
        return f"a NumPy archive (.npz), not a state dict: {_STATE_DICT}"
    return f"a zip archive of {counted(len(names), 'file')} and no state dict: unpack it, and give the file inside"
