"""Classes of pictures by their folders, `cat/ dog/`, next to or below the folders of the splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from ...files.errors import UserError
from ...networks.specs import InputSpec
from ..picture_tree import PlacedPicture, split_said


class ClassFolders:
    """The classes of pictures in alphabetical order; the first one has the label 0.

    A picture's class is the first folder on its path that names no split and does not contain all pictures.

    Args:
        root: The data's folder, for messages.
        pictures: All pictures of all splits, so that a class has one label everywhere.

    Attributes:
        names: Names of the classes, by label.

    Raises:
        UserError: A picture is in no class's folder, or there is only one class.
    """

    def __init__(self, root: Path, pictures: Sequence[PlacedPicture]) -> None:
        folders = {picture.path: [name for name in picture.folders if not split_said(name)] for picture in pictures}
        shared = len([*takewhile(lambda names: len(set(names)) == 1, zip(*folders.values(), strict=False))])
        loose = sorted(path for path, names in folders.items() if len(names) <= shared)
        cure = "expected one folder per class, such as cat/ and dog/"
        if loose and len(loose) < len(folders):
            raise UserError(f"image {loose[0]} is in no class's folder: {cure}")
        if loose or not folders:
            raise UserError(f"data folder {root} has no folders of classes: {cure}")
        self._class = {path: names[shared] for path, names in folders.items()}
        self.names = tuple(sorted(set(self._class.values())))

    def label(self, path: Path) -> int:
        """Return the label of a picture."""
        return self.names.index(self._class[path])

    def mixed(self, paths: Iterable[Path]) -> list[Path]:
        """Return pictures with alternating classes, so that the first n include all classes."""
        met: Counter[str] = Counter()
        turns = []
        for path in sorted(paths):
            turns.append((met[self._class[path]], self._class[path], path))
            met[self._class[path]] += 1
        return [path for *_, path in sorted(turns)]


def check_classes(names: tuple[str, ...], inputs: InputSpec) -> None:
    """Raise UserError if the data have more classes than a generator's label."""
    for label in inputs.of_kind("label"):
        if len(names) > label.classes:
            raise UserError(
                f"the data have more classes than the generator's {label.name}: got {len(names)}, of which "
                f"{names[label.classes]!r} would be label {label.classes}; expected {label.classes} at most. Try a "
                f"generator of label:{len(names)}, or fewer folders"
            )


def classes_legend(names: tuple[str, ...]) -> str:
    """Return a note that maps labels to classes."""
    shown = [f"{label} {name}" for label, name in enumerate(names)]
    return f"labels of classes: {', '.join([*shown[:12], *(['...'] if len(shown) > 12 else [])])}"
