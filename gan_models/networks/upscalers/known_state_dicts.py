"""Networks of this room told by the names and shapes of a state dict: no argument needs to be known."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ...files.meta_device import build_for_shapes
from ..catalog import build

State = Mapping[str, Tensor]
# Names of ESRGAN's first release, and of BSRGAN and RealSR, to those of Real-ESRGAN.
_RENAMINGS = (
    (r"model\.0\.", "conv_first."),
    (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
    (r"model\.1\.sub\.\d+\.(weight|bias)", r"conv_body.\1"),
    (r"model\.3\.", "conv_up1."),
    (r"model\.6\.", "conv_up2."),
    (r"model\.8\.", "conv_hr."),
    (r"model\.10\.", "conv_last."),
    (r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.", r"body.\1.rdb\2.conv\3."),
    (r"trunk_conv\.", "conv_body."),
    (r"upconv(\d)\.", r"conv_up\1."),
    (r"HRconv\.", "conv_hr."),
)


def known_network(state: State) -> tuple[str, dict[str, Any], State] | None:
    """Return the catalog's network that a state dict is of.

    Args:
        state: Name -> tensor.

    Returns:
        Name in the catalog, arguments of its builder, and the state dict under the network's own names; None if it is
        of no network of this room, to the last name and shape.
    """
    for told, known in ((_compact, state), (_rrdb, _renamed(state)), (_residual, state)):
        try:
            model, arguments = told(known)
        except (KeyError, IndexError, ValueError):
            continue
        if _fits(model, arguments, known):
            return model, arguments, known
    return None


def _fits(model: str, arguments: Mapping[str, Any], state: State) -> bool:
    try:
        own = build_for_shapes(lambda: build(model, arguments)).state_dict()
    except ValueError:
        return False
    return {n: t.shape for n, t in own.items()} == {n: t.shape for n, t in state.items()}


def _compact(state: State) -> tuple[str, dict[str, Any]]:
    layers = sorted(int(name.split(".")[1]) for name in state if re.fullmatch(r"body\.\d+\.weight", name))
    first, last = state["body.0.weight"], state[f"body.{layers[-1]}.weight"]
    taken, made = first.shape[1], last.shape[0]
    given = next(n for n in (taken, 3, 1, 4) if made % n == 0 and math.isqrt(made // n) ** 2 == made // n)
    arguments = {
        "scale": math.isqrt(made // given),
        "num_feat": first.shape[0],
        "num_conv": layers[-1] // 2 - 1,
        "input_channels": taken,
        "output_channels": given,
    }
    return "srvgg_compact", arguments


def _rrdb(state: State) -> tuple[str, dict[str, Any]]:
    taken, given = state["conv_first.weight"].shape[1], state["conv_last.weight"].shape[0]
    fold = next((n for n in (2, 4) if taken == given * n * n), 1)
    arguments = {
        "scale": 4 // fold,
        "num_feat": state["conv_first.weight"].shape[0],
        "num_block": _count(state, r"body\.(\d+)\.rdb1\.conv1\.weight"),
        "num_grow_ch": state["body.0.rdb1.conv1.weight"].shape[0],
        "input_channels": taken // fold**2,
        "output_channels": given,
    }
    return "rrdbnet", arguments


def _residual(state: State) -> tuple[str, dict[str, Any]]:
    width, taken = state["conv_first.weight"].shape[:2]
    arguments = {
        "scale": 4 if "upconv2.weight" in state else math.isqrt(state["upconv1.weight"].shape[0] // width),
        "num_feat": width,
        "num_block": _count(state, r"body\.(\d+)\.conv1\.weight"),
        "input_channels": taken,
        "output_channels": state["conv_last.weight"].shape[0],
    }
    return "srresnet", arguments


def _count(state: State, pattern: str) -> int:
    return 1 + max(int(found[1]) for name in state if (found := re.fullmatch(pattern, name)))


def _renamed(state: State) -> State:
    return {_new_name(name, _RENAMINGS): tensor for name, tensor in state.items()}


def _new_name(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in rules:
        if re.match(pattern, name):
            return re.sub(f"^{pattern}", new, name)
    return name
