"""The teacher's learned manifold, which `mggc` makes in the first trial that needs it: only it knows the features."""

from __future__ import annotations

from pathlib import Path

from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.hashes import text_sha256
from ..setup.study_parts import StudyParts
from .preparation import PreparedArtifact, Progress

SHARED = "teacher/shared"  # relative to the study's folder; what methods compute once per study


class ManifoldPreparation:
    """The samples of the teacher and their neighbors, by generator and encoder."""

    def wanted(self, study: StudyParts) -> bool:
        """Return if a method of the study uses it."""
        return "mggc" in study.config.methods

    def fingerprint(self, study: StudyParts) -> str:
        """Return a hash of the data, the teacher's configuration and the encoder."""
        parts = [study.data_sha256, study.config.fingerprint(), study.encoder.sha256]
        return text_sha256("\n".join(parts))

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Gather what trials have made so far; nothing is computed here."""
        return PreparedArtifact.of(
            "manifold", self.fingerprint(study), folder, sorted((folder / SHARED).glob("manifold-*.safetensors"))
        )

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> Path:
        """Return the folder that methods are given; they find their file in it by a hash of its inputs.

        Raises:
            WorkFailed: A file is missing, or not the one of the artifact.
        """
        if changed := artifact.changed(folder):
            raise WorkFailed(f"{folder / next(iter(changed))} is not the file this study was made with; put it back")
        return folder / SHARED


MANIFOLD = ManifoldPreparation()
