"""Measures a study's finalists alone on the machine, after the search: what was predicted meets the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.cost.device import COMMAND, this_device
from ...evaluators.cost.latency import Effort, MachineBusy, Timing
from ...evaluators.cost.measurer import Measurer
from ...evaluators.cost.runtime import RuntimeUnavailable
from ...evaluators.measurement import Measurement
from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.export.catalog import EXPORTERS, format_in, format_run_by, latency_writer
from ...gan_models.files.atomic_files import read_json
from ...gan_models.files.kept_copies import look_in
from ...gan_models.files.plain_values import from_json
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import cut
from ...gan_models.training.loop import best_device
from ..artifacts.remote import SOURCE
from ..config import StudyConfig
from ..latency.profile import LatencyProfile
from ..preparations.opened_study import open_study
from ..records.messages import Artifact
from ..resolved_study import ResolvedStudy

Measure = Callable[[nn.Module, tuple[Tensor, ...]], Timing]
MEASURE = "ganprune.search.trial.finalists:measure"
EFFORT = Effort(warm_up=0.5, seconds=2.0, samples=20)


@dataclass(frozen=True)
class FinalistsRequest:
    """What is to be measured; JSON both ways, because it may go to a Ray task.

    Attributes:
        study: The study, resolved.
        folder: The study's files.
        artifacts: Trial number -> its generator's files.
        command: Template of the command that reaches a remote device; empty where the device is this machine.
    """

    study: ResolvedStudy
    folder: str
    artifacts: Mapping[int, Artifact]
    command: str = ""


def measure(given: Mapping[str, Any]) -> dict[str, Any]:
    """A `FinalistsRequest` as JSON -> trial number -> Measurement as JSON; runs in a Ray task, or here."""
    found = measure_finalists(from_json(FinalistsRequest, given))
    return {str(number): measurement.to_json() for number, measurement in found.items()}


def measure_finalists(request: FinalistsRequest, timer: Measure | None = None) -> dict[int, Measurement]:
    """Times each finalist's generator with its weights, one after the other.

    Args:
        request: What to measure.
        timer: Times a network; None takes the profile's runtime on this machine, or the request's command.

    Returns:
        Trial number -> latency in ms; absent with the reason where it could not be measured.
    """
    look_in(Path(request.folder) / SOURCE)
    opened = open_study(request.study)
    config, latency = opened.config, opened.latency
    if latency is None:
        return {}
    profile = latency.profile
    reason = "" if timer is not None else _unreachable(profile, config, request.command)
    if timer is None and not reason:
        timer = measurer_for(profile, str(best_device(config.device)), request.command)
    model, groups = opened.full_network().eval(), opened.groups
    name = profile.name("measured")
    how = f"measured alone on {profile.device.describe()}"
    found = {}
    for number, artifact in request.artifacts.items():
        folder = Path(request.folder)
        try:
            if timer is None:
                raise RuntimeUnavailable(reason)
            plan = ChannelPlan.from_json(read_json(folder / artifact.plan) or {})
            small = cut(model, groups, plan)
            load_into(small, folder / artifact.path)
            inputs = tuple(torch.rand_like(x) for x in opened.examples(profile.device.batch))
            int8 = bool(artifact.quantization)
            timed = in_8_bits(timer) if int8 else timer
            if timed is None:
                raise RuntimeUnavailable(f"no format of 8 bits runs in {profile.device.runtime}")
            timing = timed(small, inputs)
            found[number] = timing.measurement(name, f"{how}, in 8 bits" if int8 else how)
        except (MachineBusy, RuntimeUnavailable, RuntimeError, ValueError) as error:
            found[number] = Measurement.absent(name, "ms", " ".join(str(error).split())[:300], protocol=how)
    return found


def in_8_bits(timer: Measure) -> Measure | None:
    """Return the same of networks that run on integers; None if the runtime has no such format."""
    if not isinstance(timer, Measurer):
        return timer
    runtime = timer.runtime
    if runtime == COMMAND:  # the remote device takes the same kind of file in either data type
        name = format_in(timer.command)
        runtime = EXPORTERS[name].runtime if name else ""
    name = format_run_by(runtime, "int8")
    return replace(timer, export=latency_writer(name), dtype="int8") if name else None


def measurer(runtime: str, threads: int, device: str, effort: Effort = EFFORT, command: str = "") -> Measurer:
    """Return what times networks in a runtime, or by a command, written in the format that it takes.

    Raises:
        UserError: An unknown runtime, or a command that names no file.
    """
    name = format_in(command) if runtime == COMMAND else format_run_by(runtime)
    if name is None:
        return Measurer(runtime, threads, device, effort, command=command)
    filename = f"network{Path(EXPORTERS.find(name).filename).suffix}"
    return Measurer(
        runtime, threads, device, effort, latency_writer(name), command, slot=f"{{{name}}}", filename=filename
    )


def measurer_for(profile: LatencyProfile, device: str, command: str = "", effort: Effort = EFFORT) -> Measurer:
    """Return what times networks as the profile's device does."""
    own = profile.device
    return measurer(own.runtime, own.threads, device if own.gpu else "cpu", effort, command)


def _unreachable(profile: LatencyProfile, config: StudyConfig, command: str) -> str:
    """Why the profile's device cannot be measured on from here; empty where it can."""
    own = profile.device
    if own.runtime == COMMAND:
        return "" if command else f"{own.cpu} is a remote device: give --device-command to measure on it"
    here = this_device(own.runtime, own.threads, own.batch, str(best_device(config.device)) if own.gpu else "cpu")
    if here == own:
        return ""
    return f"this machine ({here.describe()}) is not the profile's device ({own.describe()})"
