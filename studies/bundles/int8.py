"""The int8 file of a bundle: written, compared with the quantised network, measured beside the float file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.measurement import Measurement
from ...gan_models.export.int8_parity import Int8Parity, measure_int8_parity
from ...gan_models.export.onnx_float import OnnxGenerator
from ...gan_models.export.onnx_int8 import Arithmetic, arithmetic, export_int8, stored_bytes
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.plain_values import from_json, to_json
from ...gan_models.networks.catalog import example_input
from ...gan_models.quantization.settings import Quantisation

INT8, QUANTISATION = "generator-int8.onnx", "quantisation.json"
TRAINED, CALIBRATED = "trained in 8 bits", "calibrated after training in float32"
N_PARITY = 4
RUNS, WARM_UP = 30, 3

Generate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Latency:
    """Time of one input, float and int8 files in turns in one run.

    Attributes:
        float_ms: Median of the float file.
        int8_ms: Median of the int8 file.
        ratio: Median over the pairs of float / int8; above 1 int8 is faster.
        runs: Pairs.
        protocol: How it was measured.
    """

    float_ms: float
    int8_ms: float
    ratio: float
    runs: int
    protocol: str


@dataclass(frozen=True)
class Int8Report:
    """What is known of an int8 file.

    Attributes:
        origin: Whether training was quantised too, or ranges were calibrated afterwards.
        parity: Against the network quantised in PyTorch.
        arithmetic: What ONNX Runtime computes on integers.
        bytes: Of the parameters as the file stores them.
        latency: Beside the float file.
        measurements: Quality of the int8 file, by ONNX Runtime on the study's test set; empty where the data is not
            at hand.
        float_measurements: The same of the float file.
    """

    origin: str
    parity: Int8Parity
    arithmetic: Arithmetic
    bytes: int
    latency: Latency
    measurements: tuple[Measurement, ...] = ()
    float_measurements: tuple[Measurement, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "origin": self.origin,
            "parity": self.parity.to_json(),
            "arithmetic": self.arithmetic.to_json(),
            "bytes": self.bytes,
            "latency": vars(self.latency),
            "measurements": [m.to_json() for m in self.measurements],
            "float_measurements": [m.to_json() for m in self.float_measurements],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Int8Report:
        """What `to_json` wrote. Raises KeyError or TypeError where something is missing."""
        return cls(
            origin=data["origin"],
            parity=Int8Parity(**data["parity"]),
            arithmetic=Arithmetic.from_json(data["arithmetic"]),
            bytes=int(data["bytes"]),
            latency=Latency(**data["latency"]),
            measurements=tuple(Measurement.from_json(m) for m in data["measurements"]),
            float_measurements=tuple(Measurement.from_json(m) for m in data["float_measurements"]),
        )

    def lines(self) -> list[str]:
        """For people."""
        lines = [
            f"{INT8} ({self.origin}): {self.bytes} bytes of parameters",
            *self.arithmetic.lines(),
            f"against the network quantised in PyTorch: {self.parity.line()}",
            f"latency {self.latency.int8_ms:.3g} ms, float file {self.latency.float_ms:.3g} ms: "
            f"{self.latency.ratio:.2f} times as fast ({self.latency.protocol})",
        ]
        if self.measurements and self.float_measurements:
            ours, theirs = self.measurements[0], self.float_measurements[0]
            lines.append(f"{ours.name}: int8 file {ours.value:.4g}, float file {theirs.value:.4g}, by ONNX Runtime")
        else:
            lines.append("its quality was not measured: the study's data is not at hand")
        return lines


def write_int8(
    folder: Path,
    model: nn.Module,
    shape: tuple[int, ...],
    quantisation: Quantisation,
    origin: str,
    float_file: Path,
    measure: Callable[[Generate], list[Measurement]] | None,
) -> Int8Report:
    """Writes the int8 file and its ranges into a bundle, compares and measures them.

    Args:
        folder: The bundle.
        model: The float network on the CPU.
        shape: Of one input.
        quantisation: Settings and ranges.
        origin: TRAINED or CALIBRATED.
        float_file: The float network as ONNX, to measure beside.
        measure: Quality of a generator that is a callable; None where there is no data.

    Raises:
        ValueError: The settings cannot be computed on integers (the published quantiser).
        RuntimeError: The file cannot be made, or is not the quantised network.
    """
    export_int8(model, quantisation, example_input(shape, 2), folder / INT8)
    write_json(folder / QUANTISATION, to_json(quantisation))
    parity = measure_int8_parity(folder / INT8, model, quantisation, example_input(shape, N_PARITY))
    if not parity.passed:
        raise WorkFailed(f"the int8 file is not the quantised network: {parity.line()}; nothing was written")
    ours, theirs = OnnxGenerator(folder / INT8), OnnxGenerator(float_file)
    return Int8Report(
        origin=origin,
        parity=parity,
        arithmetic=arithmetic(folder / INT8),
        bytes=stored_bytes(folder / INT8),
        latency=latency_beside(theirs, ours, example_input(shape)),
        measurements=tuple(measure(ours)) if measure else (),
        float_measurements=tuple(measure(theirs)) if measure else (),
    )


def check_int8(folder: Path, model: nn.Module, shape: tuple[int, ...], report: Int8Report | None) -> str:
    """Compares a bundle's int8 file with the bundle's network again.

    Raises:
        ValueError, RuntimeError: It cannot be read, is not the quantised network, or not of the card's size.
    """
    quantisation = read_quantisation(folder)
    parity = measure_int8_parity(folder / INT8, model, quantisation, example_input(shape, N_PARITY))
    if not parity.passed:
        raise WorkFailed(f"the int8 file is not the quantised network: {parity.line()}")
    size = stored_bytes(folder / INT8)
    if report is None or report.bytes != size:
        raise UserError(f"the int8 file has {size} bytes of parameters, the card says {report and report.bytes}")
    return f"{arithmetic(folder / INT8).lines()[0]}; {parity.line()}; {size} bytes"


def read_quantisation(folder: Path) -> Quantisation:
    """A bundle's quantisation. Raises ValueError."""
    data = read_json(folder / QUANTISATION)
    if data is None:
        raise UserError(f"{folder / QUANTISATION} cannot be read")
    return from_json(Quantisation, data, str(folder / QUANTISATION))


def latency_beside(theirs: Generate, ours: Generate, x: Tensor) -> Latency:
    """Times two generators on one input in turns, so that what else the machine does meets both alike."""
    pairs: list[tuple[float, float]] = []
    for run in range(WARM_UP + RUNS):
        spent = []
        for generate in (theirs, ours):
            started = time.perf_counter()
            generate(x)
            spent.append(1000 * (time.perf_counter() - started))
        if run >= WARM_UP:
            pairs.append((spent[0], spent[1]))
    return Latency(
        float_ms=median(a for a, _ in pairs),
        int8_ms=median(b for _, b in pairs),
        ratio=median(a / b for a, b in pairs),
        runs=RUNS,
        protocol=f"ONNX Runtime, CPU, {torch.get_num_threads()} thread(s), one input, medians of {RUNS} runs in turns",
    )
