"""How long a search goes on, and how: what the engine is told beside what may be searched."""

from dataclasses import dataclass, field

from ...gan_models.files.errors import UserError
from ..strategy.chooser import Choice
from ..strategy.early_stopping import StoppingRule


@dataclass(frozen=True)
class EngineSettings:
    """How long a search goes on, and how.

    Attributes:
        trials: The study's total of trials that did not fail (those of earlier runs included).
        choice: How trials are chosen; its seed is the study's.
        stopping: Early stopping; None lets every trial run to its end.
        slots: Trials that run at once; None leaves it to the executor.
        batch: 0, or asks in fixed batches of this size: a trial knows only the trials of the batches before its
            own, and is compared at rungs with those only. The same study then gives the same trials whatever
            the timing and the interruptions (`--deterministic`).
        hours: Time limit; running trials are handed back when it is over. None for none.
        max_failed: The search ends when this many trials of the study failed; None for half of `trials`, at
            least 5.
        disk_quota: Most bytes that the study's files may take. Above it training states off the front are removed;
            where that is not enough the search ends. None for no limit.
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
            raise UserError(f"trials must be 1 or more; got {self.trials}")
        if self.batch < 0:
            raise UserError(f"batch must be 0 (asks as trials end) or a size; got {self.batch}")
        if self.slots is not None and self.slots < 1:
            raise UserError(f"at least 1 trial must run at once; got {self.slots}")
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"hours must be above 0; got {self.hours}")
        if self.max_failed is not None and self.max_failed < 1:
            raise UserError(f"max_failed must be 1 or more; got {self.max_failed}")
        if self.disk_quota is not None and self.disk_quota < 1:
            raise UserError(f"disk_quota must be 1 byte or more; got {self.disk_quota}")
