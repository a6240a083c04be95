"""Rules of OpenVINO."""

from __future__ import annotations

from .rule import Rule

CPU_DEVICE = (
    "https://docs.openvino.ai/2024/openvino-workflow/running-inference/inference-devices-and-modes/cpu-device.html"
)

RULES = (
    Rule(
        "inexact", ("conv2d", "conv_transpose2d", "linear"),
        "processors with bfloat16 compute in it by default: set INFERENCE_PRECISION_HINT to f32", CPU_DEVICE,
    ),
)  # fmt: skip
