"""The limit on what a file in fewer bits may lose of a generator's quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....evaluators.measurement import Measurement
from ....gan_models.export.file_options import DEFAULT_DROP

NO_LIMIT = float("inf")


@dataclass(frozen=True)
class QualityLimit:
    """The largest loss of quality of a file that is not in float32.

    Attributes:
        drop: Relative to the quality in float32; None: `DEFAULT_DROP`, of files whose quality can be measured.
        better: Which values of the quality are better: `lower` or `higher`.
    """

    drop: float | None = None
    better: str = "lower"

    def reason(self, found: Sequence[Measurement], whole: Sequence[Measurement], trained: bool = False) -> str:
        """Return why a file is worse than is allowed; empty if it is not.

        Args:
            found: Measurements of the file, its quality first; empty if it was not measured.
            whole: The same in float32.
            trained: True if training was in the file's bits. The trial's quality is then one in these bits, and only a
                limit that was given is applied.
        """
        limit = DEFAULT_DROP if self.drop is None else self.drop
        if limit == NO_LIMIT or (trained and self.drop is None):
            return ""
        missing = [part for part in (found, whole) if not part or part[0].reason is not None]
        if missing:
            if self.drop is None:
                return ""
            return f"its quality was not measured, and a loss of at most {100 * limit:g}% is allowed"
        value, exact = found[0].value, whole[0].value
        drop = (value - exact if self.better == "lower" else exact - value) / max(abs(exact), 1e-12)
        if drop <= limit:
            return ""
        return (
            f"its {found[0].name} is {100 * drop:.3g}% worse than in float32: got {value:.4g}, {exact:.4g} in float32; "
            f"expected at most {100 * limit:g}%. Try --largest-drop {_larger(drop)}"
        )


def _larger(drop: float) -> str:
    """Return a limit that a loss is within, as it is written on the command line."""
    return f"{max(1, int(100 * drop) + 1)}%"
