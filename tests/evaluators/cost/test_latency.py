"""A latency is given only where the machine was quiet; clocks, locks, runtimes and devices behind a command."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from ganprune.evaluators.cost import latency
from ganprune.evaluators.cost.device import Device, remote_device, this_device
from ganprune.evaluators.cost.latency import Effort, MachineBusy, Timing, exclusive, measure_latency
from ganprune.evaluators.cost.machine_load import Disturbance, Limits, Snapshot, between, busy_seconds, snapshot
from ganprune.evaluators.cost.measurers.device_command import run_command
from ganprune.evaluators.cost.measurers.measurer import Measurer
from ganprune.evaluators.cost.runtime import RuntimeUnavailable
from ganprune.gan_models.export.catalog import latency_writer
from ganprune.gan_models.files.plain_values import from_json, to_json
from torch import nn

ANY = Limits(math.inf, math.inf, math.inf)
QUICK = Effort(warm_up=0.0, seconds=0.0, samples=3, sample_ms=0.0, tries=3, limits=ANY)
BUSY_LOOP = "print('go', flush=True)\nwhile True: pass"


def at(wall: float, own: float = 0.0, busy: float | None = 0.0, waited: float | None = 0.0, probe: float = 1.0):
    return Snapshot(wall, own, busy, waited, probe)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (at(10, own=10, busy=10), ""),
        (at(10, own=10, busy=11.9), ""),  # 1.88 s of others in 10 s: under a tenth of two CPUs
        (at(10, own=10, busy=12.5), "other processes used 0.25 of 2 CPUs"),
        (at(10, own=5, busy=5, waited=0.2), ""),
        (at(10, own=5, busy=5, waited=0.5), "waited for a core 5 % of the time"),
        (at(10, probe=1.2), ""),
        (at(10, probe=1.3), "took +30 % time"),
        (at(10, probe=0.7), "took -30 % time"),
        (at(10, busy=None, waited=None), ""),
    ],
)
def test_what_is_quiet_is_arithmetic(after: Snapshot, said: str):
    """Others' CPU time, our waiting and the probe's drift each end a measurement above their limit, and say so."""
    reason = between(at(0, busy=after.busy and 0.0), after, cpus=2).reason(Limits())
    assert said in reason
    assert bool(said) == bool(reason)


def test_cpu_time_of_everybody_is_read_from_the_kernels_line():
    """User, nice, system, interrupts and stolen time count, idle and waiting for disks do not; other texts say nothing."""
    tick = os.sysconf("SC_CLK_TCK")
    assert busy_seconds("cpu  1 20 300 99999 99999 4000 50000 600000 7 7\ncpu0 1") == 654321 / tick
    assert busy_seconds("") is None
    assert busy_seconds("cpu0 1 2 3") is None


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="others' CPU time is known on Linux only")
def test_busy_loops_beside_a_measurement_are_detected():
    """With busy loops on half of the cores, nothing that is timed counts as quiet, though it may have a core of its own."""
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY_LOOP], stdout=subprocess.PIPE)
        for _ in range(max(1, (os.cpu_count() or 1) // 2))
    ]
    try:
        for loop in loops:
            assert loop.stdout is not None
            loop.stdout.readline()
        call = lambda: sum(range(10_000))  # noqa: E731
        with pytest.raises(MachineBusy, match=r"the machine was busy: .* in each of 2 attempts"):
            measure_latency(call, Effort(warm_up=0.0, seconds=0.5, tries=2, pause=0.0))
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def quiet_after(n: int):
    """A machine that is busy during the first n attempts."""
    looks = iter(range(1000))

    def look() -> Snapshot:
        number = next(looks)
        attempt, second = divmod(number, 2)
        return at(number, busy=1e3 * second if attempt < n else 0.0)

    return look


def test_a_busy_machine_is_waited_for_and_then_named():
    """Attempts are repeated with doubled pauses; when none was quiet there is an error in the place of a number."""
    effort = Effort(warm_up=0.0, seconds=0.0, samples=3, tries=3, pause=1.0)
    slept: list[float] = []
    timing = measure_latency(lambda: None, effort, lambda call, n: 0.5 * n, quiet_after(2), slept.append)
    assert (timing.median_ms, timing.p90_ms, timing.n, timing.tries) == (500.0, 500.0, 3, 3)
    assert slept == [1.0, 2.0]
    with pytest.raises(MachineBusy, match="in each of 3 attempts; end other programs"):
        measure_latency(lambda: None, effort, lambda call, n: 0.5 * n, quiet_after(3), slept.append)


def test_median_and_p90_are_those_of_the_samples():
    """The samples 1 to 10 ms have a median of 5.5 ms and a 90th percentile of 9 ms; warm-up calls are none of them."""
    warm = [9.0, 9.0]
    times = iter([*warm, *(n / 1000 for n in (10, 1, 9, 2, 8, 3, 7, 4, 6, 5))])
    effort = Effort(warm_up=0.0, seconds=0.0, samples=10, limits=ANY)
    timing = measure_latency(lambda: None, effort, lambda call, n: next(times), quiet_after(0))
    assert (timing.median_ms, timing.p90_ms) == (pytest.approx(5.5), pytest.approx(9.0))


def test_a_number_of_a_busy_machine_is_the_least_of_its_samples():
    """Other programs, if they are allowed, have added to most of the samples 10, 1 and 9 ms."""
    times = iter([9.0, 9.0, 0.010, 0.001, 0.009])
    effort = Effort(warm_up=0.0, seconds=0.0, samples=3).allowing_busy()
    timing = measure_latency(lambda: None, effort, lambda call, n: next(times), quiet_after(1))
    assert timing.median_ms == pytest.approx(1.0)
    assert timing.busy
    assert "least of 3, p90 10 ms" in timing.measurement("latency_ms", "here").protocol


def test_short_calls_are_timed_together():
    """A call of a hundredth of a millisecond is repeated until a sample takes a millisecond, and divided again."""
    asked: list[int] = []

    def clock(call, n: int) -> float:
        asked.append(n)
        return n * 1e-5

    timing = measure_latency(lambda: None, Effort(0.0, 0.0, 3, 1.0, limits=ANY), clock, quiet_after(0))
    assert asked == [1, 1, 100, 100, 100]
    assert (timing.median_ms, timing.inner) == (pytest.approx(0.01), 100)


def test_only_one_process_measures_at_a_time(tmp_path, monkeypatch):
    """A second process gets an error that names the lock; the same process may measure inside its own measurement."""
    path = tmp_path / "lock"
    monkeypatch.setattr(latency, "lock_path", lambda: path)
    with exclusive(), exclusive():
        code = (
            "import sys, pathlib\nfrom ganprune.evaluators.cost import latency\n"
            f"latency.lock_path = lambda: pathlib.Path({str(path)!r})\n"
            "try:\n  with latency.exclusive(0.05): print('mine')\nexcept RuntimeError as error: print(error)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert f"another measurement has held {path}" in done.stdout


@pytest.mark.parametrize("bad", [(0.0, 1.0, 1), (2.0, 1.0, 1), (1.0, math.nan, 1), (1.0, 2.0, 0)])
def test_a_timing_cannot_hold_nonsense(bad):
    """Times are above 0, in order, finite, and of a sample at least."""
    with pytest.raises(ValueError, match="a timing needs"):
        Timing(*bad)


def test_a_disturbance_without_signals_is_none():
    """Only the probe speaks if the system tells nothing."""
    assert Disturbance(None, 2, None, 0.0).reason(Limits()) == ""
    with pytest.raises(ValueError, match="above 0"):
        Limits(others=0.0)


class Two(nn.Module):
    """A convolution over the sum of its two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.layer(a + b)


