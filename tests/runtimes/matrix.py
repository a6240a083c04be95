"""A table of export formats by networks: largest difference, size, latency dense and pruned; `make test-runtimes`.

The networks are those of the catalog, small, with weights that make the outputs far from zero, and a dozen of the zoo
of small generators. Each is also cut to half of every group's channels; dense and pruned files are timed in turns. The
exit code is 1 if a float32 file of a catalog's network that can be run here is missing or differs by more than 1e-4.

    python -m tests.runtimes.matrix [FORMAT ...] [--networks NAME,NAME] [--csv docs/runtimes.csv] [--table]
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from ganprune.evaluators.cost.runtime import bound
from ganprune.gan_models.export.catalog import EXPORTERS, check_formats
from ganprune.gan_models.export.exporter import file_input
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.card import FormatReport
from ganprune.studies.bundles.format_files import FileGenerator, WantedFormats, write_formats
from torch import nn

from ..gan_models.random_cuts import lively
from ..zoo.catalog import ZOO

LARGEST = 1e-4  # of float32 files, relative to the largest output
ROUNDS, SAMPLE_SECONDS = 30, 0.001
LONGEST_REASON = 160
NETWORKS = {
    "resnet": ("resnet", {"ngf": 8, "n_blocks": 2}, "3,64,64"),
    "resnet batch": ("resnet", {"ngf": 8, "n_blocks": 2, "norm": "batch"}, "3,64,64"),
    "unet": ("unet", {"ngf": 8, "num_downs": 6}, "3,64,64"),
    "unet instance": ("unet", {"ngf": 8, "num_downs": 5, "norm": "instance"}, "3,64,64"),
    "mobile resnet": ("mobile_resnet_9blocks", {"ngf": 8, "n_blocks": 2}, "3,64,64"),
    "sngan": ("sngan_32", {"ngf": 16}, "latent:128"),
    "compact": ("srvgg_compact", {"num_feat": 16, "num_conv": 4}, "3,32,32@0,1"),
    "rrdb": ("rrdbnet", {"num_feat": 16, "num_block": 1, "num_grow_ch": 8}, "3,32,32@0,1"),
    "rrdb x2": ("rrdbnet", {"scale": 2, "num_feat": 16, "num_block": 1, "num_grow_ch": 8}, "3,32,32@0,1"),
    "srresnet": ("srresnet", {"num_feat": 16, "num_block": 2}, "3,32,32@0,1"),
}  # fmt: skip
FROM_ZOO = (
    "group norm", "PReLU per channel", "GLU", "U-Net", "self-attention of SAGAN", "weight norm",
    "modulated convolutions", "transposed convolution with output padding",
    "inverted residual with squeeze and excitation", "bilinear to a size", "SPADE", "ConvNeXt block",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One network in one format.

    Attributes:
        network: Its name.
        zoo: True if it is one of the zoo.
        format: The format.
        dtype: Data type of the file's arithmetic.
        converted: True if there is a file.
        difference: Largest difference of dense and pruned file from PyTorch, relative to the largest output; None if
            it was not run.
        kilobytes: Size of the dense file.
        dense_ms, pruned_ms: The least of 30 samples of one call each, in turns; None if it was not run.
        free_size: True if height and width of its pictures are free.
        reason: Why there is no file.
    """

    network: str
    zoo: bool
    format: str
    dtype: str
    converted: bool = False
    difference: float | None = None
    kilobytes: float | None = None
    dense_ms: float | None = None
    pruned_ms: float | None = None
    free_size: bool = False
    reason: str = ""

    @property
    def faulty(self) -> bool:
        """True if it is a float32 file of the catalog that is missing or differs."""
        bad = not self.converted or (self.difference is not None and not self.difference <= LARGEST)
        return not self.zoo and self.dtype == "float32" and bad


def network(name: str) -> tuple[nn.Module, InputSpec]:
    """Return a network whose outputs are far from zero, and its inputs."""
    if name in ZOO:
        torch.manual_seed(0)
        return lively(ZOO[name].make()).float(), InputSpec.parse(ZOO[name].inputs)
    model, arguments, inputs = NETWORKS[name]
    torch.manual_seed(0)
    made = build(model, arguments).eval()
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, 0, 0.1)
    return made, InputSpec.parse(inputs)


