"""Settings that the tasks of image translation share: what fits a generator of one image, and its discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..networks.specs import InputSpec
from .generator_fit import one_image, patch_layers


class ImageTranslation:
    """A task whose generators translate one image, and whose discriminators are PatchGANs unless it is said."""

    name: str

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, image_size: int) -> dict[str, Any]:
        """Return the settings as they are. Raises UserError for a generator that does not translate one image."""
        one_image(cls.name, model, inputs, image_size)
        return dict(settings)

    @classmethod
    def complete(cls, settings: Mapping[str, Any], image_size: int) -> dict[str, Any]:
        """Return the settings with a PatchGAN that fits the image size."""
        judge = dict(settings.get("discriminator", {}))
        return {**settings, "discriminator": {**judge, "n_layers": judge.get("n_layers", patch_layers(image_size))}}
