"""Rules of ONNX Runtime's CPU provider."""

from __future__ import annotations

from ..rewrites.call import Call
from .rule import Rule

KERNELS = "https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md"
HALF_NORM = "https://github.com/microsoft/onnxruntime/issues/10079"


def _has_own_statistics(call: Call) -> bool:
    return bool(call.arguments.get("use_input_stats", True))


RULES = (
    Rule(
        "falls back", ("conv_transpose2d", "conv_transpose1d"),
        "there is no integer kernel of transposed convolutions: they run in float32, with 8-bit weights", KERNELS,
        dtypes=("int8",),
    ),
    Rule(
        "falls back", ("instance_norm", "group_norm", "layer_norm"),
        "statistics of each image are computed in float32", KERNELS, _has_own_statistics, dtypes=("int8",),
    ),
    Rule(
        "falls back", ("conv2d", "conv_transpose2d", "conv1d", "linear"),
        "kernels are in float32 on x86: values are converted around each of them", KERNELS, dtypes=("float16",),
    ),
    Rule(
        "inexact", ("instance_norm",),
        "sums of squares overflow in half precision; the exporter measures it and keeps such operators in float32",
        HALF_NORM, _has_own_statistics, dtypes=("float16",),
    ),
)  # fmt: skip
