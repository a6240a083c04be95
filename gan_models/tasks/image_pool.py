"""CycleGAN's pool of past outputs, which D sees half of the time instead of the newest ones."""

from __future__ import annotations

import torch
from torch import Tensor


class ImagePool:
    """Holds up to `size` past images; its content and its random numbers can be saved and put back.

    Until the pool is full every image is stored and returned. Then each image is, with probability 1/2,
    returned as it is, or else exchanged for a stored one (Shrivastava et al. 2017; upstream uses 50).

    Args:
        size: images held; 0 returns every image as it is.
        seed: of the exchanges.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._images: list[Tensor] = []
        self._random = torch.Generator().manual_seed(seed % 2**63)

    def exchange(self, images: Tensor) -> Tensor:
        """Images for D instead of `images` (N, C, H, W): the same shape, detached, float32."""
        if self.size == 0:
            return images.detach().float()
        shown = []
        for image in images.detach().float():
            if len(self._images) < self.size:
                self._images.append(image.clone())
                shown.append(image)
            elif torch.rand((), generator=self._random) < 0.5:
                shown.append(image)
            else:
                place = int(torch.randint(self.size, (), generator=self._random))
                shown.append(self._images[place])
                self._images[place] = image.clone()
        return torch.stack(shown)

    def state(self) -> dict[str, Tensor]:
        """Content and random numbers as tensors: `random` (uint8), and `images` (n, C, H, W) if any."""
        state = {"random": self._random.get_state()}
        if self._images:
            state["images"] = torch.stack(self._images)
        return state

    def load_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        """Put back what `state` gave; images go to `device`."""
        self._random.set_state(state["random"].cpu())
        images = state.get("images")
        self._images = [] if images is None else list(images.to(device).clone().unbind(0))
