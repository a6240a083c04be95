"""Where the images of a data source lie on disk: the folder layouts that are read, and which task they mean.

Layouts (the published ones of pix2pix and CycleGAN, and plain folders):
    paired         ROOT/train/*.jpg ROOT/test/*.jpg [ROOT/val/*.jpg]: each file holds A | B side by side
    unpaired       ROOT/trainA ROOT/trainB ROOT/testA ROOT/testB [valA valB], or ROOT/A ROOT/B without a split
    unconditional  ROOT/**/*.png without a split, or ROOT/train/**/*.png and ROOT/test/**/*.png
    unconditional  cifar-10-binary.tar.gz, or its extracted folder with data_batch_1.bin ...
A folder without a split holds out a tenth for validation and test, chosen by the hash of each file's name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..files.errors import UserError
from .spec import BUILTIN_TASKS, SPLITS, DataSpec

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
EXPECTED = (
    "expected train/ and test/ (or val/) with A|B side by side (paired), trainA/ trainB/ testA/ testB/ or "
    "A/ B/ (unpaired), a folder of images (unconditional), or CIFAR-10's binary archive"
)


def images_under(folder: Path, deep: bool = False) -> list[Path]:
    """Image files of a folder, by suffix, sorted by name; hidden files are left out."""
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(
        path
        for path in found
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def is_cifar(source: Path) -> bool:
    """Whether a path is CIFAR-10's binary archive or its extracted folder."""
    if source.is_file():
        return source.name.endswith((".tar.gz", ".tgz", ".tar"))
    return any((folder / "data_batch_1.bin").is_file() for folder in (source, source / "cifar-10-batches-bin"))


def detect_task(source: str) -> str:
    """The task that a data source's layout means: "paired", "unpaired" or "unconditional".

    Raises:
        ValueError: no such source, or a folder in none of the layouts.
    """
    if source.startswith("builtin:"):
        if source not in BUILTIN_TASKS:
            raise UserError(f"data {source!r} is unknown; built in are {', '.join(BUILTIN_TASKS)}")
        return BUILTIN_TASKS[source][0]
    root = existing(source)
    if is_cifar(root):
        return "unconditional"
    if root.is_dir():
        for a, b in (("trainA", "trainB"), ("A", "B")):
            if (root / a).is_dir() and (root / b).is_dir():
                return "unpaired"
        if (root / "train").is_dir() and _first_is_wide(images_under(root / "train")):
            return "paired"
        if next(iter(images_under(root, deep=True)), None) is not None:
            return "unconditional"
    raise UserError(f"data folder {source} holds no images in a known layout; {EXPECTED}")


def existing(source: str) -> Path:
    """The source as a path that exists; ValueError otherwise."""
    root = Path(source).expanduser()
    if not root.exists():
        raise UserError(f"data {source} does not exist; give a folder, or one of {', '.join(BUILTIN_TASKS)}")
    return root


def files_of(spec: DataSpec, split: str) -> tuple[list[Path], ...]:
    """The image files of one split: one list (paired, unconditional) or two, A and B (unpaired).

    Raises:
        ValueError: unknown split, or a folder that does not have the layout of the task.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; use one of {', '.join(SPLITS)}")
    root = existing(spec.source)
    if not root.is_dir():
        raise UserError(f"data {spec.source} is a file; {EXPECTED}")
    domains = {"paired": ("",), "unpaired": ("A", "B"), "unconditional": ("",)}[spec.task]
    return tuple(_domain_files(root, spec, split, domain) for domain in domains)


def _domain_files(root: Path, spec: DataSpec, split: str, domain: str) -> list[Path]:
    # A published set often has only one of val and test: either stands for the other.
    names = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}[split]
    for name in names:
        folder = root / f"{name}{domain}"
        if folder.is_dir():
            files = images_under(folder, deep=spec.task == "unconditional")
            if not files:
                raise UserError(f"data folder {folder} holds no images; {EXPECTED}")
            return files
    whole = root / domain if domain else root
    divided = (root / f"train{domain}").is_dir()
    if spec.task == "paired" or divided or not whole.is_dir():
        raise UserError(f"data folder {spec.source} has no {names[0]}{domain}/ for a {spec.task} task; {EXPECTED}")
    files = images_under(whole, deep=True)
    kept = [path for path in files if _held_out(path.relative_to(whole), spec.seed) == (split != "train")]
    if not kept:
        raise UserError(f"data folder {whole} holds {len(files)} images, too few for a {split} split; {EXPECTED}")
    return kept


def _first_is_wide(files: list[Path]) -> bool:
    """Whether the first readable image is wider than high, as A|B side by side is."""
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
