"""The option `--teacher spandrel:FILE`: the network recognized from its weights. Torch is imported at use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...gan_models.files.errors import UserError
from ...gan_models.files.pictures.image_size import read_image_size
from ...gan_models.networks.specs import InputSpec

PREFIX = "spandrel:"
RECOGNIZED_OPTIONS = ("model", "model_args")  # options that must not be given in addition


def with_recognized(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the model, its arguments, inputs and range of values recognized from the weights.

    Args:
        values: Options by name; `spandrel:FILE` as `teacher` or as `model`. Without it, they are returned unchanged.

    Raises:
        UserError: The network is also named, or the file is not recognized.
    """
    named = {name: str(values.get(name) or "") for name in ("teacher", "model")}
    files = {name: text.removeprefix(PREFIX) for name, text in named.items() if text.startswith(PREFIX)}
    if not files:
        return dict(values)
    if len(set(files.values())) > 1 or (named["model"] and "model" not in files) or values.get("model_args"):
        given = ", ".join(
            f"--{name.replace('_', '-')} {values[name]}" for name in RECOGNIZED_OPTIONS if values.get(name)
        )
        raise UserError(
            f"--teacher {named['teacher']} determines the network and its arguments: got {given}, too; expected one "
            f"of them. "
            f"Try --teacher {PREFIX}{next(iter(files.values()))} alone"
        )
    from ...gan_models.networks.upscalers.recognition import recognize

    found = recognize(next(iter(files.values())))
    told = {"model": found.model, "model_args": dict(found.arguments)}
    if "teacher" in files:
        told["teacher"] = found.teacher
    if found.inputs and not values.get("input_shape"):
        size = values.get("image_size")
        inputs = InputSpec.parse(found.inputs)
        told["input_shape"] = inputs.at_size(read_image_size(size)).text if size else found.inputs
    if not values.get("value_range"):
        told["value_range"] = found.value_range
    return {**values, **told}