INPUTS = (torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize("runtime", ["eager", "onnxruntime"])
def test_networks_are_timed_in_each_runtime(runtime: str):
    """A network of two inputs runs in eager PyTorch and in ONNX Runtime; torch's threads are as before afterwards."""
    before = torch.get_num_threads()
    timing = Measurer(runtime, 1, effort=QUICK, export=latency_writer("onnx"))(Two(), INPUTS)
    assert timing.median_ms > 0
    assert torch.get_num_threads() == before


def test_a_compiler_that_is_missing_is_one_line(monkeypatch):
    """The message, if torch.compile does not work, says what to use instead."""

    def refuse(*arguments, **keywords):
        raise OSError("no C++ compiler\nand a long story")

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(RuntimeUnavailable, match=r"\(no C\+\+ compiler\); .* use --runtime eager or onnxruntime"):
        Measurer("compile", effort=QUICK)(Two(), INPUTS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"runtime": "abacus"}, "unknown runtime 'abacus'; expected one of eager, compile, onnxruntime"),
        ({"threads": 0}, "threads is wrong: got 0"),
        ({"runtime": "command", "command": "ssh phone bench"}, "names no {onnx}"),
    ],
)
def test_wrong_measurers_are_refused(given, said: str):
    """Runtime, threads and the command's template are checked before anything runs."""
    with pytest.raises(ValueError, match=said):
        Measurer(**given)


