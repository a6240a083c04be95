"""The selection split: images that generators are chosen by, apart from those of training and those of the test.

A set's own validation images are it. Of a set without any it is a fixed part of the training images: those whose names
have the least hashes. An image that is there twice, under another name or through a link, is on one side alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..files.errors import UserError
from ..files.hashes import remembered_sha256, text_sha256
from .dataset import ImageSet
from .image_readers import Pictures

SHARE = 10  # one training image in so many
ENOUGH = 50  # images up to which a small test split does not limit the selection split
LEAST = 10  # with fewer images a choice is mostly chance, and the training misses them
LEAST_OF_OWN = 2  # a covariance needs two images

Entries = Mapping[str, Sequence[int]]  # source -> numbers of its entries
_Entry = tuple[int, int]  # number of entries of its source, its own number: equal sources may belong together


class TooFewToSelect(UserError):
    """A set without validation images of its own, and with too few training images to spare some of them."""


def own_part(validation: ImageSet, train: ImageSet, test: ImageSet) -> ImageSet | None:
    """Return the validation images that are neither trained on nor tested on; None if there are none.

    Args:
        validation: What the set has as such; its test images if it has nothing else.
        train: Its training images.
        test: Its test images.
    """
    contents = _Contents(validation, train, test)
    elsewhere = contents.of(train) | contents.of(test)
    kept: dict[int, set[int]] = {}
    for pictures in validation.sources.values():
        known = [contents.parts(pictures, i) for i in range(len(pictures))]
        if not all(known):  # what cannot be told from the test may be the test
            return None
        new = {i for i, parts in enumerate(known) if not parts & elsewhere}
        kept[len(pictures)] = kept.get(len(pictures), new) & new
    if min(map(len, kept.values())) < LEAST_OF_OWN:
        return None
    return validation.part({name: sorted(kept[len(pictures)]) for name, pictures in validation.sources.items()})


def chosen(train: ImageSet, test: ImageSet) -> Entries:
    """Return the entries of the training images that are kept apart to choose by.

    A tenth of them, but no more than the test has, or 50. Sources of equal length keep the same entries apart, because
    these may belong together.

    Args:
        train: All training images.
        test: The test images.

    Raises:
        TooFewToSelect: Fewer than 10 can be spared.
    """
    contents = _Contents(train, test)
    tested = contents.of(test)
    room = {n: _room(train, test, n) for n in {len(pictures) for pictures in train.sources.values()}}
    apart: dict[int, set[int]] = {n: set() for n in room}
    for copies in _by_rank(train, contents):
        needed = Counter(n for n, _ in copies)
        fit = all(len(apart[n]) + more <= room[n] for n, more in needed.items())
        held = (contents.parts(pictures, i) for n, i in copies for pictures in _of_length(train, n))
        if fit and not any(parts & tested for parts in held):
            for n, i in copies:
                apart[n].add(i)
    if min(map(len, apart.values())) < LEAST:
        raise TooFewToSelect(
            f"too few training images to keep some apart to choose by: got {min(apart)}; expected {SHARE * LEAST} or "
            "more, or validation images in a folder val/. Try --select-on test"
        )
    return {name: sorted(apart[len(pictures)]) for name, pictures in train.sources.items()}


def others(images: ImageSet, entries: Entries) -> ImageSet:
    """Return a set without some entries of each source."""
    apart = {name: set(numbers) for name, numbers in entries.items()}
    return images.part({name: [i for i in range(images.count(name)) if i not in apart[name]] for name in entries})


class _Contents:
    """The content of entries: files by their place on the disk, and those of equal size by their bytes, too.

    Args:
        sets: All sets whose entries are compared.
    """

    def __init__(self, *sets: ImageSet) -> None:
        paths = {path for images in sets for pictures in images.sources.values() for path in _files(pictures)}
        self._keys: dict[Path, str] = {}
        status = {path: path.stat() for path in paths}
        places = {path: (found.st_dev, found.st_ino) for path, found in status.items()}
        sizes = Counter(size for _, size in {(places[path], found.st_size) for path, found in status.items()})
        for path, found in status.items():
            alone = sizes[found.st_size] == 1
            self._keys[path] = str(places[path]) if alone else remembered_sha256(path)

    def parts(self, pictures: Pictures, index: int) -> frozenset[str]:
        """Return the content of each image of an entry; empty if it is not known."""
        if (files := getattr(pictures, "files", None)) is not None:
            return frozenset(self._keys[path] for path in files(index))
        digest = getattr(pictures, "digest", None)
        return frozenset() if digest is None else frozenset([digest(index)])

    def of(self, images: ImageSet) -> set[str]:
        """Return the contents of all entries of a set."""
        return {
            part
            for pictures in images.sources.values()
            for i in range(len(pictures))
            for part in self.parts(pictures, i)
        }


def _files(pictures: Pictures) -> Iterable[Path]:
    files = getattr(pictures, "files", None)
    return () if files is None else (path for i in range(len(pictures)) for path in files(i))


def _of_length(images: ImageSet, n: int) -> list[Pictures]:
    return [pictures for pictures in images.sources.values() if len(pictures) == n]


def _room(train: ImageSet, test: ImageSet, n: int) -> int:
    """Return how many of n entries may be kept apart."""
    tested = min(test.count(name) for name, pictures in train.sources.items() if len(pictures) == n)
    return min(n // SHARE, max(tested, ENOUGH))


def _by_rank(train: ImageSet, contents: _Contents) -> list[list[_Entry]]:
    """Return all entries, copies of each other together, by the hash of the first one's name."""
    first: dict[str, _Entry] = {}
    group: dict[_Entry, list[_Entry]] = {}
    ranks: dict[_Entry, str] = {}
    for n in sorted({len(pictures) for pictures in train.sources.values()}):
        alike = _of_length(train, n)
        for i in range(n):
            ranks[n, i] = text_sha256(f"selection/{_name(alike[0], i, train.spec.source)}")
            group[n, i] = [(n, i)]
            for key in {key for pictures in alike for key in contents.parts(pictures, i)}:
                one, other = group[first.setdefault(key, (n, i))], group[n, i]
                if one is not other:
                    one.extend(other)
                    group.update(dict.fromkeys(other, one))
    distinct = {id(copies): copies for copies in group.values()}.values()
    return sorted(distinct, key=lambda copies: min(ranks[entry] for entry in copies))


def _name(pictures: Pictures, index: int, root: str) -> str:
    """Return what an entry is called wherever its set lies."""
    files = getattr(pictures, "files", None)
    if files is None:
        return str(index)
    return os.path.relpath(files(index)[0], Path(root).expanduser()).replace(os.sep, "/")
