"""The command `profile-device`: what this device, or one behind a command, needs for each layer of a network."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....evaluators.cost.catalog import RUNTIMES
from ....gan_models.files.errors import UserError
from ....gan_models.files.plain_values import from_json
from ....search.configuration.flags import flags_of, read_flags
from ....search.configuration.option import check_options, option
from ...run_options import DEFAULT_STORAGE, DEVICE_COMMAND_HELP, STORAGE_DEFAULT, STORAGE_HELP, default_storage
from .. import options as opt
from ..console import wide_console

if TYPE_CHECKING:
    from rich.console import Console

    from ....search.latency.profile import LatencyProfile

_LOCAL_RUNTIMES = tuple(name for name, row in RUNTIMES.own.items() if row.runs_here)
BUDGET_SHARE = 0.5  # of the way from the fastest measured plan to the slowest, in the search that is offered


@dataclass(frozen=True, kw_only=True)
class ProfilingOptions:
    """Options of `profile-device`.

    Raises:
        UserError: A number out of range, or one of two options that go together.
    """

    model: str = option(opt.MODEL_HELP, "", default_text="required")
    model_args: Mapping[str, Any] = option("Arguments of the network: ngf=16,n_blocks=3.", factory=dict)
    image_size: str | int = option(
        "Image size of the network: pixels per side, or HEIGHTxWIDTH.", 0, default_text="the generator's own"
    )
    input_shape: str = option(
        "Inputs of your own network: 3,256,256, latent:128, or several, image:3,64,64;mask:1,64,64.",
        "",
        default_text="the catalog's",
    )
    output: str = option(opt.OUTPUT_HELP, "", default_text="the only one")
    runtime: str = option(f"Runtime that is measured: {', '.join(_LOCAL_RUNTIMES)}, or another package's.", "eager")
    dtype: tuple[str, ...] = option(
        "Data type that is measured: float32, float16 or int8; float32,int8 measures whole networks in 8 bits, too.",
        (),
        default_text="float32, and int8 if the runtime has it",
    )
    threads: int | None = option("CPU threads of the network.", None, low=1, default_text="all CPUs")
    batch: int = option("Images per call.", 1, low=1)
    device: str = option("Device that is measured: cpu, cuda or auto.", "auto")
    device_command: str = option(DEVICE_COMMAND_HELP, "")
    device_name: str = option("Name of the device behind --device-command.", "")
    points: int = option("Widths of a layer's inputs and of its outputs that are measured.", 6, low=2)
    networks: int = option(
        "Random whole networks that are measured: 3 of 5 fit the predictor, 2 of 5 test it.", 24, low=6
    )
    seconds: float = option("Seconds of samples per measured number.", 0.4)
    allow_busy: bool = option(
        "Measure although the machine is busy; the profile has a note of it.", False, one_way=True
    )
    again: bool = option("Measure layers again that are in the database.", False, one_way=True)
    out: str = option("JSON file that the profile is written to, in addition to the database.", "")
    storage: str = option(STORAGE_HELP, factory=default_storage, default_text=STORAGE_DEFAULT)

    def __post_init__(self) -> None:
        """Check what needs no torch."""
        if not self.model:
            raise UserError("--model is missing: give a catalog name, package.module:function or file.py:function")
        check_options(self)
        if not self.seconds > 0:
            raise UserError(f"--seconds must be above 0; got {self.seconds}")
        if bool(self.device_command) != bool(self.device_name):
            raise UserError(
                "--device-command and --device-name go together: the profile is kept under the device's name"
            )


PROFILING_FLAGS = tuple(flags_of("profile", ProfilingOptions))


@opt.with_flags(PROFILING_FLAGS)
def profile_device(given: Mapping[str, Any], as_json: opt.Json = False) -> None:
    """Measure each distinct layer of a network on this device, for budgets in ms."""
    options = from_json(ProfilingOptions, read_flags(PROFILING_FLAGS, given))
    console = wide_console(stderr=as_json)
    profile, known = measured(options, console)
    if as_json:
        print(json.dumps(summary(profile, known), indent=1, allow_nan=False))
    else:
        print_profile(profile, console, search_command(options, profile))


def search_command(options: ProfilingOptions, profile: LatencyProfile) -> str:
    """Return a search with a budget in ms that uses a profile, as it is typed."""
    arguments = ",".join(f"{name}={_argument(value)}" for name, value in options.model_args.items())
    words = {
        "--model": options.model,
        "--model-args": arguments,
        "--image-size": str(options.image_size or ""),
        "--input-shape": options.input_shape,
        "--output": options.output,
        "--data": "builtin:shapes",
        "--budget": profile.budget_between(BUDGET_SHARE),
        "--latency-profile": profile.device.id,
        "--device-command": options.device_command,
        "--storage": "" if options.storage == DEFAULT_STORAGE else options.storage,
    }
    return " ".join(["ganprune search", *(f"{name} {shlex.quote(text)}" for name, text in words.items() if text)])


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def measured(options: ProfilingOptions, console: Console) -> tuple[LatencyProfile, int]:
    """Return the profile of a network on a device, stored, and how many layers the database had already."""
    from ....evaluators.cost.catalog import RUNTIMES
    from ....evaluators.cost.device import COMMAND, cpus_allowed, remote_device, this_device
    from ....evaluators.cost.latency import Effort, exclusive
    from ....gan_models.export.catalog import format_in
    from ....gan_models.training.loop import best_device
    from ....search.latency.data_types import FLOAT, INT8, chosen_dtypes
    from ....search.latency.finalist_meter import in_8_bits, in_dtype, measurer
    from ....search.latency.profile import write_profile
    from ....search.latency.profiler import Thoroughness, profile_network
    from ...database.latency_profiles import ProfileStore

    remote = options.device_command
    runtime = COMMAND if remote else options.runtime
    dtype, beside_int8 = chosen_dtypes(options.dtype, runtime, remote)
    inputs = opt.read_inputs(options.model, options.model_args, options.image_size, options.input_shape)
    threads = cpus_allowed() if options.threads is None else options.threads
    effort = Effort(warm_up=options.seconds / 4, seconds=options.seconds)
    effort = effort.allowing_busy() if options.allow_busy else effort
    placed = "cpu" if remote or not RUNTIMES.find(options.runtime).gpu else str(best_device(options.device))
    timer = measurer(runtime, threads, placed, effort, remote, dtype)
    if remote:
        device = remote_device(options.device_name, threads, options.batch, dtype, format_in(remote) or "")
    else:
        device = this_device(runtime, threads, options.batch, placed, dtype)
    # Layers alone are never written in 8 bits, for what surrounds them would be measured: the tables are float32's.
    of_layers = replace(device, dtype=FLOAT) if dtype == INT8 else device
    layer_timer = in_dtype(timer, FLOAT) if dtype == INT8 else timer
    assert layer_timer is not None
    store = ProfileStore(options.storage)
    store.prepare()
    known = {} if options.again else store.layers(of_layers)
    held_out = max(2, 2 * options.networks // 5)
    thoroughness = Thoroughness(options.points, options.networks - held_out, held_out)
    int8 = in_8_bits(timer) if beside_int8 else None
    console.print(f"profiling {device.describe()} (profile {device.id})", highlight=False)
    with exclusive():
        profile = profile_network(
            options.model, options.model_args, inputs, device, layer_timer, known, thoroughness,
            Progress(console).step, lambda layer: store.put_layer(of_layers, layer), int8, options.output, timer,
        )  # fmt: skip
    profile = replace(profile, quiet=not options.allow_busy, command=remote)
    store.put(profile)
    if options.out:
        write_profile(profile, Path(options.out))
    return profile, len(known)


class Progress:
    """A line from time to time if there is no progress bar.

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        self.console, self.said = console, -1

    def step(self, done: int, total: int, what: str) -> None:
        """Print a line at the start of a measurement, now and then."""
        tenth = 10 * done // max(1, total)
        if tenth > self.said:
            self.said = tenth
            self.console.print(f"{done} of {total}: {what}", highlight=False)


