"""The files of a bundle for other runtimes: written by exporters, run by runtimes, compared with the network.

Exporters and runtimes know nothing of each other; here the two are joined.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from ...evaluators.cost.catalog import RUNTIMES
from ...evaluators.cost.machine_load import Limits, between, snapshot
from ...evaluators.cost.runtime import FileOpener, Runtime, RuntimeUnavailable, Session
from ...evaluators.measurement import Measurement
from ...gan_models.export.catalog import EXPORTERS, INT8, check_formats, default_formats
from ...gan_models.export.exporter import Exporter, ExportJob, Findings, NoForm, file_input
from ...gan_models.export.file_facts import facts_of
from ...gan_models.export.file_options import FileOptions
from ...gan_models.export.pictures.pixels import PixelForm
from ...gan_models.files.errors import DataGone, UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256
from ...gan_models.networks.specs import OUTPUT, RANGES, InputSpec, OutputSpec
from ...gan_models.quantization.settings import Quantization, QuantSettings
from ..inference.sizes import find_size_rule, follows, sized
from .card import FormatReport, SpeedBeside
from .formats.compared_inputs import ComparedInputs, RealInputs, resized
from .formats.falls_back import FallsBack, measured_lines
from .formats.quality_limit import QualityLimit
from .latency.table import LatencyTable

N_EXAMINED = 4
RUNS, WARM_UP = 30, 3
BYTE_STEP_TOLERANCE = 1e-3  # of a step: bytes as numbers in float32

Generate = Callable[..., Tensor]


@dataclass(frozen=True)
class WantedFormats:
    """The formats that an export is to write, and what they need of the study.

    Attributes:
        names: Formats that were asked for; None: those that are written by default.
        int8: Whether the format in 8 bits is asked for besides.
        quantization: How training quantized the network; None for float32.
        settings: How a network trained in float32 is quantized.
        calibration: Gives training inputs; None if there are none.
        real: Inputs that files are compared on in addition to random examples; None if there are none.
        measure: Gives the quality of a callable on the study's test set; None if the data is not available.
        better: Which values of that quality are better: `lower` or `higher`.
        options: Options of the files.
        facts: Facts about the generator for the files' own metadata, by name.
        benchmark: Measures the latencies of the generator and of the dense one, by the formats that were written; None
            if they are not wanted.
    """

    names: tuple[str, ...] | None = None
    int8: bool = False
    quantization: Quantization | None = None
    settings: QuantSettings = field(default_factory=lambda: QuantSettings(per_channel=True))
    calibration: Callable[[], Iterable[tuple[Tensor, ...]]] | None = None
    real: RealInputs | None = None
    measure: Callable[[Generate], list[Measurement]] | None = None
    better: str = "lower"
    options: FileOptions = field(default_factory=FileOptions)
    facts: Mapping[str, str] = field(default_factory=dict)
    benchmark: Callable[[nn.Module, tuple[str, ...]], LatencyTable] | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """Formats that the user named: an export without them fails."""
        return (*(self.names or ()), *((INT8,) if self.int8 else ()))

    @property
    def only(self) -> str:
        """The one format that is to be written at all; empty if there are several."""
        return self.every[0] if self.names is not None and len(self.every) == 1 else ""

    @property
    def every(self) -> tuple[str, ...]:
        """Formats to be written, each once."""
        wanted = default_formats(self.quantization) if self.names is None else self.names
        return check_formats((*wanted, *self.asked))


class FileGenerator:
    """An exported file as a generator: tensors in, images out, on the CPU.

    A file with a fixed batch size is run once per batch. The last batch is padded with its last example; outputs of the
    padding are dropped.

    Args:
        exporter: The format.
        path: The file.
        form: The bytes of its pictures, of a file that takes and gives bytes; None for one of the network's values.

    Raises:
        RuntimeError: The runtime is not installed, or cannot open the file.
    """

    def __init__(self, exporter: Exporter, path: Path, form: PixelForm | None = None) -> None:
        self.form = form
        self.session: Session = opener(exporter).open(path)
        self.batch: int | None = getattr(self.session, "batch", None) or (None if exporter.free_batch else 1)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return outputs (N, ...) in float32, in the network's values."""
        if self.form is None:
            return self._outputs(inputs)
        return self.form.values_of(self._outputs(self.form.bytes_of(tuple(x.detach().cpu() for x in inputs))))

    def _outputs(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the file's own outputs for its own inputs."""
        arrays = tuple(file_input(x).numpy() for x in inputs)
        if self.batch is None:
            return torch.from_numpy(self.session(*arrays)[0])
        n, runs = len(arrays[0]), list[Tensor]()
        for first in range(0, n, self.batch):
            places = np.arange(first, first + self.batch).clip(max=n - 1)
            runs.append(torch.from_numpy(self.session(*(array[places] for array in arrays))[0]))
        return torch.cat(runs)[:n]


def opener(exporter: Exporter) -> FileOpener:
    """Return the runtime of a format, with as many threads as PyTorch may use."""
    return FileOpener(RUNTIMES.find(exporter.runtime), exporter.dtype, torch.get_num_threads())


def runs_here(exporter: Exporter) -> bool:
    """Return if files of a format can be run on this system."""
    return bool(exporter.runtime) and RUNTIMES.find(exporter.runtime).runs_here


def write_formats(
    folder: Path,
    model: nn.Module,
    inputs: InputSpec,
    wanted: WantedFormats,
    output: str = OUTPUT,
    gives: OutputSpec | None = None,
) -> dict[str, FormatReport]:
    """Write a generator in every format that is wanted, and compare each file with the network.

    Args:
        folder: The bundle.
        model: The float network on the CPU.
        inputs: What it takes.
        wanted: The formats.
        output: Name of the output in the files.
        gives: The output; None if it is not known.

    Returns:
        Format -> what is known of it. One that cannot be written, or does not give the network's outputs, has no file
        and says why; the others are written.

    Raises:
        DataGone: A format needs the study's data, which is not there.
        UserError: The only format that was asked for has no form for this network.
        RuntimeError: The only format that was asked for cannot be written, or does not give the network's outputs.
    """
    reports: dict[str, FormatReport] = {}
    looked_at = FallsBack(model, inputs)
    fixed = _checked_size(model, inputs, wanted.options.input_size)
    form = PixelForm(inputs, gives.value_range if gives else RANGES["image"]) if wanted.options.uint8 else None
    if form is not None:
        form.check(outputs_of(model, *inputs.examples(1)))
    facts = {**facts_of(inputs, gives, output, wanted.options.license, form is not None), **wanted.facts}
    for name in wanted.every:
        exporter = EXPORTERS.find(name)
        job = ExportJob(
            model, inputs.examples(2 if exporter.free_batch else 1), inputs.names, exporter.free_batch,
            wanted.quantization, wanted.settings, wanted.calibration, output,
            opset=wanted.options.opset, facts=facts,
        )  # fmt: skip
        try:
            if form is not None and exporter.no_bytes:
                raise NoForm(f"{exporter.title} files do not take bytes: {exporter.no_bytes}. Leave --uint8 out")
            notes = _written_of_any_size(exporter, job, folder, inputs, form)
            size = None
            if notes is None:
                size = wanted.options.input_size
                examples = fixed.examples(2 if exporter.free_batch else 1)
                notes = _written_at_trained_size(exporter, replace(job, inputs=examples), folder, form)
            report = _checked(folder, model, inputs, exporter, notes, size, wanted.real, form)
            report = replace(report, falls_back=(*looked_at.lines(exporter), *report.falls_back))
            reports[_shown(name)] = report
        except (UserError, RuntimeError) as error:
            if name == wanted.only or isinstance(error, DataGone):
                raise
            reports[_shown(name)] = left_out(folder, exporter, error, name in wanted.asked)
    exporters = {_shown(name): EXPORTERS.find(name) for name in wanted.every}
    return _measured(folder, model, inputs, reports, exporters, wanted, form)


def left_out(folder: Path, exporter: Exporter, why: Exception | str, asked: bool) -> FormatReport:
    """Remove the files of a format that cannot be handed over; return the report that says why.

    Args:
        folder: The bundle.
        exporter: The format.
        why: The reason.
        asked: True if the user named the format.
    """
    for file in exporter.files:
        (folder / file).unlink(missing_ok=True)
    refused = asked or isinstance(why, FileDiffers)
    return FormatReport(exporter.title, absent=" ".join(str(why).split()), refused=refused)


def _of_file(job: ExportJob, form: PixelForm | None) -> ExportJob:
    """Return the job of what is in the file: of the network, or of one that takes and gives bytes."""
    if form is None:
        return job
    return replace(
        job, model=form.network(job.model), inputs=form.bytes_of(job.inputs), sides=form.sides, title=job.network
    )


def _checked_size(model: nn.Module, inputs: InputSpec, size: tuple[int, int] | None) -> InputSpec:
    """Return the inputs at a size that was asked for.

    Raises:
        UserError: The network takes no pictures, or does not run at that size.
    """
    if size is None:
        return inputs
    if inputs.pixels is None:
        raise UserError(f"--input-size is for pictures: got a generator of {inputs}; leave it out")
    rule = find_size_rule(lambda *tensors: outputs_of(model, *tensors), inputs)
    if rule.fixed and size != inputs.pixels:
        raise UserError(
            f"input size is not possible: got {size[0]}x{size[1]}; expected {inputs.pixels[0]}x{inputs.pixels[1]}, the "
            f"only one that this network runs at ({rule.reason}). Leave --input-size out"
        )
    if not rule.fixed and any(side % rule.stride or side < rule.least for side in size):
        height, width = rule.around(*size)
        raise UserError(
            f"input size is not possible: got {size[0]}x{size[1]}; expected multiples of {rule.stride}, the network's "
            f"stride. Try --input-size {height}x{width}"
        )
    return sized(inputs, *size)


def _written_of_any_size(
    exporter: Exporter, job: ExportJob, folder: Path, inputs: InputSpec, form: PixelForm | None = None
) -> tuple[str, ...] | None:
    """Write a file whose pictures may have any size that the network runs at.

    Returns:
        The file's notes; None if the network has a fixed size, the format cannot say another one, or the file does not
        give the network's outputs at the trained size and at another one. It is then to be written at the trained size.
    """
    if not (exporter.free_size and runs_here(exporter) and inputs.pixels):
        return None
    rule = find_size_rule(lambda *tensors: outputs_of(job.model, *tensors), inputs)
    if rule.fixed or any(side % rule.stride for side in inputs.pixels):
        return None
    strides = tuple(rule.stride if follows(one, inputs) else 0 for one in inputs.inputs)
    # Never traced with one stride a side: torch.export takes a 1 for a constant.
    examples = sized(inputs, *(max(side, 2 * rule.stride) for side in inputs.pixels)).examples(
        2 if exporter.free_batch else 1
    )
    path = folder / exporter.filename
    try:
        notes = exporter.write(_of_file(replace(job, inputs=examples, strides=strides), form), path)
        other = sized(inputs, *(n * rule.stride + side for n, side in zip((1, 3), inputs.pixels, strict=True)))
        generate = FileGenerator(exporter, path, form)
        pairs = [_both(generate, job.model, x.examples(1), form) for x in (inputs, other)]
    except WorkFailed:  # the network's form at free sizes is beyond the format or its runtime
        return None
    for expected, found in pairs:
        allowed = _allowed(exporter, form, max(1.0, float(expected.abs().max())))
        differs = found.shape != expected.shape
        if differs or (allowed is not None and not float((found - expected).abs().max()) <= allowed):
            return None
    return (*notes, f"takes heights and widths that are multiples of {rule.stride}")


def _both(
    generate: Generate, model: nn.Module, batch: tuple[Tensor, ...], form: PixelForm | None
) -> tuple[Tensor, Tensor]:
    """Return what the network and a file give for a batch; of a file of bytes at values that bytes stand for."""
    if form is None:
        return outputs_of(model, *batch).cpu().float(), generate(*batch).cpu().float()
    batch = form.snapped(batch)
    return form.rounded(outputs_of(model, *batch).cpu()), generate(*batch)


def _allowed(exporter: Exporter, form: PixelForm | None, scale: float) -> float | None:
    """Return the largest difference allowed at a scale of the outputs: one step of a file of bytes."""
    if form is not None:
        return form.step * (1 + BYTE_STEP_TOLERANCE)
    return None if exporter.tolerance is None else exporter.tolerance * scale


def _written_at_trained_size(
    exporter: Exporter, job: ExportJob, folder: Path, form: PixelForm | None
) -> tuple[str, ...]:
    """Write a file for batches of any size, or of one example where the network has no other form.

    Raises:
        NoForm, UserError, RuntimeError: As `Exporter.write`; of the two, the reason against batches of any size.
    """
    path = folder / exporter.filename
    try:
        return exporter.write(_of_file(job, form), path)
    except RuntimeError as why:
        if not job.free_batch:
            raise
        one = replace(job, inputs=tuple(x[:1] for x in job.inputs), free_batch=False)
        try:
            notes = exporter.write(_of_file(one, form), path)
        except RuntimeError:
            raise why from None
        return (*notes, f"for one example at a time only: {' '.join(str(why).split())}")


def check_format(
    folder: Path,
    model: nn.Module,
    inputs: InputSpec,
    name: str,
    report: FormatReport,
    real: RealInputs | None = None,
    bounds: tuple[float, float] = RANGES["image"],
) -> str:
    """Compare a bundle's file with the bundle's network again; return the result as one line.

    Args:
        folder: The bundle.
        model: Its network.
        inputs: What it takes.
        name: The format.
        report: What its card says.
        real: Inputs to compare on in addition to random examples; None for none.
        bounds: The network's values of black and white.

    Raises:
        UserError, RuntimeError: The format is not known here, or the file cannot be run or is not what the card says.
    """
    if report.absent:
        return report.line()
    if not (folder / report.file).is_file():
        raise UserError(f"the card names {report.file}, and there is none; export it again")
    exporter = EXPORTERS.find(name)
    again = _checked(
        folder, model, inputs, exporter, (), report.size, real, PixelForm(inputs, bounds) if report.uint8 else None
    )
    for what, value in report.counts.items():
        if again.counts.get(what) != value:
            raise UserError(f"{report.file} has {what} {again.counts.get(what)}, the card says {value}")
    counts = ", ".join(f"{what} {value}" for what, value in again.counts.items())
    return "; ".join(part for part in (again.summary, again.line(), counts) if part)


class FileDiffers(WorkFailed):
    """A file that does not compute what it should: no bundle contains it."""


def _checked(
    folder: Path,
    model: nn.Module,
    inputs: InputSpec,
    exporter: Exporter,
    notes: tuple[str, ...],
    size: tuple[int, int] | None = None,
    real: RealInputs | None = None,
    form: PixelForm | None = None,
) -> FormatReport:
    path, inputs = folder / exporter.filename, inputs.at_size(size or 0)
    report = FormatReport(
        exporter.title,
        exporter.filename,
        dtype=exporter.dtype,
        size=size,
        uint8=form is not None,
        sha256=file_sha256(path),
        bytes=path.stat().st_size + sum(path.with_suffix(part).stat().st_size for part in exporter.parts),
    )
    if not exporter.runtime:
        return replace(report, notes=notes)
    runtime: Runtime = RUNTIMES.find(exporter.runtime)
    if not runtime.runs_here:
        found = exporter.examine(path, model, inputs.examples(N_EXAMINED), opener(exporter))
        unrun = f"not run: {runtime.title} runs on {runtime.system} alone"
        notes = (*notes, *found.notes, unrun)
        report = replace(report, notes=notes, summary=found.summary, counts=found.counts, operators=found.operators)
        return replace(report, runtime=runtime.title)
    generate = FileGenerator(exporter, path, form)
    compared = ComparedInputs.of(inputs, real)
    difference, scale = _difference(generate, model, compared, form)
    examples = _examined(inputs, real, generate.batch or N_EXAMINED)
    findings: Findings = exporter.examine(path, model, examples, opener(exporter))
    report = replace(
        report,
        runtime=runtime.title,
        difference=difference,
        compared=compared.text,
        allowed=_allowed(exporter, form, scale),
        summary=findings.summary,
        notes=(*notes, *findings.notes, *(("takes one example at a time",) if generate.batch == 1 else ())),
        numbers=findings.numbers,
        counts=findings.counts,
        operators=findings.operators,
        falls_back=measured_lines(runtime, path, exporter.dtype, examples if form is None else form.bytes_of(examples)),
    )
    if not report.agrees:
        raise FileDiffers(f"it does not give the generator's outputs: {report.line()}")
    if not findings.passed:
        raise FileDiffers(f"{exporter.filename} is not the network that it should be: {findings.summary}")
    return report


def _examined(inputs: InputSpec, real: RealInputs | None, n: int) -> tuple[Tensor, ...]:
    """Return the inputs of a format's own checks: real ones if there are enough, else random examples."""
    given = () if real is None else real.read()
    return resized(tuple(x[:n] for x in given), inputs) if given and len(given[0]) >= n else inputs.examples(n)


def _difference(
    generate: Generate, model: nn.Module, compared: ComparedInputs, form: PixelForm | None
) -> tuple[float, float]:
    """Return the largest difference of the outputs, and their scale, over batches of several sizes."""
    difference, scale = 0.0, 1.0
    for batch in compared.batches:
        expected, found = _both(generate, model, batch, form)
        if expected.shape != found.shape:
            raise FileDiffers(f"the file gives {tuple(found.shape)}, the network {tuple(expected.shape)}")
        largest = float((expected - found).abs().max())
        difference = max(difference, largest) if difference == difference and largest == largest else float("nan")
        scale = max(scale, float(expected.abs().max()))
    return difference, scale


def _measured(
    folder: Path,
    model: nn.Module,
    inputs: InputSpec,
    reports: Mapping[str, FormatReport],
    exporters: Mapping[str, Exporter],
    wanted: WantedFormats,
    form: PixelForm | None,
) -> dict[str, FormatReport]:
    """Return the reports with speed, and with quality if one of the files computes another network."""
    files = {name: report for name, report in reports.items() if report.file and report.difference is not None}
    runs = {name: FileGenerator(exporters[name], folder / report.file, form) for name, report in files.items()}
    asked = {_shown(name) for name in wanted.asked}
    found, first = dict(reports), next(iter(runs), None)
    for name in runs:
        if name != first and first is not None:
            sizes = {files[first].size, files[name].size}
            if len(sizes) == 1:
                example = inputs.at_size(sizes.pop() or 0).examples(1)
                speed = speed_beside(first, runs[first], runs[name], example, files[name].runtime)
                found[name] = replace(found[name], speed=speed)
    other = [name for name, report in files.items() if report.computes_another]
    if wanted.measure is None or not other:
        return found
    exact = next((name for name in runs if name not in other), None)
    for name in [*([] if exact is None else [exact]), *other]:
        if files[name].size not in (None, inputs.pixels):
            continue
        try:
            found[name] = replace(found[name], measurements=tuple(wanted.measure(runs[name])))
        except RuntimeUnavailable as error:
            if name == _shown(wanted.only):
                raise
            found[name] = left_out(folder, exporters[name], error, name in asked)
    limit = QualityLimit(wanted.options.largest_drop, wanted.better)
    whole = found[exact].measurements if exact else tuple(wanted.measure(lambda *x: outputs_of(model, *x)))
    for name in other:
        if found[name].absent:
            continue
        trained = wanted.quantization is not None and exporters[name].trained_ranges
        if reason := limit.reason(found[name].measurements, whole, trained):
            if name == _shown(wanted.only):
                raise NoForm(f"no {exporters[name].title} file: {reason}")
            found[name] = left_out(folder, exporters[name], reason, name in asked)
    return found


def speed_beside(other: str, theirs: Generate, ours: Generate, inputs: tuple[Tensor, ...], runtime: str) -> SpeedBeside:
    """Time two generators on one input in turns: medians, or the least of the runs on a busy machine."""
    pairs: list[tuple[float, float]] = []
    before = snapshot()
    for run in range(WARM_UP + RUNS):
        spent = []
        for generate in (theirs, ours):
            started = time.perf_counter()
            generate(*inputs)
            spent.append(1000 * (time.perf_counter() - started))
        if run >= WARM_UP:
            pairs.append((spent[0], spent[1]))
    # Other programs only ever add to a run, and not to every one alike: medians mean nothing beside them.
    busy = bool(between(before, snapshot()).reason(Limits()))
    typical, statistic = (min, "the least") if busy else (median, "medians")
    threads = torch.get_num_threads()
    ms, other_ms = typical(b for _, b in pairs), typical(a for a, _ in pairs)
    return SpeedBeside(
        other=other,
        ms=ms,
        other_ms=other_ms,
        ratio=other_ms / ms,
        runs=RUNS,
        protocol=f"{runtime}, CPU, {threads} thread(s), one input, {statistic} of {RUNS} runs in turns"
        + (", busy machine" if busy else ""),
    )


def outputs_of(model: nn.Module, *inputs: Tensor) -> Tensor:
    """Return outputs in eval mode, without gradients."""
    with torch.no_grad():
        return model.eval()(*inputs)


def _shown(name: str) -> str:
    """Return a format's name as it stands on a card: of a file only its name, not its path on a disk."""
    location, colon, attribute = name.rpartition(":")
    return f"{Path(location).name}:{attribute}" if colon and location.endswith(".py") else name
