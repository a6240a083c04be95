"""The pictures below a folder, each with the split and the domain from its folders' names. Imports no torch.

A split is recognized at any place of the path: `train/A/x.png`, `A/train/x.png` and `trainA/x.png` are the same
training picture of domain A. If any folder on the path means validation or test, the picture is never trained on.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..files.pictures.picture_names import is_hidden, is_picture_name

# Words in folders' names -> the split that they mean.
SPLIT_WORDS: Mapping[str, str] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "eval": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
# Further words, only as whole names: `trn`, `holdout`; as parts of names they are ambiguous.
_SPLIT_NAMES: Mapping[str, str] = {
    "trn": "train", "evaluation": "val", "tst": "test", "holdout": "test", "heldout": "test", "hold-out": "test",
    "hold_out": "test", "held-out": "test", "held_out": "test",
}  # fmt: skip
# Words that may accompany a split's word in a folder's name: `test_set`, `Testing Images`, `valset`.
_CONTENT_WORDS = "sets?|data|dataset|split|images?|imgs?|pictures?|photos?|pics"
HELD_OUT = ("test", "val")  # a folder that names two splits belongs to the first one here
DOMAINS = ("A", "B")
HIDDEN, BROKEN_LINK, LINK_LOOP, LINKED_TWICE = (
    "hidden or of the system",
    "broken link",
    "link to a folder above it",
    "linked twice",
)
UNREADABLE_FOLDER = "folder that cannot be opened"
_SPLIT_WORD_PATTERN = "|".join(sorted(SPLIT_WORDS, key=len, reverse=True))
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True)
class PlacedPicture:
    """A picture file in a tree of folders.

    Attributes:
        path: Path below the tree's root, possibly through links.
        real: The same path without links; one path for all names of a file with hard links.
        split: "train", "val" or "test"; empty if no folder names one.
        folders: Names of the folders from the root down to it.
    """

    path: Path
    real: str
    split: str
    folders: tuple[str, ...]

    def in_domain(self, domain: str) -> bool:
        """Return True if one of its folders names a domain."""
        return any(says_domain(name, domain) for name in self.folders)

    def within(self, domain: str) -> Path:
        """Return its path below the root, without the folder that is named after the domain only."""
        names = [name for name in self.folders if name != domain] if domain else self.folders
        return Path(*names, self.path.name)


class PictureTree:
    """All pictures below a folder, at any depth, including links to folders.

    Args:
        root: The folder.
        domains: Domains that folders may name in addition to a split: `trainA`.
        repeats: True if links to one file are separate pictures, each by its name; folders are still walked once.
        wanted: Function that selects files by name; pictures by default.

    Attributes:
        pictures: Pictures by path; each one once per split and domain.
        said: (Split, folders from the root) of each folder of a split, even if it is empty.
        left_out: Reason -> number of files (or folders) left out for it.
    """

    def __init__(
        self,
        root: Path,
        domains: Iterable[str] = DOMAINS,
        repeats: bool = False,
        wanted: Callable[[str], bool] = is_picture_name,
    ) -> None:
        self.root = root
        self._wanted = wanted
        self._repeats = repeats
        self.domains = tuple(dict.fromkeys([*DOMAINS, *filter(None, domains)]))
        self.said: list[tuple[str, tuple[str, ...]]] = []
        self.left_out: Counter[str] = Counter()
        self._domains: dict[str, list[PlacedPicture]] = {}
        self._seen: set[tuple[str, str, frozenset[str]]] = set()
        self._names: dict[tuple[int, int], str] = {}  # files with several names, by device and inode
        real = os.path.realpath(root)
        found = list(self._below(_Place(root, real, (), (), frozenset({real}))))
        self.pictures: list[PlacedPicture] = sorted(found, key=lambda picture: picture.path)

    def of_domain(self, domain: str) -> list[PlacedPicture]:
        """Return the pictures of a domain; all of them if it is empty."""
        if domain not in self._domains:
            self._domains[domain] = [picture for picture in self.pictures if not domain or picture.in_domain(domain)]
        return self._domains[domain]

    def says(self, split: str, domain: str) -> bool:
        """Return True if a folder of a domain belongs to a split, even if it is empty."""
        if any(picture.split == split for picture in self.of_domain(domain)):
            return True
        folders = [names for said, names in self.said if said == split]
        return any(not domain or any(says_domain(name, domain) for name in names) for names in folders)

    def _below(self, place: _Place) -> Iterator[PlacedPicture]:
        """Yield the pictures below a folder: its own files, then those of real folders, then of linked ones."""
        try:
            entries = sorted(os.scandir(place.folder), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError:
            self.left_out[UNREADABLE_FOLDER] += 1
            return
        folders = [entry.name for entry in entries if _is_folder(entry) and not is_hidden(entry.name)]
        splits = {name: split_said(name, folders, self.domains) for name in folders}
        for entry in entries:
            real = os.path.realpath(entry) if entry.is_symlink() else f"{place.real.rstrip(os.sep)}{os.sep}{entry.name}"
            if entry.name in splits:
                lower = place.lower(entry.name, real, splits[entry.name])
                if lower.split:
                    self.said.append((lower.split, lower.names))
                if real in place.above or place.real.startswith(real.rstrip(os.sep) + os.sep):
                    self.left_out[LINK_LOOP] += 1
                elif self._is_new(real, lower):
                    yield from self._below(lower)
            elif _is_folder(entry):
                continue
            elif (reason := _fault(entry, self._wanted)) is not None:
                self.left_out[reason] += reason != HIDDEN or is_picture_name(entry.name)
            elif self._repeats or self._is_new(real, place):
                one = self._one_name(entry, real)
                yield PlacedPicture(place.folder / entry.name, one, place.split, place.names)

    def _one_name(self, entry: os.DirEntry[str], real: str) -> str:
        """Return the path of a file without links; the first one found, if the file has several."""
        found = entry.stat()
        return self._names.setdefault((found.st_dev, found.st_ino), real) if found.st_nlink > 1 else real

    def _is_new(self, real: str, place: _Place) -> bool:
        """Return True if a file or folder is new in its split and domains; count it as left out if not."""
        domains = frozenset(d for d in self.domains if any(says_domain(name, d) for name in place.names))
        context = (real, place.split, domains)
        self.left_out[LINKED_TWICE] += context in self._seen
        new = context not in self._seen
        self._seen.add(context)
        return new


@dataclass(frozen=True)
class _Place:
    """A folder of a tree.

    Attributes:
        folder: Path of the folder, possibly through links.
        real: The same path without links.
        names: Folders from the root down to it.
        said: Splits that they name.
        above: Paths of it and the folders above it, without links.
    """

    folder: Path
    real: str
    names: tuple[str, ...]
    said: tuple[str, ...]
    above: frozenset[str]

    @property
    def split(self) -> str:
        """The split that its folders name; empty if none does."""
        return next((split for split in HELD_OUT if split in self.said), "train" if self.said else "")

    def lower(self, name: str, real: str, split: str) -> _Place:
        """Return a subfolder."""
        said = (*self.said, split) if split else self.said
        return _Place(self.folder / name, real, (*self.names, name), said, self.above | {real})


def split_said(name: str, siblings: Iterable[str] = (), domains: Iterable[str] = DOMAINS) -> str:
    """Return the split that a folder's name means; empty if there is none.

    Args:
        name: `train`, `trainA`, `A_train`, `train2017`, `test_set`, `Testing Images`, `holdout`; or, if a sibling
            differs only in the split's word, any name with such a word: `DIV2K_train_HR` next to `DIV2K_valid_HR`.
        siblings: Names of its sibling folders.
        domains: Domains that may accompany the word.
    """
    if name.lower() in _SPLIT_NAMES:
        return _SPLIT_NAMES[name.lower()]
    beside = "|".join([*map(re.escape, domains), r"\d+", _CONTENT_WORDS])
    pattern = rf"({_SPLIT_WORD_PATTERN})s?(?:[ _.-]?(?:{beside}))?|(?:{beside})[ _.-]?({_SPLIT_WORD_PATTERN})s?"
    if form := re.fullmatch(pattern, name, re.IGNORECASE):
        return SPLIT_WORDS[(form[1] or form[2]).lower()]
    rest, split = _without_word(name)
    others = [_without_word(sibling) for sibling in siblings] if split else []
    return split if any(other == rest and said not in ("", split) for other, said in others) else ""


@lru_cache(1 << 16)
def says_domain(name: str, domain: str) -> bool:
    """Return True if a folder's name names a domain: `A`, `trainA`, `A_test`, `domainA`.

    A domain of several letters may be any word of a name, in upper or lower case: `hr` in `DIV2K_train_HR`.
    """
    if name == domain:
        return True
    word = re.escape(domain)
    if len(domain) > 1 and re.search(rf"(?<![a-z]){word}(?![a-z])", name, re.IGNORECASE):
        return True
    return (
        re.fullmatch(
            rf"(?:{_SPLIT_WORD_PATTERN}|domain)[ _.-]?{word}|{word}[ _.-]?(?:{_SPLIT_WORD_PATTERN})",
            name,
            re.IGNORECASE,
        )
        is not None
    )


def may_be_held_out(name: str) -> bool:
    """Return True if a folder's name contains a word for test or validation without naming a split: `ffhq_test`."""
    return _without_word(name)[1] in HELD_OUT


def _without_word(name: str) -> tuple[str, str]:
    """Return a name with a placeholder for the word that means a split, and this split."""
    for token in _TOKENS.finditer(name):
        if token[0].lower() in SPLIT_WORDS:
            return f"{name[: token.start()]}*{name[token.end() :]}".lower(), SPLIT_WORDS[token[0].lower()]
    return name.lower(), ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to a folder without permission
        return False


def _fault(entry: os.DirEntry[str], wanted: Callable[[str], bool]) -> str | None:
    if is_hidden(entry.name):
        return HIDDEN
    if not wanted(entry.name):
        return f"not an image format ({Path(entry.name).suffix.lower() or 'no suffix'})"
    try:
        return None if entry.is_file() else BROKEN_LINK
    except OSError:
        return BROKEN_LINK
