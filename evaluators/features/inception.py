"""Inception features exactly as pytorch-fid takes them: its network, its preprocessing, its weights.

The weights are a download that this code never makes: they come from a path, the environment variable
GANPRUNE_INCEPTION_WEIGHTS, or torch hub's cache, where pytorch-fid itself would have put them.
"""

from __future__ import annotations

import os
import pickle
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from .torchvision_import import make_torchvision_importable

WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
WEIGHTS_URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS_NAME}"
WEIGHTS_VARIABLE = "GANPRUNE_INCEPTION_WEIGHTS"

_PUBLISHED_DIGITS = "6726825d"
_DIGITS_IN_NAME = re.compile(r"-([0-9a-f]{8})\.\w+$")
_LOADING = threading.Lock()


class InceptionEncoder:
    """pytorch-fid's InceptionV3 up to its final average pooling: images of any size to 2048 features."""

    dimension = 2048
    preprocessing = "8 bits, resized to 299x299 (bilinear, not antialiased), pytorch-fid's InceptionV3"

    def __init__(self, network: nn.Module, name: str, sha256: str):
        self.name = name
        self.sha256 = sha256
        self._network = network.eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to features (N, 2048); gradients flow to the images that ask for them."""
        return self._network((images.float() + 1) / 2)[0].flatten(1)

    def to(self, device: torch.device | str) -> InceptionEncoder:
        """The encoder itself, moved."""
        self._network.to(device)
        return self


def find_inception_weights(given: Path | None = None) -> Path | None:
    """Return the path of the Inception weights, or None.

    Looks at `given`, else at the environment variable GANPRUNE_INCEPTION_WEIGHTS, else into torch hub's
    cache. The content is checked on loading, not here.

    Raises:
        ValueError: `given` or the variable names a file that is not there.
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
    """The Inception encoder with the weights that `find_inception_weights` finds.

    The published file (its sha256 begins with 6726825d, under any name) gives the encoder `inception`, the
    only one whose distance is called FID. Another file is taken only if its name ends in the first 8 digits
    of its own sha256, torch hub's custom, so that it is nobody's accident; its encoder is
    `inception-<digits>`.

    Raises:
        ValueError: no weights, a file whose sha256 is not what its name says, one that is neither, or one
            that does not hold this network's tensors.
    """
    path = find_inception_weights(weights)
    if path is None:
        raise UserError(
            f"no Inception weights: download {WEIGHTS_URL} on a machine that may, then give its path "
            f"or set {WEIGHTS_VARIABLE}; or measure with the bundled encoder 'shapes'"
        )
    sha256 = file_sha256(path)
    name = _checked_name(path, sha256)
    return InceptionEncoder(_build(_read(path), path), name, sha256)


def check_inception_weights(path: Path) -> str:
    """The encoder's name that a file of weights gives; its content is hashed, the network not built.

    Raises:
        ValueError: a file that `load_inception` would refuse by its name and sha256.
    """
    return _checked_name(path, file_sha256(path))


def _checked_name(path: Path, sha256: str) -> str:
    promised = _DIGITS_IN_NAME.search(path.name)
    if promised and not sha256.startswith(promised[1]):
        raise UserError(
            f"{path}: its name promises sha256 {promised[1]}..., its content has {sha256[:8]}...; "
            f"the file is damaged or misnamed, fetch it again from {WEIGHTS_URL}"
        )
    if sha256.startswith(_PUBLISHED_DIGITS):
        return "inception"
    if not promised:
        raise UserError(
            f"{path} is not the published Inception file (sha256 {sha256[:8]}..., published {_PUBLISHED_DIGITS}...); "
            f"if other weights are meant, let its name end in -{sha256[:8]}{path.suffix}"
        )
    return f"inception-{sha256[:8]}"


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{path} cannot be read as plain tensors ({str(error).splitlines()[0]})") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a dictionary of tensors, as pytorch-fid's weights are")
    return state


def _build(state: dict[str, Tensor], path: Path) -> nn.Module:
    make_torchvision_importable()
    from pytorch_fid import inception as published

    with _instead_of_download(published, state):
        try:
            return published.InceptionV3([published.InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
        except RuntimeError as error:
            line = " ".join(str(error).split())[:160]
            raise UserError(f"{path} does not hold pytorch-fid's Inception: {line}") from error


@contextmanager
def _instead_of_download(published: Any, state: dict[str, Tensor]) -> Iterator[None]:
    """Hands pytorch-fid's builder these tensors where it would fetch them from the network.

    The builder has no parameter for it. Replacing the one name it fetches through keeps every other line of
    it in use, which is what makes the features its own.
    """
    with _LOADING:
        original = published.load_state_dict_from_url
        published.load_state_dict_from_url = lambda *_args, **_kwargs: state
        try:
            yield
        finally:
            published.load_state_dict_from_url = original
