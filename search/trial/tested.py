"""A trial's generator measured once more, on the test split, by which no trial was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.hashes import file_sha256, json_sha256
from ...gan_models.files.kept_copies import look_in
from ...gan_models.files.plain_values import from_json, to_json
from ..artifacts.remote import SOURCE
from ..execution.worker import limit_threads
from ..preparations.opened_study import OpenedStudy, open_study
from ..records.messages import Artifact
from ..records.prepared_artifact import Prepared
from ..resolved_study import ResolvedStudy
from .saved_network import run_quantized, saved_network

MEASURE = "ganprune.search.trial.tested:measure"
SUFFIX = ".tested.json"  # of the measurements, beside the trial's weights


@dataclass(frozen=True)
class TestedRequest:
    """The trial that is to be measured; JSON both ways, because it may go to a Ray task.

    Attributes:
        study: The study, resolved.
        folder: The study's files.
        artifact: The trial's.
        metric: Name of its quality, for what cannot be measured.
        prepared: What is prepared of the study.
        threads: Threads to compute with, as the trial had: the last digits depend on them. 0: as they are.
    """

    study: ResolvedStudy
    folder: str
    artifact: Artifact
    metric: str
    prepared: Prepared = field(default_factory=Prepared)
    threads: int = 0


def measure(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"measurements": [...]}` of a `TestedRequest`, all as JSON; runs in a Ray task, or here.

    Measurements are first written beside the trial's weights. If a search is killed before it records them, it reads
    them from there for the same request.
    """
    request = from_json(TestedRequest, given)
    path = Path(request.folder) / f"{request.artifact.path}{SUFFIX}"
    key = json_sha256(to_json(replace(request, folder="", study=replace(request.study, notes=()))))
    before = read_json(path)
    if before is not None and before.get("request") == key:
        return {"measurements": before["measurements"]}
    look_in(Path(request.folder) / SOURCE)
    if request.threads:
        limit_threads(request.threads)
    try:
        opened = open_study(request.study, request.prepared)
        found = measured_on_test(opened, Path(request.folder), request.artifact)
    except (RuntimeError, ValueError, OSError) as error:
        absent = Measurement.absent(request.metric, "1", " ".join(str(error).split())[:300])
        return {"measurements": [absent.to_json()]}
    measurements = [each.to_json() for each in found]
    write_json(path, {"request": key, "measurements": measurements})
    return {"measurements": measurements}


def measured_on_test(opened: OpenedStudy, folder: Path, artifact: Artifact) -> list[Measurement]:
    """Return everything that is measured of a trial's generator, on the test split; the quality first.

    Args:
        opened: The study.
        folder: Its files.
        artifact: Those of the trial.

    Raises:
        RuntimeError, ValueError: Weights or images are not there, or the network gives no finite images.
    """
    if file_sha256(folder / artifact.path) != artifact.sha256:
        raise WorkFailed(f"{artifact.path} is not the file in the record (its sha256 differs); put it back")
    network = saved_network(opened, folder, artifact)
    run_quantized(opened, folder, artifact, network)
    return opened.test_quality.measure(network, full=True)
