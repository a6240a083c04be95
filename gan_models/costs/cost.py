"""A kind of cost: name and unit, forms of its budgets, price of plans, and count on networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..files.errors import UserError

PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


@dataclass(frozen=True)
class Cost:
    """A row of the table of costs. Imports neither torch nor numpy.

    Attributes:
        name: Name in budgets, measurements and records: lower case, digits and `_`.
        unit: Unit of its values, as in measurements: `MACs`, `bytes`, `ms`.
        label: Title of its axis in a plot; empty: the unit.
        noun: Its name in a sentence: `latency`; empty: the name.
        suffixes: Units that a budget may be written in, in lower case, with the amount of each in `unit`.
        fixed_suffixes: Further units, without a prefix (k, M, G, T): `{"mib": 2**20}`.
        suffix_notes: Note on a budget that was converted from a suffix: `{"flops": "1 MAC = 2 FLOPs"}`.
        prefixed: True if k, M, G or T may precede a suffix and are used to show values.
        symbol: Text after the prefix of a shown value; empty: the unit after a space.
        remark: Text after a shown value: `(published)`.
        examples: Budgets as users write them, for error messages.
        convention: The convention under which a budget's suffix means this cost; empty: any.
        measured_after_search: True if finalists are measured once more after the search, by the profile's meter.
        keys: Keys in JSON and CSV of version 0.1.0, for the counted or predicted value and for the one measured after
            the search. None: the name, and `measured_<name>`.
        int8_names: Names of its price in 8 bits, with one scale per tensor and per channel; None if it does not depend
            on bits.
        profile: Object that finds and opens the profile that prices plans, or `"module:object"`
            (`search.preparations.cost_profile.CostProfile`). None: the cost is exact, a function of the plan alone.
        price: Function `(groups: ChannelGroups) -> CostModel`, or `"module:function"`, that returns the price of plans
            over the widths of `groups.form`. None: the cost form itself, or a profile.
        count: Function `(network, inputs, quantization) -> float`, or `"module:function"`, that counts the cost of one
            image on a network; `quantization` is None in float32. None: ganprune's counters, or a profile.
    """

    name: str
    unit: str
    label: str = ""
    noun: str = ""
    suffixes: Mapping[str, float] = field(default_factory=dict)
    fixed_suffixes: Mapping[str, float] = field(default_factory=dict)
    suffix_notes: Mapping[str, str] = field(default_factory=dict)
    prefixed: bool = True
    symbol: str = ""
    remark: str = ""
    examples: tuple[str, ...] = ()
    convention: str = ""
    measured_after_search: bool = False
    keys: tuple[str, str] | None = None
    int8_names: tuple[str, str] | None = None
    profile: Any = None
    price: Callable[[Any], Any] | str | None = None
    count: Callable[[Any, Any, Any], float] | str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise UserError(f"invalid name of a cost: got {self.name!r}; expected lower case, digits and _")
        if not self.suffixes and not self.fixed_suffixes:
            raise ValueError(f"cost {self.name} has no suffix, so no budget can be written in it")
        if (self.price is None) != (self.count is None):
            raise ValueError(
                f"cost {self.name} has only one of price and count: expected both for an exact cost, or neither for "
                f"one of ganprune"
            )
        if self.profile is not None and self.price is not None:
            raise ValueError(
                f"cost {self.name} has both price and profile: expected one of them, for an exact or a profiled cost"
            )
        if self.measured_after_search and self.profile is None:
            raise ValueError(f"cost {self.name} cannot be measured after the search: got no profile; expected one")
        for suffix in (*self.suffixes, *self.fixed_suffixes):
            if not re.fullmatch(r"[a-z]+", suffix):
                raise ValueError(f"cost {self.name}: got suffix {suffix!r}; expected lower-case letters")

    @property
    def exact(self) -> bool:
        """True if it is counted on the cut network, and checked there; False if a profile predicts it."""
        return self.profile is None

    @property
    def depends_on_bits(self) -> bool:
        """True if a network in 8 bits has another price than one in float32."""
        return self.int8_names is not None

    @property
    def named_unit(self) -> str:
        """The unit with the remark that distinguishes it from another cost's: `MACs (published)`."""
        return f"{self.unit} {self.remark}".strip()

    @property
    def described(self) -> str:
        """Return its name for a sentence."""
        return self.noun or self.name

    @property
    def title(self) -> str:
        """Title of an axis of this cost."""
        return self.label or self.unit

    def stored(self, bits: int = 32, per_channel: bool = False) -> str:
        """Return a cost model's name of this cost for networks in this many bits."""
        return self.name if self.int8_names is None or bits != 8 else self.int8_names[per_channel]

    def amount_of(self, suffix: str) -> float | None:
        """Return one lower-case unit (`gmacs`, `mib`) in the cost's own unit; None if it is not a unit of it."""
        if suffix in self.fixed_suffixes:
            return self.fixed_suffixes[suffix]
        for known, amount in self.suffixes.items():
            prefix = suffix.removesuffix(known)
            if suffix.endswith(known) and (prefix == "" or (self.prefixed and prefix in PREFIXES)):
                return PREFIXES[prefix] * amount
        return None

    def note_of(self, suffix: str) -> str:
        """Return the note on a budget in this unit; empty if it needs no conversion."""
        return next((note for known, note in self.suffix_notes.items() if suffix.endswith(known)), "")

    def prefix_of(self, value: float) -> str:
        """Return the largest prefix, in lower case, that leaves a value of 1 or more; empty if there is none."""
        return next((p for p in ("t", "g", "m", "k") if value >= PREFIXES[p]), "") if self.prefixed else ""

    def show(self, value: float) -> str:
        """Return a value in readable units: `2.5 GMACs`, `1.2 M parameters`, `2 MB`, `20 ms`."""
        prefix = self.prefix_of(value)
        number, letter = f"{value / PREFIXES[prefix]:.4g}", _letter(prefix)
        parts = (number, letter + self.symbol, self.remark) if self.symbol else (number, letter, self.unit, self.remark)
        return " ".join(part for part in parts if part)

    def axis(self, largest: float) -> tuple[float, str]:
        """Return the divisor and the title of an axis up to a value: `(1e9, "GMACs (exact convention)")`."""
        prefix = self.prefix_of(largest)
        space = " " if prefix and not (self.symbol and self.title.startswith(self.symbol)) else ""
        return PREFIXES[prefix], f"{_letter(prefix)}{space}{self.title}"


def _letter(prefix: str) -> str:
    return "k" if prefix == "k" else prefix.upper()
