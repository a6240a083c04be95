"""A card as Markdown, by a template; values cannot break its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ...evaluators.cost.catalog import RUNTIMES
from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import COSTS
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.networks.specs import RANGES, InputSpec, OutputSpec
from ...spaces.budget import describe
from ..integrations.model_card import CardFacts, header_of
from ..results.measurement_text import with_interval
from .card import Card, FormatReport
from .latency.table import COLUMNS

TEMPLATE = "card.md.jinja"
BYTES_USAGE = "# this file takes pictures as bytes, uint8 (N, H, W, C), and gives such: put those into inputs\n"


@dataclass(frozen=True)
class _Split:
    """Qualities on one split: of the generator, the dense one and the untouched inputs."""

    name: str
    quality: Sequence[Measurement]
    dense_all: Sequence[Measurement]
    untouched_all: Sequence[Measurement]

    @property
    def dense(self) -> dict[str, Measurement]:
        """The dense generator's, by name."""
        return {m.name: m for m in self.dense_all}

    @property
    def untouched(self) -> dict[str, Measurement]:
        """The untouched inputs', by name."""
        return {m.name: m for m in self.untouched_all}


def card_text(card: Card, inputs: InputSpec, output: OutputSpec | None = None) -> str:
    """Return a card for people, under the header that the Hugging Face Hub reads.

    Args:
        card: The card.
        inputs: What the generator takes; the Python on the card makes such inputs.
        output: What it gives; None if that is not known.
    """
    quality = [m for m in card.measurements if m.name not in card.costs]
    splits = [_Split("test", card.tested, card.teacher_tested, card.input_tested)] if card.tested else []
    splits.append(_Split(card.split, quality, card.teacher_measurements, card.input_measurements))
    return header_of(_facts(card), inputs) + (
        _environment()
        .get_template(TEMPLATE)
        .render(
            card=card,
            line=card.lineage,
            costs=[_cost_row(card, name) for name in card.costs],
            splits=splits,
            protocols=list(dict.fromkeys(m.protocol for each in splits for m in each.quality if m.protocol)),
            measured_notes=_measured_notes(card),
            inputs=inputs,
            ranges=", ".join(f"{one.name} in {_range(one.value_range)}" for one in inputs.inputs if one.value_range),
            given=f"It gives {output}." if output else f"Images that it gives are in {_range(RANGES['image'])}.",
            usages=_usages(card),
            latency_columns=COLUMNS,
        )
    )


def _facts(card: Card) -> CardFacts:
    """Return what the header says of a card; of costs it says nothing."""
    measured = [(m, "test") for m in card.tested]
    measured += [(m, card.split) for m in card.measurements if m.name not in card.costs]
    line = card.lineage
    return CardFacts(
        str(line.get("model", "generator")),
        str(line.get("data", "unknown")),
        card.license,
        (*card.files,),
        (*measured,),
    )


def _range(bounds: tuple[float, float] | None) -> str:
    low, high = bounds or RANGES["image"]
    return f"[{low:g}, {high:g}]"


def _cost_row(card: Card, name: str) -> tuple[str, str, str, str]:
    value, whole = card.costs[name], card.teacher_costs.get(name)
    kind = "bytes" if name.endswith("_bytes") else name
    dense, share = (_described(whole, kind), f"{100 * value / whole:.2f} %") if whole else ("", "")
    return name, _described(value, kind), dense, share


def _described(value: float, cost: str) -> str:
    """Return a cost with its unit; the bare number of a cost whose package is not installed."""
    return describe(value, cost) if cost in COSTS else f"{value:.6g}"


def _measured_notes(card: Card) -> list[str]:
    """Return what the notes of measurements say, a line each; a text of several generators appears once."""
    said: dict[str, list[str]] = {}
    named = (
        ("", card.measurements), ("", card.tested), (" of the dense teacher", card.teacher_measurements),
        (" of the dense teacher", card.teacher_tested), (" of the untouched input", card.input_measurements),
        (" of the untouched input", card.input_tested),
    )  # fmt: skip
    for whose, measured in named:
        for m in measured:
            if m.note and f"{m.name}{whose}" not in said.setdefault(m.note, []):
                said[m.note].append(f"{m.name}{whose}")
    return [f"{', '.join(names)}: {note}" for note, names in said.items()]


def _usages(card: Card) -> list[str]:
    """Return how the files are used without ganprune: Python of each runtime, for the first of its files."""
    first: dict[str, FormatReport] = {}
    for name, report in card.files.items():
        if name in EXPORTERS and (runtime := EXPORTERS[name].runtime):
            first.setdefault(runtime, report)
    return [
        (BYTES_USAGE if report.uint8 else "") + RUNTIMES[name].usage.format(file=report.file)
        for name, report in first.items()
        if RUNTIMES[name].usage
    ]


@cache
def _environment() -> Environment:
    # Markdown, not HTML: what would break a table or a list is escaped in every value that is printed.
    environment = Environment(
        loader=PackageLoader(__package__ or "", "."),
        autoescape=False,
        undefined=StrictUndefined,
        finalize=_one_cell,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"interval": with_interval, "shown": _shown, "code": _Code}
    return environment


class _Code(str):
    """Text that stands in a block of code: printed as it is."""


def _one_cell(value: Any) -> str:
    if isinstance(value, _Code):
        return value
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_shown, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
