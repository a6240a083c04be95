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
from .architecture import ARCHITECTURE, BundleError
from .bundle import MANIFEST, check_files, load_bundle, read_architecture, read_card
from .card import FormatReport
from .format_files import check_format, outputs_of


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        passed: Whether it is as it should be.
        detail: What was seen, one line.
    """

    name: str
    passed: bool
    detail: str


def verify_bundle(path: str | Path, catalog_only: bool = False) -> list[Check]:
    """Check a bundle: files, reload, costs counted again, finite outputs, every exported file against PyTorch.

    Args:
        path: The bundle's folder.
        catalog_only: As for `load_bundle`.

    Returns:
        files, reload, costs, outputs, then one check per format on the card, in this order. What cannot be looked at
        because an earlier check failed is failed too, and says so.

    Raises:
        BundleError: `path` is no bundle at all.
    """
    folder = Path(path).expanduser()
    if not (folder / MANIFEST).is_file():
        check_files(folder)  # raises: says what a bundle is
    loaded: dict[str, nn.Module] = {}

    def files() -> str:
        check_files(folder)
        return "every file has the sha256 of the manifest"

    def reload() -> str:
        loaded["model"] = load_bundle(folder, catalog_only)
        return f"rebuilt {read_architecture(folder).model}, cut to its plan, loaded its weights"

    checks: list[Check] = []
    planned = [
        ("files", files, ""),
        ("reload", reload, "files"),
        ("costs", lambda: _costs(folder, loaded["model"]), "reload"),
        ("outputs", lambda: _finite(folder, loaded["model"]), "reload"),
    ]
    planned += [
        (name, partial(_format, folder, loaded, name, report), "reload") for name, report in _formats(folder).items()
    ]
    for name, look, needs in planned:
        failed = next((check.name for check in checks if check.name == needs and not check.passed), None)
        checks.append(Check(name, False, f"not looked at: {failed} failed") if failed else _check(name, look))
    return checks


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


def _format(folder: Path, loaded: Mapping[str, nn.Module], name: str, report: FormatReport) -> str:
    return check_format(folder, loaded["model"], read_architecture(folder).inputs, name, report)
