"""A study's live parts with its preparations, each loaded at first use, and once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import WorkFailed
from ...gan_models.networks.specs import OutputSpec
from ...gan_models.tasks.task_data import Splits
from ..config import StudyConfig
from ..records.prepared_artifact import Prepared, PreparedArtifact
from ..setup.opened_profile import OpenedProfile, profile_source
from ..setup.study_parts import StudyParts
from .catalog import PREPARATIONS
from .quality import StudyQuality
from .teacher import Teacher, given_generators, state_sha256


class PreparedStudy(StudyParts):
    """The live parts of a study, including its teacher and other preparations.

    Args:
        config: The configuration, with every open choice decided.
        prepared: The existing preparations.
        like: Parts that are open already; those loaded from the same files are reused.
        output: The output of each generator, if known.
        pinned: Further groups that are left unpruned, besides those of patterns -> the reason; None: as in `like`.
        splits: The images, if they are open already.
    """

    def __init__(
        self,
        config: StudyConfig,
        prepared: Prepared | None = None,
        like: StudyParts | None = None,
        output: OutputSpec | None = None,
        pinned: Mapping[str, str] | None = None,
        splits: Splits | None = None,
    ) -> None:
        super().__init__(config, like=like, output=output, pinned=pinned, splits=splits)
        self.prepared = prepared or Prepared()
        self._loaded: dict[str, tuple[PreparedArtifact, Any]] = {}
        if isinstance(like, PreparedStudy) and like.prepared.folder == self.prepared.folder:
            self._loaded = dict(like._loaded)

    def take(self, folder: Path, artifact: PreparedArtifact) -> None:
        """Record a new artifact in the study's folder."""
        self.prepared = self.prepared.with_artifact(folder, artifact)

    def load(self, name: str) -> Any:
        """Return the object of a preparation that trials use; loaded once per process.

        Args:
            name: A row of the table of preparations.

        Raises:
            UserError: There is no such preparation.
            WorkFailed: It does not exist for this study, or its files differ from the record.
        """
        preparation = PREPARATIONS.find(name).open()
        artifact = self.prepared.artifacts.get(name)
        if artifact is None:
            there = ", ".join(self.prepared.artifacts) or "none"
            raise WorkFailed(
                f"preparation {name!r} does not exist for study {self.config.name!r}: got {there}; expected it among "
                "them. Try naming it in the method's row (preparations), and asking needed_by_methods in its `wanted`"
            )
        if (known := self._loaded.get(name)) is None or known[0] != artifact:
            known = (artifact, preparation.load(self, Path(self.prepared.folder), artifact))
            self._loaded[name] = known
        return known[1]

    @property
    def teacher(self) -> Teacher:
        """The trained dense networks, on the study's device.

        Raises:
            TeacherChanged: Its files differ from the study's record.
        """
        teacher: Teacher = self.load("teacher")
        return teacher

    @property
    def generators(self) -> Mapping[str, nn.Module]:
        """The teacher's generators by name, in eval mode and frozen; the user's files until the teacher exists."""
        if "teacher" not in self.prepared.artifacts and self.config.teacher:
            return self._given_generators
        return self.teacher.generators

    def taught(self, name: str, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the teacher's outputs for inputs of a generator, on the study's device."""
        with torch.no_grad():
            return self.generators[name](*(x.to(self.device) for x in inputs))

    @property
    def taught_by(self) -> str:
        """Hash of the teacher's weights, if the task's real images are its outputs; else empty."""
        return state_sha256(self.generators) if self.task().reads_teacher else ""

    @cached_property
    def _given_generators(self) -> Mapping[str, nn.Module]:
        return given_generators(self)

    @property
    def discriminators(self) -> nn.ModuleDict:
        """The teacher's discriminators by generator name."""
        return self.teacher.discriminators

    @property
    def quality(self) -> StudyQuality:
        """The measurement by which trials are compared."""
        return StudyQuality(self, self.load("reference_features"), self.config.scored_on)

    @property
    def test_quality(self) -> StudyQuality:
        """The measurement on the test split: the same, unless trials are compared on other images."""
        if self.config.scored_on == "test":
            return self.quality
        return StudyQuality(self, self.load("test_features"), "test")

    def measure(self, model: nn.Module, *, full: bool) -> list[Measurement]:
        """Return the quality of the pruned generators; see `StudyQuality.measure`."""
        return self.quality.measure(model, full=full)

    @cached_property
    def profiles(self) -> Mapping[str, OpenedProfile]:
        """The profile of each budget's cost, by the cost's name: the study's copy once it exists.

        Raises:
            NoProfile: There is none, or it belongs to another network or device.
        """
        sources = {name: profile_source(name) for name in self.config.stated_budgets.profiled}
        made = self.prepared.artifacts
        return {
            name: self.load(source.preparation) if source.preparation in made else source.open(self)
            for name, source in sources.items()
        }
