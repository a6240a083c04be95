"""A task's data: which task a source means, one split of it opened, and the fingerprint of its content.

What a user's own code gives is opened here for all tasks: by the class's `of_items`, or as it is without one.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.builtin_sets import builtin_fingerprint
from ..data.dataset import DataNote, ImageSet, files_fingerprint, notes_of
from ..data.layouts import LayoutError, existing
from ..data.own_data.examination import Examination, examined
from ..data.own_data.items import OwnItems, shown
from ..data.own_data.parts import ItemParts
from ..data.own_data.splits import own_data
from ..data.picture_tree import PictureTree
from ..data.selection import Entries, chosen, others, own_part
from ..data.spec import BUILTIN, SPLITS, DataSpec, is_own
from ..files.errors import UserError
from ..files.pictures.picture_names import is_picture_name
from .catalog import TASKS, builtin_task, check_source, expected_layouts, in_detection_order

SPLIT_NAMES = ("train", "select", "test", "val")  # splits as a study reads them, and validation as it lies


def detect_task(source: str, kinds: Collection[str] = (), seed: int = 0) -> str:
    """Return the first task whose layout a data source has.

    Args:
        source: A folder, an archive, a built-in set, or data of a user's own code.
        kinds: Of the generator's inputs, if they are known: tasks of other kinds alone are passed over.
        seed: Of what the user's code draws.

    Raises:
        UserError: No such source, or a folder in no task's layout.
    """
    if source.startswith("builtin:"):
        return builtin_task(source)
    if is_own(source):
        return _task_of_items(own_data(source, seed).items("train"), kinds)
    root = existing(source)
    for name, row in in_detection_order(kinds):
        if row.load().detect(root):
            return name
    if root.is_file():
        kind, cure = root.suffix or "no suffix", "to unpack it"
        if is_picture_name(root.name):
            kind, cure = "one image", "the folder that it is in"
        raise UserError(f"data {source} is a file: got {kind}; {expected_layouts()}. Try {cure}")
    left_out = PictureTree(root).left_out
    counts = ", ".join(f"{n} {reason}" for reason, n in sorted(left_out.items()) if n)
    there = f" (left out: {counts})" if counts else ""
    raise UserError(f"data folder {source} holds no images in a known layout{there}; {expected_layouts()}")


def _task_of_items(items: OwnItems, kinds: Collection[str]) -> str:
    """Return the task whose names the first item has, the one of most names first."""
    item = items.item(0)
    given = item if isinstance(item, Mapping) else {}
    rows = sorted(TASKS.own.items(), key=lambda row: -len(row[1].item_names))
    for name, row in rows:
        if row.item_names and set(row.kinds) <= set(kinds) and set(row.item_names) <= set(given):
            return name
    known = ", or ".join(f"{', '.join(row.item_names)} ({name})" for name, row in rows if row.item_names)
    raise UserError(
        f"{items.what}: items do not say their task: got {shown(item)}; expected --task, or dictionaries of {known}. "
        "Try --task paired"
    )


class Splits:
    """The splits of one set as a study reads them, each opened once, when it is first asked for.

    * `train`: what is trained on.
    * `select`: what generators are chosen by, if the spec says that they are; no image of it is in another split.
    * `test`: what is measured at the end. If a set has only one of validation and test, it is this.
    * `val`: the validation images as they lie, or the test images if there are none.

    Training images are read at `spec.load_size`, others at the size that is compared.

    Args:
        spec: Which data.
    """

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec
        self._opened: dict[str, ImageSet] = {}

    def open(self, name: str) -> ImageSet:
        """Return one split.

        Raises:
            ValueError: Unknown split.
            TooFewToSelect: The set has no validation images, and too few training images to spare some.
            UserError: A source that is missing, empty or in another layout (the message shows the layouts); a bad image
                with `spec.strict`. Without it bad images are named in `ImageSet.skipped`.
        """
        if name not in SPLIT_NAMES:
            raise ValueError(f"split {name!r} is unknown; use one of {', '.join(SPLIT_NAMES)}")
        if name not in self._opened:
            if name == "select" and not self.spec.selects:
                raise ValueError("no images are kept apart to choose by: the spec does not say `selects`")
            self._opened[name] = (
                self._select() if name == "select" else self._train() if name == "train" else self._whole(name)
            )
        return self._opened[name]

    def _whole(self, name: str) -> ImageSet:
        """Return a split of the set as it lies."""
        check_source(self.spec.task, self.spec.source)
        kind = TASKS.find(self.spec.task).load()
        try:
            if is_own(self.spec.source):
                return _of_items(kind, self.spec, name)
            found: ImageSet = kind.open(self.spec, name)
        except LayoutError as error:
            raise _explained(error, self.spec) from error
        return found

    def _train(self) -> ImageSet:
        apart = self._apart
        return self._all_train if apart is None else others(self._all_train, apart)

    def _select(self) -> ImageSet:
        if self._own is not None:
            return self._own
        entries = self._apart or {}
        same_size = self.spec.load_factors == (1, 1)
        whole = self._all_train if same_size else Splits(replace(self.spec, load_size=None))._all_train
        return whole.part(entries)

    def examined(self) -> list[str]:
        """Read and check every item of a user's own data; return what a user should know. Nothing for other data.

        Raises:
            UserError: An item does not fit, or the user's code raises.
        """
        return _examined(self.spec).notes if is_own(self.spec.source) else []

    def undivided(self) -> Splits:
        """Return the splits of the same set with nothing kept apart to choose by; what is open stays open."""
        found = Splits(replace(self.spec, selects=False))
        found._opened |= {"train": self._all_train, "test": self.open("test")}
        return found

    @cached_property
    def _all_train(self) -> ImageSet:
        return self._whole("train")

    @cached_property
    def _own(self) -> ImageSet | None:
        """The validation images of the set itself; None if it has none that are apart from the others."""
        if self.spec.source in BUILTIN:
            return self._whole("val")
        if is_own(self.spec.source):
            data = own_data(self.spec.source, self.spec.seed)
            return self._whole("val") if data.has("val") and data.has("test") else None
        if self.spec.task in TASKS.own and not _has_validation(existing(self.spec.source)):
            return None
        try:
            validation = self._whole("val")
        except (ValueError, LookupError):  # of a task that knows two splits
            return None
        return own_part(validation, self._all_train, self.open("test"))

    @cached_property
    def _apart(self) -> Entries | None:
        """Entries of the training images that are kept apart; None if no training images are."""
        if not self.spec.selects or self._own is not None:
            return None
        return chosen(self._all_train, self.open("test"))


def _has_validation(root: Path) -> bool:
    """Return whether a folder has validation images in addition to test images."""
    said = {picture.split for picture in PictureTree(root).pictures} if root.is_dir() else set()
    return {"val", "test"} <= said


def open_split(spec: DataSpec, split: str, tell: bool = True) -> ImageSet:
    """Return one split of the data, as the task reads it; see `Splits`, which opens each of several once.

    Args:
        spec: Which data.
        split: "train", "select", "test" or "val".
        tell: Warn of what `notes_of` says of it; False if the caller tells it.

    Raises:
        ValueError: Unknown split.
        UserError: As `Splits.open`. Bad images are named in a `DataNote`, too.
    """
    images = Splits(spec).open(split)
    for note in notes_of(images) if tell else ():
        warnings.warn(note, DataNote, stacklevel=2)
    return images


def fingerprint(spec: DataSpec) -> str:
    """Return the sha256 (hex) of what the data holds: names and bytes of every file, or a built-in set's parameters.

    Of a user's own data it is that of every item, or their own fingerprint.

    Direction, sizes and augmentation are not part of it: they are the spec's, not the data's.

    Raises:
        UserError: The source is missing or has another layout.
    """
    if spec.source in BUILTIN:
        return builtin_fingerprint(spec)
    if is_own(spec.source):
        return _examined(spec).sha256
    root = existing(spec.source)
    try:
        return files_fingerprint(root, TASKS.find(spec.task).load().files(spec))
    except LayoutError as error:
        raise _explained(error, spec) from error


def picture_sizes(spec: DataSpec, most: int) -> list[tuple[int, int]]:
    """Return heights and widths of the first pictures that the generator takes, or that are real ones.

    Args:
        spec: Which data.
        most: Pictures that are looked at; of a user's own data one, for all have one size.

    Returns:
        Nothing if the task, or the data, does not say it.

    Raises:
        UserError: The data cannot be read.
    """
    kind = TASKS.find(spec.task).load()
    if not is_own(spec.source):
        return kind.picture_sizes(spec, most)
    parts = next(iter(_of_items(kind, spec, "train").sources.values()))
    if not isinstance(parts, ItemParts):
        return []
    size = parts.size()
    if size is not None and spec.inputs.of_kind("image") and parts.parts[0].name == "target":
        scale = max(1, spec.output.height // spec.input.height)  # of high sides alone
        size = size[0] // scale, size[1] // scale
    return [] if size is None else [size]


def _of_items(kind: Any, spec: DataSpec, split: str) -> ImageSet:
    """Return one split of a user's own data, as the task's class reads items."""
    return kind.of_items(spec, own_data(spec.source, spec.seed).items(split))


_examinations: dict[tuple[int, str], Examination] = {}


def _examined(spec: DataSpec) -> Examination:
    """Return the examination of a user's own data, done once per process for one way to read them."""
    data = own_data(spec.source, spec.seed)
    key = (id(data), repr(spec))  # own_data keeps the data
    if key not in _examinations:
        kind = TASKS.find(spec.task).load()
        names = [name for name in SPLITS if data.has(name)]
        for name in ("train", "test"):
            data.items(name)  # raises without any
        _examinations[key] = examined(data, {name: _of_items(kind, spec, name) for name in names})
    return _examinations[key]


def _explained(error: LayoutError, spec: DataSpec) -> UserError:
    return UserError(f"{error} for the task {spec.task}; {expected_layouts(spec.task)}")
