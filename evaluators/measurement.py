"""A measured number with its unit, interval, sample size and protocol; and the names of distances."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..gan_models.files.errors import UserError
from ..gan_models.files.plain_values import later

DIRECTIONS = ("lower", "higher")
# name, or name[what,key=value,...], or name[key=value,...]: macs, fid[inception,n=500], psnr[border=4],
# zero-shot[fd,features=shapes,n=500]
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:-[a-z0-9_]+)*(\[[^\[\],=]+(=[^\[\],=]+)?(,[^\[\],=]+=[^\[\],=]+)*\])?")


@dataclass(frozen=True)
class Measurement:
    """One measured number.

    Attributes:
        name: `macs`, `l1`, `fid[inception,n=500]`, `fd[shapes,n=500]`, ... The part in brackets belongs to the name, so
            that no table mixes two protocols under one heading.
        value: the number; NaN only together with a `reason`.
        unit: `MACs`, `bytes`, `ms`, `1` for a pure number.
        low: lower end of the 90 % interval, or None.
        high: upper end, or None.
        n: Sample size of the value, or None if there is none (a count of operations).
        protocol: how it was measured, in words and `key=value` pairs separated by `; `.
        reason: Reason that there is no value, if `value` is NaN; else None.
        better: Better direction, `lower` or `higher`; empty for costs, and in records of earlier versions.
        note: Limitation of the number, such as that it is saturated; usually empty.

    Raises:
        ValueError: A malformed name, a value that is not finite and has no reason, an invalid interval, a distance
            called `fid` in other features than Inception's, or a score called `is` of other classes than Inception's.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    n: int | None = None
    protocol: str = ""
    reason: str | None = None
    better: str = later("")
    note: str = later("")

    def __post_init__(self):
        for field in ("value", "low", "high"):
            given = getattr(self, field)
            if given is not None:
                if isinstance(given, bool) or not isinstance(given, (int, float)):
                    raise ValueError(f"measurement {self.name}: {field} must be a number, got {given!r}")
                object.__setattr__(self, field, float(given))
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"measurement name {self.name!r} is not of the form name or name[what,key=value]")
        if self.name.startswith(("fid", "kid")) and not self.name[3:].startswith("[inception,"):
            raise ValueError(f"{self.name!r}: only Inception's distances are called FID or KID; use fd or kd")
        if self.name.startswith("is[") and not self.name.startswith("is[inception,"):
            raise ValueError(f"{self.name!r}: only scores of Inception's classes are Inception Scores; use class_score")
        if self.better not in ("", *DIRECTIONS):
            raise ValueError(f"measurement {self.name}: better must be one of {', '.join(DIRECTIONS)}: {self.better!r}")
        if not self.unit:
            raise ValueError(f"measurement {self.name} needs a unit; use '1' for a pure number")
        if math.isfinite(self.value) != (self.reason is None):
            raise ValueError(
                f"measurement {self.name} = {self.value} with reason {self.reason!r}: a value that is not finite "
                "needs a reason, a finite one has none"
            )
        if self.n is not None and (isinstance(self.n, bool) or self.n < 1):
            raise ValueError(f"measurement {self.name}: n must be at least 1 or None, got {self.n}")
        ends = [end for end in (self.low, self.high) if end is not None]
        if len(ends) == 1 or any(not math.isfinite(end) for end in ends) or sorted(ends) != ends:
            raise ValueError(
                f"measurement {self.name}: interval [{self.low}, {self.high}] must be two finite "
                "numbers in order, or none"
            )

    @classmethod
    def absent(cls, name: str, unit: str, reason: str, n: int | None = None, protocol: str = "") -> Measurement:
        """Return a measurement without a value, with the reason; its value is NaN (null in JSON)."""
        return cls(name, math.nan, unit, n=n, protocol=protocol, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; a value that is not finite is null, as records of all versions have it."""
        record = {key: value for key, value in asdict(self).items() if value or key not in ("better", "note")}
        if not math.isfinite(self.value):
            record["value"] = None
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Measurement:
        """Return the measurement of a record. Raises UserError for an unknown or missing key, or an impossible value.

        An absent value is null, or the text `nan` if the record is part of a larger value's JSON.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(record, Mapping):
            raise UserError(f"a recorded measurement is not possible: got {type(record).__name__}; expected an object")
        if set(record) - known or not {"name", "value", "unit"} <= set(record):
            raise UserError(
                f"a measurement has the keys {', '.join(sorted(known))} (name, value and unit at least), "
                f"got {', '.join(sorted(record)) or 'none'}"
            )
        values = dict(record)
        values["value"] = math.nan if values["value"] in (None, "nan") else values["value"]
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise UserError(f"a recorded measurement is not possible: {error}") from error


def frechet_name(encoder: str, n: int) -> str:
    """Return `fid[inception,n=500]` for Inception's features, `fd[shapes,n=500]` for any others."""
    return f"{'fid' if encoder == 'inception' else 'fd'}[{encoder},n={n}]"


def class_score_name(encoder: str, n: int, splits: int) -> str:
    """Return `is[inception,n=500,splits=10]`, the Inception Score, for its classes; else `class_score[lite0,..]`."""
    return f"{'is' if encoder == 'inception' else 'class_score'}[{encoder},n={n},splits={splits}]"


def kernel_name(encoder: str, n: int) -> str:
    """Return `kid[inception,n=500]` for Inception's features, `kd[shapes,n=500]` for any others."""
    return f"{'kid' if encoder == 'inception' else 'kd'}[{encoder},n={n}]"


def zero_shot_name(name: str) -> str:
    """Return the zero-shot name of a metric: scores before training never share a name with trained ones.

    `zero-shot[fd,features=shapes,n=500]` of `fd[shapes,n=500]`, `zero-shot[error,n=64]` of `error[n=64]`.
    """
    head, _, inner = name.removesuffix("]").partition("[")
    parts = [part if "=" in part else f"features={part}" for part in inner.split(",") if part]
    return f"zero-shot[{','.join([head, *parts])}]"
