"""The output of benchmark programs of phones becomes a latency; anything else is one line."""

import json
import stat
from pathlib import Path

import pytest
from ganprune.evaluators.cost.latency import MachineBusy
from ganprune.evaluators.cost.measurers.device_command import run_command
from ganprune.evaluators.cost.measurers.printed_latency import read_latency
from ganprune.gan_models.files.errors import WorkFailed

# The forms of the programs' own output; the numbers are made up.
PERF_TEST = """Setting intra_op_num_threads to 1
Session creation time cost: 0.021 s
First inference time cost: 14 ms
Total inference time cost: 0.62 s
Total inference requests: 50
Average inference time cost total: 12.400000 ms
Total inference run time: 0.63 s
Number of inferences per second: 79.3
Avg CPU usage: 12 %
Peak working set size: 41234432 bytes
Runs:50
Min Latency: 0.0119 s
Max Latency: 0.0181 s
P50 Latency: 0.0123 s
P90 Latency: 0.0131 s
P95 Latency: 0.0150 s
"""
OLD_PERF_TEST = "Total time cost:0.62\nTotal iterations:50\nAverage time cost:12.4 ms\n"
BENCHMARK_MODEL = """INFO: STARTING!
INFO: Num threads: [4]
INFO: Loaded model /data/local/tmp/n.tflite
INFO: Initialized session in 20.283ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=9 first=87112 curr=51629 min=51629 max=87112 avg=58147.4 std=11478 p5=51629 median=51962 p95=87112
INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=60 first=12500 curr=12400 min=12100 max=18000 avg=12600 std=300 p5=12150 median=12300 p95=13100
INFO: Inference timings in us: Init: 20283, First inference: 87112, Warmup (avg): 58147.4, Inference (avg): 12600
"""
OLD_BENCHMARK_MODEL = """count=2 first=33933 curr=26632 min=26632 max=33933 avg=30281 std=3648
count=50 first=12660 curr=12693 min=12583 max=12811 avg=12647 std=41
Inference timings in us: Init: 20283, First inference: 33933, Warmup (avg): 30281, Inference (avg): 12647
"""
BENCHNCNN = """[0 Adreno (TM) 640]  queueC=0[3]  queueG=0[3]  queueT=0[3]
loop_count = 16
num_threads = 4
powersave = 2
gpu_device = -1
cooling_down = 0
/data/local/tmp/n.param  min =   12.01  max =   13.20  avg =   12.34
"""


@pytest.mark.parametrize(
    ("text", "median_ms", "p90_ms", "n", "statistic"),
    [
        (PERF_TEST, 12.3, 13.1, 50, "median"),
        (OLD_PERF_TEST, 12.4, 12.4, 50, "mean"),
        (BENCHMARK_MODEL, 12.3, 12.3, 60, "median"),
        (OLD_BENCHMARK_MODEL, 12.647, 12.647, 50, "mean"),
        (BENCHNCNN, 12.34, 12.34, 16, "mean"),
        (BENCHNCNN.replace("12.34", "0.00").replace("12.01", "0.00"), 0.005, 0.005, 16, "mean"),
        ('{"median_ms": 1, "p90_ms": 2, "n": 3}\n{"median_ms": 4}\n', 4.0, 4.0, 1, "median"),
        ("warm\n12.5 ms\n", 12.5, 12.5, 1, "median"),
        ("840 us", 0.84, 0.84, 1, "median"),
    ],
)
def test_each_program_is_read(text, median_ms, p90_ms, n, statistic):
    """Medians if the program prints them, else means that are called so; seconds and microseconds become ms."""
    found = read_latency(text)
    assert found.median_ms == pytest.approx(median_ms)
    assert found.p90_ms == pytest.approx(p90_ms)
    assert (found.n, found.statistic) == (n, statistic)
    assert f"here; {statistic} of {n}, p90 " in found.measurement("latency_ms", "here").protocol


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "printed nothing: expected a line with JSON"),
        ("12.5\n", "printed a number without a unit: got 12.5; expected a line with JSON .* or 12.5 ms"),
        ("hello", "printed no latency: got 'hello'; expected"),
        ("n.onnx: 1 file pushed, 0 skipped. 30.1 MB/s (12345 bytes in 0.000s)", "printed no latency"),
        ('{"ms": 3}', "printed JSON without a latency: got .*ms.* 3.*; expected a line such as"),
        ("0 ms", "printed no possible latency: got 0 ms; expected more than 0"),
    ],
)
def test_other_output_is_one_line(text, said):
    """Nothing, a number without a unit, and text are each named for what they are."""
    with pytest.raises(WorkFailed, match=said) as caught:
        read_latency(text)
    assert "\n" not in str(caught.value)


