"""Splits of a data source on disk: pictures by the split and domain of their folders, and archives. Imports no torch.

A folder without splits holds out a tenth for validation and test, chosen by the hash of each file's name. A held-out
picture is never trained on, even if several links lead to it. The task determines the domains.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ..files.errors import UserError
from ..files.hashes import remembered_sha256
from ..files.pictures.picture_reader import picture_size
from ..files.texts.number_text import counted
from .picture_tree import DOMAINS, HELD_OUT, PictureTree, PlacedPicture, may_be_held_out
from .spec import BUILTIN

OUTSIDE_SPLITS, NO_DOMAIN, HELD_OUT_COPY = (
    "outside the folders of the splits",
    "of no domain",
    "held out under another name",
)


class LayoutError(UserError):
    """An error: a data source does not have the layout that a task reads; the message lacks the expected layout."""


class SplitFolder:
    """A folder of pictures with its splits.

    Args:
        root: The folder.
        seed: Seed of the held-out tenth of folders without splits.
        domains: The domains that are read: ("A", "B"); ("",) for pictures of one kind.
        divides: True if a folder without splits is divided; False if it is an error.

    Raises:
        LayoutError: The root is a file.
    """

    def __init__(self, root: Path, seed: int, domains: Sequence[str] = ("",), divides: bool = True) -> None:
        if not root.is_dir():
            raise LayoutError(f"the data source is a file: got {root}; expected a folder")
        self.root, self.seed, self.domains, self.divides = root, seed, tuple(domains), divides
        self.tree = PictureTree(root, domains)

    def files(self, split: str, domain: str = "") -> list[Path]:
        """Return the pictures of one split, by path.

        Args:
            split: "train", "val" or "test"; the last two replace each other if a set has only one.
            domain: One of the folder's domains.

        Raises:
            LayoutError: There is no such folder, or it has no picture of this split.
        """
        found = self._trained(domain) if split == "train" else self._placed(split, domain)
        if found:
            return [picture.path for picture in found]
        for name in (split, *([] if split == "train" else HELD_OUT)):
            if (folder := self.root / f"{name}{domain}").is_dir():
                raise LayoutError(f"data folder {folder} contains no images")
        pictures = self.tree.of_domain(domain)
        if pictures and self.divides and not any(self.tree.says(each, domain) for each in ("train", *HELD_OUT)):
            where = self.root / domain if (self.root / domain).is_dir() else self.root
            raise LayoutError(
                f"data folder {where} contains {counted(len(pictures), 'image')}, too few for a {split} split"
            )
        raise LayoutError(f"data folder {self.root} has no {split}{domain}/")

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Notes on training files: folders that may be a test's, and copies of held-out files."""
        trained = {domain: self._trained(domain) for domain in self.domains}
        folders = {name for found in trained.values() for picture in found for name in picture.folders}
        notes = []
        if names := sorted(filter(may_be_held_out, folders)):
            notes.append(
                f"also trained on: pictures in {', '.join(names[:5])}{', ...' * (len(names) > 5)}, whose names may "
                f"mean another split, but differ from those next to them. If they are held out, rename the folder to "
                f"test"
            )
        copies = [pair for domain in self.domains for pair in self._copies(trained[domain], domain)]
        if copies:
            one, other = (path.relative_to(self.root) for path in copies[0])
            notes.append(
                f"{len(copies)} training files are copies of held-out ones ({one} of {other}), so quality on those is "
                f"too optimistic. Try to remove one of each"
            )
        return tuple(notes)

    def _trained(self, domain: str) -> list[PlacedPicture]:
        return [picture for picture in self._placed("train", domain) if picture.real not in self._held_out]

    def _copies(self, trained: Sequence[PlacedPicture], domain: str) -> list[tuple[Path, Path]]:
        """Return (training file, held-out file) of equal bytes; only files of equal size are read."""
        held_out = {picture.path for split in HELD_OUT for picture in self._placed(split, domain)}
        by_size: dict[int, list[Path]] = {}
        for path in sorted(held_out):
            by_size.setdefault(path.stat().st_size, []).append(path)
        by_size.pop(0, None)
        copies = []
        for path in (picture.path for picture in trained):
            for other in by_size.get(path.stat().st_size, ()):
                if remembered_sha256(path) == remembered_sha256(other):
                    copies.append((path, other))
                    break
        return copies

    @cached_property
    def left_out(self) -> Counter[str]:
        """Return reason -> number of files below the folder that belong to no split."""
        found = Counter(self.tree.left_out)
        for domain in self.domains:
            placed = [picture for split in ("train", *HELD_OUT) for picture in self._placed(split, domain)]
            found[OUTSIDE_SPLITS] += len(self.tree.of_domain(domain)) - len({picture.path for picture in placed})
            trained = {picture.path: picture.real for picture in self._placed("train", domain)}
            found[HELD_OUT_COPY] += sum(real in self._held_out for real in trained.values())
        found[NO_DOMAIN] += sum(not any(p.in_domain(d) for d in self.domains if d) for p in self.tree.pictures) * (
            self.domains != ("",)
        )
        return +found

    @cached_property
    def _held_out(self) -> set[str]:
        """Paths, without links, of pictures in a test or validation split of any domain."""
        named = {picture.real for picture in self.tree.pictures if picture.split in HELD_OUT}
        drawn = {p.real for domain in self.domains for p in self._placed("test", domain)}
        return named | drawn

    def _placed(self, split: str, domain: str) -> list[PlacedPicture]:
        """Return the pictures of a split by folders, or by the hash of their names."""
        pictures = self.tree.of_domain(domain)
        if any(self.tree.says(each, domain) for each in ("train", *HELD_OUT)):
            names = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}[split]
            if split == "train" and not self.tree.says("train", domain):
                names = ("",)  # the folder determines which of its pictures are held out
            by_name = [[picture for picture in pictures if picture.split == name] for name in names]
            return next((found for found in by_name if found), [])
        if not self.divides:
            return []
        return [p for p in pictures if _is_held_out(p.within(domain), self.seed) == (split != "train")]


