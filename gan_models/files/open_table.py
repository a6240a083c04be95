"""Open tables: rows by name from ganprune, from another package (entry points), or from the user (objects by path).

Each kind of object that is chosen by name (methods, tasks, metrics, ...) has one such table in its `catalog.py`.
Another package adds a row through an entry point whose object is a row:

    [options.entry_points]
    ganprune.methods =
        mine = my_package.pruning:MINE
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import UserError
from .packages import Package
from .texts.near_names import did_you_mean
from .user_code import is_path, load_object, one_line

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Row = TypeVar("Row")


class OpenTable(Mapping[str, Row], Generic[Row]):
    """A table of rows by name. Names of ganprune load nothing; another package is imported when its row is requested.

    Args:
        kind: Kind of its rows, for messages: `method`, `metric`.
        rows: Rows of ganprune, by name.
        group: The entry-point group, such as `ganprune.methods`.
        row_type: The class of a row.
        adopt: Function that makes a row from a user's object, given its reference (`package.module:name` or
            `file.py:name`) and the object; None if this kind takes only rows by path.
        by_path: True if a row itself may be given by path, and nothing else; `adopt` implies it.
    """

    def __init__(
        self,
        kind: str,
        rows: Mapping[str, Row],
        *,
        group: str,
        row_type: type[Row],
        adopt: Callable[[str, Any], Row] | None = None,
        by_path: bool = False,
    ) -> None:
        self.kind, self.group, self.row_type = kind, group, row_type
        self.own = dict(rows)
        self._row = f"{'an' if row_type.__name__[0] in 'AEIOU' else 'a'} {row_type.__name__}"
        self._adopt = adopt
        self._by_path = by_path or adopt is not None
        self._loaded: dict[str, Row] = {}

    def find(self, name: str) -> Row:
        """Return the row of a name, or of an object by path.

        Raises:
            UserError: There is no such row (similar names are proposed), or it cannot be loaded.
        """
        if name in self.own:
            return self.own[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def usable(self) -> Iterator[tuple[str, Row]]:
        """Yield every row by name; a row of another package that cannot be loaded is left out with a warning.

        For code that reads all rows: a broken package must not stop work that does not need it.
        """
        for name in self:
            try:
                row = self.find(name)
            except UserError as error:
                warnings.warn(str(error), stacklevel=2)
                continue
            yield name, row

    def package(self, name: str) -> Package | None:
        """Return the package that adds a row; None for a row of ganprune and for an object by path."""
        points = () if name in self.own else _entry_points(self.group).get(name, ())
        if not points:
            return None
        point = points[0]
        return Package(point.module.partition(".")[0], point.dist.name if point.dist else "")

    def hidden(self, name: str) -> str:
        """Return one line if packages add a row by a name of ours, which they cannot; empty if none does."""
        points = _entry_points(self.group).get(name, ()) if name in self.own else ()
        packages = " and ".join(sorted(point.dist.name if point.dist else point.module for point in points))
        if not packages:
            return ""
        return f"{self.kind} {name!r} of the package {packages} is not used, because ganprune has one of this name"

    def __getitem__(self, name: str) -> Row:
        if name not in self:
            raise KeyError(name)
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in _entry_points(self.group)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (name for name in _entry_points(self.group) if name not in self.own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, name: str) -> Row:
        points = _entry_points(self.group).get(name, ())
        if len(points) > 1:
            packages = sorted(point.dist.name if point.dist else "?" for point in points)
            raise UserError(
                f"{self.kind} {name!r} is defined twice: by {' and '.join(packages)}; expected one package. Try pip "
                f"uninstall {packages[0]}"
            )
        if points:
            return self._of_entry_point(points[0])
        if is_path(name):
            if not self._by_path:
                raise UserError(f"a {self.kind} cannot be given by path: got {name!r}; {self._allowed(name)}")
            found = load_object(name, self.kind)
            if isinstance(found, self.row_type):
                return found
            if self._adopt is None:
                raise UserError(f"{self.kind} {name!r} is a {type(found).__name__}; expected {self._row}")
            return self._adopt(name, found)
        raise UserError(f"unknown {self.kind} {name!r}; {self._allowed(name)}")

    def _of_entry_point(self, point: EntryPoint) -> Row:
        package = point.dist.name if point.dist else point.module
        try:
            row = point.load()
        except Exception as error:  # another package's code may raise anything
            raise UserError(
                f"{self.kind} {point.name!r} of the package {package} cannot be loaded: {one_line(error)}"
            ) from error
        if not isinstance(row, self.row_type):
            raise UserError(
                f"{self.kind} {point.name!r} of the package {package} is a {type(row).__name__}; expected {self._row}"
            )
        return row

    def _allowed(self, name: str) -> str:
        names = ", ".join(self)
        path = ", or your own as package.module:name or file.py:name" if self._by_path else ""
        advice = did_you_mean(name, self) or "Try to install the package that adds the name."
        advice = " ".join([advice, *(f"Note: {text}." for text in map(self.hidden, self.own) if text)])
        if name.endswith(".py"):
            advice = f"The object's name is missing after the file. Try {name}:NAME"
        return f"expected one of {names}{path}. {advice}"


@cache
def _entry_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group by name; each object once, even if several metadata name it."""
    from importlib.metadata import entry_points  # takes 50 ms, and most commands use names of ganprune only

    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, {})[point.value] = point
    return {name: tuple(points.values()) for name, points in found.items()}
