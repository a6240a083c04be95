"""Numbers that attention computes from a head's size: weights in front make up for them, if nothing else reads these."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut, embedded
from torch import Tensor, nn

from ..random_cuts import check_cut, lively

Sequences = tuple[Tensor, Tensor, Tensor]
SHAPE = (3, 4, 4)
HEADS, SIZE = 2, 4


class Heads(nn.Module):
    """Attention with two heads of any size over pixels, queries, keys and values by some function."""

    def __init__(self, sequences: Callable[[Any, Tensor], Sequences], **parts: nn.Module) -> None:
        super().__init__()
        self.a, self.z = nn.Conv2d(3, 6, 1), nn.Conv2d(HEADS * SIZE, 3, 1)
        self.sequences = sequences
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        q, k, v = (
            one.unflatten(2, (HEADS, -1)).transpose(1, 2) if one.dim() == 3 else one
            for one in self.sequences(self, self.a(x).flatten(2).transpose(1, 2))
        )
        out = F.scaled_dot_product_attention(q, k, v)
        return self.z(out.transpose(2, 3).reshape(n, -1, height, width))


def _linears(**more: nn.Module) -> dict[str, nn.Module]:
    return {name: nn.Linear(6, HEADS * SIZE) for name in "qkv"} | more


def _plain(m: Any, t: Tensor) -> Sequences:
    return m.q(t), m.k(t), m.v(t)


def _joint(m: Any, t: Tensor) -> Sequences:
    q, k, v = m.qkv(t).chunk(3, -1)
    return q, k, v


def _joint_read_twice(m: Any, t: Tensor) -> Sequences:
    h = m.qkv(t)
    q, k, v = h.chunk(3, -1)
    return q, k, v + m.read(h)


def _bounded(m: Any, t: Tensor) -> Sequences:
    return m.q(t).tanh(), m.k(t).tanh(), m.v(t)


def _query_is_value(m: Any, t: Tensor) -> Sequences:
    q = m.q(t)
    return q, m.k(t), q


def _query_is_key(m: Any, t: Tensor) -> Sequences:
    q = m.q(t)
    return q, q, m.v(t)


def _one_layer_after_another(m: Any, t: Tensor) -> Sequences:
    """The sum grows by more than its last layer does."""
    q = m.q(t)
    return q + m.again(q), m.k(t).tanh(), m.v(t)


def _one_norm(m: Any, t: Tensor) -> Sequences:
    q, k = (one.unflatten(2, (HEADS, -1)).transpose(1, 2) for one in (m.q(t), m.k(t)))
    return m.norm(q), m.norm(k), m.v(t)


def _one_layer_for_two(m: Any, t: Tensor) -> Sequences:
    return m.q(t), m.q(t.flip(1)), m.v(t)


PRUNABLE: dict[str, Callable[[], nn.Module]] = {
    "a layer each": lambda: Heads(_plain, **_linears()),
    "one layer for all": lambda: Heads(_joint, qkv=nn.Linear(6, 3 * HEADS * SIZE)),
    "one layer for all, without bias": lambda: Heads(_joint, qkv=nn.Linear(6, 3 * HEADS * SIZE, bias=False)),
    "queries that are values": lambda: Heads(_query_is_value, **_linears()),
}
WHOLE: dict[str, Callable[[], nn.Module]] = {
    "queries and keys behind a function": lambda: Heads(_bounded, **_linears()),
    "one layer for all, read twice": lambda: Heads(
        _joint_read_twice, qkv=nn.Linear(6, 3 * HEADS * SIZE), read=nn.Linear(3 * HEADS * SIZE, HEADS * SIZE)
    ),
    "queries that are keys": lambda: Heads(_query_is_key, **_linears()),
    "layers after another": lambda: Heads(
        _one_layer_after_another, **_linears(again=nn.Linear(HEADS * SIZE, HEADS * SIZE))
    ),
    "one norm for queries and keys": lambda: Heads(_one_norm, **_linears(norm=nn.LayerNorm(SIZE))),
    "one layer for queries and keys": lambda: Heads(_one_layer_for_two, **_linears()),
}


@pytest.mark.parametrize("name", PRUNABLE)
def test_channels_inside_of_heads_go_and_the_scale_stays(name: str):
    """The cut network's own scale is another; rows of queries or keys make up for it, whatever goes."""
    sizes = find_groups(PRUNABLE[name](), torch.empty(1, *SHAPE)).sizes
    assert SIZE in [size for group, size in sizes.items() if group not in ("a", "v")]
    for seed in range(3):
        check_cut(lively(PRUNABLE[name]()), SHAPE, seed)


@pytest.mark.parametrize("name", WHOLE)
def test_channels_stay_if_nothing_in_front_makes_up_for_the_scale(name: str):
    """A factor would reach something else, or not arrive as itself."""
    groups = find_groups(WHOLE[name](), torch.empty(1, *SHAPE))
    assert "shape_factor" in [entry.reason.code for entry in groups.unpruned]
    assert not set(groups.sizes) & {"q", "k", "qkv", "again"}
    check_cut(lively(WHOLE[name]()), SHAPE, 0)


def test_a_full_network_takes_back_what_a_cut_multiplied():
    """Weights that return to their places are those that were cut."""
    torch.manual_seed(0)
    model = Heads(_plain, **_linears()).eval()
    groups = find_groups(model, torch.empty(1, *SHAPE))
    plan = ChannelPlan({name: tuple(range(0, size, 2)) for name, size in groups.sizes.items()})
    small = cut(model, groups, plan)
    rows = [head * SIZE + channel for head in range(HEADS) for channel in (0, 2)]
    assert torch.allclose(small.q.bias, model.q.bias[rows] * 0.5**0.5)
    back = embedded(model, small, groups, plan)
    for name, parameter in back.named_parameters():
        torch.testing.assert_close(parameter, model.get_parameter(name))  # one rounding of the factor
