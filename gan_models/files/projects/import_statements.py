"""Import statements of a file of Python, read without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class ImportStatement:
    """One module that a file imports, wherever in the file it does.

    Attributes:
        level: Dots before the name; 0 is absolute.
        module: The dotted name; empty for `from . import x`.
        names: Those taken from it; each may be a module itself.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The module as the file names it: `.layers`."""
        return "." * self.level + self.module


def import_statements(source: bytes) -> list[ImportStatement]:
    """Return the imports of a file, those inside functions and conditions included; none if it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # whoever runs it says so better
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [ImportStatement(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(ImportStatement(node.level, node.module or "", tuple(alias.name for alias in node.names)))
    return found
