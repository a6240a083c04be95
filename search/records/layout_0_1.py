"""The layout of trials in version 0.1.0, converted to the current one.

All code for that layout is here: database rows and results on disk from before proposals and outcomes were separate
values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...gan_models.pruning.catalog import fixed_for
from ...gan_models.quantization.settings import FULL_BITS

RECORD = {
    "steps": "steps",
    "health": "health",
    "cost": "cost_check",
    "quantised": "quantized",
    "same_as": "same_as",
    "traceback": "traceback",
}
ARTIFACT = {"quantisation": "quantization", "quantisation_sha256": "quantization_sha256"}


def upgraded_row(attributes: Mapping[str, Any], fixed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a trial's attributes in the current layout; current ones are returned unchanged.

    Args:
        attributes: The user attributes of a row.
        fixed: Settings that the study fixes, by `method.setting`: version 0.1.0 stored only searched ones.
    """
    if "request" not in attributes:
        return attributes
    request, method = attributes["request"], attributes["method"]
    left = {name: value for name, value in attributes.items() if name not in ("request", "target", "rungs")}
    if "proposal" not in attributes:
        left["proposal"] = {
            "settings": {**fixed_for(method, fixed), **request.get("settings", {})},
            "target": attributes["target"],
            "cost": request["cost"],
            "widths": request.get("widths"),
            "bits": request.get("bits", FULL_BITS),
        }
    return upgraded_outcome(left)


def upgraded_outcome(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a trial's result, or its attributes, with the fields of `TrialOutcome`.

    Version 0.1.0 stored other values in a mapping `record`; without one, `stored` is returned unchanged.

    Args:
        stored: The content of `result.json`, or a row's attributes.
    """
    if "record" not in stored:
        return stored
    record = dict(stored["record"])
    found = {name: value for name, value in stored.items() if name != "record"}
    if found.get("measurements"):
        found["measurements"] = [
            {**measured, "value": "nan"} if measured["value"] is None else measured
            for measured in found["measurements"]
        ]
    if found.get("artifact"):
        found["artifact"] = {ARTIFACT.get(name, name): value for name, value in found["artifact"].items()}
    if "training" in record:
        training = record.pop("training")
        if training["last"]:
            step, losses = training["last"][-1]
            found["training"] = {"seconds": training["seconds"], "step": step, "losses": losses}
    named = {new: record.pop(old) for old, new in RECORD.items() if old in record}
    return found | named | {"method_record": record.pop("method", {}) | record}
