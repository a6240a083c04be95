"""The rules by runtime and processor. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...files.open_table import OpenTable
from ...files.user_code import load_named
from .rule_set import RuleSet

if TYPE_CHECKING:
    from .rule import Rule

_PACKAGE = "ganprune.gan_models.export.lint"

RUNTIME_RULES: OpenTable[RuleSet] = OpenTable(
    "runtime",
    {
        "onnxruntime": RuleSet("ONNX Runtime on CPUs", "onnx", f"{_PACKAGE}.onnx_runtime:RULES", "float32 kernels"),
        "litert": RuleSet("LiteRT on CPUs", "litert", f"{_PACKAGE}.litert:CPU", "kernels without XNNPACK"),
        "litert-gpu": RuleSet("LiteRT's GPU delegate", "litert", f"{_PACKAGE}.litert:GPU", "the CPU"),
        "ncnn": RuleSet("ncnn", "ncnn", f"{_PACKAGE}.ncnn:RULES"),
        "openvino": RuleSet("OpenVINO on CPUs", "openvino", f"{_PACKAGE}.openvino:RULES"),
        "coreml": RuleSet("Core ML's Neural Engine", "coreml", f"{_PACKAGE}.core_ml:RULES", "GPU or CPU"),
        "tensorrt": RuleSet("TensorRT", "onnx", f"{_PACKAGE}.tensorrt:RULES"),
    },
    group="ganprune.runtime_rules",
    row_type=RuleSet,
    by_path=True,
)


def rules_of(name: str) -> tuple[Rule, ...]:
    """Return the rules of a runtime by name.

    Raises:
        UserError: There is no such row.
    """
    return load_named(RUNTIME_RULES.find(name).rules, "rules")
