"""Settings that the tasks of image translation share: a discriminator that fits the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..networks.specs import OutputSpec
from .generator_fit import patch_layers


class ImageTranslation:
    """A task whose generators translate images, and whose discriminators are PatchGANs unless it is said."""

    name: str

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings with a PatchGAN that fits the size of what it judges."""
        judge = dict(settings.get("discriminator", {}))
        layers = judge.get("n_layers", patch_layers(min(output.size)))
        return {**settings, "discriminator": {**judge, "n_layers": layers}}
