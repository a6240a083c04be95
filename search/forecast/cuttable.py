"""A network to be cut by plans: a study's teacher, or the generator of a trial, which is cut further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.plan_scores.score_table import ScoreTable
from ...gan_models.reconstruction.calibration import Calibration
from ..artifacts.remote import SHARED
from ..preparations.made_by_trials.score_table import made
from ..preparations.opened_study import OpenedStudy
from ..records.ledger import TrialRecord
from ..trial.calibration import calibration_of
from ..trial.saved_network import SavedGenerator, saved_generators


@dataclass(frozen=True)
class Cuttable:
    """One generator to be cut by plans.

    Attributes:
        model: The generator, in eval mode on the CPU.
        groups: Its groups.
        calibration: Inputs that cut networks are refitted with.
        table: Scores of its groups by width.
        saved: The trial's generator that was loaded; None for the teacher.
    """

    model: nn.Module
    groups: ChannelGroups
    calibration: Calibration
    table: ScoreTable
    saved: SavedGenerator | None = None


def teacher_networks(study: OpenedStudy, folder: Path) -> dict[str, Cuttable]:
    """Return the dense generators that a study prunes, by name.

    Args:
        study: The study; it has calibration inputs.
        folder: Its files; score tables are read from there, or written to it.
    """
    return {
        name: _cuttable(study, folder, name, study.generators[name].cpu(), study.own_groups.get(name, study.groups))
        for name in study.names
    }


def trial_networks(study: OpenedStudy, folder: Path, trial: TrialRecord) -> dict[str, Cuttable]:
    """Return the generators of a trial that ended, by name: with their own groups, under the teacher's names.

    Args:
        study: The study; it has calibration inputs.
        folder: Its files, as of `teacher_networks`.
        trial: With an artifact.
    """
    artifact = trial.ended().artifact
    assert artifact is not None
    return {
        name: _cuttable(study, folder, name, saved.model, saved.groups, saved)
        for name, saved in saved_generators(study, folder, artifact).items()
    }


def _cuttable(
    study: OpenedStudy,
    folder: Path,
    name: str,
    model: nn.Module,
    groups: ChannelGroups,
    saved: SavedGenerator | None = None,
) -> Cuttable:
    calibration = calibration_of(study, name)
    assert calibration is not None
    return Cuttable(model, groups, calibration, made(folder / SHARED, model, groups, calibration), saved)
