"""Latency of finished networks, alone on the machine or by a remote device's command: prediction meets the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from ...evaluators.cost.catalog import RUNTIMES
from ...evaluators.cost.device import COMMAND, this_device
from ...evaluators.cost.latency import Effort, MachineBusy, Timing
from ...evaluators.cost.measurers.measurer import Measurer
from ...evaluators.cost.runtime import RuntimeUnavailable
from ...evaluators.measurement import Measurement
from ...gan_models.export.catalog import EXPORTERS, format_in, latency_writer
from ..setup.opened_profile import Meter
from .data_types import FLOAT, INT8, format_for
from .profile import LatencyProfile

Measure = Callable[[nn.Module, tuple[Tensor, ...]], Timing]
MEASURING_EFFORT = Effort(warm_up=0.5, seconds=2.0, samples=20)


@dataclass(frozen=True)
class LatencyMeter(Meter):
    """A meter that times networks as the profile's device does.

    Attributes:
        profile: Says device, threads and batch.
        timer: Times a network.
        reason: Why nothing can be timed from here; empty if it can.
    """

    profile: LatencyProfile
    timer: Measure
    reason: str = ""

    @classmethod
    def of(cls, profile: LatencyProfile, device: str, command: str = "") -> LatencyMeter:
        """Return the meter of a profile's device.

        Args:
            profile: The profile.
            device: The study's torch device.
            command: Template of the command that reaches a remote device; empty: this machine.
        """
        reason = _unreachable(profile, device, command)
        return cls(profile, _unreachable_timer if reason else measurer_for(profile, device, command), reason)

    @property
    def batch(self) -> int:
        """Images at once."""
        return self.profile.device.batch

    def allowing_busy(self) -> LatencyMeter:
        """Return the same that takes a busy machine's numbers, and marks them."""
        timer = self.timer
        return replace(self, timer=timer.allowing_busy()) if isinstance(timer, Measurer) else self

    def measure(self, network: nn.Module, inputs: tuple[Tensor, ...], int8: bool) -> Measurement:
        """Return a network's median latency, absent with the reason if it cannot be timed."""
        name, how = self.profile.name("measured"), f"measured alone on {self.profile.device.describe()}"
        try:
            if self.reason:
                raise RuntimeUnavailable(self.reason)
            timed = in_8_bits(self.timer) if int8 else self.timer
            if timed is None:
                raise RuntimeUnavailable(f"no format of 8 bits runs in {self.profile.device.runtime}")
            return timed(network, inputs).measurement(name, f"{how}, in 8 bits" if int8 else how)
        except (MachineBusy, RuntimeUnavailable, RuntimeError, ValueError) as error:
            return Measurement.absent(name, "ms", " ".join(str(error).split())[:300], protocol=how)


def in_8_bits(timer: Measure) -> Measure | None:
    """Return the same of networks that run on integers; None if the runtime has no such format."""
    return in_dtype(timer, INT8)


def in_dtype(timer: Measure, dtype: str) -> Measure | None:
    """Return the same of networks in another data type; None if the runtime does not have it."""
    if not isinstance(timer, Measurer):
        return timer
    if timer.runtime == COMMAND:  # the remote device takes the same kind of file in either data type
        beside = format_in(timer.command)
        name = format_for(EXPORTERS.find(beside).runtime, dtype) if beside else None
    else:
        name = format_for(timer.runtime, dtype)
        row = RUNTIMES.find(timer.runtime)
        if name is None and row.takes == "network" and dtype in row.dtypes:
            return replace(timer, dtype=dtype)
    return replace(timer, export=latency_writer(name), dtype=dtype) if name else None


def measurer(
    runtime: str, threads: int, device: str, effort: Effort = MEASURING_EFFORT, command: str = "", dtype: str = FLOAT
) -> Measurer:
    """Return what times networks in a runtime, or by a command, written in the format that it takes.

    Raises:
        UserError: An unknown runtime, or a command that names no file.
    """
    name = format_in(command) if runtime == COMMAND else format_for(runtime, dtype)
    if name is None:
        return Measurer(runtime, threads, device, effort, command=command, dtype=dtype)
    filename = f"network{Path(EXPORTERS.find(name).filename).suffix}"
    return Measurer(runtime, threads, device, effort, latency_writer(name), command, dtype, f"{{{name}}}", filename)


def measurer_for(
    profile: LatencyProfile, device: str, command: str = "", effort: Effort = MEASURING_EFFORT
) -> Measurer:
    """Return what times networks as the profile's device does."""
    own = profile.device
    return measurer(own.runtime, own.threads, device if own.gpu else "cpu", effort, command, own.dtype)


def _unreachable(profile: LatencyProfile, device: str, command: str) -> str:
    """Return why the profile's device cannot be measured on from here; empty if it can."""
    own = profile.device
    if own.runtime == COMMAND:
        was = f"; its profile was made with {profile.command!r}" if profile.command else ""
        if not command:
            return f"{own.cpu} is a remote device: give --device-command to measure on it{was}"
        if own.version and format_in(command) != own.version:
            return f"the profile of {own.cpu} is of {own.version} files: got --device-command {command!r}{was}"
        return ""
    here = this_device(own.runtime, own.threads, own.batch, device if own.gpu else "cpu", own.dtype)
    if here == own:
        return ""
    return f"this machine ({here.describe()}) is not the profile's device ({own.describe()})"


def _unreachable_timer(network: nn.Module, inputs: tuple[Tensor, ...]) -> Timing:
    raise RuntimeUnavailable("the profile's device cannot be measured on from here")
