"""Places of a data source's images on disk: files by suffix, folders by split, archives. Imports no torch.

A folder without a split holds out a tenth for validation and test, chosen by the hash of each file's name. Which
folders a task reads is the task's own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..files.errors import UserError
from .spec import BUILTIN

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")


class LayoutError(UserError):
    """A data source that is not laid out as a task reads it; the message lacks what the task expects."""


def images_under(folder: Path, deep: bool = False) -> list[Path]:
    """Return the image files of a folder, by suffix, sorted by name; hidden files are left out."""
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(
        path
        for path in found
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def is_cifar(source: Path) -> bool:
    """Return whether a path is CIFAR-10's binary archive or its extracted folder."""
    if source.is_file():
        return source.name.endswith((".tar.gz", ".tgz", ".tar"))
    return any((folder / "data_batch_1.bin").is_file() for folder in (source, source / "cifar-10-batches-bin"))


def existing(source: str) -> Path:
    """Return the source as a path that exists.

    Raises:
        UserError: There is none.
    """
    root = Path(source).expanduser()
    if not root.exists():
        raise UserError(f"data {source} does not exist; give a folder, or one of {', '.join(BUILTIN)}")
    return root


def split_files(
    root: Path, split: str, seed: int, domain: str = "", *, deep: bool = False, divides: bool = True
) -> list[Path]:
    """Return the image files of one split: of the folder `<split><domain>`, or of an undivided folder its share.

    Args:
        root: The source.
        split: "train", "val" or "test"; either of the last two stands for the other if a set has only one.
        seed: Decides the held-out tenth of an undivided folder.
        domain: Ending of the folders' names; an undivided folder is called by it alone.
        deep: Subfolders of a split's folder are read, too.
        divides: An undivided folder is divided; else it is an error.

    Raises:
        LayoutError: No such folder, or no image for this split in it.
    """
    if not root.is_dir():
        raise LayoutError(f"data {root} is a file")
    names = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}[split]
    for name in names:
        folder = root / f"{name}{domain}"
        if folder.is_dir():
            files = images_under(folder, deep=deep)
            if not files:
                raise LayoutError(f"data folder {folder} holds no images")
            return files
    whole = root / domain if domain else root
    if not divides or (root / f"train{domain}").is_dir() or not whole.is_dir():
        raise LayoutError(f"data folder {root} has no {names[0]}{domain}/")
    files = images_under(whole, deep=True)
    kept = [path for path in files if _held_out(path.relative_to(whole), seed) == (split != "train")]
    if not kept:
        raise LayoutError(f"data folder {whole} holds {len(files)} images, too few for a {split} split")
    return kept


def first_is_wide(files: list[Path]) -> bool:
    """Return whether the first readable image is wider than high, as A|B side by side is."""
    from PIL import Image  # here, so that importing this module stays cheap

    for path in files:
        try:
            with Image.open(path) as image:
                return image.width > image.height
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
    return False


def _held_out(path: Path, seed: int) -> bool:
    return hashlib.sha256(f"{seed}/{path.as_posix()}".encode()).digest()[0] % 10 == 0
