"""The table of costs, in which budgets are stated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..files.errors import UserError
from ..files.open_table import OpenTable
from ..files.user_code import load_named
from .cost import Cost

_MACS = {"macs": 1.0, "flops": 0.5}
_FLOPS = {"flops": "1 MAC = 2 FLOPs"}

COSTS: OpenTable[Cost] = OpenTable(
    "cost",
    {
        "macs": Cost(
            "macs",
            "MACs",
            label="MACs (exact convention)",
            suffixes=_MACS,
            suffix_notes=_FLOPS,
            symbol="MACs",
            examples=("2.5GMACs", "5GFLOPs"),
            convention="exact",
        ),
        "macs_published": Cost(
            "macs_published",
            "MACs",
            label="MACs (published convention)",
            suffixes=_MACS,
            suffix_notes=_FLOPS,
            symbol="MACs",
            remark="(published)",
            convention="published",
        ),
        "params": Cost("params", "parameters", suffixes={"params": 1.0}, examples=("1.2Mparams",)),
        "bytes": Cost(
            "bytes",
            "bytes",
            label="bytes of the weights",
            suffixes={"b": 1.0},
            fixed_suffixes={"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30},
            symbol="B",
            examples=("2MB", "2MiB"),
            int8_names=("bytes_int8", "bytes_int8_per_channel"),
        ),
        "latency_ms": Cost(
            "latency_ms",
            "ms",
            label="ms latency",
            noun="latency",
            suffixes={"ms": 1.0},
            prefixed=False,
            symbol="ms",
            examples=("20ms",),
            measured_after_search=True,
            keys=("predicted_ms", "measured_ms"),
            profile="ganprune.search.latency.latency_preparation:LATENCY_PROFILE",
            int8_names=("latency_ms_int8", "latency_ms_int8"),
        ),
    },
    group="ganprune.costs",
    row_type=Cost,
)

# Priced and counted in every study, whatever its budgets: the coefficients of the cost form.
FORM_COSTS = tuple(name for name, row in COSTS.own.items() if row.exact)
CONVENTIONS = {row.convention: name for name, row in COSTS.own.items() if row.convention}


def cost_of(name: str) -> Cost:
    """Return the row of a cost's name, or of the name of its price in 8 bits.

    Raises:
        UserError: There is no such cost.
    """
    if name in COSTS.own:
        return COSTS.own[name]
    for row in COSTS.own.values():
        if name in (row.int8_names or ()):
            return row
    if name not in COSTS:
        for row in COSTS.values():
            if name in (row.int8_names or ()):
                return row
    return COSTS.find(name)


def shown_cost(name: str, unit: str = "") -> Cost:
    """Return the row that displays a recorded cost; a plain row if its package is missing: records stay readable.

    A plain one has the symbol of our cost of the same unit: `9.9 kB` of any bytes.

    Args:
        name: The cost's name.
        unit: Its recorded unit, for a cost whose package is not installed; empty: its name.
    """
    try:
        return cost_of(name)
    except UserError:
        alike = [row.symbol for row in COSTS.own.values() if row.unit == unit and not row.remark]
        return Cost(name, unit or name, suffixes={"recorded": 1.0}, symbol=alike[0] if alike else "")


def added_counts(names: Iterable[str], network: Any, inputs: Any, quantization: Any = None) -> dict[str, float]:
    """Return the costs of a network that other packages' rows count; costs of ganprune and profiled costs are skipped.

    Args:
        names: Names of costs.
        network: A generator, pruned or not.
        inputs: One image's inputs.
        quantization: Settings of its 8-bit form; None for float32.
    """
    rows = [cost_of(name) for name in dict.fromkeys(names) if name in COSTS]
    return {row.name: float(load_named(row.count, "cost")(network, inputs, quantization)) for row in rows if row.count}


def stored_cost(name: str, bits: int = 32, per_channel: bool = False) -> str:
    """Return a cost model's name of a cost for networks in this many bits."""
    return cost_of(name).stored(bits, per_channel)
