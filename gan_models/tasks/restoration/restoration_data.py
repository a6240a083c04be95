"""The data of super-resolution: pairs in folders, pairs A|B, or single pictures whose low side is made on the fly.

Nothing is resized: crops of the output's size are taken from pictures at their own size, at random for training, from
the middle else. Smaller pictures are left out by name. Of single pictures, training crops are degraded anew each time;
others always alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...data.builtin_sets import PAINTING, shapes
from ...data.dataset import ImageSet
from ...data.degradation.catalog import DEGRADATIONS
from ...data.degradation.degradation import WHITE_LEVEL, Degradation, degraded
from ...data.image_readers import doubts_of, good_files, sizes_of, some_of
from ...data.layouts import SplitFolder, existing
from ...data.own_data.items import OwnItems
from ...data.own_data.parts import ItemParts, input_range, of_form
from ...data.picture_tree import PictureTree
from ...data.spec import SHAPES, DataSpec, PictureForm
from ...data.whole_pictures import WholePictures
from ...files.errors import UserError
from ...files.pictures.picture import Picture
from ...files.pictures.picture_reader import picture_size
from ...files.plain_values import from_json, to_json
from ...files.seeds import mixed
from .low_high_folders import SIDES, LowHighFolder, sides_of, size_fault
from .settings import RestorationSettings

SOURCE = "pictures"
_MAX_EXAMINED_PICTURES = 10  # training pictures whose shape says whether they are A|B


@dataclass(frozen=True)
class RestorationItems:
    """Maker of the items of a set: crops of both sides, in the forms that the generator takes and gives.

    Attributes:
        scale: Pixels of the high side per pixel of the low side.
        degradation: Makes the low side of single pictures; None: entries are pairs.
    """

    scale: int
    degradation: Degradation | None

    def __call__(self, images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return {"input", "target"}, cropped and mirrored alike."""
        spec = images.spec
        small, large = (PictureForm(3, *form.size) for form in (spec.input, spec.output))
        if self.degradation is None:
            low, high = map(_pixels, images.read(SOURCE, index, number, small, large))
        else:
            high = _pixels(images.read(SOURCE, index, number, large)[0])
            seed = mixed(spec.seed, 5, images.entry(SOURCE, index)) if number is None else mixed(number, 5)
            low = degraded(self.degradation, high, self.scale, seed)
        return {"input": _image(low, spec.input), "target": _image(high, spec.output)}


def opened(spec: DataSpec, split: str, usual_degradation: str) -> ImageSet:
    """Return one split.

    Args:
        spec: Which data; its settings are those of the task.
        split: "train", "val" or "test".
        usual_degradation: What is done to single pictures if the settings do not say it.

    Raises:
        LayoutError: The folder has another layout.
        UserError: No picture is large enough, no pair's sizes belong together, or the low side would be the high side.
    """
    settings = from_json(RestorationSettings, dict(spec.settings), "task_settings")
    scale = spec.output.height // spec.input.height
    if spec.source == SHAPES:
        items, notes = _made(settings, usual_degradation, scale)
        pictures = shapes(spec, split, (PAINTING, PictureForm(3, *spec.output.size)))
        return ImageSet(spec, {SOURCE: pictures}, items, notes=notes)
    found = _found(spec, settings, scale, split)
    items, notes = (RestorationItems(scale, None), []) if found.pairs else _made(settings, usual_degradation, scale)
    entries, bad = _usable(found, spec, scale)
    sizes = {picture_size(entry[-1]) for entry in entries}
    height, width = spec.output.size
    if split != "train" and any(size != (_wide(found, width), height) for size in sizes):
        notes.append(f"{split} pictures are larger than {width}x{height}: of each the middle is measured")
    return ImageSet(
        spec,
        {SOURCE: WholePictures(entries, scale, found.halves, spec.direction == "BtoA")},
        items,
        [*found.alone, *bad],
        found.folder.left_out,
        [*found.folder.notes, *doubts_of([path for entry in entries for path in entry]), *notes],
    )


