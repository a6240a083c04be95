"""A tiny generator of two inputs, an image and a style, for runtimes and export formats."""

import torch
from torch import nn


class TwoInputs(nn.Module):
    """An image, and a vector that shifts its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.shift = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 1), nn.Linear(5, 6)

    def forward(self, image: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(torch.relu(self.first(image) + self.shift(style)[:, :, None, None])))


def network() -> TwoInputs:
    torch.manual_seed(0)
    return TwoInputs().eval()


def inputs(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(n)
    return torch.rand(n, 3, 8, 8, generator=random) * 2 - 1, torch.randn(n, 5, generator=random)
