"""Names of picture files: suffixes of formats that are read, and names that no user gave."""

from __future__ import annotations

from functools import cache
from pathlib import Path

ARRAY = ".npy"  # of NumPy arrays, which have any number of channels
# Formats that Pillow's registry lists, of which it reads the head alone: data, documents and videos.
_NO_PICTURES = ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF")
_SYSTEM_NAMES = (
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "@eadir",
    "icon\r",
    "$recycle.bin",
    "system volume information",
    "lost+found",
)


@cache
def picture_suffixes() -> frozenset[str]:
    """Return the suffixes of arrays and of all formats that Pillow reads here, in lower case: `.png`, `.jpg`, ..."""
    from PIL import Image  # here, so that importing this module stays cheap

    Image.init()
    readable = {form for form in Image.OPEN if form not in _NO_PICTURES}
    return frozenset({ARRAY, *(suffix for suffix, form in Image.registered_extensions().items() if form in readable)})


def is_picture_name(name: str) -> bool:
    """Return True if a file's suffix is that of a readable picture."""
    return Path(name).suffix.lower() in picture_suffixes()


def is_hidden(name: str) -> bool:
    """Return whether a name is a hidden file's (AppleDouble's `._x.jpg` among them), or one of the system's."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM_NAMES
