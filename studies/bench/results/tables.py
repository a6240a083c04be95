"""The tables of a benchmark as Markdown and JSON; losses to the reference come first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

from ....gan_models.files.plain_values import to_json
from ....gan_models.files.texts.number_text import counted
from .comparisons import Comparison, Overall, Standing
from .fronts import Growth

DASH = "-"
_NUMBER = re.compile(r"[-+]?\d")


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: Above it.
        head: Headings of its columns.
        lines: Its lines.
    """

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
        """Return a table without the columns that are empty in every line."""
        kept = [i for i in range(len(head)) if any(line[i] not in ("", DASH) for line in lines)]
        return cls(title, tuple(head[i] for i in kept), tuple(tuple(line[i] for i in kept) for line in lines))

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Columns in which each cell that is not empty begins with a number."""
        cells = [[line[i] for line in self.lines if line[i] not in ("", DASH)] for i in range(len(self.head))]
        return tuple(bool(each) and all(_NUMBER.match(cell) for cell in each) for each in cells)

    def markdown(self) -> str:
        """Return the table below its title."""
        texts = ["| " + " | ".join(line) + " |" for line in (self.head, *self.lines)]
        return "\n".join([f"**{self.title}**", "", texts[0], "|" + "---|" * len(self.head), *texts[1:]])


def markdown(comparison: Comparison, growths: Sequence[Growth] = ()) -> str:
    """Return all tables as Markdown.

    Args:
        comparison: The contenders compared.
        growths: Hypervolumes; without any, there is no such table.
    """
    tables = [losses_table(comparison), overall_table(comparison)]
    tables += [task_table(comparison, task) for task in dict.fromkeys(one.task for one in comparison.standings)]
    tables += [fronts_table(growths)]
    parts = [table.markdown() for table in tables if table is not None]
    if comparison.overall and not comparison.losses:
        parts.insert(0, f"No contender is behind {comparison.reference} anywhere.")
    if missing := missing_lines(comparison):
        said = f"Without a result: {counted(len(missing), 'cell')}, which no number above stands for."
        parts.append("\n".join([said, "", *(f"* {line}" for line in missing)]))
    return "\n\n".join(parts) + "\n"


def as_json(comparison: Comparison, growths: Sequence[Growth] = ()) -> dict[str, Any]:
    """Return the same numbers as plain JSON; unknown ones are null."""
    found = {
        "reference": comparison.reference,
        "behind": [f"{one.task} {one.budget} {one.contender}" for one in comparison.losses],
        "overall": [to_json(one) | {"verdict": one.verdict} for one in comparison.overall],
        "standings": [to_json(one) | {"verdict": one.verdict} for one in comparison.standings],
        "hypervolume": to_json(list(growths)),
        "missing": list(comparison.missing),
    }
    return _plain(found)


def _plain(value: Any) -> Any:
    """Return a value with null instead of NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if value == "nan" or (isinstance(value, float) and not isfinite(value)) else value


def losses_table(comparison: Comparison) -> Table | None:
    """Return the contenders that are behind the reference; None if there are none."""
    reference = comparison.reference
    if not comparison.losses:
        return None
    lines = [[one.task, one.budget, one.contender, *_tested(one), f"{one.distance:.4g}"] for one in comparison.losses]
    return Table.of(
        f"Behind {reference}", ["task", "budget", "contender", "ratio [95 %]", "p", "verdict", "distance"], lines
    )


def overall_table(comparison: Comparison) -> Table | None:
    """Return the contenders over all tasks and budgets; None without pairs."""
    if not comparison.overall:
        return None
    lines = [
        [
            one.contender,
            f"{one.test.pairs} in {one.cells}",
            *_tested(one),
            _interval(one.iqm.value, one.iqm.low, one.iqm.high),
            _interval(one.improvement.value, one.improvement.low, one.improvement.high),
        ]
        for one in comparison.overall
    ]
    head = ["contender", "pairs", "ratio [95 %]", "p", "verdict", "IQM of ratios [95 %]", "P(better) [95 %]"]
    return Table.of(f"All tasks and budgets, distance over that of {comparison.reference}", head, lines)


def task_table(comparison: Comparison, task: str) -> Table:
    """Return the contenders of one task, by budget."""
    own = [one for one in comparison.standings if one.task == task]
    metrics = ", ".join(dict.fromkeys(one.metric for one in own))
    teachers = [one.teacher for one in own if one.teacher is not None]
    teacher = f"; dense teacher {sum(teachers) / len(teachers):.4g}" if teachers else ""
    lines = [_standing(one) for one in own]
    head = [
        "budget", "contender", "distance", "runs", "zero-shot", f"ratio to {comparison.reference} [95 %]", "p",
        "verdict", "cost", "own plan", "compute", "steps", "seconds",
    ]  # fmt: skip
    scores = ", ".join(dict.fromkeys(one.zero_shot_metric for one in own if one.zero_shot is not None))
    before = f"; before any training {scores}" if scores else ""
    return Table.of(f"{task}: {metrics}, lower is better{teacher}{before}", head, lines)


def _standing(one: Standing) -> list[str]:
    spread = "" if isnan(one.deviation) else f" ± {one.deviation:.2g}"
    return [
        one.budget,
        one.contender,
        f"{one.distance:.4g}{spread}",
        str(one.runs),
        DASH if one.zero_shot is None else f"{one.zero_shot:.4g}",
        *_tested(one),
        DASH if one.cost is None else f"{one.cost:.1%}",
        DASH if one.own_cost is None else f"{one.own_cost:.3f}",
        DASH if one.compute is None else f"{one.compute:.2f}",
        f"{one.steps:.0f}",
        DASH if one.seconds is None else f"{one.seconds:.0f}",
    ]


def _tested(one: Standing | Overall) -> list[str]:
    """Return ratio, p-value and verdict of a paired comparison."""
    if one.test is None or one.p is None:
        return [DASH, DASH, DASH]
    return [_interval(one.test.ratio, one.test.low, one.test.high), f"{one.p:.2g}", one.verdict]


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.2f}" if isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def fronts_table(growths: Sequence[Growth]) -> Table | None:
    """Return the hypervolumes at a quarter, a half and the whole of the trials; None without any."""
    if not growths:
        return None
    lines = []
    for one in growths:
        marks = _marks(len(one.volumes))
        said = [f"{one.volumes[mark - 1]:.3f} after {mark}" for mark in marks]
        said = ["", *said] if len(said) == 1 else said
        compute = DASH if one.compute_macs is None else f"{one.compute_macs[-1]:.3g}"
        spread = f"{one.low:.3f} to {one.high:.3f}" if one.runs > 1 else ""
        lines.append([one.task, one.contender, str(one.runs), ", ".join(filter(None, said)), spread, compute])
    head = ["task", "contender", "runs", "hypervolume after trials", "lowest to highest", "MACs of all trials"]
    return Table.of(
        "Hypervolume of (ln cost, ln distance) to the dense cost and the mean image's distance", head, lines
    )


def _marks(count: int) -> list[int]:
    return sorted({max(1, count // 4), max(1, count // 2), count})


def missing_lines(comparison: Comparison) -> tuple[str, ...]:
    """Return a line for each cell without a result."""
    return comparison.missing
