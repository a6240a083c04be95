"""Deletion of training checkpoints of finished trials that are not on the Pareto front."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..artifacts.study_folder import StudyFolder
from ..records.ledger import TrialRecord
from ..strategy import pareto

STATES = ("checkpoint", "prune")  # files of training states in a trial's folder
WEIGHTS = ("generator.safetensors",)


@dataclass(frozen=True)
class Cleaned:
    """The result of a cleanup: the trials' numbers and the freed bytes."""

    trials: tuple[int, ...]
    freed: int


def front_numbers(records: Sequence[TrialRecord]) -> set[int]:
    """Return the trials that no other dominates; all of equal points."""
    scored = [record for record in records if record.scored]
    points_N2 = np.array([(record.quality, record.cost) for record in scored], dtype=float).reshape(-1, 2)
    return {record.number for record, on in zip(scored, pareto.non_dominated(points_N2), strict=True) if on}


def kept_folders(records: Sequence[TrialRecord]) -> set[int]:
    """Return the trials whose files are kept: those on the front, those that the front depends on, unfinished ones."""
    front = front_numbers(records)
    kept = front | {record.number for record in records if not record.finished}
    for number in front:
        outcome = records[number].outcome
        if outcome is not None and outcome.artifact is not None:
            kept |= {int(part) for part in PurePosixPath(outcome.artifact.path).parts[:1] if part.isdigit()}
    return kept


def clean(folder: StudyFolder, records: Sequence[TrialRecord], weights: bool = False) -> Cleaned:
    """Remove training states of finished trials off the front, also while the study runs.

    Args:
        folder: The study's files.
        records: Its trials, by number.
        weights: True to remove their generators, too: such a trial can no longer be exported.
    """
    kept, done, freed = kept_folders(records), [], 0
    for record in records:
        if record.number in kept:
            continue
        there = [folder.trial(record.number) / name for name in STATES + (WEIGHTS if weights else ())]
        bytes_there = sum(size_of(path) for path in there)
        if folder.remote:
            remote = folder.behind(str(record.number))
            bytes_there = sum(remote.size(path.name) for path in there)
            for path in there:
                remote.remove(path.name)
        for path in there:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if bytes_there:
            done.append(record.number)
            freed += bytes_there
    return Cleaned(tuple(done), freed)


def over_quota(folder: StudyFolder, records: Sequence[TrialRecord], quota: int | None) -> bool:
    """Return True if a study uses more than `quota` bytes on this machine even after a cleanup; None: no limit."""
    if quota is None or size_of(folder.path) <= quota:
        return False
    clean(folder, records)
    return size_of(folder.path) > quota


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; files that vanish meanwhile are ignored."""
    files = [path] if path.is_file() else list(path.rglob("*"))
    total = 0
    for file in files:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total
