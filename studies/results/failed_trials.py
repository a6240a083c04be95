"""A study whose trials all failed: an error with the most common reason, and the place of the others."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path

from ...gan_models.files.errors import WorkFailed
from ...search.artifacts.error_log import LOG
from ..database.reader import StudyRecord

LONGEST_REASON = 300  # maximum number of characters


class EveryTrialFailed(WorkFailed):
    """An error: each trial of a search failed, so there is no result."""


def check_failures(record: StudyRecord, folder: Path) -> None:
    """Check that at least one trial of a study did not fail; a study without trials passes.

    Args:
        record: The study as it stands now.
        folder: Its files.

    Raises:
        EveryTrialFailed: Each trial failed.
    """
    trials = record.trials
    if not trials or any(trial.state != "FAIL" for trial in trials):
        return
    reasons = Counter(trial.stopped or "no reason on record" for trial in trials)
    reason, count = reasons.most_common(1)[0]
    first = next(trial.number for trial in trials if (trial.stopped or "no reason on record") == reason)
    each = "" if count == len(trials) else f" ({count} of them)"
    log = folder / str(first) / LOG
    trace = f"in {log}" if log.is_file() else f"Study.open({record.name!r}, ...).trials[{first}].outcome.traceback"
    more = 2 * (len(trials) + 1)  # the engine allows half as many failures as the study has trials
    raise EveryTrialFailed(
        f"every trial of study {record.name!r} failed: got {len(trials)} failures, the commonest reason{each}: "
        f"{textwrap.shorten(reason, LONGEST_REASON)}; the files of trial {first} are in {folder / str(first)}, and its "
        f"traceback is {trace}. Repair the cause, then try `ganprune resume {record.name} --trials {more}`"
    )