@dataclass(frozen=True)
class PairItems:
    """Maker of the items of a user's own pairs: crops of both sides, in the channels and values of the generator.

    Attributes:
        scale: Pixels of the high side per pixel of the low side.
    """

    scale: int

    def __call__(self, images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return {"input", "target"}, cropped and mirrored alike.

        Raises:
            UserError: The sizes of the sides do not belong together.
        """
        small, large = ((side.shape[2], side.shape[1]) for side in images.parts(SOURCE, index, number))
        if (small[0] * self.scale, small[1] * self.scale) != large:
            fault = size_fault(small, large, self.scale) or f"{small[0]}x{small[1]} and {large[0]}x{large[1]} differ"
            raise UserError(f"data {images.spec.source}, item {index}: {fault}")
        low, high = images.read(SOURCE, index, number, images.spec.input, images.spec.output)
        return {"input": low, "target": high}


def of_items(spec: DataSpec, items: OwnItems, usual_degradation: str) -> ImageSet:
    """Return one split of a user's own data: pairs, or high sides in RGB whose low sides are made.

    Args:
        spec: Which data; its settings are those of the task.
        items: The split.
        usual_degradation: As of `opened`.
    """
    settings = from_json(RestorationSettings, dict(spec.settings), "task_settings")
    scale = spec.output.height // spec.input.height
    names = ("input", "lr", "low"), ("target", "hr", "high")
    items = items.same_length().called(*names)
    if "input" in items.present():
        if settings.degrade or settings.degradation:
            raise UserError(
                f"{items.what} has a low and a high side: got settings of a degradation, which makes the low side; "
                "expected one of them. Try leaving --degrade out"
            )
        small = of_form(spec, spec.input, input_range(spec), *names[0], larger=True)
        large = of_form(spec, spec.output, spec.own_range, *names[1], larger=True)
        return ImageSet(spec, {SOURCE: ItemParts(items, [small, large])}, PairItems(scale))
    maker, notes = _made(settings, usual_degradation, scale)
    high = of_form(spec, PictureForm(3, *spec.output.size), spec.own_range, *names[1], larger=True)
    return ImageSet(spec, {SOURCE: ItemParts(items, [high])}, maker, notes=notes)


def source_files(spec: DataSpec, split: str) -> list[Path]:
    """Return the files of one split, low sides included."""
    settings = from_json(RestorationSettings, dict(spec.settings), "task_settings")
    scale = spec.output.height // spec.input.height
    return [path for entry in _found(spec, settings, scale, split).entries for path in entry]


def low_sizes(spec: DataSpec, most: int) -> list[tuple[int, int]]:
    """Return heights and widths of low sides, by the headers of the high sides.

    Args:
        spec: Which data; the ratio of its sizes is the scale.
        most: Pictures of each of the training and the test split that are looked at.
    """
    settings = from_json(RestorationSettings, dict(spec.settings), "task_settings")
    scale = spec.output.height // spec.input.height
    sizes = []
    for split in ("train", "test"):
        found = _found(spec, settings, scale, split)
        sizes += sizes_of([entry[-1] for entry in found.entries[:most]], halves=found.halves)
    return [(height // scale, width // scale) for height, width in sizes]


@dataclass(frozen=True)
class _Found:
    """The files of one split.

    Attributes:
        folder: With its notes.
        entries: Files of each entry.
        pairs: An entry has both sides.
        halves: Both sides are in one file, side by side.
        alone: `path: reason` of each high side without a low side.
    """

    folder: SplitFolder
    entries: Sequence[tuple[Path, ...]]
    pairs: bool = False
    halves: bool = False
    alone: Sequence[str] = ()


def _found(spec: DataSpec, settings: RestorationSettings, scale: int, split: str) -> _Found:
    """Return the files of one split: pairs in folders, else single pictures, or pairs A|B."""
    root = existing(spec.source)
    sides = sides_of(PictureTree(root, {word for pair in SIDES for word in pair})) if root.is_dir() else None
    if sides is not None:
        if settings.degrade or settings.degradation:
            given = f"--degrade {settings.degrade}" if settings.degrade else "settings of a degradation"
            raise UserError(
                f"data {root} has folders of a low and of a high side ({sides[0]}, {sides[1]}): got {given}, which "
                "makes the low side; expected one of them. Try leaving it out, or the folder of the high side alone."
            )
        folder = LowHighFolder(root, spec.seed, sides, scale)
        pairs, alone = folder.pairs(split)
        return _Found(folder.folder, [(pair.low, pair.high) for pair in pairs], pairs=True, alone=alone)
    folder = SplitFolder(root, spec.seed)
    files = folder.files(split)
    halves = scale == 1 and not (settings.degrade or settings.degradation) and _side_by_side(folder.files("train"))
    return _Found(folder, [(path,) for path in files], pairs=halves, halves=halves)


def _side_by_side(files: Sequence[Path]) -> bool:
    """Return whether pictures look like two of one size side by side, twice as wide as high."""
    sizes = [size for size in map(picture_size, files[:_MAX_EXAMINED_PICTURES]) if size is not None]
    return bool(sizes) and all(width == 2 * height for width, height in sizes)


def _made(settings: RestorationSettings, usual: str, scale: int) -> tuple[RestorationItems, list[str]]:
    """Return what makes items of single pictures, and a note that says how their low sides are made."""
    name = settings.degrade or usual
    row = DEGRADATIONS.find(name)
    if row.needs_scale and scale == 1:
        others = ", ".join(each for each, other in DEGRADATIONS.own.items() if not other.needs_scale)
        raise UserError(
            f"--degrade {name} leaves pictures as they are at scale 1: expected {others}, or pairs. Try a generator "
            "that enlarges, or --degrade noise."
        )
    degradation = row.build(name, settings.degradation)
    values = to_json(degradation) if hasattr(degradation, "__dataclass_fields__") else {}
    shown = ", ".join(f"{key}={value}" for key, value in values.items())
    note = f"inputs are made of single pictures by --degrade {name}{f' ({shown})' if shown else ''} at scale {scale}"
    return RestorationItems(scale, degradation), [note]


def _usable(found: _Found, spec: DataSpec, scale: int) -> tuple[list[tuple[Path, ...]], list[str]]:
    """Return the entries that can be read and are large enough, and `path: reason` of each other one.

    Raises:
        UserError: There are none, or a bad one with `strict`.
    """
    good, bad = set[Path](), list[str]()
    for side in zip(*found.entries, strict=True):
        kept, reasons = good_files(list(side), spec.strict, halves=found.halves, planes=0)
        good |= set(kept)
        bad += reasons
    entries, faults, sizes_too_small = [], list[str](), list[tuple[int, int]]()
    needed = _wide(found, spec.output.width), spec.output.height
    for entry in (entry for entry in found.entries if good >= set(entry)):
        sizes = [picture_size(path) for path in entry]
        fault = size_fault(sizes[0], sizes[1], scale) if len(sizes) == 2 else None
        width, height = sizes[-1] or (0, 0)
        if fault is None and (width < needed[0] or height < needed[1]):
            sizes_too_small.append((width, height))
            fault = f"{width}x{height} is smaller than the crop of {needed[0]}x{needed[1]}"
        if fault is None:
            entries.append(entry)
        else:
            faults.append(f"{entry[-1]}: {fault}")
    if not entries and len(sizes_too_small) == len(found.entries):
        width, height = max(sizes_too_small, key=min)
        side = min(width // 2 if found.halves else width, height) // scale
        raise UserError(
            f"pictures of {spec.source} are too small: the largest is {width}x{height}; expected "
            f"{needed[0]}x{needed[1]} at scale {scale}. Try inputs of {side} pixels (--image-size {side}, or "
            "--input-shape)."
        )
    if faults and (spec.strict or not entries):
        raise UserError(
            f"{len(faults)} of {len(found.entries)} pictures cannot be used: {some_of(faults)}. Try repairing or "
            "removing them."
        )
    return entries, [*bad, *faults]


def _wide(found: _Found, width: int) -> int:
    """Return the width of a file whose picture, or whose half, has this width."""
    return 2 * width if found.halves else width


def _pixels(image: Tensor) -> np.ndarray:
    """Return an image (C, H, W) in [-1, 1] as pixels (H, W, C) of 0 .. 255, float32."""
    return ((image.numpy() + 1) * (WHITE_LEVEL / 2)).clip(0, WHITE_LEVEL).transpose(1, 2, 0)


def _image(pixels: np.ndarray, form: PictureForm) -> Tensor:
    """Return RGB pixels as an image (C, H, W) in [-1, 1] of the form's color."""
    height, width = pixels.shape[:2]
    formed = Picture(np.ascontiguousarray(pixels)).formed(form.color, width, height)
    values = torch.from_numpy(np.ascontiguousarray(formed.transpose(2, 0, 1), np.float32))
    return values.div_(WHITE_LEVEL / 2).sub_(1.0)
