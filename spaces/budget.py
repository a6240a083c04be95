"""Budgets as people state them: 2.5GMACs, 25%, 1.2Mparams, 2MB, 20ms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from ..gan_models.files.errors import UserError

PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
CONVENTIONS = {"exact": "macs", "published": "macs_published"}
UNITS = {
    "macs": "MACs",
    "macs_published": "MACs (published)",
    "params": "parameters",
    "bytes": "bytes",
    "latency_ms": "ms",
}
ALLOWED = "write 25%, 2.5GMACs, 5GFLOPs, 1.2Mparams, 2MB, 2MiB or 20ms, above 0"


class BudgetError(UserError):
    """A budget that cannot be read or cannot be met."""


@dataclass(frozen=True)
class Budget:
    """An upper bound on one cost.

    Attributes:
        text: As the user wrote it.
        cost: `macs`, `macs_published`, `params`, `bytes` or `latency_ms`.
        amount: In the cost's unit (MACs, parameters, bytes, ms); a share (0, 1] where `relative`.
        relative: Whether the amount is a share of the dense network's cost.
        network: The generator it is for (`AtoB`), or None for the only one.
        note: What was converted, to be printed; empty where nothing was.
    """

    text: str
    cost: str
    amount: float
    relative: bool = False
    network: str | None = None
    note: str = ""

    def resolve(self, dense: Mapping[str, float], cheapest: Mapping[str, float]) -> float:
        """The bound in the cost's own unit.

        Args:
            dense: Cost name -> cost of the dense network.
            cheapest: Cost name -> cost of the smallest plan.

        Raises:
            BudgetError: Below the cheapest plan, or not below the dense network.
        """
        whole, least = dense[self.cost], cheapest[self.cost]
        value = self.amount * whole if self.relative else self.amount
        allowed = (
            f"between {describe(least, self.cost)} (smallest plan) and {describe(whole, self.cost)} (dense network)"
        )
        share = f" or {100 * least / whole:.3g}% to 100%"
        if value < least:
            raise BudgetError(
                f"budget {self.text} = {describe(value, self.cost)} cannot be met: give one {allowed}{share}"
            )
        if value >= whole:
            raise BudgetError(
                f"budget {self.text} = {describe(value, self.cost)} leaves nothing to prune: give one {allowed}{share}"
            )
        return value


def parse_budget(text: str, convention: str = "exact") -> Budget:
    """Reads one budget.

    Args:
        text: `25%`, `2.5GMACs`, `5GFLOPs` (2 FLOPs a MAC), `1.2Mparams`, `2MB` (10^6), `2MiB` (2^20), `20ms`; a
            generator's name and `=` may stand before it.
        convention: `exact` or `published`: what MACs and percentages mean.

    Raises:
        BudgetError: Not of that form, not above zero, or a percentage above 100.
    """
    if convention not in CONVENTIONS:
        raise BudgetError(f"convention {convention!r} is unknown; use exact or published")
    network, equals, amount = text.strip().rpartition("=")
    match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)", amount.strip())
    if not match or (equals and not network.strip()):
        raise BudgetError(f"budget {text!r} is not understood: {ALLOWED}")
    number, unit = float(match[1]), match[2].lower()
    if not (isfinite(number) and number > 0):
        raise BudgetError(f"budget {text!r} is not above zero: {ALLOWED}")
    name = network.strip() or None
    macs = CONVENTIONS[convention]
    if unit == "%":
        if number > 100:
            raise BudgetError(f"budget {text!r} is above 100%: {ALLOWED}")
        return Budget(text, macs, number / 100, relative=True, network=name)
    if unit == "ms":
        return Budget(text, "latency_ms", number, network=name)
    if unit in BYTES:
        return Budget(text, "bytes", number * BYTES[unit], network=name)
    for suffix, cost, factor in (("macs", macs, 1.0), ("flops", macs, 0.5), ("params", "params", 1.0)):
        prefix = unit.removesuffix(suffix)
        if unit.endswith(suffix) and prefix in PREFIXES:
            value = number * PREFIXES[prefix] * factor
            note = f"{text} = {describe(value, cost)} (1 MAC = 2 FLOPs)" if suffix == "flops" else ""
            return Budget(text, cost, value, network=name, note=note)
    given = f"has the unknown unit {match[2]!r}" if unit else "has no unit"
    raise BudgetError(f"budget {text!r} {given}: {ALLOWED}")


def describe(value: float, cost: str) -> str:
    """A cost for people: 2.5 GMACs, 1.2 M parameters, 2 MB, 20 ms."""
    if cost == "latency_ms":
        return f"{value:.4g} ms"
    if cost == "bytes":
        unit = next((u for u in ("gb", "mb", "kb") if value >= BYTES[u]), "b")
        return f"{value / BYTES[unit]:.4g} {unit.upper()}"
    prefix = next((p for p in ("t", "g", "m", "k") if value >= PREFIXES[p]), "")
    number = f"{value / PREFIXES[prefix]:.4g} {'k' if prefix == 'k' else prefix.upper()}"
    return f"{number}{UNITS[cost]}" if cost.startswith("macs") else f"{number.rstrip()} {UNITS[cost]}"
