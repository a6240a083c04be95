"""The user's own code that a study names: copies in its folder, which workers and a resume run."""

from __future__ import annotations

from pathlib import Path

from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.kept_copies import SOURCE, look_in
from ..setup.kept_files import own_files, references, sources, with_own_files
from ..setup.study_parts import StudyParts
from .preparation import PreparedArtifact, Progress

NAME = "own_code"  # name in the table of preparations


class OwnCodePreparation:
    """The files of generator, data, task, methods, metrics, training, encoder and sampler, if named by path.

    Each file comes with its imports from its own project. Objects of packages are identified by their source's hash.
    """

    def wanted(self, study: StudyParts) -> bool:
        """Return True if the study names such a file, or an object of a package."""
        return any(True for _ in references(study.config))

    def fingerprint(self, study: StudyParts) -> str:
        """Return a hash of the names of all objects and their sources' hashes."""
        return json_sha256(sources(study.config))

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Copy the files; existing copies are only recorded."""
        kept = with_own_files(study.config, folder / SOURCE)
        return PreparedArtifact.of("own_code", self.fingerprint(study), folder, own_files(kept))

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> Path:
        """Return the folder of the copies, which is searched for names from now on.

        Raises:
            WorkFailed: A file is missing or differs from the artifact's, or a package here has another source.
        """
        if changed := artifact.changed(folder):
            raise WorkFailed(
                f"{folder / next(iter(changed))} is not the file of this study: got another content. Try to put it back"
            )
        look_in(folder / SOURCE)
        if self.fingerprint(study) != artifact.fingerprint:
            names = ", ".join(name for _, name in references(study.config))
            raise WorkFailed(
                f"the code here differs from this study's: got another source of one of {names}; expected "
                "the driver's. Try installing the same version of its package on this machine"
            )
        return folder / SOURCE


OWN_CODE = OwnCodePreparation()
