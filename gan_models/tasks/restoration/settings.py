"""Settings of super-resolution and restoration. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...data.degradation.catalog import DEGRADATIONS
from ...files.errors import UserError
from ..settings import DiscriminatorSettings, check_adversarial, check_weights
from .low_high_folders import LARGEST_SCALE

JUDGED_INPUTS = ("output", "beside_input")


@dataclass(frozen=True)
class RestorationSettings:
    """Settings of the task super_resolution.

    The weights stand in the ratio 1 : 0.1 : 0.01. Restoration is measured by its distance to the target, so L1 leads;
    the other two decide what L1 leaves open, as textures. They are ten times that, so that a target counts as much as
    a teacher (`--distill 10`).

    Args:
        scale: Pixels of the output per pixel of the input, along a side; 0: the generator's.
        degrade: How the low side of single images is made, a name of `DEGRADATIONS`; empty: pairs are read, or the
            task's usual degradation makes them.
        degradation: Settings of the degradation.
        adversarial: `vanilla` (ESRGAN, Real-ESRGAN), `lsgan` or `hinge`.
        weight_l1: Weight of the mean absolute difference to the target.
        weight_perceptual: Weight of the relative difference of an encoder's maps; 0 is off.
        weight_adversarial: Weight of the adversarial loss; 0 is off, and the discriminator is then a tiny one.
        judge: What the discriminator is shown: `output`, or `beside_input`, the input enlarged and the output.
        input_channels: Channels of the input image.
        output_channels: Channels of the output image.
        input_color: Color that the input's channels stand for; empty: the usual one of their number.
        output_color: The same of the output.
        discriminator: The network that judges.

    Raises:
        UserError: A field outside what is allowed.
    """

    scale: int = 0
    degrade: str = ""
    degradation: Mapping[str, Any] = field(default_factory=dict)
    adversarial: str = "vanilla"
    weight_l1: float = 10.0
    weight_perceptual: float = 1.0
    weight_adversarial: float = 0.1
    judge: str = "output"
    input_channels: int = 3
    output_channels: int = 3
    input_color: str = ""
    output_color: str = ""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        """Check the fields."""
        if not 0 <= self.scale <= LARGEST_SCALE:
            raise UserError(f"scale is not possible: got {self.scale}; expected 1 to {LARGEST_SCALE}")
        check_adversarial(self.adversarial)
        check_weights(self, "weight_l1", "weight_perceptual", "weight_adversarial")
        if not (self.weight_l1 or self.weight_perceptual or self.weight_adversarial):
            raise UserError("all weights of the loss are 0, and nothing would be learned: expected one above 0")
        if self.judge not in JUDGED_INPUTS:
            raise UserError(f"judge {self.judge!r} is unknown; use {' or '.join(JUDGED_INPUTS)}")
        if self.degrade:
            DEGRADATIONS.find(self.degrade).build(self.degrade, self.degradation)
