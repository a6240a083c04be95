"""The command `profile-device`: what this device, or one behind a command, needs for each layer of a network."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...gan_models.files.errors import UserError
from ...search.configuration.flag_text import read_arguments
from . import options as opt
from .console import wide_console

if TYPE_CHECKING:
    from rich.console import Console

    from ...search.latency.profile import LatencyProfile


def profile_device(
    model: opt.Model,
    model_args: opt.ModelArgs = None,
    image_size: opt.ImageSize = None,
    input_shape: opt.InputShape = None,
    runtime: Annotated[str, typer.Option(help="eager, compile, onnxruntime, or one of another package.")] = "eager",
    threads: Annotated[int | None, typer.Option(help="Threads of one network; default: all CPUs.")] = None,
    batch: Annotated[int, typer.Option(help="Images in one call.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    device_command: opt.DeviceCommand = "",
    device_name: Annotated[str, typer.Option(help="What the device behind --device-command is called.")] = "",
    points: Annotated[int, typer.Option(help="Widths that are measured of each side of a layer.")] = 6,
    networks: Annotated[
        int, typer.Option(help="Random whole networks: 3 of 5 for the fit, 2 of 5 for the predictor's own error.")
    ] = 24,
    bits: Annotated[
        str, typer.Option(help="32,8 measures whole networks in 8 bits, too, where the runtime runs ONNX; or 32.")
    ] = "32,8",
    seconds: Annotated[float, typer.Option(help="Seconds of samples for one number.")] = 0.4,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Measure on a machine that is not quiet; the profile says so.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Measure layers anew that the database has.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the profile as a JSON file, too.")] = None,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    as_json: opt.Json = False,
) -> None:
    """Measure every distinct layer of a network on this device, for budgets in ms."""
    from dataclasses import replace

    from ...evaluators.cost.catalog import RUNTIMES
    from ...evaluators.cost.device import COMMAND, cpus_allowed, remote_device, this_device
    from ...evaluators.cost.latency import Effort, exclusive
    from ...evaluators.cost.machine_load import Limits
    from ...gan_models.training.loop import best_device
    from ...search.latency.profile import write_profile
    from ...search.latency.profiler import Thoroughness, profile_network
    from ...search.trial.finalists import in_8_bits, measurer
    from ..database.latency_profiles import ProfileStore

    inputs = opt.read_inputs(model, image_size, input_shape)
    if bool(device_command) != bool(device_name):
        raise UserError("--device-command and --device-name go together: the profile is kept under the device's name")
    if seconds <= 0 or networks < 6 or batch < 1:
        raise UserError("use --seconds above 0, --networks 6 or more, --batch 1 or more")
    if bits not in ("32", "32,8"):
        raise UserError(f"--bits {bits} is unknown; use 32 or 32,8")
    n_threads = cpus_allowed() if threads is None else threads
    limits = Limits(math.inf, math.inf, math.inf) if allow_busy else Limits()
    effort = Effort(warm_up=seconds / 4, seconds=seconds, limits=limits)
    placed = "cpu" if device_command or not RUNTIMES.find(runtime).gpu else str(best_device(device))
    way = COMMAND if device_command else runtime
    timer = measurer(way, n_threads, placed, effort, device_command)
    if device_command:
        what = remote_device(device_name, n_threads, batch)
    else:
        what = this_device(runtime, n_threads, batch, placed)
    store, console = ProfileStore(storage), wide_console(stderr=as_json)
    store.prepare()
    known = {} if again else store.layers(what)
    held_out = max(2, 2 * networks // 5)
    thoroughness = Thoroughness(points, networks - held_out, held_out)
    int8 = in_8_bits(timer) if bits == "32,8" else None
    console.print(f"profiling {what.describe()} (profile {what.id})", highlight=False)
    progress = Progress(console)
    with exclusive():
        profile = profile_network(
            model, read_arguments(model_args or ""), inputs, what, timer, known, thoroughness, progress.step,
            lambda layer: store.put_layer(what, layer), int8,
        )  # fmt: skip
    profile = replace(profile, quiet=not allow_busy)
    store.put(profile)
    if out is not None:
        write_profile(profile, out)
    if as_json:
        print(json.dumps(summary(profile, len(known)), indent=1, allow_nan=False))
    else:
        print_profile(profile, console)


class Progress:
    """A line now and then where nobody watches a bar.

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        self.console, self.said = console, -1

    def step(self, done: int, total: int, what: str) -> None:
        """A measurement begins."""
        tenth = 10 * done // max(1, total)
        if tenth > self.said:
            self.said = tenth
            self.console.print(f"{done} of {total}: {what}", highlight=False)


def summary(profile: LatencyProfile, known: int = 0) -> dict[str, Any]:
    """A profile without its tables, as plain JSON. `known`: layers that were in the database already."""
    found = profile.to_json()
    found["layers"] = {layer["key"]: layer["what"] for layer in found["layers"]}
    return found | {"id": profile.device.id, "layers_known": known, "sha256": profile.sha256()}


def print_profile(profile: LatencyProfile, console: Console) -> None:
    """What was measured, how good the predictor is, and which multiple the device likes."""
    from rich.table import Table

    table = Table("layer", "widths", "ms at full width", box=None, title_justify="left", title="layers")
    for layer in profile.layers:
        points = " x ".join(str(len(side)) for side in layer.channels) or "1"
        table.add_row(layer.what, points, f"{layer.ms[-1]:.4g}")
    console.print(table)
    whole = profile.whole
    lines = [
        f"dense network: {whole.dense_ms:.4g} ms measured",
        f"predictor: {whole.fit.describe()}; {whole.accuracy.describe()}",
    ]
    if (int8 := profile.whole_int8) is not None:
        lines.append(f"dense network in 8 bits: {int8.dense_ms:.4g} ms measured")
        lines.append(f"predictor in 8 bits: {int8.fit.describe()}; {int8.accuracy.describe()}")
    if profile.multiples:
        costs = ", ".join(f"{n}: {100 * (value - 1):+.1f} %" for n, value in profile.multiples.items())
        lines.append(f"time when a width is rounded up to a multiple of {costs}")
    liked = profile.multiple
    lines.append(
        f"this device likes multiples of {liked}: search with --channel-multiple {liked}"
        if liked > 1
        else "no multiple of channels is worth rounding up to: leave --channel-multiple at 1"
    )
    if profile.unmeasured:
        lines.append(f"in no table (their time is in the fit's constant): {', '.join(profile.unmeasured[:8])}")
    if not profile.quiet:
        lines.append("measured with --allow-busy: do not trust these numbers further than the machine was quiet")
    lines.append(f"profile {profile.device.id} is in the database; `ganprune search --budget 20ms` uses it")
    for line in lines:
        console.print(line, highlight=False)
