"""A resolved study's live part: what every trial works with, opened when it is first asked for, once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.costs.combined_budgets import Bound
from ..records.teacher_artifact import TeacherArtifact
from ..resolved_study import ResolvedStudy
from ..setup.kept_files import with_own_files
from ..setup.opened_profile import profile_source
from ..setup.search_space import PrunedGenerator, SearchSpace
from ..setup.study_parts import StudyParts
from ..strategy.proposals import SpaceProposals
from .quality import StudyQuality
from .teacher import Teacher, load_real_features, load_teacher


class OpenedStudy(StudyParts):
    """A resolved study with its networks, images, groups and preparations.

    Args:
        resolved: The study.
        teacher: The teacher's artifact; None before it is made.
        like: Parts that are open already.
    """

    def __init__(
        self, resolved: ResolvedStudy, teacher: TeacherArtifact | None = None, like: StudyParts | None = None
    ) -> None:
        super().__init__(resolved.config, like=like, output=resolved.output)
        self.resolved, self.artifact = resolved, teacher or TeacherArtifact()

    @cached_property
    def space(self) -> SearchSpace:
        """The study's groups with what prices their plans."""
        return SearchSpace.of(self.resolved, self)

    @property
    def sides(self) -> tuple[PrunedGenerator, ...]:
        """Each generator with its own groups if several are pruned, else empty."""
        return self.space.generators

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The budgets that every plan of the one generator meets beside its target."""
        return self.space.bounds

    def proposals(self) -> SpaceProposals:
        """Return the spaces of all methods."""
        return self.space.proposals()

    @cached_property
    def teacher(self) -> Teacher:
        """The trained dense networks, on the study's device.

        Raises:
            TeacherChanged: Its files are not those of the study.
        """
        return load_teacher(self, self.artifact)

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """The teacher's generators by name: eval mode, frozen."""
        return self.teacher.generators

    @property
    def discriminators(self) -> nn.ModuleDict:
        """The teacher's discriminators by generator name."""
        return self.teacher.discriminators

    @cached_property
    def quality(self) -> StudyQuality:
        """The measuring of outputs against the study's real images."""
        return StudyQuality(self, load_real_features(self, self.artifact))

    def measure(self, model: nn.Module, *, full: bool) -> list[Measurement]:
        """Return the quality of what is pruned; see `StudyQuality.measure`."""
        return self.quality.measure(model, full=full)

    def kept_in(self, folder: Path) -> OpenedStudy:
        """Return the study with the user's own files and the profiles of costs copied to its folder."""
        config = with_own_files(self.config, folder)
        for name, profile in self.profiles.items():
            config = profile_source(name).kept(config, profile, folder)
        return OpenedStudy(replace(self.resolved, config=config), self.artifact, like=self)


_last: dict[tuple[str, ...], OpenedStudy] = {}


def open_study(
    resolved: ResolvedStudy, teacher: TeacherArtifact | None = None, parts: StudyParts | None = None
) -> OpenedStudy:
    """Return the live part of a study; a process keeps the last one, because trials of one study follow each other.

    Args:
        resolved: The study.
        teacher: The teacher's artifact; None before it is made.
        parts: What is open already, if it is newer than what this process keeps.
    """
    config, artifact = resolved.config, teacher or TeacherArtifact()
    key = (config.name, resolved.fingerprint, config.device, config.model)
    known = _last.get(key)
    if parts is None and known is not None and (known.resolved, known.artifact) == (resolved, artifact):
        return known
    opened = OpenedStudy(resolved, artifact, parts or known)
    _last.clear()
    _last[key] = opened
    return opened
