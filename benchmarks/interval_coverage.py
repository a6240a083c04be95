"""Coverage of the nominal 90 % intervals, by simulation with known truth.

    OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py [--repeats 200] [--truth 2000]

Each repeat draws n generated and m real feature vectors of dimension d from two distributions that stay the same, and
asks for the interval. A Fréchet interval should hold E[distance at this n], the mean over many fresh draws; a kernel
distance's should hold the true squared discrepancy. Ours is compared with resampling with replacement (40 resamples),
which is biased upwards. "width" is the mean width of the interval relative to that of an ideal one, 2 x 1.645 x the
spread between repeats. Takes about four minutes on one core.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass

import torch
from ganprune.evaluators.quality.frechet import frechet_distance
from ganprune.evaluators.quality.jackknife import group_jackknife
from ganprune.evaluators.quality.kid import kernel_distance
from rich.console import Console
from rich.table import Table
from torch import Tensor

Z90 = 1.6448536269514722
RESAMPLES = 40


@dataclass(frozen=True)
class Case:
    """n generated and m real images, d features; heavy tails or not; paired or not."""

    n: int
    m: int
    d: int
    kind: str = "normal"
    paired: bool = False


CASES = (
    Case(60, 60, 6),
    Case(120, 120, 64),
    Case(120, 1000, 64),
    Case(120, 120, 256),
    Case(500, 500, 64),
    Case(120, 120, 64, "relu"),
    Case(120, 120, 64, "heavy"),
    Case(120, 120, 64, "normal", True),
)


def draw(case: Case, seed: int) -> tuple[Tensor, Tensor]:
    """Return the generated and the real features of one repeat."""
    random = torch.Generator().manual_seed(seed)

    def normal(n: int) -> Tensor:
        return torch.randn(n, case.d, generator=random, dtype=torch.float64)

    decay = torch.logspace(0, -1, case.d, dtype=torch.float64)
    real = normal(case.m)
    noise = normal(case.n)
    generated = 0.8 * real + 0.6 * noise if case.paired else noise
    real, generated = real * decay, 1.2 * generated * decay + 0.2
    if case.kind == "relu":
        return torch.relu(generated + 0.3), torch.relu(real + 0.3)
    if case.kind == "heavy":  # a few images far away from all others

        def tailed(x: Tensor) -> Tensor:
            return x * (1 + 2 * (torch.rand(len(x), 1, generator=random, dtype=torch.float64) < 0.05))

        return tailed(generated), tailed(real)
    return generated, real


def resampled(a: Tensor, b: Tensor, paired: bool, seed: int) -> tuple[float, float]:
    """Return the interval that is too low: the 5 % and 95 % quantiles of distances of resamples with replacement."""
    random = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(RESAMPLES):
        i = torch.randint(len(a), (len(a),), generator=random)
        j = i if paired else torch.randint(len(b), (len(b),), generator=random)
        values.append(frechet_distance(a[i], b[j]))
    low, high = torch.tensor(values).quantile(torch.tensor([0.05, 0.95])).tolist()
    return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--truth", type=int, default=2000, help="draws behind each expectation")
    arguments = parser.parse_args()
    table = Table(title=f"Coverage of nominal 90 % intervals, {arguments.repeats} repeats, {RESAMPLES} resamples")
    for heading in ("n", "m", "d", "features", "expected", "jackknife", "width", "with replacement", "kernel"):
        table.add_column(heading, justify="right")
    for case in CASES:
        tied = ((0, 1),) if case.paired else ((0,), (1,))
        fresh = [draw(case, 10_000 + seed) for seed in range(arguments.truth)]
        expectation = statistics.fmean(frechet_distance(a, b) for a, b in fresh)
        kernel_truth = statistics.fmean(kernel_distance(a, b).value for a, b in fresh[: arguments.truth // 4])
        held, held_wrong, held_kernel, widths, values = 0, 0, 0, [], []
        for seed in range(arguments.repeats):
            a, b = draw(case, seed)
            found = group_jackknife(frechet_distance, (a, b), tied)
            held += found.low <= expectation <= found.high
            widths.append(found.high - found.low)
            values.append(found.value)
            low, high = resampled(a, b, case.paired, seed)
            held_wrong += low <= expectation <= high
            kernel = kernel_distance(a, b)
            held_kernel += abs(kernel.value - kernel_truth) <= Z90 * kernel.standard_error
        ideal = 2 * Z90 * statistics.stdev(values)
        table.add_row(
            str(case.n),
            str(case.m),
            str(case.d),
            case.kind + (", paired" if case.paired else ""),
            f"{expectation:.4g}",
            f"{100 * held / arguments.repeats:.1f} %",
            f"{statistics.fmean(widths) / ideal:.2f}",
            f"{100 * held_wrong / arguments.repeats:.1f} %",
            "" if case.paired else f"{100 * held_kernel / arguments.repeats:.1f} %",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
