"""A bundle's card: what the generator costs, how good it is, where it comes from, how the files were checked.

Imports no torch: tables on screen and `show` read cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.files.plain_values import later
from .latency.table import LatencyTable


@dataclass(frozen=True)
class Parity:
    """The difference between the network rebuilt from a bundle and the one that was exported.

    Attributes:
        reload: Largest absolute difference of their outputs, in PyTorch.
        scale: Largest absolute output, or 1 if that is smaller; differences are judged relative to it.
        n_inputs: Inputs compared, in batches of different sizes.
        tolerance: Largest difference allowed, times `scale`.
    """

    reload: float
    scale: float
    n_inputs: int
    tolerance: float

    @property
    def passed(self) -> bool:
        """True if the difference is within the tolerance (a NaN is not)."""
        return self.reload <= self.tolerance * self.scale


@dataclass(frozen=True)
class SpeedBeside:
    """Time of one input, measured in turns with another file of the bundle.

    Attributes:
        other: The other file's format.
        ms: Median of this file; on a busy machine the least of its runs.
        other_ms: The same of the other file.
        ratio: The other number over this one; above 1 this file is faster. Cards of earlier versions have the median
            over the pairs here, which may lie on the other side of 1: `line` does not read it.
        runs: Pairs.
        protocol: How it was measured.
    """

    other: str
    ms: float
    other_ms: float
    ratio: float
    runs: int
    protocol: str

    def line(self) -> str:
        """Return both latencies and their ratio as one line."""
        medians = f"latency {self.ms:.3g} ms, {self.other} {self.other_ms:.3g} ms"
        return f"{medians}: {ratio_text(self.ms, self.other_ms)} ({self.protocol})"


def ratio_text(ms: float, other_ms: float) -> str:
    """Return how much faster or slower one latency is than another, both in ms and above 0."""
    faster, slower = f"{other_ms / ms:.2f}", f"{ms / other_ms:.2f}"
    if faster == slower:
        return "as fast"
    return f"{faster} times as fast" if ms < other_ms else f"slower, {slower} times as long"


@dataclass(frozen=True)
class FormatReport:
    """The facts about a generator in one export format.

    Attributes:
        title: The format's name for people.
        file: The file's name in the bundle; empty if there is none.
        runtime: What ran it.
        dtype: Data type of its arithmetic.
        sha256: Of the file.
        bytes: Of the file.
        difference: Largest absolute difference from the float network's outputs; None if it was not compared.
        compared: The inputs of that comparison in words; empty in bundles of earlier versions.
        allowed: Largest difference allowed; None if the format computes another network and has checks of its own.
        summary: Result of the format's own checks as one line; empty if it has none.
        notes: Further lines for people.
        numbers: Numbers that the format's own checks measured.
        counts: Such numbers that are the same on every machine; `verify` counts them again.
        operators: Operator -> nodes that the runtime runs.
        measurements: Quality of the file in its runtime on the study's test set; empty if it was not measured.
        speed: Time compared with another file; None if it was not measured.
        absent: Why there is no file; empty if there is one.
        size: Height and width of its pictures if they are fixed and others than the trained ones.
        uint8: True if the file takes and gives pictures as bytes (N, H, W, C).
        falls_back: Operators that a runtime of the file runs on a slower unit or not at all, a line per reason.
        refused: True if there is no file although the user named the format, or because it gave other outputs. The
            export then ends with an exit code that says so.
    """

    title: str
    file: str = ""
    runtime: str = ""
    dtype: str = "float32"
    sha256: str = ""
    bytes: int = 0
    difference: float | None = None
    allowed: float | None = None
    summary: str = ""
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    operators: Mapping[str, int] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    speed: SpeedBeside | None = None
    absent: str = ""
    size: tuple[int, int] | None = None
    compared: str = ""
    uint8: bool = False
    falls_back: tuple[str, ...] = ()
    refused: bool = later(False)

    @property
    def agrees(self) -> bool:
        """True if the file's outputs are within what is allowed (a NaN is not)."""
        return self.difference is None or self.allowed is None or self.difference <= self.allowed

    @property
    def computes_another(self) -> bool:
        """True if its arithmetic is another than the network's, so that its quality is measured by itself."""
        return self.allowed is None or self.dtype != "float32"

    def line(self) -> str:
        """Return the comparison with PyTorch as one line, or why there is no file."""
        if self.absent:
            return f"no {self.title} file: {self.absent}"
        if self.difference is None:
            runtime = f"{self.runtime} does not run here" if self.runtime else "no runtime here runs it"
            return f"{self.file}: not compared with PyTorch, {runtime}"
        limit = "" if self.allowed is None else f", allowed {self.allowed:.3g}"
        on = f", on {self.compared}" if self.compared else ""
        return f"{self.file} in {self.runtime}: largest difference {self.difference:.3g}{limit}{on}"

    def lines(self, others: Mapping[str, FormatReport]) -> list[str]:
        """Return everything except the comparison, a line each.

        Args:
            others: All formats of the bundle by name, to name what its speed and quality are compared with.
        """
        lines = [*self.notes, *self.falls_back]
        if self.uint8:
            lines.insert(0, "takes and gives pictures as bytes: uint8 (N, H, W, C), 0 to 255; one step is allowed")
        if self.speed is not None:
            lines.append(self.speed.line())
        if self.absent or self.difference is None or not self.computes_another:
            return lines
        if not self.measurements:
            return [*lines, "its quality was not measured: the study's data is not available"]
        other = next((o for o in others.values() if o is not self and o.measurements), None)
        beside = f", {other.file} {other.measurements[0].value:.4g}" if other else ""
        first = self.measurements[0]
        return [*lines, f"{first.name}: this file {first.value:.4g}{beside}, in {self.runtime}"]


