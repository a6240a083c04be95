"""The unconditional task: SNGAN (Miyato et al. 2018), images from latents, hinge loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..files.errors import UserError
from ..files.plain_values import JSON, from_json, to_json
from ..files.seeds import mixed
from .losses import discriminator_adversarial, generator_adversarial
from .settings import DiscriminatorSettings, check_adversarial
from .task import Batch, Network, build_discriminators


@dataclass(frozen=True)
class UnconditionalSettings:
    """Settings of the unconditional task.

    Args:
        adversarial: "hinge" (SNGAN), "vanilla" or "lsgan".
        latent: length of the latent vector.
        channels: channels of the images.
        discriminator: the network that judges images (SNGAN's by default).

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "hinge"
    latent: int = 128
    channels: int = 3
    discriminator: DiscriminatorSettings = field(default_factory=lambda: DiscriminatorSettings(model="sngan", ndf=128))

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        if self.latent < 1:
            raise UserError(f"latent={self.latent} is no length; use 1 or more")


class UnconditionalTask:
    """SNGAN: G(latent) hard for D to tell from real images.

    Latents are standard normal, a pure function of (seed, batch["step"]): a resumed run, a teacher and a
    measurement see the same ones. Batches: {"target" (N, C, H, W), "step" ()}.
    """

    name = "unconditional"
    generator_names = ("G",)
    needs_teacher = False

    def __init__(self, settings: UnconditionalSettings | None = None, seed: int = 0) -> None:
        self.settings = settings or UnconditionalSettings()
        self.seed = seed

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> UnconditionalTask:
        """The task with these settings; `seed` is that of the latents."""
        return cls(from_json(UnconditionalSettings, settings, "task_settings"), seed)

    def settings_json(self) -> dict[str, JSON]:
        """The settings as JSON."""
        return to_json(self.settings)

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """One discriminator, "G"."""
        return build_discriminators(self.generator_names, self.settings.discriminator, self.settings.channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return latents (N, latent) of this batch's step, as many as there are images.

        Raises:
            KeyError: the batch does not say its step.
        """
        if "step" not in batch:
            raise KeyError('a batch of the unconditional task needs "step", which `batches` puts there')
        target = batch["target"]
        random = torch.Generator().manual_seed(mixed(self.seed, 30, int(batch["step"])))
        return (torch.randn(len(target), self.settings.latent, generator=random).to(target.device),)

    def reference(self, batch: Batch, name: str) -> Tensor | None:
        """Return nothing: no image is the one that a latent should have become."""
        return None

    def generate(self, generators: Mapping[str, Network], batch: Batch) -> dict[str, Tensor]:
        """G's images."""
        return {"G": generators["G"](*self.inputs(batch, "G"))}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """The images alone."""
        return images

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The term "adversarial", and G's images."""
        outputs = self.generate(generators, batch)
        loss = generator_adversarial(self.settings.adversarial, discriminators["G"](outputs["G"]))
        return {"adversarial": loss}, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """D's real and fake terms, not halved (as published for the hinge)."""
        real = discriminators["G"](batch["target"])
        fake = discriminators["G"](outputs["G"].detach().to(batch["target"].dtype))
        return discriminator_adversarial(self.settings.adversarial, real, fake)

    def with_reals(self, batch: Batch, name: str, images: Tensor) -> dict[str, Tensor]:
        """The batch with other targets."""
        return {**batch, "target": images}

    def state(self) -> dict[str, Tensor]:
        """Nothing: latents follow from the step."""
        return {}

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Nothing to put back."""
