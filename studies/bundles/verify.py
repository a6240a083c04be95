"""Checks of a bundle: it still is what its card says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from ...evaluators.cost.counters import count_macs
from ...gan_models.costs.catalog import COSTS, added_counts
from ...gan_models.export.catalog import EXPORTERS, default_formats
from ...gan_models.export.pictures.pixels import PixelForm
from ...gan_models.files.errors import UserError
from ...gan_models.networks.specs import InputSpec
from ..inference.entries import EntryRun, takes_entries
from ..inference.translation import OpenedGenerator, Translation, TranslationOptions
from .architecture import ARCHITECTURE, Architecture, BundleError
from .bundle import (
    MANIFEST,
    UntrustedCode,
    check_code,
    check_files,
    load_bundle,
    read_architecture,
    read_card,
    stored_example,
    untrusted_file,
)
from .card import FormatReport
from .format_files import FileGenerator, check_format, outputs_of, runs_here
from .formats.compared_inputs import N_REAL, RealInputs


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        passed: Whether it is as it should be, or could not be looked at without code that must not run.
        detail: What was seen, one line.
        skipped: Whether it was not looked at, because the network's own code must not run.
    """

    name: str
    passed: bool
    detail: str
    skipped: bool = False

    @property
    def mark(self) -> str:
        """The result in four letters."""
        return "skip" if self.skipped else "ok  " if self.passed else "FAIL"


def verify_bundle(path: str | Path, catalog_only: bool = False, input_dir: str | Path | None = None) -> list[Check]:
    """Check a bundle: files, reload, costs counted again, finite outputs, every exported file against PyTorch.

    Args:
        path: The bundle's folder.
        catalog_only: Run no code of others: of a generator that is not in ganprune's catalog the exported files alone
            are run, on the example that is stored in the bundle.
        input_dir: An image, or a folder of inputs as `run_bundle` takes it: files are compared on the first ones, too.

    Returns:
        files, reload, costs, outputs, then one check per format on the card, in this order. What cannot be looked at
        because an earlier check failed is failed too, and says so.

    Raises:
        BundleError: `path` is not a bundle at all.
        UserError: The folder has no inputs of this generator.
    """
    folder = Path(path).expanduser()
    if not (folder / MANIFEST).is_file():
        check_files(folder)  # raises: says what a bundle is
    real = None if input_dir is None else inputs_in(Path(input_dir).expanduser(), read_architecture(folder).inputs)
    if catalog_only and (foreign := _foreign(folder)):
        return _without_code(folder, foreign)
    loaded: dict[str, nn.Module] = {}

    def reload() -> str:
        loaded["model"] = load_bundle(folder, catalog_only)
        return f"rebuilt {read_architecture(folder).model}, cut to its plan, loaded its weights"

    checks: list[Check] = []
    planned = [
        ("files", lambda: _hashed(folder), ""),
        ("reload", reload, "files"),
        ("costs", lambda: _costs(folder, loaded["model"]), "reload"),
        ("outputs", lambda: _finite(folder, loaded["model"]), "reload"),
    ]
    skipped = {name: why for name in _formats(folder) if catalog_only and (why := untrusted_file(name))}
    planned += [
        (name, partial(_format, folder, loaded, name, report, real), "reload")
        for name, report in _formats(folder).items()
        if name not in skipped
    ]
    for name, look, needs in planned:
        failed = next((check.name for check in checks if check.name == needs and not check.passed), None)
        checks.append(Check(name, False, f"not looked at: {failed} failed") if failed else _check(name, look))
    return checks + [Check(name, True, f"not looked at: {why}", True) for name, why in skipped.items()]


def _hashed(folder: Path) -> str:
    check_files(folder)
    return "every file has the sha256 of the manifest"


def _foreign(folder: Path) -> str:
    """Return why a bundle's network must not be built without trust; empty if it is in the catalog."""
    try:
        check_code(folder, read_architecture(check_files(folder)), catalog_only=True)
    except UntrustedCode as error:
        return str(error)
    except BundleError:
        return ""  # the checks themselves say what is wrong
    return ""


def _without_code(folder: Path, foreign: str) -> list[Check]:
    """Check what needs no code of the bundle: hashes, and exported files by the stored example."""
    checks = [_check("files", lambda: _hashed(folder))]
    checks.append(Check("reload", True, f"not looked at: {foreign}", True))
    checks += [Check(name, True, "not looked at: reload was not", True) for name in ("costs", "outputs")]
    for name, report in _formats(folder).items():
        if why := untrusted_file(name):
            checks.append(Check(name, True, f"not looked at: {why}", True))
        else:
            checks.append(_check(name, partial(check_alone, folder, read_architecture(folder), name, report)))
    return checks


