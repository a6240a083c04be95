"""Inception features identical to pytorch-fid's: its network, its preprocessing, its weights.

The weights are never downloaded. They come from a path, the environment variable GANPRUNE_INCEPTION_WEIGHTS, or torch
hub's cache, in which pytorch-fid stores them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from .pretrained.weight_file import name_of_content, read_tensors
from .torchvision_import import make_torchvision_importable

WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
WEIGHTS_URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS_NAME}"
WEIGHTS_VARIABLE = "GANPRUNE_INCEPTION_WEIGHTS"

_PUBLISHED_DIGITS = "6726825d"
_LOADING_LOCK = threading.Lock()


class InceptionEncoder:
    """pytorch-fid's InceptionV3 up to its final average pooling: images of any size to 2048 features."""

    dimension = 2048
    preprocessing = "8 bits, resized to 299x299 (bilinear, not antialiased), pytorch-fid's InceptionV3"

    def __init__(self, network: nn.Module, name: str, sha256: str, classes_KD: Tensor | None = None):
        self.name = name
        self.sha256 = sha256
        self._classes_KD = classes_KD
        self._network = network.eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 2048) of images (N, 3, H, W) in [-1, 1]; differentiable in the images."""
        return self._network((images.float() + 1) / 2)[0].flatten(1)

    def class_scores(self, features: Tensor) -> Tensor:
        """Return the scores of Inception's 1008 classes (N, 1008), before a softmax, of features (N, 2048) on the CPU.

        Without a bias, as the published code of the Inception Score takes them (Salimans et al. 2016).

        Raises:
            UserError: The file of weights contains no classifier.
        """
        if self._classes_KD is None:
            raise UserError(
                "the Inception weights contain no classifier: got no fc.weight; expected the published file. "
                f"Try {WEIGHTS_URL}"
            )
        return features @ self._classes_KD.T

    def to(self, device: torch.device | str) -> InceptionEncoder:
        """Move the encoder to a device, and return it."""
        self._network.to(device)
        return self


def find_inception_weights(given: Path | None = None) -> Path | None:
    """Return the path of the Inception weights, or None.

    The order is `given`, the environment variable GANPRUNE_INCEPTION_WEIGHTS, torch hub's cache. The content is checked
    on loading, not here.

    Raises:
        ValueError: `given` or the variable names a file that does not exist.
    """
    named = {"the path given": given, WEIGHTS_VARIABLE: os.environ.get(WEIGHTS_VARIABLE)}
    for source, path in named.items():
        if path:
            if not Path(path).expanduser().is_file():
                raise UserError(f"Inception weights: {source} says {path}, which is not a file")
            return Path(path).expanduser()
    cached = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_NAME
    return cached if cached.is_file() else None


def load_inception(weights: Path | None = None) -> InceptionEncoder:
    """Return the Inception encoder with the weights that `find_inception_weights` finds.

    The published file (its sha256 begins with 6726825d, under any name) gives the encoder `inception`, the only one
    whose distance is called FID. Another file is accepted only if its name ends in the first 8 digits of its own
    sha256, as torch hub names files. This makes the choice deliberate; its encoder is `inception-<digits>`.

    Raises:
        ValueError: There are no weights, the file's sha256 is not the one in its name, it is neither the published file
            nor named by its sha256, or it does not contain this network's tensors.
    """
    path = find_inception_weights(weights)
    if path is None:
        raise UserError(
            f"no Inception weights: download {WEIGHTS_URL} on a machine that may, then give its path "
            f"or set {WEIGHTS_VARIABLE}; or measure with the bundled encoder 'shapes'"
        )
    sha256 = file_sha256(path)
    name = _checked_name(path, sha256)
    state = read_tensors(path, "pytorch-fid")
    return InceptionEncoder(_build(state, path), name, sha256, state.get("fc.weight"))


def check_inception_weights(path: Path) -> str:
    """Return the encoder's name that a file of weights gives; its content is hashed, the network not built.

    Raises:
        ValueError: `load_inception` would refuse the file because of its name and sha256.
    """
    return _checked_name(path, file_sha256(path))


def _checked_name(path: Path, sha256: str) -> str:
    return name_of_content(path, sha256, "inception", _PUBLISHED_DIGITS, WEIGHTS_URL)


def _build(state: dict[str, Tensor], path: Path) -> nn.Module:
    make_torchvision_importable()
    from pytorch_fid import inception as published

    with _instead_of_download(published, state):
        try:
            return published.InceptionV3([published.InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
        except RuntimeError as error:
            line = " ".join(str(error).split())[:160]
            raise UserError(f"{path} does not contain pytorch-fid's Inception: {line}") from error


@contextmanager
def _instead_of_download(published: Any, state: dict[str, Tensor]) -> Iterator[None]:
    """Give pytorch-fid's builder these tensors in place of its download.

    The builder has no parameter for it. Only the function through which it downloads is replaced; the rest of its code
    runs, so the features are identical to pytorch-fid's.
    """
    with _LOADING_LOCK:
        original = published.load_state_dict_from_url
        published.load_state_dict_from_url = lambda *_args, **_kwargs: state
        try:
            yield
        finally:
            published.load_state_dict_from_url = original
