"""The rewrites by name. Imports no torch."""

from __future__ import annotations

from ...files.open_table import OpenTable
from .rewrite import Rewrite

_PACKAGE = "ganprune.gan_models.export.rewrites"

REWRITES: OpenTable[Rewrite] = OpenTable(
    "rewrite",
    {
        "constants": Rewrite(
            f"{_PACKAGE}.constants:fold", "what depends on no input (spectral and weight norm) is computed once"
        ),
        "batch-norm": Rewrite(
            f"{_PACKAGE}.normalization:fold_fixed", "a norm of fixed statistics is part of the layer before it",
            ("aten.batch_norm.default", "aten.instance_norm.default"),
        ),
        "instance-norm": Rewrite(
            f"{_PACKAGE}.normalization:reduce", "a norm of each image's statistics as means",
            ("aten.instance_norm.default",),
        ),
        "modulated-convolution": Rewrite(
            f"{_PACKAGE}.modulated_convolution:rewrite", "weights scaled per image as scaled inputs and outputs",
            ("aten.conv2d.default", "aten.conv_transpose2d.input"),
        ),
        "transposed-convolution": Rewrite(
            f"{_PACKAGE}.transposed_convolution:rewrite", "a transposed convolution as convolution and pixel shuffle",
            ("aten.conv_transpose2d.input",),
        ),
        "padding": Rewrite(
            f"{_PACKAGE}.padding:rewrite", "reflected and repeated borders as slices and concatenation",
            ("aten.pad.default", "aten.reflection_pad2d.default", "aten.replication_pad2d.default"),
        ),
        "prelu": Rewrite(f"{_PACKAGE}.prelu:rewrite", "PReLU as maximum and minimum", ("aten.prelu.default",)),
        "pixel-shuffle": Rewrite(
            f"{_PACKAGE}.pixel_shuffle:rewrite", "pixel shuffle with tensors of four axes at most",
            ("aten.pixel_shuffle.default", "aten.pixel_unshuffle.default"),
        ),
        "upsampling": Rewrite(
            f"{_PACKAGE}.upsampling:rewrite", "enlargement by whole numbers as copies or convolution",
            ("aten.upsample_nearest2d.vec", "aten.upsample_bilinear2d.vec"),
        ),
    },
    group="ganprune.rewrites",
    row_type=Rewrite,
    by_path=True,
)  # fmt: skip
