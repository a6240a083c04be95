"""The score table of each pruned generator: made by the first trial that needs it, cached by content for later studies.

A table is independent of the budget. A later study of the same teacher, calibration inputs and seed therefore finds it
in the user's cache (`evaluators.features.cache`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from ....evaluators.features.cache import cache_folder
from ....gan_models.files.errors import UserError, WorkFailed
from ....gan_models.files.hashes import text_sha256
from ....gan_models.groups.channel_groups import ChannelGroups
from ....gan_models.plan_scores.score_table import ScoreTable, identity_of, score_table
from ....gan_models.reconstruction.calibration import Calibration
from ...artifacts.remote import SHARED
from ..preparation import PreparedArtifact, Progress, needed_by_methods
from ..prepared_study import PreparedStudy

ScoreTables = Callable[[nn.Module, ChannelGroups, Calibration], ScoreTable]  # part of a generator


class ScoreTablePreparation:
    """The losses of every group at every width."""

    def wanted(self, study: PreparedStudy) -> bool:
        """Return True if a method of the study uses it, and the study has calibration inputs."""
        return bool(study.config.calibration_images) and needed_by_methods(study.config, "score_table")

    def fingerprint(self, study: PreparedStudy) -> str:
        """Return a hash of the data, the teacher's configuration and the number of inputs."""
        parts = [study.data_sha256, study.config.fingerprint(), str(study.config.calibration_images)]
        return text_sha256("\n".join(parts))

    def make(self, study: PreparedStudy, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Gather what trials have made so far; nothing is computed here."""
        files = sorted((folder / SHARED).glob("score-table-*.json"))
        return PreparedArtifact.of("score_table", self.fingerprint(study), folder, files)

    def load(self, study: PreparedStudy, folder: Path, artifact: PreparedArtifact) -> ScoreTables:
        """Return the source of generators' tables: each is computed at first use, and then read.

        Raises:
            WorkFailed: A file is missing, or differs from the artifact's.
        """
        if changed := artifact.changed(folder):
            raise WorkFailed(
                f"{folder / next(iter(changed))} is not the file of this study: got another content. Try to put it back"
            )

        def table(model: nn.Module, groups: ChannelGroups, calibration: Calibration) -> ScoreTable:
            return made(folder / SHARED, model, groups, calibration)

        return table


def made(shared: Path, model: nn.Module, groups: ChannelGroups, calibration: Calibration) -> ScoreTable:
    """Return one table from the study's folder, else from the cache, else computed; store it in both.

    Args:
        shared: Folder of the files that trials make.
        model: The dense generator.
        groups: Its groups.
        calibration: Its calibration inputs.
    """
    identity = identity_of(model, groups, calibration.fitting(model), calibration.seed)
    file = f"score-table-{identity}.json"
    own, cache = shared / file, cache_folder()
    known = None if cache is None else cache.parent / "score-tables" / file
    table = next((found for path in (own, known) if (found := _read(path, identity)) is not None), None)
    if table is None:
        table = score_table(model, groups, calibration)
    for path in (own, known):
        if path is not None and _read(path, identity) is None:
            table.save(path)
    return table


def _read(path: Path | None, identity: str) -> ScoreTable | None:
    """Return a table; None if the file is missing, incomplete, or of another identity."""
    if path is None or not path.is_file():
        return None
    try:
        table = ScoreTable.load(path)
    except UserError:
        return None
    return table if table.identity == identity else None


SCORE_TABLE = ScoreTablePreparation()
