"""The trackers by name. Imports none of them, and no torch.

Another package adds a row by an entry point of the group `ganprune.trackers`; your own row may be named by path.
"""

from __future__ import annotations

from ....gan_models.files.open_table import OpenTable
from ....gan_models.files.packages import Package
from .tracker import TrackerSpec

_PACKAGE = "ganprune.studies.integrations.trackers"

TRACKERS: OpenTable[TrackerSpec] = OpenTable(
    "tracker",
    {
        "tensorboard": TrackerSpec(
            f"{_PACKAGE}.event_files:open_event_files",
            "TensorBoard",
            needs=(Package("tensorboard", extra="tensorboard"),),
        ),
        "mlflow": TrackerSpec(
            f"{_PACKAGE}.mlflow_runs:open_mlflow",
            "MLflow",
            needs=(Package("mlflow", "mlflow-skinny", extra="mlflow"),),
        ),
    },
    group="ganprune.trackers",
    row_type=TrackerSpec,
    by_path=True,
)
