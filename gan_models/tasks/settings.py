"""Settings that several tasks share: the discriminator, the adversarial loss, checks of weights. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..files.errors import UserError

ADVERSARIAL_MODES = ("vanilla", "lsgan", "hinge")
NORMS = ("instance", "batch")


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The network that judges one generator's outputs.

    Args:
        model: Name in `gan_models.networks.catalog.DISCRIMINATORS`: PatchGAN `basic`, `n_layers`, `pixel`, or `sngan`;
            or a user's own, `package.module:function` or `file.py:function`. Its builder is given those of `ndf`,
            `n_layers`, `norm` and `input_channels` that its signature takes; others need a default.
        ndf: Channels after the first layer.
        n_layers: Strided layers of a PatchGAN; 3 sees 70x70 pixels, 2 sees 34x34.
        norm: `instance` or `batch`.

    Raises:
        UserError: A field outside its range.
    """

    model: str = "n_layers"
    ndf: int = 64
    n_layers: int = 3
    norm: str = "instance"

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.ndf < 1 or self.n_layers < 1:
            raise UserError(f"discriminator ndf={self.ndf}, n_layers={self.n_layers}: both must be at least 1")
        if self.norm not in NORMS:
            raise UserError(f"discriminator norm {self.norm!r} is unknown; use {' or '.join(NORMS)}")


def check_adversarial(mode: str) -> None:
    """Raise UserError unless `mode` is a known adversarial loss."""
    if mode not in ADVERSARIAL_MODES:
        raise UserError(f"adversarial loss {mode!r} is unknown; use one of {', '.join(ADVERSARIAL_MODES)}")


def check_weights(settings: object, *names: str) -> None:
    """Raise UserError unless the named fields are weights: finite and not negative."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < float("inf"):
            raise UserError(f"{name}={value} is not a weight; use a number of at least 0")
