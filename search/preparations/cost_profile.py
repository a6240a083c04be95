"""The profile of a cost: found when a study is resolved, kept in its folder, and read from there by workers.

Importing this module imports no torch, so that another package's row of the costs needs none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...gan_models.costs.catalog import cost_of
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.kept_copies import SOURCE, located, look_in
from ..config import StudyConfig
from ..configuration.kept_profile import KeptProfile
from ..setup.opened_profile import NoProfile, OpenedProfile
from .preparation import PreparedArtifact, Progress

if TYPE_CHECKING:
    from ..setup.study_parts import StudyParts


class CostProfile(ABC):
    """A preparation with the profile of one cost, named in the cost's row and in the table of preparations.

    A package implements `find` and `opened`. A study's configuration names its copy, so that workers and a resume need
    only the study's folder.

    Attributes:
        cost: Name of the cost.
        preparation: Name of the row in the table of preparations.
        stem: First part of the copy's file name.
    """

    cost: str
    preparation: str
    stem: str

    @abstractmethod
    def find(self, study: StudyParts) -> OpenedProfile:
        """Return the profile for a new study: a new one, or an existing one of the user.

        Raises:
            NoProfile: No profile fits.
        """

    @abstractmethod
    def opened(self, study: StudyParts, content: Mapping[str, Any]) -> OpenedProfile:
        """Return the profile of a study from the content of its copy.

        Raises:
            NoProfile: It belongs to another network.
        """

    def copy_of(self, config: StudyConfig) -> KeptProfile | None:
        """Return the copy that a configuration names; None if it names none."""
        return config.profiles.get(self.cost)

    def open(self, study: StudyParts) -> OpenedProfile:
        """Return the profile of a study: its own copy, or one that is found for it.

        Raises:
            NoProfile: No profile fits, or the copy differs from the one that the study was created with.
        """
        copy = self.copy_of(study.config)
        return self.find(study) if copy is None else self.opened(study, self.read(located(copy.file), copy.sha256))

    def read(self, path: Path, sha256: str = "") -> Mapping[str, Any]:
        """Return the content of a copy.

        Raises:
            NoProfile: It is missing, or has another hash.
        """
        content = read_json(path)
        if content is None or (sha256 and json_sha256(content) != sha256):
            unit = cost_of(self.cost).unit
            raise NoProfile(
                f"{path} is not the profile for {unit} of this study: got another file; expected the one that it was "
                f"created with. Try to put it back"
            )
        return content

    def kept(self, config: StudyConfig, profile: OpenedProfile, folder: Path) -> StudyConfig:
        """Copy a profile to a study's folder of copies; return the configuration that names the copy."""
        digest = json_sha256(profile.content)
        path = folder / f"{self.stem}-{digest[:8]}.json"
        if not path.is_file():
            write_json(path, profile.content)
        look_in(folder)
        return replace(config, profiles={**config.profiles, self.cost: KeptProfile(path.name, digest)})

    def wanted(self, study: StudyParts) -> bool:
        """Return True if a budget of the study is in this cost."""
        return self.cost in study.config.stated_budgets.costs

    def fingerprint(self, study: StudyParts) -> str:
        """Return the hash of the profile's content."""
        return json_sha256(study.profiles[self.cost].content) if self.wanted(study) else ""

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Copy the profile to the study's folder."""
        own = folder / SOURCE
        copy = self.copy_of(self.kept(study.config, study.profiles[self.cost], own))
        assert copy is not None
        return PreparedArtifact.of(self.preparation, self.fingerprint(study), folder, [own / copy.file])

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> OpenedProfile:
        """Return the profile opened from the copy.

        Raises:
            NoProfile: The copy is missing, or differs from the one that the study was created with.
        """
        (name,) = artifact.files
        if artifact.changed(folder):
            raise NoProfile(
                f"{folder / name} is not the profile for {cost_of(self.cost).unit} of this study: got another file; "
                f"expected the one that it was created with. Try to put it back"
            )
        return self.opened(study, self.read(folder / name, artifact.fingerprint))
