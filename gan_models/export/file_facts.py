"""Facts that exported files carry in their own metadata: inputs, output, ranges, colors, license, trial, hashes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..networks.specs import RANGES, InputSpec, OutputSpec

BYTES = "NHWC, uint8"
NAME = "ganprune.json"  # the entry in formats that can only hold files


def facts_of(
    inputs: InputSpec, output: OutputSpec | None, output_name: str, license: str = "", uint8: bool = False
) -> dict[str, str]:
    """Return facts about inputs and output by name, as texts.

    Args:
        inputs: What the network takes.
        output: What it gives; None if that is not known.
        output_name: The output's name in the file.
        license: Of the generator; empty: not stated.
        uint8: True if the file takes and gives pictures as bytes.
    """
    facts = {"license": license or "not stated"}
    for one in inputs.inputs:
        as_bytes = uint8 and one.pictured
        facts[f"input {one.name}"] = f"{one.text}, layout {BYTES if as_bytes else _layout(len(one.shape))}"
        if one.value_range:
            facts[f"range {one.name}"] = "0 to 255" if as_bytes else f"{one.value_range[0]:g} to {one.value_range[1]:g}"
        if one.color:
            facts[f"color {one.name}"] = _color(one.color)
    bounds = output.value_range if output else RANGES["image"]
    facts[f"range {output_name}"] = "0 to 255" if uint8 else f"{bounds[0]:g} to {bounds[1]:g}"
    if output is not None:
        facts[f"output {output_name}"] = f"{output}, layout {BYTES}" if uint8 else str(output)
        if output.color:
            facts[f"color {output_name}"] = _color(output.color)
    return facts


def _layout(sides: int) -> str:
    return {3: "NCHW", 2: "NHW", 1: "NC"}.get(sides, "N")


def _color(color: str) -> str:
    return "RGB, in this order" if color == "rgb" else color


def facts_json(facts: Mapping[str, str]) -> str:
    """Return facts as JSON."""
    return json.dumps(dict(facts), indent=1, ensure_ascii=False)


def append_facts(path: Path, facts: Mapping[str, str]) -> None:
    """Append an archive of the facts to a file whose format ignores what follows it, as LiteRT's metadata are kept."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(NAME, (1980, 1, 1, 0, 0, 0)), facts_json(facts))
