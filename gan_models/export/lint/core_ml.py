"""Rules of Core ML on Apple's Neural Engine."""

from __future__ import annotations

from .litert import SAMPLED
from .rule import Rule, differs_from

PRECISION = "https://github.com/hollance/neural-engine/blob/master/docs/16-bit.md"
LAYERS = "https://github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md"

RULES = (
    Rule(
        "falls back", ("conv2d", "conv_transpose2d", "linear"),
        "the Neural Engine computes in half precision alone, and this file is in float32", PRECISION,
        dtypes=("float32",),
    ),
    Rule(
        "falls back", ("conv2d", "conv1d"), "dilated convolutions are reported not to run there", LAYERS,
        lambda call: differs_from(call, "dilation", 1),
    ),
    Rule("falls back", ("embedding", "index", "gather", *SAMPLED), "gathers are reported not to run there", LAYERS),
    Rule("falls back", ("lstm", "gru"), "recurrent layers are reported not to run there", LAYERS),
)  # fmt: skip