def test_a_busy_device_is_no_error_of_the_command():
    """`busy` with a reason is what a device says that is charging or hot."""
    with pytest.raises(MachineBusy, match="the device was busy: hot"):
        read_latency('{"busy": "hot"}')


FAKE_ADB = """#!/bin/sh
# what the real one prints where
echo "$@" >> "{log}"
case "$1" in
push) echo "$2: 1 file pushed, 0 skipped. 30.1 MB/s (12345 bytes in 0.000s)" ;;
shell) cat "{folder}/printed"; cat "{folder}/complained" >&2; exit "$(cat "{folder}/code")" ;;
esac
"""


@pytest.fixture
def adb(tmp_path, monkeypatch):
    """A program `adb` that prints what it is told, and logs how it was called."""
    path = tmp_path / "adb"
    path.write_text(FAKE_ADB.format(log=tmp_path / "log", folder=tmp_path))
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def tell(printed: str = "", complained: str = "", code: int = 0) -> Path:
        for name, text in (("printed", printed), ("complained", complained), ("code", str(code))):
            (tmp_path / name).write_text(text)
        return tmp_path / "log"

    return tell


def recipes() -> dict[str, str]:
    """Return the commands of the page on phones, by the format of their file."""
    page = (Path(__file__).parents[4] / "docs" / "phone.md").read_text()
    found = [line for line in page.splitlines() if line.startswith("sh -c ")]
    return {name: next(line for line in found if f"{{{name}}}" in line) for name in ("onnx", "litert", "ncnn")}


@pytest.mark.parametrize(
    ("name", "printed", "complained", "ms", "ran"),
    [
        ("onnx", PERF_TEST, "", 12.3, "shell /data/local/tmp/onnxruntime_perf_test -e cpu -I -m times -r 50 -x 4"),
        ("litert", BENCHMARK_MODEL, "", 12.3, "shell /data/local/tmp/benchmark_model --graph=/data/local/tmp/n.tflite"),
        ("ncnn", "", BENCHNCNN, 12.34, "param=/data/local/tmp/n.param shape=[64,32,3]"),
    ],
)
def test_the_recipes_of_the_page_on_phones_work(adb, tmp_path, name, printed, complained, ms, ran):
    """The file is pushed, the program is run on it, and what it prints, to either stream, is the latency."""
    log = adb(printed, complained)
    found = run_command(recipes()[name], tmp_path / "network.bin", slot=f"{{{name}}}", shapes=[(1, 3, 32, 64)])
    assert found.median_ms == pytest.approx(ms)
    pushed, shell = log.read_text().splitlines()
    assert pushed.startswith(f"push {tmp_path / 'network.bin'} /data/local/tmp/n.")
    assert ran in shell


def test_a_failing_program_is_quoted(adb, tmp_path):
    """The error stream of a program that fails stands in the message, whatever it printed before."""
    adb("loading\n", "/data/local/tmp/benchmark_model: not found\n", 127)
    with pytest.raises(WorkFailed, match=r"exit code 127: /data/local/tmp/benchmark_model: not found"):
        run_command(recipes()["litert"], tmp_path / "x", slot="{litert}")
    adb(json.dumps({"ms": 1}), "a warning")
    with pytest.raises(WorkFailed, match="JSON without a latency"):
        run_command(recipes()["litert"], tmp_path / "x", slot="{litert}")
