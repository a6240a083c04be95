"""A published result, and the reading of files of them. Imports no torch."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from pathlib import Path

from ...gan_models.files.errors import UserError

EVIDENCE = ("table", "abstract", "figure", "issue", "second-hand", "computed")
_REQUIRED_COLUMNS = ("data", "network", "method", "metric", "protocol", "evidence", "source")


@dataclass(frozen=True)
class PublishedResult:
    """One published result of one method on one set of images.

    Attributes:
        data: The set of images, with its direction: `horse2zebra`.
        network: The generator before pruning.
        method: The method.
        published_gmacs: 10^9 MACs in the published convention: transposed convolutions on their output grid. The
            numbers of GAN Compression also count norms.
        exact_gmacs: 10^9 exact MACs, computed from the layers; None if these are not known.
        mparams: 10^6 parameters.
        metric: `fid` or `miou`.
        value: Value of the metric, mIoU in percent; None if it was not found in print.
        spread: Largest error of a value that was read from a figure.
        protocol: Name of the protocol of its measurement.
        epochs: Epochs in which the generator was trained, everything after the teacher included.
        evidence: Kind of the source: one of `EVIDENCE`.
        source: Repository or paper.
        note: Remark for readers.

    Raises:
        UserError: A text is missing, a number is not possible, or the evidence is unknown.
    """

    data: str
    network: str
    method: str
    published_gmacs: float | None
    exact_gmacs: float | None
    mparams: float | None
    metric: str
    value: float | None
    spread: float | None
    protocol: str
    epochs: int | None
    evidence: str
    source: str
    note: str = ""

    def __post_init__(self) -> None:
        for name in _REQUIRED_COLUMNS:
            if not getattr(self, name):
                raise UserError(f"a published result has no {name}: got none; expected a text")
        for name in ("published_gmacs", "exact_gmacs", "mparams", "value", "spread", "epochs"):
            number = getattr(self, name)
            if number is not None and not (math.isfinite(number) and number >= 0):
                raise UserError(f"{name} of a published result is not possible: got {number}; expected 0 or more")
        if self.evidence not in EVIDENCE:
            raise UserError(f"evidence is unknown: got {self.evidence!r}; expected one of {', '.join(EVIDENCE)}")

    @property
    def board(self) -> tuple[str, str, str]:
        """The key of its scoreboard: data, metric and protocol. Results with other keys are never compared."""
        return self.data, self.metric, self.protocol


COLUMNS = tuple(field.name for field in fields(PublishedResult))
_NUMBERS = {field.name: str(field.type).partition(" ")[0] for field in fields(PublishedResult)}


def read_results(path: Path) -> tuple[PublishedResult, ...]:
    """Return the results of a CSV file, one per row; empty cells are unknown.

    Args:
        path: The file; its columns are the fields of `PublishedResult`, of which numbers and `note` may be missing.

    Raises:
        UserError: The file cannot be read, or a row is wrong; the message names its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
            heads = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error  # without the system's number
        raise UserError(
            f"{path} cannot be read as a table: got {' '.join(str(reason).split())}; expected a CSV file"
        ) from error
    unknown = [name for name in heads if name not in COLUMNS]
    missing = [name for name in _REQUIRED_COLUMNS if name not in heads]
    if unknown or missing or len(set(heads)) != len(heads):
        wrong = f"no column {missing[0]}" if missing else f"the column {(unknown or heads)[0]!r}"
        raise UserError(f"{path} is not a table of published results: got {wrong}; expected {','.join(COLUMNS)}")
    return tuple(_read(path, line, row) for line, row in rows)


def _read(path: Path, line: int, row: dict[str, str | None]) -> PublishedResult:
    """Return the result of a line."""
    if None in row or any(cell is None for cell in row.values()):
        raise UserError(f"{path}, line {line}: got another number of cells than columns; expected one cell per column")
    values: dict[str, str | float | int | None] = dict.fromkeys(COLUMNS)
    values["note"] = ""
    for name, cell in row.items():
        text = (cell or "").strip()
        kind = _NUMBERS[name]
        if kind == "str":
            values[name] = text
            continue
        try:
            values[name] = None if not text else int(text) if kind == "int" else float(text)
        except ValueError:
            raise UserError(
                f"{path}, line {line}: {name} is not a number: got {text!r}; expected one, or none"
            ) from None
    try:
        return PublishedResult(**values)  # type: ignore[arg-type]
    except UserError as error:
        raise UserError(f"{path}, line {line}: {error}") from error
