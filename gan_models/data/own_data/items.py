"""The items of one split of a user's own data: read under seeded random numbers, their tensors found by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from ...files.errors import UserError, WorkFailed
from ...files.seeds import mixed, seeded
from ...files.user_code import refused

Names = tuple[str, ...]  # names of a tensor of an item: ganprune's, then alternatives


class Columns:
    """A dataset of one sequence per name; an entry is a dictionary of the entries of all long enough sequences.

    Args:
        sequences: Name -> dataset or sequence.
    """

    def __init__(self, sequences: Mapping[str, Any]) -> None:
        self.sequences = dict(sequences)

    def __len__(self) -> int:
        return max(map(len, self.sequences.values()))

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: each[index] for name, each in self.sequences.items() if index < len(each)}


@dataclass(frozen=True)
class OwnItems:
    """One split of a user's own data.

    Attributes:
        reference: The data's path, for messages.
        split: "train", "val" or "test".
        dataset: The result of the user's code, with `len()` and `[index]`.
        seed: Seed of the random numbers of items without augmentation.
        names: The tensors of an item, in the order in which tuples have them.

    Raises:
        UserError: It has no length, or one that is not a whole number above 0.
    """

    reference: str
    split: str
    dataset: Any
    seed: int = 0
    names: tuple[Names, ...] = ()
    _last: dict[tuple[int, int | None], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def what(self) -> str:
        """The split, for messages."""
        return f"data {self.reference}, {self.split}"

    def check_length(self) -> None:
        """Check that there are items, and that their number is constant.

        Raises:
            UserError: There are none, or the number varies.
        """
        if not (hasattr(self.dataset, "__len__") and hasattr(self.dataset, "__getitem__")):
            raise UserError(
                f"{self.what} cannot be read by index: got {type(self.dataset).__name__}; expected an object with "
                "len() and [index], such as a torch.utils.data.Dataset or a list. Try list(...) of it"
            )
        try:
            lengths = [len(self.dataset), len(self.dataset)]
        except Exception as error:  # a user's code may raise anything
            raise refused(f"{self.what}: its len()", error) from error
        if lengths[0] != lengths[1]:
            raise UserError(f"{self.what} changes its length: got {lengths[0]}, then {lengths[1]} items; expected one")
        if not lengths[0]:
            raise UserError(f"{self.what} is empty: got 0 items; expected some")
        if isinstance(self.dataset, Columns):
            empty = [name for name, each in self.dataset.sequences.items() if not len(each)]
            if empty:
                raise UserError(f"{self.what} is empty: got 0 items of {empty[0]}; expected some")

    def __len__(self) -> int:
        return len(self.dataset)

    def called(self, *names: Names) -> OwnItems:
        """Return the items with their tensors' names, in the order of tuples."""
        return replace(self, names=names, _last=self._last)

    def column(self, name: str) -> OwnItems:
        """Return the items of one of several independent sequences, or all items if there is one dataset."""
        if not isinstance(self.dataset, Columns):
            return self
        if name not in self.dataset.sequences:
            raise UserError(
                f"{self.what} has no {name}: got {', '.join(self.dataset.sequences)}; expected {name} among them"
            )
        return replace(self, dataset=self.dataset.sequences[name], names=((name,),), _last={})

    def same_length(self) -> OwnItems:
        """Return the items if their sequences are of one length.

        Raises:
            UserError: Lengths differ.
        """
        if isinstance(self.dataset, Columns):
            lengths = {name: len(each) for name, each in self.dataset.sequences.items()}
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"{length} of {name}" for name, length in lengths.items())
                raise UserError(f"{self.what} has sequences of different lengths: got {shown}; expected one length")
        return self

    def item(self, index: int, number: int | None = None) -> Any:
        """Return an item as the user's code returns it; the last one is cached.

        Args:
            index: Index of the item.
            number: Seed of its random numbers; None: a fixed seed.

        Raises:
            UserError: The user's code raises.
        """
        if (index, number) not in self._last:
            seed = mixed(self.seed, 6, index) if number is None else mixed(number, 6)
            try:
                with seeded(seed):
                    found = self.dataset[index]
            except (UserError, WorkFailed):
                raise
            except Exception as error:  # a user's code may raise anything
                raise refused(f"{self.what}, item {index}", error) from error
            self._last.clear()
            self._last[index, number] = found
        return self._last[index, number]

    def present(self, index: int = 0) -> tuple[str, ...]:
        """Return ganprune's names of an item's tensors. Those of a tuple, or of one tensor, are the last names."""
        item = self.item(index)
        if isinstance(item, Mapping):
            return tuple(names[0] for names in self.names if any(name in item for name in names))
        count = len(item) if _is_tuple(item) else 1
        return tuple(names[0] for names in (self.names if count >= len(self.names) else self.names[-count:]))

    def values(self, index: int, number: int | None = None, wanted: Sequence[Names] = ()) -> dict[str, Any]:
        """Return an item's values by ganprune's names.

        Args:
            index: Index of the item.
            number: As in `item`.
            wanted: Names of the values to read; empty: all.

        Raises:
            UserError: A value is missing.
        """
        item, wanted = self.item(index, number), wanted or self.names
        if isinstance(item, Mapping):
            found = {names[0]: item[name] for names in self.names for name in names if name in item}
        elif _is_tuple(item):
            names = [names[0] for names in self.names]
            found = dict(zip(names if len(item) >= len(names) else names[-len(item) :], item, strict=False))
        else:
            found = {self.names[-1][0]: item}
        if lacking := [names[0] for names in wanted if names[0] not in found]:
            self._lacks(index, lacking, item)
        return found

    def plain(self, index: int, number: int | None = None) -> dict[str, Tensor]:
        """Return every tensor of an item under its own name; other types than tensors and numbers are omitted.

        Raises:
            UserError: The item is not a dictionary, and no names are known.
        """
        item = self.item(index, number)
        if not isinstance(item, Mapping):
            if not self.names:
                raise UserError(
                    f"{self.what}, item {index} has no names: got {shown(item)}; expected a dictionary of tensors. Try "
                    '{"input": ..., "target": ...}, or item_names = ("input", "target") in the class of the task'
                )
            item = self.values(index, number)
        found = {str(name): tensor_of(value) for name, value in item.items()}
        return {name: value for name, value in found.items() if value is not None}

    def digest(self, index: int) -> str:
        """Return the hash of an item's tensors and numbers, read without augmentation."""
        digest = hashlib.sha256()
        for part in _contents(self.item(index)):
            digest.update(part)
        return digest.hexdigest()

    def _lacks(self, index: int, lacking: Sequence[str], item: Any) -> NoReturn:
        names = [names[0] for names in self.names]
        order, keys = ", ".join(names), ", ".join(f'"{name}": ...' for name in names)
        raise UserError(
            f"{self.what}, item {index} has no {' and no '.join(lacking)}: got {shown(item)}; expected a tuple "
            f"({order}), or a dictionary of these names. Try {{{keys}}}"
        )


