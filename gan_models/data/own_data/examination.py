"""The examination of a user's own data before any training: every item is read once, checked and hashed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...files.errors import UserError
from ...files.hashes import json_sha256
from ..dataset import ImageSet
from .parts import ItemParts
from .splits import OwnData

MAX_EXAMINED_ITEMS = 64  # items that are read per split, evenly spread, if the data have their own fingerprint
SLOW_READING_S = 60.0  # seconds; a longer reading causes a note
USUAL_RANGE = (-1.0, 1.0)


@dataclass
class Examination:
    """The result of reading all items.

    Attributes:
        sha256: Hash of the content of all splits, or the user's own fingerprint.
        notes: Notes for the user.
    """

    sha256: str = ""
    notes: list[str] = field(default_factory=list)


def examined(data: OwnData, splits: Mapping[str, ImageSet]) -> Examination:
    """Read the items of all splits, and check them.

    Args:
        data: The data.
        splits: Each of its splits, opened for the task.

    Raises:
        UserError: An item does not fit, the user's code raises, or its results are not repeatable.
    """
    started, digests = time.monotonic(), dict[str, list[str]]()
    least: dict[str, float] = {}
    again = data.again()
    for split, images in splits.items():
        items = data.items(split)
        length = len(items)
        repeated = again.items(split)
        if len(repeated) != length:
            raise _not_the_same(data, f"{split} of {length} items, then of {len(repeated)}")
        digests[split] = []
        for index in _looked_at(length, bool(data.fingerprint)):
            for name, value in _read(images, index):
                least[name] = min(value, least.get(name, value))
            digests[split].append(items.digest(index))
        if len(items) != length:
            raise UserError(f"{items.what} changes its length: got {length}, then {len(items)} items; expected one")
        for place, index in enumerate(_looked_at(length, bool(data.fingerprint))):
            if place in (0, len(digests[split]) - 1) and repeated.digest(index) != digests[split][place]:
                raise _not_the_same(data, f"item {index} of {split} in two versions")
    found = Examination(data.fingerprint or json_sha256([[name, digests[name]] for name in sorted(digests)]))
    found.notes += data.notes
    if not data.fingerprint:
        found.notes += _copies(digests)
        if (seconds := time.monotonic() - started) > SLOW_READING_S:
            found.notes.append(
                f"reading all items of {data.what} took {seconds:.0f} s, now and at each resume: a fingerprint of its "
                f"own, such as {data.reference.rpartition(':')[2]}.fingerprint = '2', spares that"
            )
    found.notes += [
        f"{data.what}: no value of {name} is below 0, though its range is -1,1; if it is 0,1, give --value-range 0,1"
        for name, value in least.items()
        if value >= 0
    ]
    return found


def _looked_at(length: int, few: bool) -> range:
    return range(0, length, max(1, length // MAX_EXAMINED_ITEMS)) if few else range(length)


def _read(images: ImageSet, index: int) -> Iterator[tuple[str, float]]:
    """Read one entry of each source; yield the minimum of each image with the range [-1, 1]."""
    for pictures in images.sources.values():
        if index >= len(pictures):
            continue
        found = pictures.read(index)
        if not isinstance(pictures, ItemParts):
            continue
        for part, value in zip(pictures.parts, found, strict=True):
            if part.what.kind == "image" and part.what.value_range == USUAL_RANGE and value.is_floating_point():
                yield part.name, float(value.min()) / 127.5 - 1


def _copies(digests: Mapping[str, list[str]]) -> list[str]:
    """Return a note if training items also belong to another split."""
    trained, notes = set(digests.get("train", ())), []
    for split, found in digests.items():
        if split != "train" and (copies := sum(digest in trained for digest in found)):
            notes.append(f"{copies} items of {split} are also trained on, so quality on them is too optimistic")
    return notes


def _not_the_same(data: OwnData, what: str) -> UserError:
    return UserError(
        f"{data.what} is not repeatable: got {what}; expected equal results each time that it is made. Try torch's, "
        f"NumPy's or Python's global random numbers, which are seeded, or a fixed seed"
    )
