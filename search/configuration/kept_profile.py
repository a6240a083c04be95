"""The copy of a cost's profile in a study, as named by its configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeptProfile:
    """A file in the study's folder of copies.

    Attributes:
        file: Its name; a path if it is the user's own file.
        sha256: Hash of its content; empty if any content is accepted.
    """

    file: str
    sha256: str = ""
