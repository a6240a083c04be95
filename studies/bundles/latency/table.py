"""The table of a bundle's latencies: runtimes and data types, dense against pruned, in one run. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ....gan_models.files.plain_values import later

COLUMNS = ("runtime", "data type", "dense ms", "pruned ms", "pruned / dense")


@dataclass(frozen=True)
class LatencyRow:
    """Two latencies in one runtime and data type.

    Attributes:
        runtime: The runtime's name for people.
        dtype: Data type of its arithmetic.
        dense_ms: Latency of the network at full width; None if it was not measured.
        pruned_ms: Latency of the bundle's network.
        reason: Why it was not measured; empty if it was.
    """

    runtime: str
    dtype: str
    dense_ms: float | None = None
    pruned_ms: float | None = None
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """The pruned network's latency over the dense one's; None if they were not measured."""
        return self.pruned_ms / self.dense_ms if self.dense_ms and self.pruned_ms else None

    def cells(self) -> tuple[str, ...]:
        """Return the row as texts, in the order of `COLUMNS`."""
        if self.dense_ms is None or self.pruned_ms is None or self.ratio is None:
            return self.runtime, self.dtype, "-", "-", self.reason
        return self.runtime, self.dtype, f"{self.dense_ms:.3g}", f"{self.pruned_ms:.3g}", f"{self.ratio:.2f}"


@dataclass(frozen=True)
class LatencyTable:
    """Latencies of one run on one machine.

    Attributes:
        machine: The processor and its cores.
        threads: Threads of each runtime.
        rounds: Samples of each number; every round times all of them once.
        inputs: What one call takes.
        macs: The pruned network's MACs over the dense one's.
        busy: What else ran meanwhile; empty on a quiet machine.
        rows: A row per runtime and data type.
        least: True if the numbers are the least of the samples, as on a busy machine; False for medians.
    """

    machine: str
    threads: int
    rounds: int
    inputs: str
    macs: float
    busy: str = ""
    rows: tuple[LatencyRow, ...] = ()
    least: bool = later(False)

    @property
    def protocol(self) -> str:
        """The way it was measured, as one line."""
        busy = ""
        if self.busy:
            busy = f"; the machine was busy ({self.busy}), so that numbers are too large by an unknown part"
        samples = f"{'the least' if self.least else 'medians'} of {self.rounds} rounds"
        return (
            f"{self.machine}, threads {self.threads}, one call of {self.inputs}, {samples} that time every network in "
            f"turn; MACs pruned / dense: {self.macs:.2f}{busy}"
        )

    def lines(self) -> list[str]:
        """Return the table as lines of equal columns, then how it was measured."""
        rows = [COLUMNS, *(row.cells() for row in self.rows)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS) - 1)]
        padded = [(*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]) for row in rows]
        return ["  ".join(row).rstrip() for row in padded] + [self.protocol]
