"""Measurement of a study's finalists after the search, with nothing else running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import cost_of
from ...gan_models.files.kept_copies import look_in
from ...gan_models.files.plain_values import from_json
from ...gan_models.networks.value_ranges import with_own_ranges
from ..artifacts.remote import SOURCE
from ..preparations.opened_study import OpenedStudy, open_study
from ..records.messages import Artifact
from ..records.prepared_artifact import Prepared
from ..resolved_study import ResolvedStudy
from ..setup.opened_profile import Meter
from .saved_network import saved_network

MEASURE = "ganprune.search.trial.finalists:measure"


@dataclass(frozen=True)
class FinalistsRequest:
    """A request to measure finalists; convertible to JSON and back, because it may go to a Ray task.

    Attributes:
        study: The resolved study.
        folder: The study's files.
        artifacts: Trial number -> its generator's files.
        command: Template of the command that reaches a remote device; empty if the device is this machine.
        prepared: The study's preparations.
        allow_busy: True to measure although the machine is busy; the numbers are marked.
    """

    study: ResolvedStudy
    folder: str
    artifacts: Mapping[int, Artifact]
    command: str = ""
    prepared: Prepared = field(default_factory=Prepared)
    allow_busy: bool = False


def measure(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return trial number -> measurements, of a `FinalistsRequest`, all as JSON; runs in a Ray task, or here."""
    found = measure_finalists(from_json(FinalistsRequest, given))
    return {str(number): [each.to_json() for each in measured] for number, measured in found.items()}


def measure_finalists(request: FinalistsRequest) -> dict[int, tuple[Measurement, ...]]:
    """Measure each finalist's generator with its weights, one after the other.

    Args:
        request: The request.

    Returns:
        Trial number -> its costs measured after the search; absent with the reason if one could not be measured.
    """
    look_in(Path(request.folder) / SOURCE)
    opened = open_study(request.study, request.prepared)
    meters = _meters(opened, request.command)
    if request.allow_busy:
        meters = {cost: meter.allowing_busy() for cost, meter in meters.items()}
    if not meters:
        return {}
    found = {}
    for number, artifact in request.artifacts.items():
        network: nn.Module | None = None
        reason = ""
        try:
            network = with_own_ranges(
                saved_network(opened, Path(request.folder), artifact)
            )  # in the form that is exported
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
        found[number] = tuple(
            Measurement.absent(cost, cost_of(cost).unit, reason)
            if network is None
            else meter.measure(network, _inputs(opened, meter.batch), bool(artifact.quantization))
            for cost, meter in meters.items()
        )
    return found


def _meters(opened: OpenedStudy, command: str) -> dict[str, Meter]:
    """Return the meter of each cost that is measured after the search, by the cost's name."""
    found = {
        name: profile.meter(str(opened.device), command)
        for name, profile in opened.profiles.items()
        if cost_of(name).measured_after_search
    }
    return {name: meter for name, meter in found.items() if meter is not None}


def _inputs(opened: OpenedStudy, batch: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.rand_like(x) for x in opened.examples(batch))
