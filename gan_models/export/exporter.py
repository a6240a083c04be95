"""An exporter: what writes a generator as a file for another runtime, and what it checks of that file by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ..files.errors import UserError, WorkFailed
from ..files.packages import Package, check_installed
from ..files.user_code import load_named
from ..quantization.settings import Quantization, QuantSettings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

INPUT, OUTPUT = "input", "output"
MIN_CALIBRATION = 4  # inputs
_REWRITING = "ganprune.gan_models.export.rewriting"  # by name: it knows exporters


class NotConverted(WorkFailed):
    """A network that another package cannot convert; the message gives its reason."""


class NoForm(UserError):
    """A network that has no form in a format: its bundle is written without that file, and says why."""


@dataclass(frozen=True)
class ExportJob:
    """A network to be exported.

    Attributes:
        model: The network in float32; not changed by an exporter.
        inputs: One batch (N, ...) of each input, in order.
        names: Names of the inputs in the file, in order.
        free_batch: Whether the file takes batches of any size; else exactly the sizes of `inputs`.
        quantization: Settings and ranges that training quantized the network with; None for one trained in float32.
        settings: How a network trained in float32 is quantized by formats of fewer bits.
        calibration: Gives batches of training inputs, to calibrate such formats with; None: `inputs` will do.
        output: Name of the output in the file.
        strides: Per input, the numbers that its height and width may be any multiples of; 0: they are those of
            `inputs`. Empty: all are.
        sides: Per input the axes of height and width; empty: 2 and 3 of all.
        alone: True to write no companions: the file is timed, and belongs to no bundle.
        opset: Operator set of ONNX files; 0: the default one if the network has a form in it.
        facts: Facts for the file's own metadata, by name.
        title: Class of the network, for messages; empty: that of `model`.
    """

    model: nn.Module
    inputs: tuple[Tensor, ...]
    names: tuple[str, ...] = (INPUT,)
    free_batch: bool = True
    quantization: Quantization | None = None
    settings: QuantSettings = field(default_factory=lambda: QuantSettings(per_channel=True))
    calibration: Callable[[], Iterable[tuple[Tensor, ...]]] | None = None
    output: str = OUTPUT
    strides: tuple[int, ...] = ()
    sides: tuple[tuple[int, int], ...] = ()
    alone: bool = False
    opset: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    @property
    def network(self) -> str:
        """Class of the network, for messages."""
        return self.title or type(self.model).__name__


def file_input(x: Tensor) -> Tensor:
    """Return an input (N, ...) as exported files take it: on the CPU, numbers with a fraction in float32."""
    x = x.detach().cpu()
    return x.float() if x.is_floating_point() else x


def calibration_batches(job: ExportJob) -> list[tuple[Tensor, ...]]:
    """Return the batches that a file of fewer bits is calibrated on; the job's inputs if it brings none.

    Raises:
        UserError: Fewer inputs than `MIN_CALIBRATION`, or the data is not available.
    """
    if job.calibration is None:
        return [job.inputs]
    found = list(job.calibration())
    if (count := sum(len(batch[0]) for batch in found)) < MIN_CALIBRATION:
        raise UserError(
            f"too few inputs to calibrate ranges on: got {count}; expected {MIN_CALIBRATION} or more. Try a study with "
            "more training images"
        )
    return found


class FileRunner(Protocol):
    """The runtime of an exported file, as an exporter that examines its file is given it."""

    def open(self, path: Path) -> Callable[..., tuple[np.ndarray, ...]]:
        """Return a callable of one array per input that gives every output of a file."""
        ...

    def operators(self, path: Path) -> Mapping[str, int]:
        """Return operator -> nodes that the runtime really runs of a file."""
        ...


@dataclass(frozen=True)
class Findings:
    """Findings of an exporter that examined a file that it wrote.

    Attributes:
        passed: Whether the file computes what it should.
        summary: The result as one line.
        notes: Further lines for people: what runs in which arithmetic, and why.
        numbers: Measured numbers by name, for the card.
        counts: Numbers that are the same on every machine; `verify` compares them with those on the card.
        operators: Operator -> nodes that the runtime runs.
    """

    passed: bool = True
    summary: str = ""
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    operators: Mapping[str, int] = field(default_factory=dict)


Write = Callable[[ExportJob, Path], "tuple[str, ...] | None"]
Examine = Callable[[Path, "nn.Module", "tuple[Tensor, ...]", FileRunner], Findings]


@dataclass(frozen=True)
class Exporter:
    """One row of the exporters: a file format for one data type.

    Attributes:
        writer: A function `write(job, path)` that writes the file and may return lines for the card; or its name,
            `package.module:function`, which is loaded when it is first called.
        filename: The file's name in a bundle.
        runtime: The row of the runtimes that runs the file.
        title: Its name for people.
        needs: Packages that writing needs; those that running needs are the runtime's.
        dtype: Data type of the arithmetic: `float32`, `int8`.
        tolerance: Largest difference allowed between the file's and the network's outputs, relative to the largest
            output (at least 1). None if the file computes another network, as one of fewer bits does: `examiner` then
            decides.
        examiner: A function `examine(path, model, inputs, runner) -> Findings`, or its name; None for no checks
            next to `tolerance`.
        companions: Names of other files that `writer` lays next to its own.
        parts: Suffixes of further files that `filename` cannot be opened without. They have the same stem.
        rewrites: Rows of the rewrites that a copy of the network goes through before it is written, in order.
        rules: Rows of the runtimes' rules that files of this format are looked at with.
        free_batch: True if files take batches of any size, where the network allows it; else one example at a time.
        free_size: Whether `writer` can leave height and width of pictures free, if the network allows it.
        trained_ranges: True if files of a network that was trained in fewer bits have the ranges of its training.
        no_bytes: The reason why its files cannot take and give pictures as bytes; empty if they can.
        written: `always`, for trials trained in fewer bits (`if quantized`), or only if it is `asked` for.
    """

    writer: str | Write
    filename: str
    runtime: str
    title: str
    needs: tuple[Package, ...] = ()
    dtype: str = "float32"
    tolerance: float | None = 1e-4
    examiner: str | Examine | None = None
    companions: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    free_batch: bool = True
    free_size: bool = False
    trained_ranges: bool = False
    no_bytes: str = ""
    written: Literal["always", "if quantized", "asked"] = "asked"

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the format in a bundle, the one that is opened first."""
        stem = Path(self.filename).stem
        return (self.filename, *(stem + part for part in self.parts), *self.companions)

    def write(self, job: ExportJob, path: Path) -> tuple[str, ...]:
        """Write the file; return lines for the card.

        Raises:
            NoForm: The network has no form in this format.
            PackageMissing: Something that it needs is not installed.
            UserError: The network's quantization has no form in this format, or data to calibrate with is missing.
            RuntimeError: The network cannot be written in this format.
        """
        check_installed(f"format {self.title}", self.needs)
        write = load_named(self.writer, "exporter")
        prepared, notes = job, ()
        if self.rewrites:
            prepared, notes = load_named(f"{_REWRITING}:rewritten", "rewriting")(job, self.rewrites)
        try:
            return (*(write(prepared, path) or ()), *notes)
        except NotConverted as error:
            reason = load_named(f"{_REWRITING}:rejected_operator", "rewriting")(job, self.rewrites, write)
            raise NotConverted(f"{error}; {reason}" if reason else str(error)) from error

    def examine(self, path: Path, model: nn.Module, inputs: tuple[Tensor, ...], runner: FileRunner) -> Findings:
        """Return what the format's own checks find of a file.

        Args:
            path: The file, its companions next to it.
            model: The float network.
            inputs: A batch of each input.
            runner: The file's runtime.

        Raises:
            UserError, RuntimeError: The file or a companion cannot be read or run.
        """
        if self.examiner is None:
            return Findings(operators=runner.operators(path))
        return load_named(self.examiner, "exporter")(path, model, inputs, runner)
