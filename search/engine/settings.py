"""Settings of the engine: limits and rules of a search, apart from its space."""

from dataclasses import dataclass, field

from ...gan_models.files.errors import UserError
from ..strategy.chooser import Choice
from ..strategy.early_stopping import StoppingRule


@dataclass(frozen=True)
class EngineSettings:
    """The limits and rules of a search.

    Attributes:
        trials: The study's total number of trials that did not fail, including earlier runs.
        choice: Settings of the choice of trials, with the study's seed.
        stopping: Early stopping; None: every trial runs to its end.
        slots: Number of trials that run at once; None: the executor decides.
        batch: Size of fixed batches; 0: none. With batches, a trial depends only on trials of earlier batches, and is
            compared only with those at rungs. The same study then gives the same trials, regardless of the timing and
            interruptions (`--deterministic`).
        hours: Time limit, after which running trials are returned. None: no limit.
        max_failed: Number of failed trials that ends the search; None: half of `trials`, at least 5.
        disk_quota: Maximum bytes of the study's files. Above it, training states off the front are removed; if that is
            not enough, the search ends. None: no limit.
    """

    trials: int
    choice: Choice = field(default_factory=Choice)
    stopping: StoppingRule | None = None
    slots: int | None = None
    batch: int = 0
    hours: float | None = None
    max_failed: int | None = None
    disk_quota: int | None = None

    def __post_init__(self):
        if self.trials < 1:
            raise UserError(f"too few trials: got trials={self.trials}; expected 1 or more")
        if self.batch < 0:
            raise UserError(f"invalid batch: got {self.batch}; expected 0 (no batches) or a size")
        if self.slots is not None and self.slots < 1:
            raise UserError(f"too few trials at once: got {self.slots}; expected at least 1")
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"invalid hours: got {self.hours}; expected above 0")
        if self.max_failed is not None and self.max_failed < 1:
            raise UserError(f"invalid max_failed: got {self.max_failed}; expected 1 or more")
        if self.disk_quota is not None and self.disk_quota < 1:
            raise UserError(f"invalid disk_quota: got {self.disk_quota}; expected 1 byte or more")
