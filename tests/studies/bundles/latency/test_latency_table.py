"""One table of a bundle's latencies: every runtime and data type, dense against pruned, in one run."""

from types import SimpleNamespace

import pytest
import torch
from ganprune.evaluators.cost import latency
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.latency import measured
from ganprune.studies.bundles.latency.measured import measure_table, runtimes_of
from ganprune.studies.bundles.latency.table import LatencyTable
from torch import nn

INPUTS = InputSpec.of_shape((3, 16, 16))


class OnlyFloat(nn.Module):
    """A convolution that refuses half precision."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Conv2d(3, channels, 3), nn.Conv2d(channels, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.float32:
            raise RuntimeError("no such kernel\nand a long story")
        return self.outer(self.inner(x))


def test_both_networks_are_timed_in_each_data_type_and_a_missing_one_says_why(tmp_path, monkeypatch):
    """PyTorch has a row in float32 with both medians, and one in float16 with the reason in one line."""
    monkeypatch.setattr(latency, "lock_path", lambda: tmp_path / "lock")
    table = measure_table(OnlyFloat(2), OnlyFloat(8), INPUTS, ("eager",), threads=1, rounds=2)
    full, half = table.rows
    assert (full.runtime, full.dtype, half.dtype) == ("PyTorch", "float32", "float16")
    assert full.dense_ms > 0
    assert full.ratio == pytest.approx(full.pruned_ms / full.dense_ms)
    assert half.ratio is None
    assert "no such kernel" in half.reason
    assert "story" not in half.reason
    assert 0 < table.macs < 1
    assert from_json(LatencyTable, to_json(table)) == table
    with pytest.raises(UserError, match="a benchmark needs threads and rounds: got 0 and 2"):
        measure_table(OnlyFloat(2), OnlyFloat(8), INPUTS, ("eager",), threads=0, rounds=2)


def test_the_runtimes_are_those_of_the_files_and_pytorch():
    """Each runtime once; a format of another package that is not here is passed over."""
    assert runtimes_of(("onnx", "onnx-int8", "litert", "not-here")) == ("eager", "onnxruntime", "litert")


@pytest.mark.parametrize("busy", ["", "other processes used 2 of 2 CPUs"])
def test_other_programs_do_not_change_a_ratio(busy, tmp_path, monkeypatch):
    """Numbers are medians on a quiet machine, and the least of three times as many samples on a busy one."""
    monkeypatch.setattr(latency, "lock_path", lambda: tmp_path / "lock")
    monkeypatch.setattr(measured, "between", lambda *_: SimpleNamespace(reason=lambda limits: busy))
    sizes = []

    def rounds(timed, n):
        sizes.append(n)
        return [[[8.0] * (n - 1) + [2.0], [7.0] * (n - 1) + [1.0]] if each.calls else [[], []] for each in timed]

    monkeypatch.setattr(measured, "_rounds", rounds)
    table = measure_table(OnlyFloat(2), OnlyFloat(8), INPUTS, ("eager",), threads=1, rounds=3)
    assert sizes == ([3, 6] if busy else [3])
    assert table.rows[0].ratio == (0.5 if busy else 7 / 8)
    assert ("the least of 9 rounds" if busy else "medians of 3 rounds") in table.lines()[-1]
    assert from_json(LatencyTable, to_json(table)) == table
