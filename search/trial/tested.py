"""The measurement of a trial's generator on the test split, by which no trial is chosen."""

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
SUFFIX = ".tested.json"  # file of the measurements, next to the trial's weights


@dataclass(frozen=True)
class TestedRequest:
    """A request to measure a trial; convertible to JSON and back, because it may go to a Ray task.

    Attributes:
        study: The resolved study.
        folder: The study's files.
        artifact: The trial's files.
        metric: Name of its quality, for the case that it cannot be measured.
        prepared: The study's preparations.
        threads: Number of compute threads, as in the trial, because the last digits depend on it. 0: unchanged.
    """

    study: ResolvedStudy
    folder: str
    artifact: Artifact
    metric: str
    prepared: Prepared = field(default_factory=Prepared)
    threads: int = 0


def measure(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"measurements": [...]}` of a `TestedRequest`, all as JSON; runs in a Ray task, or here.

    Measurements are first written next to the trial's weights. If a search is killed before it records them, it reads
    them from there.
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
    """Return all measurements of a trial's generator on the test split, the quality first.

    Args:
        opened: The study.
        folder: The study's files.
        artifact: The trial's files.

    Raises:
        RuntimeError, ValueError: Weights or images are missing, or the network's images are not finite.
    """
    if file_sha256(folder / artifact.path) != artifact.sha256:
        raise WorkFailed(f"{artifact.path} is not the file in the record: got another sha256. Try to put it back")
    network = saved_network(opened, folder, artifact)
    run_quantized(opened, folder, artifact, network)
    return opened.test_quality.measure(network, full=True)
