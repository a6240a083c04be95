"""All preparations of a study: made in the table's order, and gathered for its record."""

from __future__ import annotations

from pathlib import Path

from ..setup.study_parts import StudyParts
from .catalog import PREPARATIONS
from .preparation import PreparedArtifact, Progress


def prepare(
    study: StudyParts, folder: Path, progress: Progress | None = None, lazy: bool = False
) -> dict[str, PreparedArtifact]:
    """Make what a study needs before its trials, and gather what trials have made; nothing is made twice.

    Args:
        study: The study.
        folder: Its folder of artifacts.
        progress: Called with (step, steps, losses) while something is trained.
        lazy: Gather only what trials make.
    """
    rows = {name: PREPARATIONS.find(name) for name in PREPARATIONS}
    found = {name: row.open() for name, row in rows.items() if row.lazy or not lazy}
    return {name: each.make(study, folder, progress) for name, each in found.items() if each.wanted(study)}
