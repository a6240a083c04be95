"""The rules of one runtime, as a row. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RuleSet:
    """One row: a runtime on one kind of processor.

    Attributes:
        title: Its name for people.
        format: The export format that it runs, by whose rewrites a network is changed first.
        rules: The name of a tuple of rules, `package.module:NAME`.
        slower: The unit that takes what falls back; empty if nothing does.
    """

    title: str
    format: str
    rules: str
    slower: str = ""
