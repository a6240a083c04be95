"""A user's own generator of two inputs, an image and a latent, and the task that gives it both."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.files.seeds import mixed
from ganprune.gan_models.tasks.losses import discriminator_adversarial, generator_adversarial, l1
from ganprune.gan_models.tasks.paired import PairedTask
from ganprune.gan_models.tasks.settings import DiscriminatorSettings
from ganprune.gan_models.tasks.single_generator import SingleGenerator
from ganprune.gan_models.tasks.task import build_discriminators
from torch import nn


class Styled(nn.Module):
    """A translator whose features are shifted by a projection of a latent."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, width, 3, padding=1)
        self.style = nn.Linear(style, width)
        self.norm = nn.BatchNorm2d(width)
        self.body = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.last = nn.Conv2d(2 * width, 3, 3, padding=1)

    def forward(self, photo: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Return the photo [N, 3, H, W] in the style [N, d]."""
        x = self.norm(self.image(photo) + self.style(style)[:, :, None, None])
        return torch.tanh(self.last(torch.relu(self.body(torch.relu(x)))))


def styled(*, width: int = 8, style: int = 4) -> nn.Module:
    """Return the generator."""
    return Styled(width, style)


@dataclass(frozen=True)
class StyledSettings:
    """Settings of the task."""

    adversarial: str = "lsgan"
    weight_l1: float = 10.0
    style: int = 4
    discriminator: DiscriminatorSettings = field(default_factory=lambda: DiscriminatorSettings(ndf=4, n_layers=1))


class StyledTask(SingleGenerator):
    """Pairs, and a style drawn anew at each step."""

    name = "styled"
    has_reference = True
    source = "pairs"

    def __init__(self, settings: StyledSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed

    @property
    def adversarial(self):
        return self.settings.adversarial

    @classmethod
    def from_json(cls, settings, seed):
        return cls(from_json(StyledSettings, dict(settings)), seed)

    def settings_json(self):
        return to_json(self.settings)

    @classmethod
    def detect(cls, root):
        return False

    @classmethod
    def split_files(cls, spec, split):
        return PairedTask.split_files(spec, split)

    @classmethod
    def open(cls, spec, split):
        return PairedTask.open(spec, split)

    @classmethod
    def fit(cls, settings, model, inputs, output):
        return {**settings, "style": inputs.of_kind("latent")[0].shape[0]}

    @classmethod
    def complete(cls, settings, output):
        return PairedTask.complete(settings, output)

    def make_discriminators(self, seed):
        return build_discriminators(self.generator_names, self.settings.discriminator, 6, seed)

    def inputs(self, batch, name):
        photo = batch["input"]
        random = torch.Generator().manual_seed(mixed(self.seed, 30, int(batch["step"])))
        return photo, torch.randn(len(photo), self.settings.style, generator=random).to(photo.device)

    def judged(self, inputs, images):
        return torch.cat((inputs[0], images), dim=1)

    def generator_losses(self, generators, discriminators, batch):
        outputs = self.generate(generators, batch)
        scores = discriminators["G"](self.judged((batch["input"],), outputs["G"]))
        adversarial = generator_adversarial(self.settings.adversarial, scores)
        return {
            "adversarial": adversarial,
            "l1": self.settings.weight_l1 * l1(outputs["G"], batch["target"]),
        }, outputs

    def discriminator_loss(self, outputs, discriminators, batch):
        judge, shown = discriminators["G"], (batch["input"],)
        real = judge(self.judged(shown, batch["target"]))
        fake = judge(self.judged(shown, outputs["G"].detach()))
        return discriminator_adversarial(self.settings.adversarial, real, fake)
