"""Packages that add rows to the open tables: their rows, versions and files.

A package adds rows through entry points of the groups `ganprune.<kind>s`; see `open_table`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path

_GROUP = "ganprune."
_COMPILED = (".so", ".pyd", ".dylib", ".dll")


@dataclass(frozen=True)
class PluginPackage:
    """An installed package that adds rows.

    Attributes:
        name: Name for installation.
        version: Its version.
        points: Its entry points, one per row.
    """

    name: str
    version: str
    points: tuple[EntryPoint, ...]

    @property
    def module_names(self) -> tuple[str, ...]:
        """Names of the top-level modules that its rows come from."""
        return tuple(dict.fromkeys(point.module.partition(".")[0] for point in self.points))

    def files(self) -> dict[str, Path]:
        """Return every file of these modules by its path relative to the folder of installed packages."""
        found: dict[str, Path] = {}
        for name in self.module_names:
            spec = find_spec(name)
            if spec is None:
                continue
            if not spec.submodule_search_locations:
                found |= {Path(spec.origin).name: Path(spec.origin)} if spec.origin else {}
            for root in map(Path, spec.submodule_search_locations or ()):
                paths = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".pyc")
                found |= {f"{name}/{path.relative_to(root).as_posix()}": path for path in paths}
        return found

    def compiled(self) -> bool:
        """Return True if it has compiled parts, which run only on machines of this kind."""
        return any(name.endswith(_COMPILED) for name in self.files())


def plugin_packages() -> tuple[PluginPackage, ...]:
    """Return the installed packages that add rows, sorted by name, without importing them."""
    found: dict[str, PluginPackage] = {}
    for each in distributions():
        points = tuple(point for point in each.entry_points if point.group.startswith(_GROUP))
        name = each.metadata["Name"]
        if points and name:
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), PluginPackage(name, each.version, points))
    return tuple(found[name] for name in sorted(found))
