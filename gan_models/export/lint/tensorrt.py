"""Rules of TensorRT, which reads ONNX files."""

from __future__ import annotations

from .litert import FOURIER
from .rule import Rule, is_computed

OPERATORS = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md"
SLOW_NORM = "https://github.com/NVIDIA/TensorRT/issues/3962"
HALF_NORM = "https://github.com/NVIDIA-AI-IOT/torch2trt/issues/776"

RULES = (
    Rule("unsupported", FOURIER, "there is no operator for Fourier transforms", OPERATORS),
    Rule("unsupported", ("randn", "rand_like", "randn_like"), "random normal numbers are not supported", OPERATORS),
    Rule(
        "unsupported", ("conv2d", "conv_transpose2d", "linear"),
        "the zero point of an 8-bit file must be 0, and ours is another", OPERATORS, dtypes=("int8",),
    ),
    Rule(
        "slow", ("conv2d", "conv_transpose2d"),
        "weights that depend on the input are not constants, which older versions require", OPERATORS,
        lambda call: is_computed(call, "weight"),
    ),
    Rule("slow", ("instance_norm",), "versions 10 run it slower than 8.6 did", SLOW_NORM),
    Rule(
        "inexact", ("instance_norm",), "large errors are reported in half precision", HALF_NORM, dtypes=("float16",),
    ),
)  # fmt: skip
