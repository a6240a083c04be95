"""A user's own data: an object by path, and its dataset per split.

    def make():                         # once for all splits
        return {"train": Mine("a"), "test": Mine("b")}

    class Mine(Dataset):                # or a function or class that takes the split
        def __init__(self, split): ...

A split is a dataset, a sequence of items, or a dictionary of sequences. The global random numbers of torch, NumPy and
Python in that code follow from the study's seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ...files.errors import UserError, WorkFailed
from ...files.hashes import json_sha256
from ...files.kept_copies import code_sha256, located
from ...files.seeds import mixed, seeded
from ...files.user_code import file_of, load_object, one_line, refused
from ...networks.user_builders import named_arguments, needed
from .items import Columns, OwnItems

NAMES = {"train": ("train",), "val": ("val", "validation", "valid", "selection", "select"), "test": ("test",)}
EXTRA_ATTRIBUTES = ("fingerprint", "classes")  # attributes allowed beside the splits
_EXAMPLE = '{"train": ..., "test": ...}'


class OwnData:
    """A user's own data by path.

    Args:
        reference: `file.py:name` or `package.module:name`: a function or class that takes `split`, or nothing; or the
            result of such a function.
        seed: Seed of its code's random numbers.

    Attributes:
        notes: Notes for the user.
    """

    def __init__(self, reference: str, seed: int) -> None:
        self.reference, self.seed = reference, seed
        self.notes: list[str] = []
        self._found = load_object(reference, "data")
        self._items: dict[str, OwnItems | None] = {}

    @property
    def what(self) -> str:
        """The data, for messages."""
        return f"data {self.reference}"

    def items(self, split: str) -> OwnItems:
        """Return one split; validation and test replace each other if there is only one of them.

        Raises:
            UserError: The split is missing or empty, or the user's code raises.
        """
        for name in (split,) if split == "train" else (split, "test" if split == "val" else "val"):
            if (found := self._split(name)) is not None:
                return found
        has = ", ".join(name for name in NAMES if self._split(name) is not None) or "nothing"
        raise UserError(f"{self.what} has no {split} split: got {has}; expected {_EXAMPLE}, optionally with val")

    def has(self, split: str) -> bool:
        """Return True if the data has a split itself."""
        return self._split(split) is not None

    @cached_property
    def fingerprint(self) -> str:
        """The user's own fingerprint as a sha256; empty if there is none."""
        found = self._about("fingerprint")
        if found is None:
            return ""
        if not isinstance(found, str | int) or found == "":
            raise UserError(f"{self.what} has an invalid fingerprint: got {found!r:.60}; expected a text or a number")
        return json_sha256(["own", str(found)])

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label; empty if it does not name them."""
        return tuple(map(str, self._about("classes") or ()))

    def again(self) -> OwnData:
        """Return the same data, created anew."""
        return OwnData(self.reference, self.seed)

    def _about(self, name: str) -> Any:
        """Return an attribute of the object, its result, or the training split; None if none has it."""
        result = None if self._takes_split else self._result
        own = result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
        train = self._split("train")
        said = getattr(self._found, name, None)
        if isinstance(self._found, type) and (callable(said) or isinstance(said, property)):
            said = None  # of its instances
        for found in (said, own, getattr(getattr(train, "dataset", None), name, None)):
            if found is not None:
                return self._called(found) if callable(found) else found
        return None

    @property
    def _takes_split(self) -> bool:
        return callable(self._found) and "split" in named_arguments(self._found)

    @cached_property
    def _result(self) -> Any:
        """Splits that the object returns together."""
        return self._called(self._found) if callable(self._found) else self._found

    def _called(self, function: Any, **given: str) -> Any:
        """Return the result of the user's code.

        Raises:
            UserError: The code raises, or needs other arguments.
        """
        if lacking := needed(function, given):
            raise UserError(
                f"{self.what} takes other arguments: got {', '.join(lacking)}; expected none, or split. Try a default "
                f"for {lacking[0]}"
            )
        try:
            with seeded(mixed(self.seed, 7)):
                return function(**given)
        except (UserError, WorkFailed):
            raise
        except Exception as error:  # a user's code may raise anything
            raise refused(self.what + (f", {given['split']}" if given else ""), error) from error

    def _split(self, split: str) -> OwnItems | None:
        if split not in self._items:
            dataset = self._of_split(split) if self._takes_split else self._of_result(split)
            if isinstance(dataset, Mapping):
                dataset = Columns(dataset)
            found = None if dataset is None else OwnItems(self.reference, split, dataset, self.seed)
            if found is not None:
                found.check_length()
            self._items[split] = found
        return self._items[split]

    def _of_split(self, split: str) -> Any:
        """Return the dataset of a function or class that takes the split; it may raise for val if it has none."""
        if split != "val":
            return self._called(self._found, split=split)
        try:
            return self._called(self._found, split=split)
        except UserError as error:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            self.notes.append(f"{self.what} has no val split: {one_line(cause)}")
            return None

    def _of_result(self, split: str) -> Any:
        result = self._result
        if isinstance(result, Mapping):
            known = {name for names in NAMES.values() for name in names} | {*EXTRA_ATTRIBUTES}
            if unknown := [str(name) for name in result if name not in known]:
                raise UserError(
                    f"{self.what} has splits of other names: got {', '.join(unknown)}; expected "
                    f"{', '.join(NAMES)}, and optionally {' or '.join(EXTRA_ATTRIBUTES)}. Try {_EXAMPLE}"
                )
            return next((result[name] for name in NAMES[split] if result.get(name) is not None), None)
        found = [getattr(result, name, None) for name in NAMES[split]]
        parts = [each for each in found if each is not None and not callable(each)]
        if not parts and not any(hasattr(result, name) for name in ("train", "test")):
            kind = type(result).__name__
            count = f" of {len(result)}" if hasattr(result, "__len__") else ""
            raise UserError(
                f"{self.what} returns no splits: got {kind}{count}; expected {_EXAMPLE}, or a function or class that "
                "takes split. Try torch.utils.data.random_split in it"
            )
        return parts[0] if parts else None


_DATA_BY_PLACE: dict[tuple[str, str, int], OwnData] = {}


def own_data(reference: str, seed: int) -> OwnData:
    """Return a user's own data, made once per process as long as their code stays the same.

    Args:
        reference: Its path.
        seed: Seed of its code's random numbers.

    Raises:
        UserError: It cannot be found or loaded.
    """
    path = file_of(reference)
    there = path is not None and located(path).is_file()
    key = (reference, code_sha256(located(path)) if there and path is not None else "", seed)
    if key not in _DATA_BY_PLACE:
        _DATA_BY_PLACE[key] = OwnData(reference, seed)
    return _DATA_BY_PLACE[key]
