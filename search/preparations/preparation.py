"""The protocol of a preparation, which is made once per study and shared by its trials. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...gan_models.files.user_code import load_named
from ...gan_models.pruning.catalog import method_spec
from ..config import StudyConfig
from ..records.prepared_artifact import PreparedArtifact

Progress = Callable[[int, int, dict[str, float]], None]  # (step, steps, losses)


class Preparation(Protocol):
    """A kind of artifact that is made once per study, before its trials or by the first one that needs it.

    `study` is a `prepared_study.PreparedStudy`, not imported here because reading the table imports no torch. Earlier
    rows of the table are made by then; `study.load(name)` returns them.
    """

    def wanted(self, study: Any) -> bool:
        """Return True if the study needs it; `needed_by_methods` returns True if one of its methods does."""
        ...

    def fingerprint(self, study: Any) -> str:
        """Return the hash of all that determines its files."""
        ...

    def make(self, study: Any, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Make it in the study's folder, without repeating existing parts.

        A lazy one gathers what trials have made so far.
        """
        ...

    def load(self, study: Any, folder: Path, artifact: PreparedArtifact) -> Any:
        """Return the object that trials use; for a lazy one, a source that makes a part at first use.

        Raises:
            WorkFailed: A file is missing, or differs from the artifact's.
        """
        ...


@dataclass(frozen=True)
class PreparationRow:
    """A row of the table of preparations.

    Attributes:
        where: `package.module:attribute` of the `Preparation`; imported when it is needed.
        lazy: True if the first trial that needs it makes it. Its files are in `teacher/shared` of the study's folder,
            from which those of workers on other machines are gathered.
    """

    where: str
    lazy: bool = False

    def open(self) -> Preparation:
        """Return the preparation."""
        return load_named(self.where, "preparation", __package__)


def needed_by_methods(config: StudyConfig, name: str) -> bool:
    """Return True if the row of a searched method names the preparation."""
    return any(name in method_spec(method).preparations for method in config.methods)
