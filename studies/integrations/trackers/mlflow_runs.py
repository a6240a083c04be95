"""MLflow: the study is an experiment, each trial a run, at MLflow's own place (`MLFLOW_TRACKING_URI`, or its file)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import mlflow  # pyright: ignore[reportMissingImports]
from mlflow.entities import Experiment as MlflowExperiment  # pyright: ignore[reportMissingImports]
from mlflow.entities import Metric, Param, Run  # pyright: ignore[reportMissingImports]
from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]
from PIL import Image

from .tracker import NOTE, Experiment, TrackedRun

IDENTITY = "ganprune.study_id"  # tag of an experiment
NOTE_TAG = "mlflow.note.content"  # where MLflow's pages show a description
NOTE_STEP = "ganprune.note_step"
STATES = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED", "WAITING": "SCHEDULED", "RUNNING": "RUNNING"}
PICTURES = "pictures"  # folder of a run's artifacts
_MOST_POINTS = 1000  # of one call, by MLflow's own limit
_MAX_NOTE_CHARACTERS = 5000  # letters of a note; MLflow refuses longer tags


class MlflowRuns:
    """The runs of a study.

    Args:
        client: MLflow's client.
        experiment: The study.
    """

    def __init__(self, client: MlflowClient, experiment: Experiment) -> None:
        self._client = client
        self._experiment = _experiment_of(client, experiment)
        self._runs = {run.info.run_name: run for run in _all_runs(client, self._experiment)}
        uri = mlflow.get_tracking_uri()
        local = not uri.startswith(("http", "databricks"))
        self.where = f"mlflow ui --backend-store-uri {uri}" if local else f"{uri}, experiment {experiment.name}"

    def known(self, run: TrackedRun) -> Mapping[str, int]:
        """Return last steps by metric and picture, asked of MLflow."""
        there = self._runs.get(run.name)
        if there is None:
            return {}
        key = there.info.run_id
        histories = {name: self._client.get_metric_history(key, name) for name in there.data.metrics}
        found = {name: max(point.step for point in points) for name, points in histories.items() if points}
        for file in self._client.list_artifacts(key, PICTURES):
            name, _, step = file.path.rpartition(".")[0].rpartition("-")
            found[name] = max(found.get(name, -1), int(step))
        if NOTE_STEP in there.data.tags:
            found[NOTE] = int(there.data.tags[NOTE_STEP])
        return found

    def write(self, run: TrackedRun) -> None:
        """Add what is new to the run; it is made if it is not there."""
        if run.name not in self._runs:
            params = [Param(name, str(value)) for name, value in run.params.items()]
            made = self._client.create_run(self._experiment.experiment_id, run_name=run.name)
            self._runs[run.name] = made
            self._client.log_batch(made.info.run_id, params=params)
        there = self._runs[run.name]
        key, began = there.info.run_id, there.info.start_time
        points = [
            Metric(name, value, began + step, step) for name, curve in run.curves.items() for step, value in curve
        ]
        for first in range(0, len(points), _MOST_POINTS):
            self._client.log_batch(key, metrics=points[first : first + _MOST_POINTS])
        for picture in run.pictures:
            self._client.log_image(key, Image.fromarray(picture.pixels()), f"{picture.name}-{picture.step:09d}.png")
        if run.note:
            self._client.set_tag(key, NOTE_TAG, run.note[:_MAX_NOTE_CHARACTERS])
            self._client.set_tag(key, NOTE_STEP, run.step)
        if run.ended:
            self._client.set_terminated(key, STATES[run.state])
        else:
            self._client.update_run(key, status=STATES[run.state])
        self._runs[run.name] = self._client.get_run(key)

    def close(self) -> None:
        """Do nothing: each call is whole."""


def open_mlflow(experiment: Experiment) -> MlflowRuns:
    """Return the runs of a study at MLflow's own place."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # its own words on tables that it makes
    return MlflowRuns(MlflowClient(), experiment)


def _experiment_of(client: MlflowClient, experiment: Experiment) -> MlflowExperiment:
    """Return the experiment of a study, made if there is none; one of another study of its name is left alone."""
    names = (experiment.name, f"{experiment.name}-{experiment.identity[:8]}")
    for name in names:
        there = client.get_experiment_by_name(name)
        if there is None:
            tags = {IDENTITY: experiment.identity, NOTE_TAG: _facts(experiment)}
            return client.get_experiment(client.create_experiment(name, tags=tags))
        if there.tags.get(IDENTITY) == experiment.identity and there.lifecycle_stage == "active":
            return there
    raise RuntimeError(f"the experiment {names[-1]} was deleted in MLflow; restore it there")


def _facts(experiment: Experiment) -> str:
    return "\n".join(f"* {name}: {value}" for name, value in experiment.facts.items())


def _all_runs(client: MlflowClient, experiment: MlflowExperiment) -> list[Run]:
    """Return every run of an experiment, page by page."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment.experiment_id], page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs
