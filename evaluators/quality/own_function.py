"""A metric from a user's own function: numbers per image, or one number of all features, with its interval.

    def sharpness(images):          # (n, C, H, W) in [-1, 1]; with a second argument also their references
        return (images.diff(dim=-1) ** 2).mean((1, 2, 3))  # one number per image

    sharpness.better = "higher"

The metric is the mean over images. A function that returns rows (n, k) has an attribute `combine`, which maps all rows
(N, k) to one number; one with `reads = "sample"` is called with the features of all images (N, d).
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...gan_models.files.errors import UserError
from ...gan_models.files.user_code import UserCodeFailed, failed, place_of
from ..measurement import Measurement

if TYPE_CHECKING:
    from torch import Tensor

Better = Literal["lower", "higher"]
BETTER: tuple[Better, ...] = ("lower", "higher")
GROUPS = 20  # groups of the jackknife
MIN_IMAGES = 4  # minimum number of images for an interval


def looks_like_metric(found: Any) -> bool:
    """Return True if an object is a metric, not an encoder: it has a metric's methods or a direction."""
    methods = all(callable(getattr(found, name, None)) for name in ("prepare", "reset", "update", "compute"))
    return methods or hasattr(found, "better") or hasattr(found, "lower_is_better") or positional(found) > 1


def is_function(found: Any) -> bool:
    """Return True if an object is a plain function instead of a metric's class."""
    methods = any(hasattr(found, name) for name in ("prepare", "reset", "update", "compute"))
    return callable(found) and not inspect.isclass(found) and not methods


def positional(found: Any) -> int:
    """Return the number of required arguments of a function; 0 if the object is not a function."""
    if inspect.isclass(found) or not callable(found):
        return 0
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # a built-in function without a signature
        return 0
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters)


def lower_is_better(reference: str, found: Any) -> bool:
    """Return True if lower values of a user's own metric are better.

    Args:
        reference: Its path, for messages.
        found: The object.

    Raises:
        UserError: `better` is missing, or neither `lower` nor `higher`.
    """
    said = getattr(found, "better", None)
    if said is None and isinstance(getattr(found, "lower_is_better", None), bool):
        return found.lower_is_better
    if said not in BETTER:
        name = reference.rpartition(":")[2]
        raise UserError(
            f"metric {reference!r}{place_of(found)} does not say which direction is better: got better={said!r}; "
            f"expected 'lower' or 'higher'. Try {_cure(name, found)}"
        )
    return said == "lower"


def _cure(name: str, found: Any) -> str:
    """Return the line of code that states a direction, and its place."""
    if inspect.isclass(found):
        return f'better = "higher" in the class {name}'
    return f'{name}.better = "higher" below its definition'


def measurement_name(reference: str) -> str:
    """Return a measurement's name for an object by path: the object's, in lower case."""
    own = re.sub(r"[^a-z0-9_]+", "_", reference.rpartition(":")[2].lower()).strip("_")
    return own if own[:1].isalpha() else f"metric_{own}"


@dataclass
class OwnFunction:
    """The metric of a function.

    Attributes:
        reference: The function's path, for messages.
        function: The function.
        reads: `images`, or `sample`: the features of all images at once.
        references: True if the function's second argument is references (for `sample`: the real images' features).
    """

    reference: str
    function: Callable[..., Any]
    reads: str
    references: bool
    _rows: list[Tensor] = field(default_factory=list)
    _sample: Any = None
    _real: Any = None
    _full: bool = True

    @property
    def name(self) -> str:
        """The measurement's name: the function's, in lower case."""
        return measurement_name(self.reference)

    @property
    def combine(self) -> Callable[[Tensor], Any] | None:
        """The function that combines all rows into one number; None for the mean."""
        return getattr(self.function, "combine", None)

    def prepare(self, real: Any) -> None:
        """Store the features of a `RealSide`."""
        self._real = real.features

    def reset(self, full: bool) -> None:
        """Forget the last pass."""
        self._rows, self._sample, self._full = [], None, full

    def update(self, outputs: Any, references: Any) -> None:
        """Add a batch of images, or the features of all."""
        if self.reads == "sample":
            self._sample = outputs
            return
        import torch

        given = (outputs, references) if self.references else (outputs,)
        with torch.no_grad():
            rows = _tensor(self._placed, self._called(self.function, *given))
        n = len(outputs)
        if rows.ndim == 0 and n == 1:
            rows = rows[None]
        if rows.ndim not in (1, 2) or len(rows) != n or (rows.ndim == 2 and self.combine is None):
            shape = "x".join(map(str, rows.shape)) or "one number"
            raise UserCodeFailed(
                f"metric {self._placed} gives {shape} for {n} images; expected one number per image, or rows of "
                f"numbers with {self.name}.combine, which makes one number of all rows. Try .mean((1, 2, 3))"
            )
        self._rows.append(rows)

    def compute(self) -> list[Measurement]:
        """Return the number, with a 90 % interval by the jackknife over images if one is wanted."""
        import torch

        from ..features.sample import as_sample
        from .jackknife import group_jackknife

        if self.reads == "sample":
            if self._sample is None:
                return []
            sets = [as_sample(self._sample).features]
            if self.references:
                sets.append(as_sample(self._real).features)
            statistic: Callable[..., float] = self._of_all
        else:
            if not self._rows:
                return []
            sets, statistic = [torch.cat(self._rows)], self._of_rows
        value, n = statistic(*sets), len(sets[0])
        low = high = None
        how = "combined from rows" if self.combine else "mean over images"
        how = f"{'of all features' if self.reads == 'sample' else how} by {self._shown}"
        groups = min(GROUPS, *(len(each) for each in sets))
        if self._full and groups >= MIN_IMAGES:
            found = group_jackknife(statistic, sets, n_groups=groups)
            low, high = found.low, found.high
            how += f"; interval: delete-a-group jackknife, {groups} groups"
        return [Measurement(f"{self.name}[n={n}]", value, "1", low, high, n, how)]

    @property
    def _placed(self) -> str:
        """The reference with the place of the function, for messages."""
        return f"{self.reference}{place_of(self.function)}"

    @property
    def _shown(self) -> str:
        location, _, name = self.reference.rpartition(":")
        return f"{Path(location).name}:{name}"

    def _of_rows(self, rows: Tensor) -> float:
        return _number(self._placed, self._called(self.combine, rows) if self.combine else rows.mean())

    def _of_all(self, *features: Tensor) -> float:
        return _number(self._placed, self._called(self.function, *features))

    def _called(self, function: Callable[..., Any] | None, *arguments: Any) -> Any:
        """Return the result of the user's code. Raises UserCodeFailed if it raises."""
        assert function is not None
        try:
            return function(*arguments)
        except Exception as error:  # a user's code may raise anything
            raise failed(f"metric {self.reference}", error, function) from error


def _tensor(reference: str, given: Any) -> Tensor:
    """Return a function's result as float64 on the CPU. Raises UserCodeFailed if it is text, None or not finite."""
    import numpy as np
    import torch

    if isinstance(given, bool | str | bytes | tuple | dict) or given is None:
        raise UserCodeFailed(
            f"metric {reference} gives {type(given).__name__}: got {given!r:.60}; expected numbers. Try to return a "
            "tensor of one number per image"
        )
    try:
        found = given if isinstance(given, torch.Tensor) else torch.from_numpy(np.asarray(given, dtype=np.float64))
        found = found.detach().double().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserCodeFailed(
            f"metric {reference} gives {type(given).__name__}: got {given!r:.60}; expected numbers. Try to return a "
            "tensor of one number per image"
        ) from error
    if not bool(torch.isfinite(found).all()):
        raise UserCodeFailed(
            f"metric {reference} gives values that are not finite: got {_first_odd(found)}; expected finite numbers. "
            "Try to look at the images that it is given"
        )
    return found


def _number(reference: str, given: Any) -> float:
    """Return one number. Raises UserCodeFailed if the result is not one number."""
    found = _tensor(reference, given)
    if found.numel() != 1:
        raise UserCodeFailed(
            f"metric {reference} gives {found.numel()} numbers for all images; expected one. Try to return its mean"
        )
    return float(found)


def _first_odd(found: Tensor) -> str:
    flat = found.flatten().tolist()
    return next(f"{value} at place {place}" for place, value in enumerate(flat) if not math.isfinite(value))