def summary(profile: LatencyProfile, known: int = 0) -> dict[str, Any]:
    """Return a profile without its tables as plain JSON; `known` layers were in the database already."""
    found = profile.to_json()
    found["layers"] = {layer["key"]: layer["what"] for layer in found["layers"]}
    return found | {"id": profile.device.id, "layers_known": known, "sha256": profile.sha256()}


def print_profile(profile: LatencyProfile, console: Console, command: str) -> None:
    """Print the measurements, the predictor's error, the multiple of channels that the device likes, and a search."""
    from rich.table import Table

    table = Table("layer", "widths", "ms at full width", box=None, title_justify="left", title="layers")
    for layer in profile.layers:
        points = " x ".join(str(len(side)) for side in layer.channels) or "1"
        table.add_row(layer.what, points, f"{layer.ms[-1]:.4g}")
    console.print(table)
    whole = profile.whole
    only = " in 8 bits" if profile.only_8_bits else ""
    lines = [
        f"dense network{only}: {whole.dense_ms:.4g} ms measured",
        f"predictor{only}: {whole.fit.describe()}; {whole.accuracy.describe()}",
    ]
    if (int8 := profile.whole_int8) is not None:
        lines.append(f"dense network in 8 bits: {int8.dense_ms:.4g} ms measured")
        lines.append(f"predictor in 8 bits: {int8.fit.describe()}; {int8.accuracy.describe()}")
    if profile.multiples:
        lines.append(profile.multiples_text)
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
    lines.append(f"profile {profile.device.id} is in the database; this uses it, with your own data in --data:")
    for line in lines:
        console.print(line, highlight=False)
    console.print(command, highlight=False, soft_wrap=True, markup=False)
