"""Our Fréchet distance against pytorch-fid's (`scipy.linalg.sqrtm`) from the same features: time and agreement.

    OMP_NUM_THREADS=2 python benchmarks/frechet_speed.py [--sizes 120,500,5000] [--dimension 2048] [--threads 2]

Both start from two sets of features (n, d) and end at the number; the features are synthetic, non-negative and
correlated like Inception's. `--threads` holds for torch, OMP_NUM_THREADS for SciPy: set both alike.
The difference is relative to Tr S1 + Tr S2. Takes about a minute for each size.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from ganprune.evaluators.features.statistics import FeatureStatistics, StatisticsAccumulator
from ganprune.evaluators.features.torchvision_import import make_torchvision_importable
from ganprune.evaluators.quality.frechet import frechet_distance, frechet_from_statistics, frechet_to_statistics
from rich.console import Console
from rich.table import Table
from torch import Tensor


def _features(n: int, mixing: Tensor, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.relu(torch.randn(n, len(mixing), generator=random, dtype=torch.float64) @ mixing + 0.3)


def _statistics(features: Tensor) -> FeatureStatistics:
    accumulator = StatisticsAccumulator()
    accumulator.add(features)
    return accumulator.result()


def _timed(work: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Return the result and the median seconds; the first of several repeats is a warm-up and does not count."""
    seconds, value = [], 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - started)
    return value, statistics.median(seconds[1:] or seconds)


def _published(a: np.ndarray, b: np.ndarray) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    moments = [(np.mean(x, 0), np.cov(x, rowvar=False)) for x in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return float(calculate_frechet_distance(*moments[0], *moments[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="120,500,5000")
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    make_torchvision_importable()
    d = arguments.dimension
    random = torch.Generator().manual_seed(0)
    decay = torch.logspace(0, -2, d, dtype=torch.float64)
    mixing = torch.randn(d, d, generator=random, dtype=torch.float64) * decay[:, None] / d**0.5
    table = Table(title=f"Fréchet distance, d={d}, {arguments.threads} threads")
    headings = ("n", "distance", "ours", "one side (mu, S)", "both (mu, S)", "pytorch-fid", "faster", "difference")
    for heading in headings:
        table.add_column(heading, justify="right")
    for n in map(int, arguments.sizes.split(",")):
        a, b = _features(n, mixing, 1), _features(n, mixing, 2)
        repeats = 7 if n <= 1000 else 3
        ours, ours_s = _timed(lambda a=a, b=b: frechet_distance(a, b), repeats)
        one, two = _statistics(a), _statistics(b)
        half, half_s = _timed(lambda a=a, two=two: frechet_to_statistics(a, two), min(repeats, 3))
        sides = (one.mean, one.covariance, two.mean, two.covariance)
        full, full_s = _timed(lambda sides=sides: frechet_from_statistics(*sides), 1)
        theirs, theirs_s = _timed(lambda a=a.numpy(), b=b.numpy(): _published(a, b), 1)
        traces = float(one.covariance.trace() + two.covariance.trace())
        worst = max(abs(x - theirs) for x in (ours, half, full)) / traces
        table.add_row(
            str(n),
            f"{ours:.4f}",
            f"{1000 * ours_s:.1f} ms",
            f"{1000 * half_s:.0f} ms",
            f"{1000 * full_s:.0f} ms",
            f"{theirs_s:.1f} s",
            f"{theirs_s / ours_s:.0f}x",
            f"{worst:.1e}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