def is_cifar(source: Path) -> bool:
    """Return True if a path is CIFAR-10's binary archive or its extracted folder."""
    if source.is_file():
        return source.name.endswith((".tar.gz", ".tgz", ".tar"))
    return any((folder / "data_batch_1.bin").is_file() for folder in (source, source / "cifar-10-batches-bin"))


def existing(source: str) -> Path:
    """Return the source as a path that exists.

    Raises:
        UserError: It does not exist.
    """
    try:
        root = Path(source).expanduser()
        exists = root.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, or a user that is not there
        root, exists = Path(), False
    if not exists:
        raise UserError(f"data {source!r} does not exist: expected a folder, or one of {', '.join(BUILTIN)}")
    if root.suffix == ".py":
        raise UserError(
            f"data {source} is a Python file without an object's name: expected that of a dataset, or of a function "
            f"that returns one. Try {source}:NAME"
        )
    return root


def split_files(root: Path, split: str, seed: int, domain: str = "", *, divides: bool = True) -> list[Path]:
    """Return the pictures of one split of a folder; arguments as for `SplitFolder` and its `files`.

    Raises:
        LayoutError: There is no such folder, or it has no image of this split.
    """
    return SplitFolder(root, seed, (domain,), divides).files(split, domain)


def has_domains(root: Path) -> bool:
    """Return True if a folder contains pictures of domain A and of domain B.

    Folders A and B next to a C are classes, perhaps of letters.
    """
    tree = PictureTree(root)
    beside: dict[tuple[str, ...], set[str]] = {}  # folders with names of one letter, by parent folder
    for picture in tree.pictures:
        for depth, name in enumerate(picture.folders):
            if len(name) == 1 and name.isalpha():
                beside.setdefault(picture.folders[:depth], set()).add(name)
    classes = any(letters & set(DOMAINS) and not letters <= set(DOMAINS) for letters in beside.values())
    return not classes and all(tree.of_domain(domain) for domain in DOMAINS)


def first_is_wide(files: Sequence[Path]) -> bool:
    """Return True if the first readable image is wider than high, like A|B side by side."""
    size = next(filter(None, map(picture_size, files)), None)
    return size is not None and size[0] > size[1]


def _is_held_out(path: Path, seed: int) -> bool:
    return hashlib.sha256(f"{seed}/{path.as_posix()}".encode()).digest()[0] % 10 == 0
