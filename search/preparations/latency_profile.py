"""The latency profile of a study: a copy in its folder, so that workers and a resume need no database and no device."""

from __future__ import annotations

from pathlib import Path

from ..latency.predictor import OpenedProfile, opened, wants_latency
from ..latency.profile import NoProfile, read_profile, write_profile
from ..setup.study_parts import StudyParts
from .preparation import PreparedArtifact, Progress

FOLDER = "source"


class LatencyProfilePreparation:
    """The profile that budgets in ms are priced with."""

    def wanted(self, study: StudyParts) -> bool:
        """Return if a budget is in ms."""
        return wants_latency(study.config)

    def fingerprint(self, study: StudyParts) -> str:
        """Return the hash of the profile's content."""
        return "" if study.latency is None else study.latency.profile.sha256()

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Copy the profile."""
        assert study.latency is not None
        digest = self.fingerprint(study)
        path = folder / FOLDER / f"latency-{digest[:8]}.json"
        if not path.is_file():
            write_profile(study.latency.profile, path)
        return PreparedArtifact.of("latency_profile", digest, folder, [path])

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> OpenedProfile:
        """Return the predictor made from the copy.

        Raises:
            NoProfile: The copy is missing, or not the one that the study was made with.
        """
        (name,) = artifact.files
        if artifact.changed(folder):
            raise NoProfile(f"{folder / name} is not the latency profile that this study was made with; put it back")
        config = study.config
        profile = read_profile(folder / name, artifact.fingerprint)
        return opened(profile, config.model, dict(config.model_args), config.inputs)


LATENCY_PROFILE = LatencyProfilePreparation()
