"""Degradations by name: the values of `--degrade`. Imports neither torch nor Pillow.

Another package adds one through an entry point of the group `ganprune.degradations` that is a `DegradationSpec`; a
user's own is named by path, `package.module:Name` or `file.py:name`: a frozen dataclass of settings with `__call__`, or
a plain function of pixels, scale and random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, cast

from ...files.errors import UserError
from ...files.open_table import OpenTable
from ...files.plain_values import from_json
from ...files.user_code import load_named

if TYPE_CHECKING:
    from .degradation import Degradation


@dataclass(frozen=True)
class DegradationSpec:
    """A row of the catalog of degradations, readable without importing the degradation.

    Attributes:
        make: "module:Class", a leading dot relative to this folder, or the class: a frozen dataclass of settings that
            is a `Degradation`; or a function of (pixels, scale, random), which has no settings.
        note: Description in one line.
        needs_scale: True if it does not change pictures at scale 1.
    """

    make: str | Callable[..., Any]
    note: str = ""
    needs_scale: bool = False

    def build(self, name: str, settings: Mapping[str, Any]) -> Degradation:
        """Return the degradation with these settings.

        Args:
            name: The row's name, for messages.
            settings: JSON values of the class's fields.

        Raises:
            UserError: A setting is unknown or out of range.
        """
        make = load_named(self.make, "degradation", __package__)
        if isinstance(make, type) and is_dataclass(make):
            return cast("Degradation", from_json(make, dict(settings), f"degradation {name}"))
        if settings:
            raise UserError(f"degradation {name} has no settings: got {', '.join(settings)}; expected none")
        return cast("Degradation", make)


def _adopted(reference: str, found: Any) -> DegradationSpec:
    """Return the row of a class or a function that a user named by path."""
    settings = isinstance(found, type) and is_dataclass(found) and "__call__" in vars(found)
    if not settings and (isinstance(found, type) or not callable(found)):
        raise UserError(
            f"degradation {reference} has the wrong type: got {type(found).__name__}; expected a function of (pixels, "
            f"scale, random), or "
            "a frozen dataclass with such a __call__"
        )
    return DegradationSpec(found, (found.__doc__ or "").strip().partition("\n")[0])


DEGRADATIONS: OpenTable[DegradationSpec] = OpenTable(
    "degradation",
    {
        "area": DegradationSpec(".resizing:Area", "mean of each square of pixels", needs_scale=True),
        "bicubic": DegradationSpec(".resizing:Bicubic", "antialiased bicubic, as in benchmarks", needs_scale=True),
        "real": DegradationSpec(".real:Real", "blur, resizing, noise and JPEG, drawn for each picture"),
        "noise": DegradationSpec(".noise:Noise", "Gaussian noise"),
        "blur": DegradationSpec(".blur:Blur", "Gaussian blur"),
        "gray": DegradationSpec(".gray:Gray", "no color"),
    },
    group="ganprune.degradations",
    row_type=DegradationSpec,
    adopt=_adopted,
)
