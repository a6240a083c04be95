"""Scoreboards: published results of one protocol on one set of images, and a study's own where they are comparable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...gan_models.files.texts.near_names import did_you_mean
from ...search.records.ledger import TrialRecord
from ..results.outcome import Outcome, measurements_of
from ..results.tables import DENSE_TEACHER
from .catalog import PROTOCOLS
from .comparability import comparable, measured_cost, unlike_study
from .published_result import PublishedResult

STUDY_EVIDENCE = "study"  # evidence of a study's rows
HIGHER = ("miou",)  # metrics of which higher is better


@dataclass(frozen=True)
class BoardRow:
    """A row of a scoreboard: a published result, or a generator of a study.

    Attributes:
        method: The method; of a study's trial with its reference `STUDY:7`.
        network: The generator before pruning.
        published_gmacs, exact_gmacs: 10^9 MACs in both conventions; None if unknown.
        mparams: 10^6 parameters.
        value: Value of the board's metric; None if it was not found in print.
        low, high: Interval of the value: a study's 90 % interval, or the error of reading a figure.
        epochs: Epochs of training after the teacher.
        evidence: Kind of the source; `study` for a study's.
        source: Repository, paper, or the study's name.
        note: Remark.
    """

    method: str
    network: str
    published_gmacs: float | None
    exact_gmacs: float | None
    mparams: float | None
    value: float | None
    low: float | None
    high: float | None
    epochs: float | None
    evidence: str
    source: str
    note: str = ""

    @property
    def own(self) -> bool:
        """True if the row is a study's."""
        return self.evidence == STUDY_EVIDENCE


@dataclass(frozen=True)
class Board:
    """A scoreboard.

    Attributes:
        data, metric, protocol: Its key.
        rows: Its rows by rising published MACs; those without a number come last.
        unlike: Reason that the study has no row here; empty if it may have some, or if there is no study.
        left_out: Generators of the study that are not comparable, each with its reason.
    """

    data: str
    metric: str
    protocol: str
    rows: tuple[BoardRow, ...]
    unlike: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Data, metric and protocol."""
        return self.data, self.metric, self.protocol

    @property
    def better(self) -> str:
        """The better direction of the metric."""
        return "higher" if self.metric in HIGHER else "lower"

    @property
    def note(self) -> str:
        """The way of measuring, in words; empty for a protocol of a user's own file."""
        row = PROTOCOLS.get(self.protocol)
        return "" if row is None else row.note


def boards(results: Iterable[PublishedResult], data: str = "") -> tuple[Board, ...]:
    """Return the scoreboards of published results, each of one set, metric and protocol.

    Args:
        results: The results.
        data: A set of images whose boards are returned; empty: all.

    Raises:
        UserError: There is no result on that set.
    """
    by_key: dict[tuple[str, str, str], list[BoardRow]] = {}
    for result in results:
        by_key.setdefault(result.board, []).append(_published(result))
    if data and not any(key[0] == data for key in by_key):
        names = list(dict.fromkeys(key[0] for key in by_key))
        near = did_you_mean(data, names)
        raise UserError(
            f"no published result is known on these images: got {data!r}; expected one of {', '.join(names)}. {near}"
        )
    kept = {key: rows for key, rows in by_key.items() if not data or key[0] == data}
    return tuple(Board(*key, _ordered(rows)) for key, rows in kept.items())


def with_study(board: Board, outcome: Outcome, stated: str = "") -> Board:
    """Return a scoreboard with the front and the teacher of a study, or with the reasons that they are not on it.

    Args:
        board: The scoreboard.
        outcome: The study.
        stated: Name of the study's set of images, as a user states it.
    """
    if unlike := unlike_study(outcome, board.key, stated):
        return replace(board, unlike=unlike)
    rows, left_out = list(board.rows), list[str]()
    factor = PROTOCOLS[board.protocol].factor
    for row, measured in _generators(outcome):
        found = comparable(board.key, measured)
        if isinstance(found, str):
            left_out.append(f"{row.method}: {found}")
            continue
        low, high = (None if end is None else factor * end for end in (found.low, found.high))
        rows.append(replace(row, value=factor * found.value, low=low, high=high))
    return replace(board, rows=_ordered(rows), left_out=tuple(left_out))


def _ordered(rows: Iterable[BoardRow]) -> tuple[BoardRow, ...]:
    return tuple(sorted(rows, key=lambda row: (row.published_gmacs is None, row.published_gmacs or 0.0)))


def _published(result: PublishedResult) -> BoardRow:
    """Return the row of a published result."""
    low = high = None
    if result.value is not None and result.spread is not None:
        low, high = result.value - result.spread, result.value + result.spread
    return BoardRow(
        result.method,
        result.network,
        result.published_gmacs,
        result.exact_gmacs,
        result.mparams,
        result.value,
        low,
        high,
        result.epochs,
        result.evidence,
        result.source,
        result.note,
    )


def _generators(outcome: Outcome) -> list[tuple[BoardRow, Sequence[Measurement]]]:
    """Return the teacher and the trials of the front, each with its measurements on the test split."""
    config = outcome.config
    teacher = outcome.teacher_tested if outcome.selects else outcome.teacher
    trained = None if config.teacher else config.teacher_steps * config.teacher_recipe.batch_size
    row = _row(outcome, DENSE_TEACHER, outcome.dense.get, _epochs(outcome, trained))
    found: list[tuple[BoardRow, Sequence[Measurement]]] = [(row, teacher)]
    for trial in outcome.front:
        measured = measurements_of(trial)
        tested = outcome.tested(trial.number) if outcome.selects else measured
        name = f"{outcome.study.name}:{trial.number} {trial.new.method}"
        epochs = _epochs(outcome, _images_of(outcome, trial))
        found.append((_row(outcome, name, partial(measured_cost, measured), epochs), tested))
    return found


def _row(outcome: Outcome, method: str, cost: Callable[[str], float | None], epochs: float | None) -> BoardRow:
    """Return a row of the study without its value.

    Args:
        outcome: The study.
        method: Name of the generator.
        cost: Function from the name of a cost to its value, or None.
        epochs: Epochs of its training.
    """
    published, exact, params = cost("macs_published"), cost("macs"), cost("params")
    return BoardRow(
        method,
        outcome.config.model_name,
        None if published is None else published / 1e9,
        None if exact is None else exact / 1e9,
        None if params is None else params / 1e6,
        None,
        None,
        None,
        epochs,
        STUDY_EVIDENCE,
        outcome.study.name,
    )


def _images_of(outcome: Outcome, trial: TrialRecord) -> int | None:
    """Return the number of images that a trial was trained on, repetitions included."""
    steps = None if trial.outcome is None else trial.outcome.steps
    return None if steps is None else (steps.prune + steps.finetune) * outcome.config.recipe.batch_size


def _epochs(outcome: Outcome, images: int | None) -> float | None:
    """Return a number of images as epochs of the study's training images."""
    whole = 0 if outcome.resolved is None else outcome.resolved.data.images.get("train", 0)
    return None if images is None or not whole else images / whole
