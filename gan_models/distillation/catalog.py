"""Terms of distillation by name. Imports no torch, so that the command line can read it.

A row of another package comes through the entry-point group `ganprune.distillation_terms` and is a `TermSpec`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..files.open_table import OpenTable

MAPS, JUDGE = "feature maps", "teacher's discriminator"


@dataclass(frozen=True)
class TermSpec:
    """A row of the catalog of terms, readable without importing the term.

    Attributes:
        implementation: "module:attribute", or the class itself; a leading dot is relative to `gan_models.distillation`.
            Called with a `Pair` it returns a `Term`.
        note: The compared quantity in one sentence, for help and tables.
        needs: Its requirements: `MAPS`, `JUDGE`.
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
        "total_variation": TermSpec(
            ".total_variation:TotalVariation", "differences between neighboring pixels of the output"
        ),
        "alignment": TermSpec(".kernel_alignment:KernelAlignment", "1 - kernel alignment of features; needs no maps"),
        "judge": TermSpec(".judge_features:JudgeFeatures", "features of the teacher's discriminator", (JUDGE,)),
    },
    group="ganprune.distillation_terms",
    row_type=TermSpec,
)
TERM_FIELDS = (
    "output",
    "features",
)  # terms whose weight is its own field of the recipe, `distill_output` and `distill_features`


def terms_that_need(what: str, names: Iterable[str]) -> list[str]:
    """Return the terms among `names` that need `what`."""
    return [name for name in names if what in TERMS.find(name).needs]
