"""Cards of version 0.1.0: two formats in fields of their own, read into the table of formats that cards hold now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.export.catalog import EXPORTERS
from ...gan_models.export.int8_parity import Int8Parity
from ...gan_models.export.onnx_int8 import arithmetic_lines
from .card import Card, FormatReport, Parity, SpeedBeside

FLOAT, INT8 = "onnx", "onnx-int8"
_MISSING_ONNX_PREFIX = "no ONNX file: "


def first_card(data: Mapping[str, Any], files: Mapping[str, str]) -> Card:
    """Return the card that version 0.1.0 wrote.

    Args:
        data: The content of `card.json`.
        files: File -> sha256, of the bundle's manifest.

    Raises:
        KeyError, TypeError, ValueError: Something is missing or of the wrong kind.
    """
    given, notes = data["parity"], tuple(map(str, data["notes"]))
    parity = Parity(given["reload"], given["scale"], given["n_inputs"], given["tolerance"])
    formats, int8 = {FLOAT: _float(given["onnx"], parity, notes, files)}, data.get("int8")
    if int8 is not None:
        formats[FLOAT] = replace(formats[FLOAT], measurements=_measurements(int8["float_measurements"]))
        formats[INT8] = _int8(int8, files)
    return Card(
        costs={str(name): float(value) for name, value in data["costs"].items()},
        teacher_costs={str(name): float(value) for name, value in data["teacher_costs"].items()},
        measurements=_measurements(data["measurements"]),
        teacher_measurements=_measurements(data["teacher_measurements"]),
        lineage=dict(data["lineage"]),
        versions=dict(data["versions"]),
        parity=parity,
        formats=formats,
        notes=tuple(note for note in notes if not note.startswith(_MISSING_ONNX_PREFIX)),
    )


def _float(difference: float | None, parity: Parity, notes: tuple[str, ...], files: Mapping[str, str]) -> FormatReport:
    row = EXPORTERS[FLOAT]
    if difference is None:
        said = next(
            (note.removeprefix(_MISSING_ONNX_PREFIX) for note in notes if note.startswith(_MISSING_ONNX_PREFIX)),
            "none was written",
        )
        return FormatReport(row.title, absent=said)
    allowed = parity.tolerance * parity.scale
    return _named(FLOAT, files, difference=float(difference), allowed=allowed)


def _int8(data: Mapping[str, Any], files: Mapping[str, str]) -> FormatReport:
    parity, latency, parts = Int8Parity(**data["parity"]), data["latency"], data["arithmetic"]
    operators = {**parts["integer"], **parts["floating"]}
    lines = arithmetic_lines(operators)
    return _named(
        INT8,
        files,
        notes=(str(data["origin"]), f"{data['bytes']} bytes of parameters", *lines[1:]),
        summary=f"{lines[0]}; {parity.line()}",
        numbers=parity.numbers(),
        counts={"parameter_bytes": int(data["bytes"]), "layers": parity.layers},
        operators=operators,
        measurements=_measurements(data["measurements"]),
        speed=SpeedBeside(
            FLOAT, latency["int8_ms"], latency["float_ms"], latency["ratio"], latency["runs"], latency["protocol"]
        ),
    )


def _named(name: str, files: Mapping[str, str], **values: Any) -> FormatReport:
    row = EXPORTERS[name]
    return FormatReport(row.title, row.filename, row.runtime, row.dtype, files.get(row.filename, ""), **values)


def _measurements(data: Any) -> tuple[Measurement, ...]:
    return tuple(Measurement.from_json(m) for m in data)