def halved(model: nn.Module, inputs: InputSpec) -> nn.Module:
    """Return a network cut to the first half of each group's channels."""
    groups = find_groups(model, inputs.examples())
    return cut(model, groups, ChannelPlan({g.name: tuple(range(-(-g.size // 2))) for g in groups.groups})).eval()


def cells(name: str, formats: Sequence[str]) -> list[Cell]:
    """Return a network's cells."""
    dense, inputs = network(name)
    pruned, found = halved(dense, inputs), []
    for format in formats:
        cell = Cell(name, name in ZOO, format, EXPORTERS[format].dtype)
        with tempfile.TemporaryDirectory() as folder:
            try:
                found.append(_cell(cell, Path(folder), dense, pruned, inputs))
            except (RuntimeError, ValueError) as error:
                found.append(_with(cell, reason=" ".join(str(error).split())[:LONGEST_REASON]))
    return found


def _cell(cell: Cell, folder: Path, dense: nn.Module, pruned: nn.Module, inputs: InputSpec) -> Cell:
    """Return a cell with what was written, compared and timed."""
    wanted = WantedFormats((cell.format,), calibration=lambda: [inputs.examples(8)])
    reports, calls, exporter = list[FormatReport](), list[Callable[[], object]](), EXPORTERS[cell.format]
    arrays = tuple(file_input(x).numpy() for x in inputs.examples(1))
    for part, model in (("dense", dense), ("pruned", pruned)):
        (folder / part).mkdir()
        report = write_formats(folder / part, model, inputs, wanted)[cell.format]
        reports.append(report)
        if report.difference is not None:
            session = FileGenerator(exporter, folder / part / report.file).session
            calls.append(bound(session, *arrays))
    told = _with(
        cell,
        converted=True,
        kilobytes=reports[0].bytes / 1000,
        free_size=any("multiples" in note for note in reports[0].notes),
    )
    if not calls:
        return told
    differences = [report.difference / _scale(report, exporter.tolerance) for report in reports if report.difference]
    dense_ms, pruned_ms = _latencies(calls)
    return _with(told, difference=max(differences, default=0.0), dense_ms=dense_ms, pruned_ms=pruned_ms)


def _scale(report: FormatReport, tolerance: float | None) -> float:
    return 1.0 if report.allowed is None or not tolerance else report.allowed / tolerance


def _latencies(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Return the least ms of each call, all timed in turns: other programs only ever add to a sample."""
    several = [max(1, round(SAMPLE_SECONDS / min(_seconds(call, 1) for _ in range(5)))) for call in calls]
    samples = [[_seconds(call, n) / n for call, n in zip(calls, several, strict=True)] for _ in range(ROUNDS)]
    return [1000 * min(times) for times in zip(*samples, strict=True)]


def _seconds(call: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return max(time.perf_counter() - start, 1e-7)


def _with(cell: Cell, **changes: object) -> Cell:
    return Cell(**{**asdict(cell), **changes})  # type: ignore[arg-type]


def markdown(rows: Sequence[Cell], value: Callable[[Cell], str]) -> str:
    """Return a table of networks by formats."""
    formats = list(dict.fromkeys(cell.format for cell in rows))
    by_place = {(cell.network, cell.format): cell for cell in rows}
    lines = ["| network | " + " | ".join(f"`{name}`" for name in formats) + " |", "|---" * (len(formats) + 1) + "|"]
    for name in dict.fromkeys(cell.network for cell in rows):
        found = [by_place.get((name, format)) for format in formats]
        lines.append(f"| {name} | " + " | ".join("" if cell is None else value(cell) for cell in found) + " |")
    return "\n".join(lines)


def difference_text(cell: Cell) -> str:
    """Return a cell's largest difference in words."""
    if not cell.converted:
        return "no"
    return "converted" if cell.difference is None else f"{cell.difference:.0e}"


def latency_text(cell: Cell) -> str:
    """Return a cell's latencies, dense and pruned."""
    if cell.dense_ms is None or cell.pruned_ms is None:
        return "-"
    return f"{cell.dense_ms:.2g} / {cell.pruned_ms:.2g}"


def read_rows(path: Path) -> list[Cell]:
    """Return the cells of a CSV file."""
    kinds = {field.name: str(field.type) for field in fields(Cell)}

    def value(name: str, text: str) -> object:
        if kinds[name] == "bool":
            return text == "True"
        return (None if text == "" else float(text)) if "float" in kinds[name] else text

    with path.open(encoding="utf-8", newline="") as file:
        return [Cell(**{k: value(k, v) for k, v in row.items()}) for row in csv.DictReader(file)]  # type: ignore[arg-type]


def write_rows(path: Path, rows: Sequence[Cell]) -> None:
    """Write cells as CSV, numbers with three digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Cell)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in asdict(row).items()})


def print_tables(rows: Sequence[Cell]) -> None:
    """Print differences and latencies of all networks, and the reasons of missing files."""
    for value in (difference_text, latency_text):
        print(markdown(rows, value), end="\n\n")
    for cell in rows:
        if cell.reason:
            print(f"{cell.network}, {cell.format}: {cell.reason}")


def main(arguments: Sequence[str]) -> int:
    """Print the tables; return 1 if a file is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", help="all if none is given")
    parser.add_argument("--networks", default=",".join((*NETWORKS, *FROM_ZOO)))
    parser.add_argument("--csv", type=Path, help="file of the cells; those that it has of other networks are kept")
    parser.add_argument("--table", action="store_true", help="print the tables of the CSV only")
    given = parser.parse_args(arguments)
    rows = read_rows(given.csv) if given.csv and given.csv.is_file() else []
    if not given.table:
        formats = check_formats(given.formats) if given.formats else tuple(EXPORTERS.own)
        for name in given.networks.split(","):
            made = cells(name, formats)
            places = {(cell.network, cell.format) for cell in made}
            rows = [cell for cell in rows if (cell.network, cell.format) not in places] + made
            print(
                f"{name}: " + "; ".join(f"{c.format} {difference_text(c)} {latency_text(c)}" for c in made), flush=True
            )
            if given.csv:
                write_rows(given.csv, rows)
    print_tables(rows)
    faults = sum(cell.faulty for cell in rows)
    print(f"{faults} float32 files of the catalog are missing or differ by more than {LARGEST:g}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
