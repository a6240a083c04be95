"""The header of a bundle's card, as the Hugging Face Hub reads it: YAML with license, tags and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.networks.specs import InputSpec

_LICENSE_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")  # such as apache-2.0; any other text is the name of a license
HEADER_MARK = "---"


@dataclass(frozen=True)
class CardFacts:
    """The facts about an exported generator that the header says.

    Attributes:
        model: The network.
        data: Its data.
        license: As `export --license` named it; empty: not stated.
        formats: Names of its files' formats.
        measured: Measurements, each with the split that it was measured on.
    """

    model: str
    data: str
    license: str
    formats: tuple[str, ...]
    measured: tuple[tuple[Measurement, str], ...]


def header_of(facts: CardFacts, inputs: InputSpec) -> str:
    """Return the header of a card, with its marks.

    Args:
        facts: About the generator.
        inputs: What it takes: the kind of its inputs says the pipeline.
    """
    return "\n".join((HEADER_MARK, *_yaml(_fields(facts, inputs)), HEADER_MARK, ""))


def _fields(facts: CardFacts, inputs: InputSpec) -> dict[str, Any]:
    """Return the fields of the header, in the Hub's own names."""
    images = any(one.kind == "image" for one in inputs.inputs)
    pipeline = "image-to-image" if images else "unconditional-image-generation"
    results = [_result(pipeline, facts.data, split, m) for m, split in facts.measured if m.reason is None]
    fields: dict[str, Any] = _license(facts.license)
    fields |= {
        "library_name": "ganprune",
        "pipeline_tag": pipeline,
        "tags": ["gan", "pruning", "model-compression", facts.model.rpartition(":")[2], *facts.formats],
    }
    if results:
        fields["metrics"] = list(dict.fromkeys(result["metrics"][0]["type"] for result in results))
        fields["model-index"] = [{"name": f"{facts.model}, pruned", "results": results}]
    return fields


def _license(name: str) -> dict[str, str]:
    """Return the fields of a license: its id of the Hub, or `other` with a name."""
    if not name:
        return {}
    return (
        {"license": name.lower()} if _LICENSE_ID.fullmatch(name.lower()) else {"license": "other", "license_name": name}
    )


def _result(pipeline: str, data: str, split: str, m: Measurement) -> dict[str, Any]:
    """Return one measured number with the name of its protocol."""
    about = {"unit": m.unit, "protocol": m.protocol, "n": m.n, "low_90": m.low, "high_90": m.high, "better": m.better}
    metric = {
        "type": m.name.partition("[")[0],
        "value": m.value,
        "name": m.name,
        "args": {name: value for name, value in about.items() if value not in ("", None)},
    }
    slug = re.sub(r"[^a-z0-9]+", "-", data.lower()).strip("-") or "data"
    return {
        "task": {"type": pipeline},
        "dataset": {"name": data, "type": slug, "split": split},
        "metrics": [metric],
    }


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Yield the lines of plain JSON as YAML; texts stand in double quotes, so that none is taken for anything else."""
    pairs: Sequence[tuple[str, Any]]
    if isinstance(value, Mapping):
        pairs = [(f"{name}:", item) for name, item in value.items()]
    else:
        pairs = [("-", item) for item in value]
    for start, item in pairs:
        if not isinstance(item, Mapping | list):
            yield f"{indent}{start} {json.dumps(item, allow_nan=False)}"
        elif start == "-" and item:
            first, *others = _yaml(item, f"{indent}  ")
            yield f"{indent}- {first.strip()}"
            yield from others
        elif item:
            yield f"{indent}{start}"
            yield from _yaml(item, f"{indent}  ")
        else:
            yield f"{indent}{start} {json.dumps(item)}"
