"""Rows of a benchmark, made by hand."""

from typing import Any

from ganprune.studies.bench.results.rows import BenchRow


def row(variant: str, quality: float | None, seed: int = 0, **values: Any) -> BenchRow:
    """A trial at 25 % of 100 MACs, of one task, with a teacher whose mean image is at e^4."""
    usual = {
        "task": "demo", "budget": "25%", "target": 0.25, "macs": 24.0, "dense": 100.0, "cost_over_target": 0.96,
        "metric": "fd[shapes,n=8]", "finetune_steps": 4, "seconds": 2.0, "compute_macs": 1000.0,
    }  # fmt: skip
    return BenchRow(**{**usual, "variant": variant, "quality": quality, "seed": seed, **values})
