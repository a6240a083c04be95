"""Entries of several files, one per role: `train/photo/ train/mask/ train/target/`, or `photo/train/`, by file name.

A role is an input's name or `target`. Files of one entry have the same name below their role's folder, apart from
suffixes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...files.errors import UserError
from ...files.pictures.picture_names import is_picture_name
from ...files.texts.number_text import counted
from ...networks.specs import Input, InputSpec
from ..layouts import LayoutError, SplitFolder
from ..picture_tree import PictureTree, PlacedPicture, says_domain, split_said
from .class_folders import ClassFolders, check_classes
from .instance_edges import EDGES, INSTANCE

TARGET = "target"
ARRAYS = (".npy", ".wav")  # suffixes of files other than pictures
NO_ROLE = "of no input and no target"
_MAX_NAMED = 5

_Key = tuple[str, ...]


class RoleFolders:
    """A folder of entries with one file per role.

    The targets' folders determine the split of an entry.

    Args:
        folder: The folder, opened for the targets.
        inputs: The generator's inputs, in its order.

    Attributes:
        roles: Input's name -> name of its folder: the input's own, `instance` for a mask `edges`, or its kind if no
            other input has it. A class label
            without such a folder follows from the targets' folders of classes, `target/cat/`.
        classes: These folders of classes; None if every label has its own files.

    Raises:
        LayoutError: There are no targets, or an input has no folder.
        UserError: A target is in no class's folder, or there are too many classes for the label.
    """

    def __init__(self, folder: SplitFolder, inputs: InputSpec) -> None:
        self.folder, self.inputs = folder, inputs
        read = [one for one in inputs.inputs if not one.drawn]
        names = {name for one in read for name in (one.name, one.kind, *_stand_ins(one))}
        self._tree = PictureTree(folder.root, (*sorted(names), TARGET), wanted=is_read)
        self.roles = {one.name: role for one in read if (role := self._role(one, read))}
        self.classes: ClassFolders | None = None
        if any(one.name not in self.roles for one in read):
            self.classes = ClassFolders(folder.root, folder.tree.of_domain(TARGET))
            check_classes(self.classes.names, inputs)

    def entries(self, split: str) -> list[dict[str, Path]]:
        """Return the files of each entry of a split, by input's name and `target`, in the targets' order.

        A label that follows from the target's folder has no file. The classes of such targets alternate.

        Raises:
            LayoutError: There are no targets in this split.
            UserError: An input lacks a file, or has one without target; the message names the first five.
        """
        wanted = set(self.folder.files(split, TARGET))
        targets = {
            self._key(placed, TARGET): placed for placed in self.folder.tree.of_domain(TARGET) if placed.path in wanted
        }
        found = {name: self._files(role) for name, role in self.roles.items()}
        splits = {key[0] for key in targets}
        for name, files in found.items():
            self._check(name, split, targets, {key: path for key, path in files.items() if key[0] in splits})
        entries = {
            placed.path: {**{name: files[key] for name, files in found.items()}, TARGET: placed.path}
            for key, placed in targets.items()
        }
        return [entries[path] for path in (entries if self.classes is None else self.classes.mixed(entries))]

    @property
    def left_out(self) -> Counter[str]:
        """Return reason -> number of files below the folder that belong to no entry."""
        roles = {*self.roles.values(), TARGET}
        found = Counter(self._tree.left_out)
        found[NO_ROLE] = sum(not any(map(placed.in_domain, roles)) for placed in self._tree.pictures)
        return +found

    def _files(self, role: str) -> dict[_Key, Path]:
        """Return the files of a role by key."""
        return {self._key(placed, role): placed.path for placed in self._tree.of_domain(role)}

    def _check(self, name: str, split: str, targets: Mapping[_Key, PlacedPicture], files: Mapping[_Key, Path]) -> None:
        """Raise UserError unless each target has a file of this input, and each file a target."""
        lacking = [key for key in targets if key not in files]
        # Without folders of splits, other splits' files are in the same folder.
        over = [] if "" in {key[0] for key in files} else [key for key in files if key not in targets]
        if not (lacking or over):
            return
        parts = [f"{counted(len(lacking), 'target has', 'targets have')} no {name} ({_stems(lacking)})"] * bool(lacking)
        surplus = counted(len(over), f"file of {name} has", f"files of {name} have")
        parts += [f"{surplus} no target ({_stems(over)})"] * bool(over)
        raise UserError(
            f"files of {self.folder.root} do not belong together in {split}: {' and '.join(parts)}. Try the same name, "
            f"apart from its suffix, for {name} and {TARGET}"
        )

    def _role(self, one: Input, read: Sequence[Input]) -> str:
        """Return the folder of an input; an empty text for a class label without one."""
        alone = [other.kind for other in read].count(one.kind) == 1
        for role in (one.name, *_stand_ins(one), *((one.kind,) if alone else ())):
            if self._tree.of_domain(role):
                return role
        if one.kind == "label" and not one.is_map:
            return ""
        there = sorted({name for placed in self._tree.pictures for name in placed.folders if not split_said(name)})
        raise LayoutError(
            f"data folder {self.folder.root} has no images of {one.name} ({one.text}), such as "
            f"train/{one.name}/; its folders are {', '.join(there[:12]) or 'none'}"
        )

    @staticmethod
    def _key(placed: PlacedPicture, role: str) -> _Key:
        """Return the split and name of a file, which all files of its entry share."""
        kept = [name for name in placed.folders if not says_domain(name, role) and not split_said(name, (), (role,))]
        return (placed.split, *kept, placed.path.stem)


def _stand_ins(one: Input) -> tuple[str, ...]:
    """Return names of folders from which an input can be computed: edges from maps of instances."""
    return (INSTANCE,) if (one.name, one.kind) == (EDGES, "mask") else ()


def has_targets(root: Path) -> bool:
    """Return True if a folder contains targets, and pictures of another role next to them."""
    tree = PictureTree(root, (TARGET,), wanted=is_read)
    return 0 < len(tree.of_domain(TARGET)) < len(tree.pictures)


def is_read(name: str) -> bool:
    """Return True if a file's name is that of a picture, an array or a sound."""
    return is_picture_name(name) or Path(name).suffix.lower() in ARRAYS


def _stems(keys: Iterable[_Key]) -> str:
    names = sorted("/".join(key[1:]) for key in keys)
    return ", ".join(names[:_MAX_NAMED]) + ", ..." * (len(names) > _MAX_NAMED)