def check_alone(folder: Path, architecture: Architecture, name: str, report: FormatReport) -> str:
    """Run a bundle's file on the stored example, without its network; return the result as one line.

    Args:
        folder: The bundle.
        architecture: What the network takes and gives.
        name: The format.
        report: What its card says.

    Raises:
        UserError, RuntimeError: The file cannot be run, or does not give the stored output.
    """
    if report.absent:
        return report.line()
    exporter = EXPORTERS.find(name)
    if not runs_here(exporter):
        return report.line()
    inputs, expected = stored_example(folder, architecture.inputs)
    form = PixelForm(architecture.inputs, architecture.output_range) if report.uint8 else None
    found = FileGenerator(exporter, folder / report.file, form)(*inputs)
    if not bool(found.isfinite().all()):
        raise BundleError(f"{report.file} gives outputs that are not finite")
    declared = architecture.output.shape if architecture.output else None if expected is None else expected.shape[1:]
    if declared is not None and tuple(found.shape[1:]) != tuple(declared):
        raise BundleError(f"{report.file} gives {tuple(found.shape[1:])}; expected {tuple(declared)}")
    shown = f"{report.file} in {report.runtime}: finite, {tuple(found.shape[1:])}"
    if expected is None:
        return f"{shown}; this bundle is of an earlier version and holds no output to compare with"
    if form is not None:
        return f"{shown}; it takes bytes, and the stored example is none"
    difference = float((found - expected).abs().max())
    if report.allowed is None:
        return f"{shown}; differs by {difference:.3g} from the stored output of the network in 32 bits"
    if not difference <= report.allowed:
        raise BundleError(
            f"{report.file} does not give the output that is stored with the bundle: difference {difference:.3g}, "
            f"allowed {report.allowed:.3g}"
        )
    return f"{shown}; differs by {difference:.3g} from the stored output, allowed {report.allowed:.3g}"


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (ValueError, RuntimeError) as error:
        return Check(name, False, " ".join(str(error).split()))


def _costs(folder: Path, model: nn.Module) -> str:
    example, card = read_architecture(folder).inputs.examples(1), read_card(folder).costs
    again = [name for name in card if name in COSTS and not COSTS[name].depends_on_bits]
    counted = {**count_macs(model, example), **added_counts(again, model, example)}
    for name, value in counted.items():
        if card.get(name) != value:
            raise BundleError(f"counted {name} {value}, the card says {card.get(name)}")
    return ", ".join(f"{name} {value}" for name, value in counted.items()) + ", as on the card"


def _finite(folder: Path, model: nn.Module) -> str:
    outputs = outputs_of(model, *read_architecture(folder).inputs.examples(2))
    low, high = float(outputs.min()), float(outputs.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BundleError("the generator's outputs are not finite")
    output = read_architecture(folder).output
    if output is not None and tuple(outputs.shape[1:]) != output.shape:
        raise BundleError(f"the generator gives {tuple(outputs.shape[1:])}, {ARCHITECTURE} says {output.shape}")
    return f"finite, {tuple(outputs.shape[1:])} from {low:.3g} to {high:.3g}"


def _formats(folder: Path) -> Mapping[str, FormatReport]:
    """Return the formats on the card; those that are written by default if it cannot be read."""
    try:
        return read_card(folder).formats
    except BundleError:
        return {name: FormatReport(EXPORTERS.find(name).title) for name in default_formats(None)}


def _format(
    folder: Path, loaded: Mapping[str, nn.Module], name: str, report: FormatReport, real: RealInputs | None
) -> str:
    architecture = read_architecture(folder)
    return check_format(folder, loaded["model"], architecture.inputs, name, report, real, architecture.output_range)


def inputs_in(folder: Path, inputs: InputSpec) -> RealInputs:
    """Return the first inputs of a folder, at the generator's trained size.

    Args:
        folder: An image, or a folder as `run_bundle` takes it.
        inputs: What the generator takes.

    Raises:
        UserError: The generator takes no files, or none of these can be read.
    """
    opened = OpenedGenerator(lambda *tensors: tensors[0], inputs)
    beside = folder / "outputs"  # of a run, which there is none of here
    if takes_entries(inputs):
        given = EntryRun(opened, folder, beside, 1).inputs(N_REAL)
    elif inputs.pixels is None:
        raise UserError("this generator starts from latents: leave out --input, random latents are its real inputs")
    else:
        given = Translation(opened, folder, beside, TranslationOptions(fit="stretch")).inputs(N_REAL)
    return RealInputs((f"input of {folder.name}", f"inputs of {folder.name}"), lambda: given)