def shown(value: Any) -> str:
    """Return a value's description for messages: `a dictionary of input, label`, `a tuple of 2`, `float32 of 3x8x8`."""
    if isinstance(value, Mapping):
        return f"a dictionary of {', '.join(map(str, value)) or 'nothing'}"
    if _is_tuple(value):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, Tensor | np.ndarray):
        return f"{str(value.dtype).removeprefix('torch.')} of {'x'.join(map(str, value.shape)) or 'one number'}"
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}".removeprefix("builtins.")


def tensor_of(value: Any) -> Tensor | None:
    """Return a tensor, an array or a number as a tensor on the CPU; None for anything else."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        return torch.from_numpy(np.ascontiguousarray(value)).reshape(value.shape)
    if isinstance(value, bool | int | float):
        return torch.tensor(value)
    return None


def _is_tuple(item: Any) -> bool:
    return isinstance(item, tuple | list)


def _contents(item: Any) -> Iterator[bytes]:
    """Yield names, types and bytes of an item's content; values that are not numbers or text yield only their type."""
    if isinstance(item, Mapping):
        for name, value in item.items():
            yield f"{name}=".encode()
            yield from _contents(value)
    elif _is_tuple(item):
        for value in item:
            yield from _contents(value)
    elif (tensor := tensor_of(item)) is not None:
        yield f"{shown(tensor)}:".encode()
        yield tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    else:
        yield f"{type(item).__name__}:{item if isinstance(item, str) else ''};".encode()
