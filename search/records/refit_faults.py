"""Refits that ended with an exception. They are reported once, because such a trial continues with its plain cut."""

from __future__ import annotations

from collections.abc import Iterable

from .ledger import TrialRecord


def refit_faults(trials: Iterable[TrialRecord]) -> dict[str, list[int]]:
    """Return the numbers of trials by the exception that ended their refit, in order; a repeated result counts once."""
    found: dict[str, list[int]] = {}
    for trial in trials:
        if trial.outcome is None or trial.outcome.same_as is not None:
            continue
        for name, done in trial.outcome.reconstructions.items():
            if done.fault:
                numbers = found.setdefault(f"{name}: {done.fault}", [])
                numbers.extend([trial.number] if trial.number not in numbers else [])
    return found


def fault_line(fault: str, numbers: list[int]) -> str:
    """Return one line on such trials.

    Args:
        fault: Generator and exception.
        numbers: Numbers of the trials.
    """
    trials = f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    return f"{trials}: the cut was not refitted because of an exception, which is a bug worth reporting: {fault}"
