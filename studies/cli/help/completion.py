"""Completion of studies and trials in shells. A database that cannot be read proposes nothing, and says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from ...run_options import default_storage


def study_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the studies of the command's database whose names begin so."""
    return sorted(name for name in _of_database(ctx, _names, []) if name.startswith(incomplete))


def trial_references(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return studies, and behind a study's whole name its trials as STUDY:NUMBER."""
    study = incomplete.partition(":")[0]
    count = _of_database(ctx, lambda storage: _trials(storage, study), 0)
    numbered = [f"{study}:{number}" for number in range(count)]
    return [*study_names(ctx, incomplete), *(text for text in numbered if text.startswith(incomplete))]


def _of_database(ctx: typer.Context, read: Callable[[Any], Any], nothing: Any) -> Any:
    """Return what is read of a command's database; nothing if that fails, for a shell has no place for errors."""
    try:
        from ...database.storage import open_storage

        storage = open_storage(ctx.params.get("storage") or default_storage(), write=False)
        try:
            return read(storage)
        finally:
            storage.engine.dispose()
    except Exception:
        return nothing


def _names(storage: Any) -> dict[str, int]:
    from ...database.reader import study_names as names

    return names(storage)


def _trials(storage: Any, study: str) -> int:
    key = _names(storage).get(study)
    return 0 if key is None else storage.get_n_trials(key)