@dataclass(frozen=True)
class Card:
    """The card of a bundle, for its recipients.

    Attributes:
        costs: Cost name -> counted cost of the exported generator, one input.
        teacher_costs: The same for the dense generator.
        measurements: Everything measured of the trial, its quality first.
        teacher_measurements: The same for the dense generator.
        lineage: Study, trial, method, target, settings, seeds, data and its hash, architecture.
        versions: Of ganprune, Python and the packages that made and ran the files.
        parity: Difference measured when the network was built again.
        formats: Export format -> the file's facts, or the reason for its absence.
        notes: Further notes for the user.
        input_measurements: The same for the untouched inputs; empty if the generator takes no images.
        split: What these were measured on, and the trial was chosen by: `selection` or `test`.
        tested: Everything measured of the trial on the test split, if it was not chosen by it; else empty.
        teacher_tested, input_tested: The same for the dense generator and the untouched inputs.
        better: Which values of the quality are better: `lower` or `higher`.
        license: License of the generator, as its exporter named it; empty: not stated.
        latencies: Runtimes and data types, dense against pruned; None if they were not measured.
    """

    costs: Mapping[str, float]
    teacher_costs: Mapping[str, float]
    measurements: tuple[Measurement, ...]
    teacher_measurements: tuple[Measurement, ...]
    lineage: Mapping[str, Any]
    versions: Mapping[str, str]
    parity: Parity
    formats: Mapping[str, FormatReport] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    input_measurements: tuple[Measurement, ...] = ()
    split: str = "test"
    tested: tuple[Measurement, ...] = ()
    teacher_tested: tuple[Measurement, ...] = ()
    input_tested: tuple[Measurement, ...] = ()
    better: str = "lower"
    license: str = later("")
    latencies: LatencyTable | None = later(None)  # noqa: RUF009  (a field without a value of its own)

    @property
    def files(self) -> dict[str, FormatReport]:
        """The formats that have a file, by name."""
        return {name: report for name, report in self.formats.items() if not report.absent}

    @property
    def refused(self) -> tuple[str, ...]:
        """The formats that should be in the bundle and are not, by name."""
        return tuple(name for name, report in self.formats.items() if report.refused)

    @property
    def worst(self) -> float:
        """The largest difference of any file that must give PyTorch's outputs; infinite if a format is absent."""
        if any(report.absent for report in self.formats.values()):
            return float("inf")
        compared = [r.difference for r in self.formats.values() if r.allowed is not None and r.difference is not None]
        return max([self.parity.reload, *compared])
