"""The latency profile of a study: a copy in its folder, so that workers and a resume need no database and no device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..artifacts.remote import SOURCE
from ..latency.predictor import OpenedProfile, open_latency, wants_latency, with_own_profile
from ..latency.profile import NoProfile
from ..setup.study_parts import StudyParts
from .preparation import PreparedArtifact, Progress


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
        own = folder / SOURCE
        kept = with_own_profile(study.config, study.latency.profile, own)
        return PreparedArtifact.of("latency_profile", self.fingerprint(study), folder, [own / kept.latency_profile])

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> OpenedProfile | None:
        """Return the predictor made from the copy.

        Raises:
            NoProfile: The copy is missing, or not the one that the study was made with.
        """
        (name,) = artifact.files
        if artifact.changed(folder):
            raise NoProfile(f"{folder / name} is not the latency profile that this study was made with; put it back")
        copy = {"latency_profile": str(folder / name), "latency_sha256": artifact.fingerprint}
        return open_latency(replace(study.config, **copy))


LATENCY_PROFILE = LatencyProfilePreparation()
