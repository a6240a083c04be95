"""Whether a bundle still is what its card says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ...evaluators.cost.counters import count_macs
from ...gan_models.networks.catalog import example_input
from .bundle import (
    MANIFEST,
    BundleError,
    check_files,
    load_bundle,
    measure_parity,
    outputs_of,
    read_architecture,
    read_card,
)
from .int8 import INT8, check_int8


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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"name": self.name, "passed": self.passed, "detail": self.detail}


def verify_bundle(path: str | Path, catalog_only: bool = False) -> list[Check]:
    """Checks a bundle: files, reload, costs counted again, finite outputs, ONNX against PyTorch.

    Args:
        path: The bundle's folder.
        catalog_only: As for `load_bundle`.

    Returns:
        files, reload, costs, outputs, onnx and, where there is an int8 file, int8, in this order. What cannot be
        looked at because an earlier check failed is failed too, and says so.

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
        ("onnx", lambda: _onnx(folder, loaded["model"]), "reload"),
    ]
    if (folder / INT8).is_file():
        planned.append(("int8", lambda: _int8(folder, loaded["model"]), "reload"))
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
    counted = count_macs(model, example_input(read_architecture(folder).input_shape))
    card = read_card(folder).costs
    for name, value in counted.items():
        if card.get(name) != value:
            raise BundleError(f"counted {name} {value}, the card says {card.get(name)}")
    return ", ".join(f"{name} {value}" for name, value in counted.items()) + ", as on the card"


def _finite(folder: Path, model: nn.Module) -> str:
    outputs = outputs_of(model, example_input(read_architecture(folder).input_shape, 2))
    low, high = float(outputs.min()), float(outputs.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BundleError("the generator's outputs are not finite")
    return f"finite, {tuple(outputs.shape[1:])} from {low:.3g} to {high:.3g}"


def _int8(folder: Path, model: nn.Module) -> str:
    return check_int8(folder, model, read_architecture(folder).input_shape, read_card(folder).int8)


def _onnx(folder: Path, model: nn.Module) -> str:
    parity = measure_parity(folder, model, model, read_architecture(folder).input_shape)
    if parity.onnx is None:
        card = read_card(folder)
        if card.parity.onnx is not None:
            raise BundleError("the card speaks of an ONNX file, and there is none; export it again")
        return next((note for note in card.notes if note.startswith("no ONNX file")), "there is no ONNX file")
    if not parity.passed:
        raise BundleError(
            f"ONNX and PyTorch differ by {parity.onnx_shown}; allowed {parity.tolerance * parity.scale:.3g}"
        )
    return f"ONNX and PyTorch differ by {parity.onnx_shown} on {parity.n_inputs} inputs"
