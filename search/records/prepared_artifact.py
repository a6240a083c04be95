"""Artifacts that are prepared once per study, as in records and requests. No torch, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...gan_models.files.hashes import file_sha256

MISSING = "missing"


@dataclass(frozen=True)
class PreparedArtifact:
    """The files of a preparation, as named in the study's record.

    Attributes:
        name: Name of the preparation.
        fingerprint: Hash of all that determines the files.
        files: Path relative to the study's folder -> sha256.
    """

    name: str
    fingerprint: str
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, fingerprint: str, folder: Path, files: list[Path]) -> PreparedArtifact:
        """Return the artifact of files in a study's folder."""
        return cls(name, fingerprint, {path.relative_to(folder).as_posix(): file_sha256(path) for path in files})

    def changed(self, folder: Path) -> dict[str, str]:
        """Return the files that differ from the record -> their present sha256, or `missing`."""
        found = {
            name: file_sha256(folder / name) if (folder / name).is_file() else MISSING for name in sorted(self.files)
        }
        return {name: now for name, now in found.items() if now != self.files[name]}


@dataclass(frozen=True)
class Prepared:
    """All preparations of a study.

    Attributes:
        folder: The study's folder on this machine; empty if nothing is prepared.
        artifacts: Artifacts by the preparation's name.
    """

    folder: str = ""
    artifacts: Mapping[str, PreparedArtifact] = field(default_factory=dict)

    def with_artifact(self, folder: Path, artifact: PreparedArtifact) -> Prepared:
        """Return the same with one more artifact, without those of another folder."""
        others = self.artifacts if self.folder == str(folder) else {}
        return Prepared(str(folder), {**others, artifact.name: artifact})
