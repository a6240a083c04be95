"""BatchNorm whose scale and shift depend on the class (Dumoulin et al. 2017; de Vries et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn


class ConditionalBatchNorm(nn.Module):
    """scale(condition) * BatchNorm(x) + shift(condition), per channel.

    Args:
        channels: C of the map (N, C, H, W).
        classes: How many there are, if the condition is a label (N,): embeddings of its own then give scale and shift.
        condition: Length of a condition (N, condition) that norms share: linear layers without bias then give them. 0:
            the condition is a label.
    """

    def __init__(self, channels: int, classes: int, condition: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        if condition:
            self.scale: nn.Module = nn.Linear(condition, channels, bias=False)
            self.shift: nn.Module = nn.Linear(condition, channels, bias=False)
            return
        scale, shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(scale.weight)
        nn.init.zeros_(shift.weight)
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalize (N, C, H, W). A linear layer gives the difference of the scale from 1, as in BigGAN."""
        scale, shift = self.scale(condition)[:, :, None, None], self.shift(condition)[:, :, None, None]
        if isinstance(self.scale, nn.Linear):
            scale = 1 + scale
        return self.norm(x) * scale + shift
