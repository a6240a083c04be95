"""Self-attention over the pixels of a map (Zhang et al., ICML 2019): a mix of all pixels' values, for each pixel."""

from __future__ import annotations

from torch import Tensor, nn

QUERY_SHARE = 8  # channels per channel of queries and keys
VALUE_SHARE = 2  # channels per channel of values, if a convolution leads back


class SelfAttention(nn.Module):
    """x + gamma * attention(x), (N, C, H, W) to the same shape; gamma starts at 0.

    Names are those of published PyTorch code: `query_conv`, `key_conv`, `value_conv`, `gamma`.

    Args:
        channels: C; of queries and keys an eighth, at least one per head.
        heads: 0: as in that code, values have C channels and no convolution leads back: queries and keys can have fewer
            channels, values those of x. 1: as in the paper, values have C / 2 channels, and `out_conv` leads back: both
            can have fewer. More: the same with several heads, which are pruned as wholes.
    """

    def __init__(self, channels: int, heads: int = 0) -> None:
        super().__init__()
        queries = max(channels // QUERY_SHARE // max(heads, 1), 1) * max(heads, 1)
        values = channels if heads == 0 else max(channels // VALUE_SHARE // heads, 1) * heads
        self.query_conv = nn.Conv2d(channels, queries, 1)
        self.key_conv = nn.Conv2d(channels, queries, 1)
        self.value_conv = nn.Conv2d(channels, values, 1)
        self.out_conv = nn.Conv2d(values, channels, 1) if heads else nn.Identity()
        self.gamma = nn.Parameter(self.query_conv.weight.new_zeros(1))
        self.sizes = (queries // heads, values // heads) if heads > 1 else (-1, -1)  # of a head

    def forward(self, x: Tensor) -> Tensor:
        """Attend."""
        size, value_size = self.sizes
        query, key, value = (
            one(x).flatten(2) if width < 0 else one(x).flatten(2).unflatten(1, (-1, width))
            for one, width in ((self.query_conv, size), (self.key_conv, size), (self.value_conv, value_size))
        )
        weights = (query.transpose(-2, -1) @ key).softmax(-1)  # [N, (heads,) H W, H W], over the second pixels
        mixed = value @ weights.transpose(-2, -1)
        if size > 0:
            mixed = mixed.flatten(1, 2)
        return x + self.gamma * self.out_conv(mixed.unflatten(-1, x.shape[2:]))
