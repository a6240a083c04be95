"""Multi-head attention of torch.nn with any number of heads per width: torch stores its sizes in one number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AttentionByHeads(nn.MultiheadAttention):
    """torch's multi-head attention, whose heads and channels follow from its weights: q, k and v may have fewer.

    It has the same parameters under the same names, and the same outputs for the same weights.
    """

    def forward(  # noqa: D102
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,  # defines the mask, which is used in any case
    ) -> tuple[Tensor, Tensor | None]:
        batched = query.dim() == 3
        sequences = [query, key, value]
        if not batched:
            sequences = [one.unsqueeze(0) for one in sequences]
        elif not self.batch_first:
            sequences = [one.transpose(0, 1) for one in sequences]
        q, k, v = (
            F.linear(one, weight, bias).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for one, weight, bias in zip(sequences, self._weights(), self._biases(), strict=True)
        )
        mask = _joined(_by_heads(attn_mask, len(q), q.dtype), _of_keys(key_padding_mask, q.dtype))
        dropped, weights = self.dropout if self.training else 0.0, None
        if need_weights:
            scores = (q * (1 / math.sqrt(self.head_dim))) @ k.transpose(-2, -1)
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), dropped)
            out = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights if batched else weights.squeeze(0)
        else:
            out = F.scaled_dot_product_attention(q, k, v, mask, dropped)
        out = F.linear(out.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias)
        if not batched:
            return out.squeeze(0), weights
        return (out if self.batch_first else out.transpose(0, 1)), weights

    def fit(self) -> None:
        """Set the sizes that are stored as attributes to those of the weights."""
        rows = self._weights()[0].shape[0]
        self.num_heads, self.embed_dim = rows // self.head_dim, self.out_proj.weight.shape[0]
        self.kdim, self.vdim = (int(weight.shape[1]) for weight in self._weights()[1:])

    def _weights(self) -> tuple[Tensor, ...]:
        if self.in_proj_weight is not None:
            return self.in_proj_weight.chunk(3)
        return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight

    def _biases(self) -> tuple[Tensor | None, ...]:
        return (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)


def part_heads(model: nn.Module) -> nn.Module:
    """Make the heads of a network's multi-head attentions prunable; return the network, changed in place.

    Attentions that append their own keys or values to the given ones are not changed.
    """
    for module in model.modules():
        part_heads_of(module)
    return model


def part_heads_of(module: nn.Module) -> None:
    """Make the heads of one module prunable, if it is such an attention itself."""
    if type(module) is nn.MultiheadAttention and module.bias_k is None and not module.add_zero_attn:
        module.__class__ = AttentionByHeads
        module._qkv_same_embed_dim = False  # the containing module must not pass its weights to a fused kernel of torch


@contextmanager
def heads_parted(*models: nn.Module) -> Iterator[None]:
    """Replace multi-head attentions inside the context, so that networks and their cuts make the same calls."""
    whole = [one for model in models for one in model.modules() if type(one) is nn.MultiheadAttention]
    flags = [one._qkv_same_embed_dim for one in whole]
    for module in whole:
        part_heads_of(module)
    try:
        yield
    finally:
        for module, flag in zip(whole, flags, strict=True):
            module.__class__, module._qkv_same_embed_dim = nn.MultiheadAttention, flag


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the term that a mask adds to scores; True in a Boolean mask hides a position."""
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, float("-inf"))
    return mask.to(dtype)


def _by_heads(mask: Tensor | None, n: int, dtype: torch.dtype) -> Tensor | None:
    """Return a mask [L, S] or [n * heads, L, S] for scores [n, heads, L, S]."""
    if mask is None:
        return None
    return _added(mask if mask.dim() == 2 else mask.unflatten(0, (n, -1)), dtype)


def _of_keys(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Return a mask [n, S] of keys, or [S] without a batch, for scores [n, heads, L, S]."""
    if mask is None:
        return None
    return _added(mask if mask.dim() == 2 else mask.unsqueeze(0), dtype)[:, None, None]


def _joined(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
