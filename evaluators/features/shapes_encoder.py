"""The bundled encoder `shapes` with its weights; `shapes_network.py` defines its network."""

from __future__ import annotations

from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from .shapes_network import SHAPES_DIMENSION, SIDE, ShapesNetwork

BUNDLED = Path(__file__).with_name("shapes_encoder.safetensors")


class ShapesEncoder:
    """The encoder `shapes`: images of at least 16 x 16 pixels to 96 features."""

    name = "shapes"
    dimension = SHAPES_DIMENSION
    preprocessing = f"8 bits, resized to {SIDE}x{SIDE} (bilinear, antialiased)"

    def __init__(self, network: ShapesNetwork, sha256: str):
        self.sha256 = sha256
        self._network = network.eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 96) of images (N, 3, H, W) in [-1, 1]; differentiable in the images."""
        return self._network(images.float())

    def to(self, device: torch.device | str) -> ShapesEncoder:
        """Move the encoder to a device, and return it."""
        self._network.to(device)
        return self


def load_shapes_network(path: Path = BUNDLED) -> ShapesNetwork:
    """Return the network with the weights of a safetensors file. Raises ValueError if they are of another one."""
    network = ShapesNetwork()
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{path} does not contain weights of the shapes encoder: got {str(error).splitlines()[0]}; expected its "
            f"tensors. Try to omit the path for the bundled ones"
        ) from error
    return network


def load_shapes(weights: Path | None = None) -> ShapesEncoder:
    """Return the bundled encoder, or the same network with the weights of another safetensors file.

    Raises:
        ValueError: The file is missing or does not contain this network's weights.
    """
    path = Path(weights) if weights is not None else BUNDLED
    network = load_shapes_network(path)
    encoder = ShapesEncoder(network, file_sha256(path))
    if path != BUNDLED:
        encoder.name = f"shapes-{encoder.sha256[:8]}"
    return encoder
