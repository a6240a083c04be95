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

import torch
from torch import Tensor

from ...files.errors import UserError
from ...files.plain_values import JSON, from_json
from ...files.seeds import mixed
from ...networks.specs import OutputSpec
from ..settings import DiscriminatorSettings, check_weights
from ..task import Batch, Network, shown
from ..unconditional import UnconditionalSettings, UnconditionalTask
from .gradient_penalties import path_lengths, r1_penalty

LAST_SIZE = 4  # pixels per side of the discriminator's last map
DECAY = 0.0025  # share of a batch in the running mean of path lengths; published: 0.01 in every fourth step
STATE = "path_length"


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

    def n_regularized(self, n: int) -> int:
        """Return how many images of a batch of n a term reads."""
        return max(1, round(self.regularized * n))


class StyleBasedTask(UnconditionalTask):
    """StyleGAN2: G(latent) hard for D to tell from real images, with smooth paths; D with small gradients.

    Loss of G: adversarial + weight_path_length * mean (path_lengths - running mean)^2; of D: real and fake terms +
    weight_r1 / 2 * r1_penalty. Batches: {"target" (N, C, H, W), "step" ()}.

    The running mean begins with the first batch's, not with 0: from 0 on, it would first shrink the derivatives. It
    takes a batch in with D's loss, so that both of G's losses of a batch are equal.
    """

    name = "style_based"
    settings: StyleBasedSettings  # type: ignore[assignment]  # of its own

    def __init__(self, settings: StyleBasedSettings | None = None, seed: int = 0) -> None:
        super().__init__(settings or StyleBasedSettings(), seed)
        self._mean: Tensor | None = None  # of path lengths
        self._next: Tensor | None = None  # that of the last batch

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
        if weight:
            n = self.settings.n_regularized(len(outputs["G"]))
            read = tuple(x[:n] for x in inputs)
            lengths = path_lengths(generators["G"], read, mixed(self.seed, 31, int(batch["step"])))
            self._next = lengths.detach().mean()
            mean = self._next if self._mean is None else self._mean.lerp(self._next, DECAY)
            terms["path_length"] = weight * (lengths - mean).square().mean()
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Return D's real and fake terms, and R1 of the batch's first real images."""
        loss = super().discriminator_loss(outputs, discriminators, batch)
        if self._next is not None:
            self._mean = self._next if self._mean is None else self._mean.lerp(self._next, DECAY)
            self._next = None
        if not self.settings.weight_r1:
            return loss
        n = self.settings.n_regularized(len(batch["target"]))
        inputs = tuple(x[:n] for x in self.inputs(batch, "G"))
        penalty = r1_penalty(lambda images: discriminators["G"](*shown(self, inputs, images)), batch["target"][:n])
        return loss + self.settings.weight_r1 / 2 * penalty

    def state(self) -> dict[str, Tensor]:
        """Return the running mean of path lengths, if there is one."""
        return {} if self._mean is None else {STATE: self._mean}

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Put the running mean back."""
        self._mean = state[STATE].to(device) if STATE in state else None
