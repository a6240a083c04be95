"""Folders of pairs: a low and a high side by folder, files matched by name. Imports no torch.

`lr/ hr/`, `train/LR/ train/HR/`, `low_train/ high_train/`, DIV2K's own folders: sides and splits stand in folders'
names, in any order of nesting. Names of a pair are alike, or the low side's ends with the scale: `0001x4.png` of
`0001.png`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...data.layouts import LayoutError, SplitFolder
from ...data.picture_tree import PictureTree, PlacedPicture, says_domain, split_said
from ...files.errors import UserError
from ...files.pictures.picture_reader import picture_size

# Words for the low and the high side in folders' names; the first pair that a folder has both sides of is taken.
SIDES = (
    ("lr", "hr"), ("lq", "hq"), ("lq", "gt"), ("lr", "gt"), ("low", "high"), ("noisy", "clean"), ("noise", "clean"),
    ("blurry", "sharp"), ("blur", "sharp"), ("degraded", "clean"), ("gray", "color"), ("input", "target"),
    ("input", "gt"),
)  # fmt: skip
# Sides that other tasks' folders have, too: they are of super-resolution if the sizes differ, or if it is asked for.
_AMBIGUOUS_NAMES = (("input", "target"), ("input", "gt"), ("gray", "color"))
_SCALE = re.compile(r"(?:(?<=[a-z\d])|[ _.-]|^)x(\d)$", re.IGNORECASE)
LARGEST_SCALE = 8


@dataclass(frozen=True)
class Pair:
    """A low side and its high side."""

    low: Path
    high: Path


def sides_of(tree: PictureTree) -> tuple[str, str] | None:
    """Return the words that a folder's subfolders have for the low and the high side; None if it has no such sides."""
    names = {name for picture in tree.pictures for name in picture.folders}
    said = {word for pair in SIDES for word in pair if any(says_domain(name, word) for name in names)}
    return next((pair for pair in SIDES if said >= set(pair)), None)


def has_low_high(root: Path) -> bool:
    """Return whether a folder has pairs of a low and a high side, and of no other task's kind."""
    sides = sides_of(PictureTree(root, {word for pair in SIDES for word in pair}))
    if sides is None:
        return False
    if sides not in _AMBIGUOUS_NAMES:
        return True
    folder = LowHighFolder(root, 0, sides)
    first = next((pair for split in ("train", "test") for pair in folder.some_pairs(split)), None)
    return first is not None and picture_size(first.low) != picture_size(first.high)


class LowHighFolder:
    """A folder of pairs with its splits; a pair is of its high side's split.

    Args:
        root: The folder.
        seed: Decides the held-out tenth of folders without a split.
        sides: Words of the low and the high side in folders' names.
        scale: Of several low sides of one picture, the one whose folder or name says this scale is taken; 0: any.

    Raises:
        LayoutError: It is a file.
    """

    def __init__(self, root: Path, seed: int, sides: tuple[str, str], scale: int = 0) -> None:
        self.low, self.high = sides
        self.scale = scale
        self.folder = SplitFolder(root, seed, sides)

    def pairs(self, split: str) -> tuple[list[Pair], list[str]]:
        """Return the pairs of one split, by the high side's path, and `path: reason` of each picture without another.

        Raises:
            LayoutError: No high side for this split, or none of them has a low side.
            UserError: A picture has several low sides.
        """
        pairs, alone = [], []
        for high in self.folder.files(split, self.high):
            found = self._lows.get(self._key(self._placed[high], self.high), [])
            if len(found) > 1:
                names = " and ".join(str(path.relative_to(self.folder.root)) for path in found[:3])
                raise UserError(
                    f"picture {high} has {len(found)} low sides: {names}; expected one. Try a folder with one kind of "
                    "them, or --scale"
                )
            if found:
                pairs.append(Pair(found[0], high))
            else:
                alone.append(f"{high}: no low side of this name in a folder {self.low}")
        if not pairs:
            raise LayoutError(f"data folder {self.folder.root} has no {split} pair of one name: {alone[0]}")
        return pairs, alone

    def some_pairs(self, split: str) -> Sequence[Pair]:
        """Return the pairs of one split; nothing if it has none."""
        try:
            return self.pairs(split)[0]
        except UserError:
            return ()

    @cached_property
    def _placed(self) -> dict[Path, PlacedPicture]:
        return {picture.path: picture for picture in self.folder.tree.pictures}

    @cached_property
    def _lows(self) -> dict[tuple[str, ...], list[Path]]:
        """Low sides by what they have in common with their high side; those of another scale are left out."""
        found: dict[tuple[str, ...], list[Path]] = defaultdict(list)
        for picture in self.folder.tree.of_domain(self.low):
            said = self._scale_said(picture)
            if not said or said == (self.scale or said):
                found[self._key(picture, self.low)].append(picture.path)
        return found

    def _scale_said(self, picture: PlacedPicture) -> int:
        """Return the scale that a low side's folders or name say; 0 if they say none."""
        for name in (picture.path.stem, *reversed(picture.folders)):
            if (form := _SCALE.search(name)) and 1 <= int(form[1]) <= LARGEST_SCALE:
                return int(form[1])
        return 0

    def _key(self, picture: PlacedPicture, side: str) -> tuple[str, ...]:
        """Return split, folders that say neither side nor split nor scale, and name without the scale."""
        stem = picture.path.stem
        if side == self.low:
            stem = _SCALE.sub("", stem)
        return (picture.split, *self._other_folders(picture, side), stem)

    def _other_folders(self, picture: PlacedPicture, side: str) -> Iterator[str]:
        for name in picture.folders:
            if not (says_domain(name, side) or split_said(name) or _SCALE.search(name)):
                yield name


def size_fault(low: tuple[int, int] | None, high: tuple[int, int] | None, scale: int) -> str | None:
    """Return why the sizes (width, height) of a pair do not belong together; None if they do.

    A high side may have up to `scale` - 1 pixels more than a multiple of the low side: these are cut off.
    """
    if low is None or high is None:
        return "a size that cannot be read"
    if all(0 <= large - scale * small < scale for small, large in zip(low, high, strict=True)):
        return None
    expected = f"{scale * low[0]}x{scale * low[1]}"
    return f"{low[0]}x{low[1]} and {high[0]}x{high[1]} do not belong together: expected {expected} at scale {scale}"
