"""Rules of ncnn."""

from __future__ import annotations

from .litert import FOURIER
from .rule import Rule

WRONG_RESULTS = "https://github.com/Tencent/ncnn/wiki/FAQ-ncnn-produce-wrong-result"
FOURIER_ISSUE = "https://github.com/Tencent/ncnn/issues/5065"

RULES = (
    Rule("unsupported", FOURIER, "there is no layer for Fourier transforms", FOURIER_ISSUE),
    Rule(
        "inexact", ("instance_norm", "group_norm", "layer_norm"),
        "ncnn computes in half precision where the processor has it, and sums of squares overflow there: turn "
        "use_fp16_packed, use_fp16_storage and use_fp16_arithmetic off", WRONG_RESULTS,
    ),
)  # fmt: skip
