"""Import statements of a Python file, read without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class ImportStatement:
    """A module that a file imports, anywhere in the file.

    Attributes:
        level: Dots before the name; 0 is absolute.
        module: The dotted name; empty for `from . import x`.
        names: Names imported from it; each may be a module itself.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The module as written in the file: `.layers`."""
        return "." * self.level + self.module


def import_statements(source: bytes) -> list[ImportStatement]:
    """Return the imports of a file, including those in functions and conditions; an empty list after a syntax error."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # running the file gives a better message
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [ImportStatement(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(ImportStatement(node.level, node.module or "", tuple(alias.name for alias in node.names)))
    return found
