"""The task of StyleGAN2 (Karras et al. 2020): images from latents, logistic loss, R1 and path-length terms.

Published training applies the terms to whole batches, but only in every sixteenth and every fourth step, with a weight
that makes up for it. Here they apply to a part of the batch in every step: equal in expectation, and each step costs
the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ...files.errors import UserError
from ...files.plain_values import JSON, from_json
from ...files.seeds import mixed
from ...networks.specs import OutputSpec
from ..settings import DiscriminatorSettings, check_weights
from ..task import Batch, Network, shown
from ..unconditional import UnconditionalSettings, UnconditionalTask
from .gradient_penalties import path_length_penalty, r1_penalty

LAST_SIZE = 4  # pixels per side of the discriminator's last map
LEAST_PATHS = 2  # images whose path lengths have a variance


@dataclass(frozen=True)
class StyleBasedSettings(UnconditionalSettings):
    """Settings of the task style_based; those of `unconditional`, and the terms.

    Args:
        adversarial: "vanilla" (StyleGAN2), "hinge" or "lsgan".
        weight_r1: gamma of the R1 term, gamma / 2 * |gradient of D(real)|^2; 0: none.
        weight_path_length: weight of the variance of path lengths; 0: none.
        regularized: share of a batch's images that the two terms read, above 0 and at most 1.
        discriminator: the network that judges images (StyleGAN2's by default).

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "vanilla"
    latent: int = 512
    weight_r1: float = 10.0
    weight_path_length: float = 2.0
    regularized: float = 0.25
    discriminator: DiscriminatorSettings = field(
        default_factory=lambda: DiscriminatorSettings(model="stylegan2", ndf=128)
    )

    def __post_init__(self) -> None:
        """Check the fields."""
        super().__post_init__()
        check_weights(self, "weight_r1", "weight_path_length")
        if not 0 < self.regularized <= 1:
            raise UserError(f"regularized={self.regularized} is not a share; use a number above 0 and at most 1")

    def n_regularized(self, n: int, least: int) -> int:
        """Return how many images of a batch of n a term reads."""
        return min(n, max(least, round(self.regularized * n)))


class StyleBasedTask(UnconditionalTask):
    """StyleGAN2: G(latent) hard for D to tell from real images, with smooth paths; D with small gradients.

    Loss of G: adversarial + weight_path_length * path_length_penalty; of D: real and fake terms + weight_r1 / 2 *
    r1_penalty. Batches: {"target" (N, C, H, W), "step" ()}.
    """

    name = "style_based"
    settings: StyleBasedSettings  # type: ignore[assignment]  # of its own

    def __init__(self, settings: StyleBasedSettings | None = None, seed: int = 0) -> None:
        super().__init__(settings or StyleBasedSettings(), seed)

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> StyleBasedTask:
        """Return the task with these settings; `seed` is that of the latents."""
        return cls(from_json(StyleBasedSettings, settings, "task_settings"), seed)

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON; weights of 0 are kept."""
        weights = {name: getattr(self.settings, name) for name in ("weight_r1", "weight_path_length")}
        return {**super().settings_json(), **weights}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return False: a folder of images is the unconditional task's."""
        return False

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with StyleGAN2's discriminator for the size of the images, unless another is given.

        Raises:
            UserError: That discriminator does not judge images of this size.
        """
        default = StyleBasedSettings().discriminator
        judge = {"model": default.model, "ndf": default.ndf} | dict(settings.get("discriminator") or {})
        if judge["model"] == default.model and "n_layers" not in judge:
            high, wide = output.size
            if high != wide or high < 2 * LAST_SIZE or high.bit_count() != 1:
                raise UserError(
                    f"discriminator {default.model} judges square images: got {high}x{wide}; expected a power of 2, "
                    f"{2 * LAST_SIZE} or more. Try --task-setting discriminator.model=n_layers"
                )
            judge["n_layers"] = (high // LAST_SIZE).bit_length() - 1
        return {**settings, "discriminator": judge}

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the terms "adversarial" and "path_length", the latter left out with weight 0, and G's images."""
        terms, outputs = super().generator_losses(generators, discriminators, batch)
        inputs, weight = self.inputs(batch, "G"), self.settings.weight_path_length
        n = self.settings.n_regularized(len(outputs["G"]), LEAST_PATHS)
        if weight and n >= LEAST_PATHS:
            paths = path_length_penalty(
                generators["G"], tuple(x[:n] for x in inputs), mixed(self.seed, 31, int(batch["step"]))
            )
            terms["path_length"] = weight * paths
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Return D's real and fake terms, and R1 of the batch's first real images."""
        loss = super().discriminator_loss(outputs, discriminators, batch)
        if not self.settings.weight_r1:
            return loss
        n = self.settings.n_regularized(len(batch["target"]), 1)
        inputs = tuple(x[:n] for x in self.inputs(batch, "G"))
        penalty = r1_penalty(lambda images: discriminators["G"](*shown(self, inputs, images)), batch["target"][:n])
        return loss + self.settings.weight_r1 / 2 * penalty
