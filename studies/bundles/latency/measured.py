"""Measures a bundle's network and the dense one in every runtime and data type, in turns."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from ....evaluators.cost.catalog import EAGER, RUNTIMES
from ....evaluators.cost.counters import count_macs
from ....evaluators.cost.device import cpu_model, cpus_allowed
from ....evaluators.cost.latency import exclusive
from ....evaluators.cost.machine_load import Limits, between, snapshot
from ....evaluators.cost.measurers.measurer import settle_allocator
from ....evaluators.cost.pytorch import torch_threads
from ....evaluators.cost.runtime import bound
from ....gan_models.export.catalog import EXPORTERS, latency_writer
from ....gan_models.files.errors import UserError, WorkFailed
from ....gan_models.files.packages import PackageMissing
from ....gan_models.files.texts.number_text import counted
from ....gan_models.networks.specs import InputSpec
from ....search.latency.data_types import dtypes_of, format_for
from .table import LatencyRow, LatencyTable

ROUNDS = 15
BUSY_TIMES = 3  # as many rounds on a busy machine, where few samples are free of other programs
SAMPLE_SECONDS = 0.005  # shorter calls are timed several at once
LONGEST_REASON = 200

Call = Callable[[], object]


@dataclass(frozen=True)
class _Timed:
    """A runtime and data type with the two calls that are timed, or why there are none."""

    runtime: str
    dtype: str
    calls: tuple[Call, ...] = ()
    reason: str = ""


def runtimes_of(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the runtimes of a bundle's files that run here, PyTorch first."""
    runs = [EXPORTERS.find(name).runtime for name in formats if name in EXPORTERS]
    named = [name for name in runs if name and RUNTIMES.find(name).runs_here and dtypes_of(name)]
    return tuple(dict.fromkeys((EAGER, *named)))


def measure_table(
    pruned: nn.Module,
    dense: nn.Module,
    inputs: InputSpec,
    runtimes: Sequence[str],
    threads: int,
    rounds: int = ROUNDS,
    on_step: Callable[[str], None] = lambda what: None,
) -> LatencyTable:
    """Time two networks in runtimes and data types, one call of each after the other, round by round.

    Both are written anew for one example of the trained size, so that nothing but the widths differs. Numbers are
    medians over the rounds; on a busy machine they are the least of three times as many.

    Args:
        pruned: The bundle's network, on the CPU; not changed.
        dense: The same at full width.
        inputs: What they take.
        runtimes: Rows of the runtimes; each is measured in all of its data types.
        threads: Threads of each.
        rounds: Samples of each number.
        on_step: Told what is prepared next.

    Raises:
        UserError: No thread, or no round.
        RuntimeError: Another measurement runs for too long.
    """
    if threads < 1 or rounds < 1:
        raise UserError(f"a benchmark needs threads and rounds: got {threads} and {rounds}; expected 1 or more of each")
    example = inputs.examples(1)
    with ExitStack() as kept, torch_threads(threads), torch.inference_mode():
        folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="ganprune-benchmark-")))
        timed = list(_opened((dense.eval(), pruned.eval()), example, runtimes, threads, folder, on_step))
        settle_allocator()
        with exclusive():
            before = snapshot()
            samples = _rounds(timed, rounds)
            busy = between(before, snapshot()).reason(Limits())
            if busy:
                more = _rounds(timed, (BUSY_TIMES - 1) * rounds)
                samples = [[a + b for a, b in zip(*both, strict=True)] for both in zip(samples, more, strict=True)]
    typical = min if busy else median  # other programs only ever add to a sample, and not to every one alike
    rows = [
        LatencyRow(RUNTIMES.find(each.runtime).title, each.dtype, *map(typical, samples[i]), reason=each.reason)
        if each.calls
        else LatencyRow(RUNTIMES.find(each.runtime).title, each.dtype, reason=each.reason)
        for i, each in enumerate(timed)
    ]
    machine = f"{cpu_model()}, {counted(cpus_allowed(), 'CPU')}"
    macs = count_macs(pruned, example)["macs"] / max(1, count_macs(dense, example)["macs"])
    return LatencyTable(
        machine, threads, (BUSY_TIMES if busy else 1) * rounds, str(inputs), macs, busy, tuple(rows), least=bool(busy)
    )


def _opened(
    networks: tuple[nn.Module, nn.Module],
    example: tuple[Tensor, ...],
    runtimes: Sequence[str],
    threads: int,
    folder: Path,
    on_step: Callable[[str], None],
) -> Iterator[_Timed]:
    """Yield each runtime and data type with the calls of both networks, made once already."""
    arrays = tuple(x.detach().cpu().numpy() for x in example)
    for runtime in runtimes:
        row = RUNTIMES.find(runtime)
        for dtype in dtypes_of(runtime):
            on_step(f"{row.title}, {dtype}")
            try:
                calls = []
                for place, network in enumerate(networks):
                    source: nn.Module | Path = network
                    if row.takes == "file":
                        name = format_for(runtime, dtype)
                        assert name is not None
                        own = folder / f"{runtime}-{dtype}-{place}"
                        own.mkdir()
                        source = own / EXPORTERS.find(name).filename
                        latency_writer(name)(network, example, source)
                    call = bound(row.open(source, dtype, threads), *arrays)
                    call()
                    calls.append(call)
                yield _Timed(runtime, dtype, tuple(calls))
            except (WorkFailed, PackageMissing, UserError, RuntimeError) as error:
                yield _Timed(runtime, dtype, reason=" ".join(str(error).split())[:LONGEST_REASON])


def _rounds(timed: Sequence[_Timed], rounds: int) -> list[list[list[float]]]:
    """Return ms by row, network and round: what else the machine does meets all of a round alike."""
    several = [
        [max(1, math.ceil(SAMPLE_SECONDS / min(_seconds(call, 1) for _ in range(3)))) for call in each.calls]
        for each in timed
    ]
    found: list[list[list[float]]] = [[[] for _ in each.calls] for each in timed]
    for _ in range(rounds):
        for i, each in enumerate(timed):
            for j, call in enumerate(each.calls):
                found[i][j].append(1000 * _seconds(call, several[i][j]) / several[i][j])
    return found


def _seconds(call: Call, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return max(time.perf_counter() - start, 1e-7)
