"""The selection split: images by which generators are chosen, separate from training and test images.

It is a set's own validation images. For a set without any, it is a fixed part of the training images: those whose names
have the smallest hashes. An image that occurs twice, under another name or through a link, is in one split only.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from ..files.errors import UserError
from ..files.hashes import remembered_sha256, text_sha256
from .dataset import ImageSet
from .image_readers import Pictures

SHARE = 10  # selection split: one of this many training images
MAX_IMAGES_OF_SMALL_TEST = 50  # number of images up to which a small test split does not limit the selection split
MIN_SELECTION_IMAGES = 10  # with fewer images, a choice is mostly chance, and training lacks them
MIN_OWN_IMAGES = 2  # a covariance needs two images

Entries = Mapping[str, Sequence[int]]  # source -> numbers of its entries
_Group = tuple[str, ...]  # sources whose entries belong together by index
_Content = tuple[str, ...]  # content of all parts of one entry


class TooFewToSelect(UserError):
    """An error: a set has neither validation images nor enough training images to spare some."""


def own_part(validation: ImageSet, train: ImageSet, test: ImageSet) -> ImageSet | None:
    """Return the validation images that are neither training nor test images; None if there are none.

    Args:
        validation: The set's validation images, or its test images if it has no others.
        train: Its training images.
        test: Its test images.
    """
    groups, contents = _groups(train), _Contents(validation, train, test)
    elsewhere = contents.of(train, groups) | contents.of(test, groups)
    new: dict[str, frozenset[int]] = {}
    for group in groups:
        known = [contents.entry(validation, group, i) for i in range(validation.count(group[0]))]
        if None in known:  # images that cannot be distinguished from the test may be the test
            return None
        new |= dict.fromkeys(group, frozenset(i for i, content in enumerate(known) if content not in elsewhere))
    kept: dict[str, list[int]] = {}
    for together in _groups(validation):  # validation images may be pairs even if training images are not
        entries = sorted(frozenset.intersection(*(new[name] for name in together)))
        if len(entries) < MIN_OWN_IMAGES:
            return None
        kept |= dict.fromkeys(together, entries)
    return validation.part(kept)


def chosen(train: ImageSet, test: ImageSet) -> Entries:
    """Return the entries of the training images that become the selection split.

    These are a tenth of them, but at most as many as the test images, or 50.

    Args:
        train: All training images.
        test: The test images.

    Raises:
        TooFewToSelect: Fewer than 10 images can be spared.
    """
    groups, contents = _groups(train), _Contents(train, test)
    tested = contents.of(test, groups)
    room = {group: _room(train.count(group[0]), min(map(test.count, group))) for group in groups}
    apart: dict[_Group, list[int]] = {group: [] for group in groups}
    for copies in _by_rank(train, groups, contents):
        needed = Counter(group for group, _ in copies)
        fit = all(len(apart[group]) + more <= room[group] for group, more in needed.items())
        if fit and not any(contents.entry(train, group, i) in tested for group, i in copies):
            for group, i in copies:
                apart[group].append(i)
    if min(map(len, apart.values())) < MIN_SELECTION_IMAGES:
        raise TooFewToSelect(
            f"too few training images for a selection split: got {min(train.count(g[0]) for g in groups)}; expected "
            f"{SHARE * MIN_SELECTION_IMAGES} or more, or validation images in a folder val/. Try --select-on test"
        )
    return {name: sorted(apart[group]) for group in groups for name in group}


def others(images: ImageSet, entries: Entries) -> ImageSet:
    """Return a set without some entries of each source."""
    apart = {name: set(numbers) for name, numbers in entries.items()}
    return images.part({name: [i for i in range(images.count(name)) if i not in apart[name]] for name in entries})


def _groups(images: ImageSet) -> list[_Group]:
    """Return the sources whose entries belong together: those of one length, unless sources are independent."""
    if images.independent:
        return [(name,) for name in images.sources]
    lengths = dict.fromkeys(map(images.count, images.sources))
    return [tuple(name for name in images.sources if images.count(name) == n) for n in lengths]


class _Contents:
    """The content of entries: files by device and inode, and those of equal size by their bytes.

    Args:
        sets: All sets whose entries are compared.
    """

    def __init__(self, *sets: ImageSet) -> None:
        paths = {path for images in sets for pictures in images.sources.values() for path in _files(pictures)}
        status = {path: path.stat() for path in paths}
        places = {path: (found.st_dev, found.st_ino) for path, found in status.items()}
        sizes = Counter(size for _, size in {(places[path], found.st_size) for path, found in status.items()})
        self._keys = {
            path: str(places[path]) if sizes[found.st_size] == 1 else remembered_sha256(path)
            for path, found in status.items()
        }

    def entry(self, images: ImageSet, group: _Group, index: int) -> _Content | None:
        """Return the content of one entry; None if a source does not identify it."""
        parts: list[str] = []
        for name in group:
            pictures = images.sources[name]
            if (files := getattr(pictures, "files", None)) is not None:
                parts += [self._keys[path] for path in files(index)]
            elif (digest := getattr(pictures, "digest", None)) is not None:
                parts.append(digest(index))
            else:
                return None
        return tuple(parts)

    def of(self, images: ImageSet, groups: Sequence[_Group]) -> set[_Content]:
        """Return the contents of all entries of a set, as far as they are known."""
        found = (self.entry(images, group, i) for group in groups for i in range(images.count(group[0])))
        return {content for content in found if content is not None}


def _files(pictures: Pictures) -> Iterable[Path]:
    files = getattr(pictures, "files", None)
    return () if files is None else (path for i in range(len(pictures)) for path in files(i))


def _room(trained: int, tested: int) -> int:
    """Return the maximum size of the selection split."""
    return min(trained // SHARE, max(tested, MAX_IMAGES_OF_SMALL_TEST))


def _by_rank(train: ImageSet, groups: Sequence[_Group], contents: _Contents) -> list[list[tuple[_Group, int]]]:
    """Return all entries, with copies together, by the smallest hash of their names."""
    copies: dict[Hashable, list[tuple[_Group, int]]] = {}
    ranks: dict[tuple[_Group, int], str] = {}
    for group in groups:
        for i in range(train.count(group[0])):
            name = _name(train.sources[group[0]], i, train.spec.source)
            ranks[group, i] = text_sha256(f"selection/{name}")
            copies.setdefault(contents.entry(train, group, i) or (group, i), []).append((group, i))
    return sorted(copies.values(), key=lambda entries: min(ranks[entry] for entry in entries))


def _name(pictures: Pictures, index: int, root: str) -> str:
    """Return an entry's name, independent of the folder of its set."""
    files = getattr(pictures, "files", None)
    if files is None:
        return str(index)
    return os.path.relpath(files(index)[0], Path(root).expanduser()).replace(os.sep, "/")