def script(folder: Path, body: str) -> str:
    """A command that runs a Python text with the ONNX file as its argument."""
    path = folder / "bench.py"
    path.write_text(f"import json, sys\n{body}\n")
    return f"{sys.executable} {path} {{onnx}}"


def test_a_device_behind_a_command_measures_the_onnx_file(tmp_path):
    """The command gets a file that ONNX Runtime opens, and the last JSON object that it prints is the timing."""
    command = script(
        tmp_path,
        "import onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "shapes = [i.shape for i in session.get_inputs()]\n"
        "print('warming up')\n"
        "print(json.dumps({'median_ms': float(sum(shapes[0])), 'p90_ms': 99, 'n': len(shapes)}))",
    )
    timing = Measurer("command", export=latency_writer("onnx"), command=command)(Two(), INPUTS)
    assert (timing.median_ms, timing.p90_ms, timing.n) == (1 + 3 + 8 + 8, 99, 2)


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ("print('hello')", RuntimeError, "printed no latency: got .hello.; expected a line with JSON"),
        ("print(json.dumps({'median_ms': -1}))", RuntimeError, "printed JSON without a latency"),
        ("print(json.dumps({'median_ms': float('nan')}))", RuntimeError, "printed JSON without a latency"),
        ("print(json.dumps({'busy': 'charging'}))", MachineBusy, "the device was busy: charging"),
        ("sys.exit('no such phone')", RuntimeError, "exit code 1: no such phone"),
        ("import time; time.sleep(60)", RuntimeError, "took longer than 1 s"),
    ],
)
def test_a_command_that_does_not_measure_is_one_line(tmp_path, body: str, error, said: str):
    """Whatever the command does instead of printing a time, no number comes of it."""
    with pytest.raises(error, match=said):
        run_command(script(tmp_path, body), tmp_path / "x.onnx", seconds=1 if "sleep" in body else 60)
    with pytest.raises(RuntimeError, match="cannot run 'nosuchcommand'"):
        run_command("nosuchcommand {onnx}", tmp_path / "x.onnx")


def test_a_device_is_what_was_measured_on_and_how():
    """Threads, batch and runtime make another device; JSON both ways; this machine is the same one twice."""
    here = this_device("eager", 1)
    assert here == this_device("eager", 1)
    assert from_json(Device, to_json(here)) == here
    others = [this_device("eager", 2), this_device("eager", 1, batch=2), this_device("onnxruntime", 1)]
    assert len({device.id for device in [here, *others, remote_device("phone", 1)]}) == 5
    with pytest.raises(ValueError, match="cores is missing"):
        from_json(Device, {"cpu": "x"})


def test_the_clocks_of_this_machine_run():
    """Two looks in a row: time goes forward, CPU time does not go back."""
    before = snapshot()
    time.sleep(0.01)
    after = snapshot()
    assert after.wall > before.wall
    assert after.own >= before.own
    assert after.probe > 0
