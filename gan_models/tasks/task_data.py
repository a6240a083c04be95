"""A task's data: which task a source means, one split of it opened, and the fingerprint of its content."""

from __future__ import annotations

import warnings

from ..data.builtin_sets import builtin_fingerprint
from ..data.dataset import DataNote, ImageSet, files_fingerprint, notes_of
from ..data.layouts import LayoutError, existing
from ..data.picture_tree import PictureTree
from ..data.spec import BUILTIN, SPLITS, DataSpec
from ..files.errors import UserError
from ..files.pictures.picture_names import is_picture_name
from .catalog import TASKS, builtin_task, check_source, expected_layouts, in_detection_order


def detect_task(source: str) -> str:
    """Return the first task whose layout a data source has.

    Raises:
        UserError: No such source, or a folder in no task's layout.
    """
    if source.startswith("builtin:"):
        return builtin_task(source)
    root = existing(source)
    for name, row in in_detection_order():
        if row.load().detect(root):
            return name
    if root.is_file():
        kind, cure = root.suffix or "no suffix", "to unpack it"
        if is_picture_name(root.name):
            kind, cure = "one image", "the folder that it lies in"
        raise UserError(f"data {source} is a file: got {kind}; {expected_layouts()}. Try {cure}")
    left_out = PictureTree(root).left_out
    counts = ", ".join(f"{n} {reason}" for reason, n in sorted(left_out.items()) if n)
    there = f" (left out: {counts})" if counts else ""
    raise UserError(f"data folder {source} holds no images in a known layout{there}; {expected_layouts()}")


def open_split(spec: DataSpec, split: str, tell: bool = True) -> ImageSet:
    """Return one split of the data, as the task reads it.

    Training images are read at `spec.load_size`, others at `spec.image_size`. If a set has only one of validation and
    test, it stands for both; a folder without a split holds out a tenth.

    Args:
        spec: Which data.
        split: "train", "val" or "test".
        tell: Warn of what `notes_of` says of it; False if the caller tells it.

    Raises:
        ValueError: Unknown split.
        UserError: A source that is missing, empty or in another layout (the message shows the layouts); a bad image
            with `spec.strict`. Without it bad images are named in a `DataNote` and in `ImageSet.skipped`.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; use one of {', '.join(SPLITS)}")
    check_source(spec.task, spec.source)
    try:
        images: ImageSet = TASKS.find(spec.task).load().open(spec, split)
    except LayoutError as error:
        raise _explained(error, spec) from error
    for note in notes_of(images) if tell else ():
        warnings.warn(note, DataNote, stacklevel=2)
    return images


def fingerprint(spec: DataSpec) -> str:
    """Return the sha256 (hex) of what the data holds: names and bytes of every file, or a built-in set's parameters.

    Direction, sizes and augmentation are not part of it: they are the spec's, not the data's.

    Raises:
        UserError: The source is missing or has another layout.
    """
    if spec.source in BUILTIN:
        return builtin_fingerprint(spec)
    root = existing(spec.source)
    try:
        return files_fingerprint(root, TASKS.find(spec.task).load().files(spec))
    except LayoutError as error:
        raise _explained(error, spec) from error


def _explained(error: LayoutError, spec: DataSpec) -> UserError:
    return UserError(f"{error} for the task {spec.task}; {expected_layouts(spec.task)}")
