"""Attention whose heads may go: the same as torch's own with all heads, and what its masks and sizes become."""

import copy
from typing import Any

import pytest
import torch
from ganprune.gan_models.cuttable_layers.attention_by_heads import AttentionByHeads, part_heads
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from torch import Tensor, nn

N, L, S, E, HEADS = 3, 5, 7, 8, 2

SETTINGS: dict[str, dict[str, Any]] = {
    "batch first": {"batch_first": True},
    "sequence first": {},
    "without biases": {"bias": False},
    "keys and values of other sizes": {"kdim": 6, "vdim": 10, "batch_first": True},
}
CALLS: dict[str, Any] = {
    "weights": lambda: {},
    "no weights": lambda: {"need_weights": False},
    "weights of each head": lambda: {"average_attn_weights": False},
    "hidden places": lambda: {"attn_mask": torch.rand(L, S) < 0.4},
    "added to scores": lambda: {"attn_mask": torch.randn(L, S), "need_weights": False},
    "added to each head's scores": lambda: {"attn_mask": torch.randn(N * HEADS, L, S)},
    "hidden keys": lambda: {"key_padding_mask": torch.rand(N, S) < 0.4},
    "hidden keys and places": lambda: {
        "key_padding_mask": torch.rand(N, S) < 0.3,
        "attn_mask": torch.rand(L, S) < 0.3,
        "need_weights": False,
    },
}


def _attention(settings: dict[str, Any]) -> tuple[nn.MultiheadAttention, nn.MultiheadAttention]:
    """torch's own attention and a copy whose heads may go, with the same weights."""
    torch.manual_seed(0)
    own = nn.MultiheadAttention(E, HEADS, **settings).eval()
    for parameter in own.parameters():
        nn.init.normal_(parameter)
    parted = copy.deepcopy(own)
    part_heads(parted)
    assert type(parted) is AttentionByHeads
    return own, parted


def _inputs(settings: dict[str, Any], batched: bool = True) -> list[Tensor]:
    sizes = (L, E), (S, settings.get("kdim", E)), (S, settings.get("vdim", E))
    inputs = [torch.randn(N, *size) if batched else torch.randn(size) for size in sizes]
    return inputs if settings.get("batch_first") or not batched else [one.transpose(0, 1) for one in inputs]


def _same(found: tuple[Tensor, Tensor | None], expected: tuple[Tensor, Tensor | None]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            # Rounding in float32; a row with every place hidden is a number of none in both.
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_with_all_heads_it_gives_what_torch_gives(settings: str, call: str):
    """Outputs and weights, for every way to give masks, sequences and sizes."""
    own, parted = _attention(SETTINGS[settings])
    inputs, options = _inputs(SETTINGS[settings]), CALLS[call]()
    _same(parted(*inputs, **options), own(*inputs, **options))


@pytest.mark.parametrize("call", ["weights", "no weights", "weights of each head", "hidden places"])
def test_without_a_batch_it_gives_what_torch_gives(call: str):
    """Sequences of two axes, whatever `batch_first` says."""
    own, parted = _attention({"batch_first": True})
    inputs, options = _inputs({}, batched=False), CALLS[call]()
    _same(parted(*inputs, **options), own(*inputs, **options))


@pytest.mark.parametrize("settings", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_attention_with_keys_of_its_own_is_left_as_it_is(settings: dict[str, Any]):
    """Its rows are not those of heads alone."""
    own = nn.MultiheadAttention(E, HEADS, **settings)
    assert type(part_heads(own)) is nn.MultiheadAttention


class Mixed(nn.Module):
    """A convolution, attention over its pixels, and a convolution to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.z = nn.Conv2d(3, E, 1), nn.Conv2d(E, 3, 1)
        self.attention = nn.MultiheadAttention(E, HEADS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        tokens = h.flatten(2).transpose(1, 2)
        return self.z(h + self.attention(tokens, tokens, tokens)[0].transpose(1, 2).view_as(h))


def test_a_cut_attention_says_its_own_sizes_and_takes_its_own_weights():
    """Heads and channels of the cut module are those of its weights, which load into a cut of a new network."""
    model = Mixed().eval()
    groups = find_groups(model, torch.empty(1, 3, 4, 4))
    assert groups.sizes == {"a": E, "attention": HEADS}
    plan = ChannelPlan({"a": (0, 2, 5), "attention": (1,)})
    small, again = cut(model, groups, plan), cut(Mixed().eval(), groups, plan)
    assert isinstance(small.attention, AttentionByHeads)
    assert (small.attention.num_heads, small.attention.embed_dim) == (1, 3)
    assert tuple(small.attention.in_proj_weight.shape) == (3 * 1 * E // HEADS, 3)
    again.load_state_dict(small.state_dict())
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(again(x), small(x))


def test_the_network_that_is_traced_keeps_its_own_attention():
    """Tracing and a plan that keeps everything change nothing."""
    model = Mixed().eval()
    groups = find_groups(model, torch.empty(1, 3, 4, 4))
    assert type(model.attention) is nn.MultiheadAttention
    assert type(cut(model, groups, groups.full_plan()).attention) is nn.MultiheadAttention
