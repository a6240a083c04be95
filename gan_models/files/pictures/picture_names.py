"""Names of picture files: suffixes of readable formats, and names of system files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

ARRAY = ".npy"  # suffixes of NumPy arrays, which have any number of channels
# Formats in Pillow's registry of which it reads only the header: data, documents and videos.
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
    """Return the suffixes of arrays and of all formats that Pillow reads, in lower case: `.png`, `.jpg`, ..."""
    from PIL import Image  # imported here, so that importing this module stays fast

    Image.init()
    readable = {form for form in Image.OPEN if form not in _NO_PICTURES}
    return frozenset({ARRAY, *(suffix for suffix, form in Image.registered_extensions().items() if form in readable)})


def is_picture_name(name: str) -> bool:
    """Return True if a file's suffix is that of a readable picture."""
    return Path(name).suffix.lower() in picture_suffixes()


def is_hidden(name: str) -> bool:
    """Return True if a name is a hidden file's (including AppleDouble's `._x.jpg`), or the system's."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM_NAMES
