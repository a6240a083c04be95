"""Terms of distillation by name. Imports no torch, so that the command line knows all of them.

A row of another package comes by the entry-point group `ganprune.distillation_terms` and is a `TermSpec`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..files.open_table import OpenTable

MAPS, JUDGE = "feature maps", "teacher's discriminator"


@dataclass(frozen=True)
class TermSpec:
    """A term as the catalog knows it, without importing it.

    Attributes:
        implementation: "module:attribute", or the class itself; a text that starts with a dot is of
            `gan_models.distillation`. Called with a `Pair` it makes a `Term`.
        note: One sentence for help and tables: what is compared.
        needs: What it cannot do without: `MAPS`, `JUDGE`.
    """

    implementation: str | type
    note: str
    needs: tuple[str, ...] = ()


TERMS: OpenTable[TermSpec] = OpenTable(
    "distillation term",
    {
        "output": TermSpec(".output:OutputDistance", "|output - teacher's output|"),
        "features": TermSpec(".feature_matching:FeatureMatching", "feature matching through trained 1x1 maps"),
        "perceptual": TermSpec(".perceptual:Perceptual", "relative difference of an encoder's maps", (MAPS,)),
        "gram": TermSpec(".gram:Gram", "relative difference of Gram matrices of an encoder's maps", (MAPS,)),
        "ssim": TermSpec(".structure:Structure", "1 - SSIM to the teacher's output"),
        "total_variation": TermSpec(".total_variation:TotalVariation", "the output's differences between neighbors"),
        "alignment": TermSpec(".kernel_alignment:KernelAlignment", "1 - kernel alignment of features; needs no maps"),
        "judge": TermSpec(".judge_features:JudgeFeatures", "features of the teacher's discriminator", (JUDGE,)),
    },
    group="ganprune.distillation_terms",
    row_type=TermSpec,
)
FIELDS = ("output", "features")  # terms whose weight is a field of the recipe, `distill_output` and `distill_features`


def terms_that_need(what: str, names: Iterable[str]) -> list[str]:
    """Return those of some terms that cannot do without a thing."""
    return [name for name in names if what in TERMS.find(name).needs]
