"""Rules of LiteRT: its CPU kernels with XNNPACK, and its GPU delegate."""

from __future__ import annotations

from ..rewrites.call import Call
from .rule import Rule, differs_from, is_computed

XNNPACK = "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/xnnpack/README.md"
GPU_DOCS = "https://ai.google.dev/edge/litert/performance/gpu"
GPU_PARSER = "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/gpu/common/model_builder.cc"
CONVERTER = "https://github.com/google-ai-edge/litert-torch/issues/316"
MAX_CONCATENATED_INPUTS = 5  # inputs of a concatenation in XNNPACK: its page says 4, and ai-edge-litert 2.3 takes 5
GPU_CHANNELS = 4  # of a slice of a tensor on a GPU

FOURIER = ("fft_rfft2", "fft_irfft2", "fft_rfft", "fft_irfft", "fft_fft2", "fft_ifft2", "fft_rfftn", "fft_irfftn")
SAMPLED = ("grid_sampler_2d", "grid_sampler", "upsample_bicubic2d")


def _many_joined(call: Call) -> bool:
    return len(call.arguments["tensors"]) > MAX_CONCATENATED_INPUTS


def _reflects(call: Call) -> bool:
    return call.arguments.get("mode", "reflect") == "reflect"


def _odd_channels(call: Call) -> bool:
    return call.node.meta["val"].shape[1] % GPU_CHANNELS != 0


# The converter's own limits, on every processor.
CONVERSION = (
    Rule(
        "unsupported", ("conv_transpose2d",),
        "the converter rejects a transposed convolution with output padding, dilation or several groups", CONVERTER,
        lambda call: differs_from(call, "output_padding", 0) or differs_from(call, "dilation", 1)
        or differs_from(call, "groups", 1),
    ),
    Rule("unsupported", FOURIER, "the converter has no form of Fourier transforms", CONVERTER),
)  # fmt: skip

CPU = (
    *CONVERSION,
    Rule(
        "falls back", ("conv2d", "conv1d", "conv_transpose2d"),
        "XNNPACK takes constant weights alone, and these depend on the input", XNNPACK,
        lambda call: is_computed(call, "weight"),
    ),
    Rule("falls back", ("conv3d", "conv_transpose3d"), "XNNPACK has no convolution in three dimensions", XNNPACK),
    Rule(
        "falls back",
        ("cat",),
        f"XNNPACK joins at most {MAX_CONCATENATED_INPUTS} tensors at once",
        XNNPACK,
        _many_joined,
    ),
    Rule(
        "falls back", ("reflection_pad2d", "pad"),
        "reflected borders become MIRROR_PAD, which XNNPACK lacks", XNNPACK, _reflects,
    ),
    Rule(
        "falls back", ("upsample_nearest2d", "_upsample_nearest_exact2d"),
        "nearest enlargement has no XNNPACK operator", XNNPACK,
    ),
    Rule("falls back", SAMPLED, "sampling between pixels becomes gathers, which XNNPACK lacks", XNNPACK),
)  # fmt: skip

GPU = (
    *CONVERSION,
    Rule(
        "falls back", ("pixel_shuffle", "pixel_unshuffle"),
        "it is a reshape to six axes, and the delegate takes four at most", GPU_PARSER,
    ),
    Rule(
        "falls back", ("conv2d", "conv1d", "conv_transpose2d"),
        "the delegate takes constant weights alone, and these depend on the input", GPU_PARSER,
        lambda call: is_computed(call, "weight"),
    ),
    Rule("falls back", ("conv3d", "conv_transpose3d"), "the delegate takes four axes at most", GPU_PARSER),
    Rule("falls back", SAMPLED, "sampling between pixels becomes gathers of integers", GPU_PARSER),
    Rule(
        "slow", ("conv2d", "conv_transpose2d"),
        f"channels are in slices of {GPU_CHANNELS}: a number between costs as much as the next multiple", GPU_DOCS,
        _odd_channels,
    ),
    Rule(
        "slow", ("conv2d", "linear"),
        "the GPU computes an 8-bit file in floating point, so it is not faster than a float file", GPU_DOCS,
        dtypes=("int8",),
    ),
)  # fmt: skip
