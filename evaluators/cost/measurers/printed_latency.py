"""Latencies as benchmark programs print them: JSON, those of ONNX Runtime, LiteRT and ncnn, or a number with a unit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ....gan_models.files.errors import WorkFailed
from ....gan_models.files.parsers.structured_text import parse_json
from ..latency import MachineBusy, Timing

MS_PER_UNIT = {"s": 1e3, "sec": 1e3, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "ns": 1e-6}
EXAMPLE = '{"median_ms": 12.5, "p90_ms": 13.1, "n": 50}'
MAX_SHOWN_CHARACTERS = 200
NCNN_DIGIT_MS = 0.01  # the last digit that benchncnn prints

_NUMBER = r"([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)"
_PERCENTILE = r"P{} Latency(?: is|:)\s*" + _NUMBER + r"\s*s"
_RUNS = re.compile(r"(?:Total inference requests: ?|Total iterations: ?|^Runs: ?)(\d+)", re.MULTILINE)
_ORT_MEAN = re.compile(r"Average (?:inference )?time cost(?: total)?: ?" + _NUMBER + r" ?ms")
_LITERT = re.compile(r"count=(\d+) .*?avg=" + _NUMBER + r"(?:.*?median=" + _NUMBER + r")?")
_LITERT_END = re.compile(r"Inference timings in us: .*Inference(?: \(avg\))?: ?" + _NUMBER)
_NCNN = re.compile(r"min =\s*" + _NUMBER + r"\s+max =\s*" + _NUMBER + r"\s+avg =\s*" + _NUMBER)
_NCNN_RUNS = re.compile(r"loop_count = (\d+)")
_WITH_UNIT = re.compile(_NUMBER + r"\s*(" + "|".join(MS_PER_UNIT) + r")\.?")


def read_latency(text: str) -> Timing:
    """Return the latency in a program's output.

    Raises:
        WorkFailed: There is none: nothing was printed, a number has no unit, or the text is another.
        MachineBusy: A JSON object says that the device was busy.
    """
    for read in (_json, _onnxruntime_perf_test, _benchmark_model, _benchncnn, _with_unit):
        if (found := read(text)) is not None:
            return found
    expected = f"expected a line with JSON such as {EXAMPLE}, or 12.5 ms"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise WorkFailed(f"--device-command printed nothing: {expected}. Try it by hand")
    if re.fullmatch(r"[+-]?" + _NUMBER, lines[-1]):
        raise WorkFailed(f"--device-command printed a number without a unit: got {lines[-1]}; {expected}")
    raise WorkFailed(
        f"--device-command printed no latency: got {' '.join(lines)[-MAX_SHOWN_CHARACTERS:]!r}; {expected}"
    )


def _json(text: str) -> Timing | None:
    """Read the last line that is a JSON object: `median_ms` and, if known, `p90_ms` and `n`; or `busy` and a reason."""
    found: Mapping[str, Any] | None = None
    for line in text.splitlines():
        try:
            value = parse_json(line)
        except ValueError:
            continue
        found = value if isinstance(value, dict) else found
    if found is None:
        return None
    if found.get("busy"):
        raise MachineBusy(f"the device was busy: {found['busy']}")
    try:
        median = float(found["median_ms"])
        if not math.isfinite(median):
            raise ValueError
        return Timing(median, max(median, float(found.get("p90_ms", median))), int(found.get("n", 1)))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise WorkFailed(
            f"--device-command printed JSON without a latency: got {json.dumps(found)[:MAX_SHOWN_CHARACTERS]}; "
            f"expected a line such as {EXAMPLE}"
        ) from None


def _onnxruntime_perf_test(text: str) -> Timing | None:
    """Read ONNX Runtime's `onnxruntime_perf_test`: percentiles in seconds, else the mean in ms."""
    runs = _RUNS.search(text)
    n = int(runs[1]) if runs else 1
    median, p90 = (re.search(_PERCENTILE.format(percent), text) for percent in (50, 90))
    if median:
        ms = 1e3 * float(median[1])
        return _timing(ms, 1e3 * float(p90[1]) if p90 else ms, n)
    mean = _ORT_MEAN.search(text)
    return _mean(float(mean[1]), n) if mean else None


def _benchmark_model(text: str) -> Timing | None:
    """Read LiteRT's `benchmark_model`, in microseconds: the last of its lines of counts is of the steady state."""
    end = _LITERT_END.search(text)
    if end is None:
        return None
    lines = _LITERT.findall(text)
    if not lines:
        return _mean(1e-3 * float(end[1]), 1)
    n, mean, median = lines[-1]
    return _timing(1e-3 * float(median), 1e-3 * float(median), int(n)) if median else _mean(1e-3 * float(mean), int(n))


def _benchncnn(text: str) -> Timing | None:
    """Read ncnn's `benchncnn`: least, largest and mean time in ms, with two digits behind the point."""
    found = _NCNN.findall(text)
    if not found:
        return None
    runs = _NCNN_RUNS.search(text)
    # 0.00 is less than half of its last digit.
    return _mean(max(float(found[-1][2]), NCNN_DIGIT_MS / 2), int(runs[1]) if runs else 1)


def _with_unit(text: str) -> Timing | None:
    """Read a last line that is a number with its unit and nothing else."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = _WITH_UNIT.fullmatch(lines[-1]) if lines else None
    return None if found is None else _timing(MS_PER_UNIT[found[2]] * float(found[1]), 0.0, 1)


def _timing(median_ms: float, p90_ms: float, n: int) -> Timing:
    return _checked(lambda: Timing(median_ms, max(median_ms, p90_ms), n), median_ms)


def _mean(ms: float, n: int) -> Timing:
    return _checked(lambda: Timing(ms, ms, n, statistic="mean"), ms)


def _checked(make: Callable[[], Timing], ms: float) -> Timing:
    try:
        return make()
    except ValueError:
        raise WorkFailed(f"--device-command printed no possible latency: got {ms:g} ms; expected more than 0") from None
