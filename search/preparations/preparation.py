"""A preparation: what is made once per study and shared by its trials. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.user_code import load_named

Progress = Callable[[int, int, dict[str, float]], None]  # (step, steps, losses)
MISSING = "missing"


@dataclass(frozen=True)
class PreparedArtifact:
    """The files of a preparation, as the study's record names them.

    Attributes:
        name: The preparation.
        fingerprint: Hash of all that the files follow from.
        files: Path relative to the study's folder -> sha256.
    """

    name: str
    fingerprint: str
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, fingerprint: str, folder: Path, files: list[Path]) -> PreparedArtifact:
        """Return the artifact of files that lie in a study's folder."""
        return cls(name, fingerprint, {path.relative_to(folder).as_posix(): file_sha256(path) for path in files})

    def changed(self, folder: Path) -> dict[str, str]:
        """Return the files that are not those of the record -> the sha256 found, or `missing`."""
        found = {
            name: file_sha256(folder / name) if (folder / name).is_file() else MISSING for name in sorted(self.files)
        }
        return {name: now for name, now in found.items() if now != self.files[name]}


class Preparation(Protocol):
    """A kind of work that is done once per study, before its trials or by the first one that needs it.

    `study` is a `search.setup.study_parts.StudyParts`, named here only in words: reading the table imports no torch.
    """

    def wanted(self, study: Any) -> bool:
        """Return if the study needs it."""
        ...

    def fingerprint(self, study: Any) -> str:
        """Return the hash of all that its files follow from."""
        ...

    def make(self, study: Any, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Make it in the study's folder; what is there already is not made again."""
        ...

    def load(self, study: Any, folder: Path, artifact: PreparedArtifact) -> Any:
        """Return what trials work with.

        Raises:
            WorkFailed: A file is missing, or not the one of the artifact.
        """
        ...


@dataclass(frozen=True)
class PreparationRow:
    """A row of the table of preparations.

    Attributes:
        where: `package.module:attribute` of the `Preparation`; imported when it is needed.
        lazy: True if the first trial that needs it makes it; `make` then only gathers what is there.
    """

    where: str
    lazy: bool = False

    def open(self) -> Preparation:
        """Return the preparation."""
        return load_named(self.where, "preparation", __package__)
