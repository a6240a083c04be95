"""The table of preparations, in the order in which they are made. Imports no torch."""

from __future__ import annotations

from ...gan_models.files.open_table import OpenTable
from .preparation import PreparationRow

_PACKAGE = "ganprune.search.preparations"

PREPARATIONS: OpenTable[PreparationRow] = OpenTable(
    "preparation",
    {
        "own_code": PreparationRow(f"{_PACKAGE}.own_code:OWN_CODE"),
        "latency_profile": PreparationRow("ganprune.search.latency.latency_preparation:LATENCY_PROFILE"),
        "teacher": PreparationRow(f"{_PACKAGE}.teacher:TEACHER_NETWORKS"),
        "reference_features": PreparationRow(f"{_PACKAGE}.reference_features:REFERENCE_FEATURES"),
        "test_features": PreparationRow(f"{_PACKAGE}.reference_features:TEST_FEATURES"),
        "manifold": PreparationRow(f"{_PACKAGE}.manifold:MANIFOLD", lazy=True),
        "score_table": PreparationRow(f"{_PACKAGE}.made_by_trials.score_table:SCORE_TABLE", lazy=True),
    },
    group="ganprune.preparations",
    row_type=PreparationRow,
)
