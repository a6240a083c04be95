"""Attention over pixels, heads, windows, rows and channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import B, Entry, Net, S, around, both, conv, second

L = 64  # tokens: the pixels
ENDS = 2 * 27 * S  # MACs of first and last convolution per channel between them


class Attended(nn.Sequential):
    """A convolution 3 -> 8, attention over its map, a convolution 8 -> 3."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__(conv(3, 8), attention, conv(8, 3))


def _tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def _image(tokens: Tensor) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, (8, 8))


def _sagan(m: Net, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    query = m.f(x).view(n, -1, h * w).permute(0, 2, 1)
    energy = torch.bmm(query, m.g(x).view(n, -1, h * w))
    value = m.h(x).view(n, -1, h * w)
    out = torch.bmm(value, energy.softmax(-1).permute(0, 2, 1)).view(n, c, h, w)
    return m.gamma * out + x


def _self_attention(spelling: object) -> Net:
    return Net(spelling, f=conv(8, 4, 1), g=conv(8, 4, 1), h=conv(8, 8, 1), gamma=nn.Parameter(torch.ones(1)))


def _by_einsum(m: Net, x: Tensor) -> Tensor:
    f, g, h = (one(x).flatten(2) for one in (m.f, m.g, m.h))
    attention = torch.einsum("bci,bcj->bij", f, g).softmax(-1)
    return x + m.gamma * torch.einsum("bij,bcj->bci", attention, h).view_as(x)


def _linear(m: Net, x: Tensor) -> Tensor:
    """Attention that is linear in the pixels: keys meet values first."""
    q, k, v = (one(x).flatten(2) for one in (m.q, m.k, m.v))
    context = torch.einsum("bdi,bei->bde", k.softmax(-1), v)
    return x + m.out(torch.einsum("bde,bdi->bei", context, q.softmax(1)).view(x.shape[0], -1, 8, 8))


def _joint(m: Net, x: Tensor) -> Tensor:
    """Queries, keys and values of one linear layer; four heads; the size of a head follows."""
    t = _tokens(x)
    n, length, _ = t.shape
    q, k, v = m.qkv(t).reshape(n, length, 3, 4, -1).permute(2, 0, 3, 1, 4).unbind(0)
    out = ((q @ k.transpose(-2, -1)) * 0.5).softmax(-1) @ v
    return x + _image(m.out(out.transpose(1, 2).reshape(n, length, -1)))


def _heads(m: Net, x: Tensor, head: int = -1, size: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    t = _tokens(x)
    q, k, v = (one(t).view(t.shape[0], L, head, size).transpose(1, 2) for one in (m.q, m.k, m.v))
    return t, q, k, v


def _end(m: Net, x: Tensor, out: Tensor) -> Tensor:
    return x + _image(m.out(out.transpose(1, 2).flatten(2)))


def _by_hand(m: Net, x: Tensor) -> Tensor:
    _, q, k, v = _heads(m, x)
    return _end(m, x, torch.matmul((torch.matmul(q, k.transpose(2, 3)) / 2.0).softmax(3), v))


def _sdpa(m: Net, x: Tensor) -> Tensor:
    _, q, k, v = _heads(m, x)
    return _end(m, x, F.scaled_dot_product_attention(q, k, v))


def _sdpa_within(m: Net, x: Tensor) -> Tensor:
    _, q, k, v = _heads(m, x, 4, -1)
    return _end(m, x, F.scaled_dot_product_attention(q, k, v))


def _sdpa_scaled(m: Net, x: Tensor) -> Tensor:
    _, q, k, v = _heads(m, x, 4, -1)
    return _end(m, x, F.scaled_dot_product_attention(q, k, v, scale=0.5))


def _joint_sdpa(m: Net, x: Tensor) -> Tensor:
    t = _tokens(x)
    q, k, v = m.qkv(t).reshape(t.shape[0], L, 3, 4, -1).permute(2, 0, 3, 1, 4).unbind(0)
    return _end(m, x, F.scaled_dot_product_attention(q, k, v))


def _normalized(m: Net, x: Tensor) -> Tensor:
    _, q, k, v = _heads(m, x, 4, -1)
    return _end(m, x, F.scaled_dot_product_attention(m.norm_q(q), m.norm_k(k), v))


def _rotary(m: Net, x: Tensor, head: int = -1, size: int = 4) -> Tensor:
    """Queries and keys turned by their position, pair by pair of a head's four channels."""
    _, q, k, v = _heads(m, x, head, size)
    turned = []
    for one in (q, k):
        first, rest = one.chunk(2, -1)
        turned.append(torch.cat([first * m.cos - rest * m.sin, first * m.sin + rest * m.cos], -1))
    return _end(m, x, F.scaled_dot_product_attention(*turned, v))


def _turned_as_complex(m: Net, x: Tensor, *head: int) -> Tensor:
    """Queries and keys turned as complex numbers: pairs of neighbors times numbers of length one."""
    _, q, k, v = _heads(m, x, *head)
    turns = torch.view_as_complex(m.turns)
    pairs = (torch.view_as_complex(one.reshape(*one.shape[:-1], -1, 2)) for one in (q, k))
    q, k = (torch.view_as_real(one * turns).flatten(3) for one in pairs)
    return _end(m, x, F.scaled_dot_product_attention(q, k, v, scale=0.5))


def _half_turned(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat([-x[..., half:], x[..., :half]], -1)


def _turned_by_halves(m: Net, x: Tensor) -> Tensor:
    """Queries and keys turned before heads become an axis of the batch, as language models do."""
    t = _tokens(x)
    q, k, v = (one(t).unflatten(2, (-1, 4)) for one in (m.q, m.k, m.v))
    q, k = (one * m.cos[:, None] + _half_turned(one) * m.sin[:, None] for one in (q, k))
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    return _end(m, x, F.scaled_dot_product_attention(q, k, v))


def _turned_by_pairs(m: Net, x: Tensor) -> Tensor:
    """Queries and keys turned in pairs of neighbors, inside of four heads with a stored scale."""
    _, q, k, v = _heads(m, x, 4, -1)
    turned = []
    for one in (q, k):
        even, odd = one[..., ::2], one[..., 1::2]
        pairs = [even * m.cos - odd * m.sin, even * m.sin + odd * m.cos]
        turned.append(torch.stack(pairs, -1).flatten(-2))
    return _end(m, x, F.scaled_dot_product_attention(*turned, v, scale=0.5))


def _divided_by_root(m: Net, x: Tensor) -> Tensor:
    """Scores divided by the root of a head's size, read from the tensor."""
    _, q, k, v = _heads(m, x)
    return _end(m, x, (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v)


def _shared_by_hand(m: Net, x: Tensor) -> Tensor:
    """Two heads of keys and values for four of queries, each repeated."""
    _, q, k, v = _heads(m, x)
    k, v = (one.repeat_interleave(2, 1) for one in (k, v))
    return _end(m, x, (q @ k.transpose(-2, -1) * 0.5).softmax(-1) @ v)


def _shared(m: Net, x: Tensor) -> Tensor:
    _, q, k, v = _heads(m, x)
    return _end(m, x, F.scaled_dot_product_attention(q, k, v, enable_gqa=True))


def _projected(run: object, **more: object) -> Net:
    return Net(run, q=nn.Linear(8, 16), k=nn.Linear(8, 16), v=nn.Linear(8, 16), out=nn.Linear(16, 8), **more)


def _multihead(m: Net, x: Tensor) -> Tensor:
    t = _tokens(x)
    return x + _image(m.attention(t, t, t, need_weights=False)[0])


def _sequence_first(m: Net, x: Tensor) -> Tensor:
    t = x.flatten(2).permute(2, 0, 1)
    return x + m.attention(t, t, t)[0].permute(1, 2, 0).unflatten(2, (8, 8))


def _to_latent(m: Net, x: Tensor, z: Tensor) -> Tensor:
    """Pixels attend to four words of six numbers each."""
    x = m.first(x)
    words = z.view(z.shape[0], 4, 6)
    return m.last(x + _image(m.attention(_tokens(x), words, words, need_weights=False)[0]))


def _encoded(m: Net, x: Tensor) -> Tensor:
    t = _tokens(x)
    return _image(m.decoder(t, m.encoder(t)))


def _window(m: Net, x: Tensor) -> Tensor:
    """Attention inside four windows of 4 x 4 pixels, with a bias per pair of places."""
    n, c, _, _ = x.shape
    t = x.view(n, c, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(n * 4, 16, c)
    q, k, v = m.qkv(t).reshape(n * 4, 16, 3, 4, -1).permute(2, 0, 3, 1, 4).unbind(0)
    out = ((q @ k.transpose(-2, -1)) * 0.5 + m.bias).softmax(-1) @ v
    t = m.out(out.transpose(1, 2).reshape(n * 4, 16, -1))
    return x + t.view(n, 2, 2, 4, 4, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, 8, 8)


def _rows(m: Net, x: Tensor) -> Tensor:
    """Attention along each row of the image, one head."""
    n = x.shape[0]
    t = x.permute(0, 2, 3, 1).flatten(0, 1)
    attention = torch.softmax(m.q(t) @ m.k(t).mT * 0.25, -1)
    return x + m.out(attention @ m.v(t)).unflatten(0, (n, 8)).permute(0, 3, 1, 2)


def _transposed(m: Net, x: Tensor) -> Tensor:
    """Attention between channels, four heads (Restormer)."""
    q, k, v = m.depthwise(m.qkv(x)).chunk(3, 1)
    q, k, v = (one.unflatten(1, (4, -1)).flatten(3) for one in (q, k, v))
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    out = ((q @ k.transpose(-2, -1)) * m.temperature).softmax(-1) @ v
    return x + m.out(out.flatten(1, 2).unflatten(2, (8, 8)))


def _non_local(m: Net, x: Tensor) -> Tensor:
    """A non-local block with a stored number of inner channels and keys at half size."""
    n = x.shape[0]
    theta = m.theta(x).view(n, 4, -1).permute(0, 2, 1)
    phi, g = (F.max_pool2d(one(x), 2).view(n, 4, -1) for one in (m.phi, m.g))
    y = torch.matmul(torch.softmax(torch.matmul(theta, phi), -1), g.permute(0, 2, 1))
    return x + m.out(y.permute(0, 2, 1).contiguous().view(n, 4, 8, 8))


def _context(m: Net, x: Tensor) -> Tensor:
    """A global context: pixels weighted by one map, then added to all of them."""
    n, c, h, w = x.shape
    weight = m.score(x).view(n, h * w, 1).softmax(1)
    context = torch.matmul(x.view(n, c, h * w), weight).view(n, c, 1, 1)
    return x + m.excite(torch.relu(m.squeeze(context)))


def _efficient(m: Net, x: Tensor) -> Tensor:
    y = m.f(x.mean((2, 3))[:, None])
    return x * torch.sigmoid(y)[:, 0, :, None, None]


def _spatial(m: Net, x: Tensor) -> Tensor:
    seen = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
    return x * torch.sigmoid(m.f(seen))


def _cross(m: Net, x: Tensor, z: Tensor) -> Tensor:
    """Pixels attend to four words of eight numbers each."""
    x = m.first(x)
    words = z.view(z.shape[0], 4, 8)
    q = m.q(_tokens(x)).view(x.shape[0], L, -1, 4).transpose(1, 2)
    k, v = (one(words).view(x.shape[0], 4, -1, 4).transpose(1, 2) for one in (m.k, m.v))
    return m.last(_end(m, x, F.scaled_dot_product_attention(q, k, v)))


def _transformer(m: Net, x: Tensor) -> Tensor:
    return _image(m.layer(_tokens(x)))


def _by_heads(a: float, h: float) -> float:
    """Whole heads of four channels go."""
    return ENDS * a + L * 4 * a * 4 * h + h * 2 * L * L * 4


def _by_shared_heads(a: float, h: float) -> float:
    """Whole heads of keys and values go, each with the two heads of queries that it serves."""
    return ENDS * a + L * (2 * a * 8 * h + 2 * a * 4 * h) + 2 * h * 2 * L * L * 4


def _shared_heads(run: object) -> nn.Module:
    return Attended(Net(run, q=nn.Linear(8, 16), k=nn.Linear(8, 8), v=nn.Linear(8, 8), out=nn.Linear(16, 8)))


def _in_pairs(a: float, p: float, v: float) -> float:
    """Pairs of channels go, the same of every head; values are free."""
    return ENDS * a + L * (2 * a * 8 * p + 2 * a * 4 * v) + 4 * L * L * (2 * p + v)


def _inside(a: float, d: float, v: float) -> float:
    """Channels of queries and keys go, the same of every head; values are free."""
    return ENDS * a + L * (2 * a * 4 * d + 2 * a * 4 * v) + 4 * L * L * (d + v)


# torch.nn.functional.multi_head_attention_forward takes its sizes as numbers of Python.
FIXED = "torch's attention fixes the size of a batch when it is exported"
HEADS = "heads of a fixed size go as wholes; the stream is free"

ATTENTION = [
    Entry(
        "self-attention of SAGAN",
        lambda: Attended(_self_attention(_sagan)),
        lambda a, d: ENDS * a + S * (2 * a * d + a * a) + L * L * (d + a),
        (8, 4),
        "query and key are tied; values are tied to the stream",
    ),
    Entry(
        "self-attention by einsum",
        lambda: Attended(_self_attention(_by_einsum)),
        lambda a, d: ENDS * a + S * (2 * a * d + a * a) + L * L * (d + a),
        (8, 4),
        "query and key are tied; values are tied to the stream",
    ),
    Entry(
        "linear attention",
        lambda: Attended(Net(_linear, q=conv(8, 8, 1), k=conv(8, 8, 1), v=conv(8, 8, 1), out=conv(8, 8, 1))),
        lambda a, e: ENDS * a + S * (2 * a * 8 + 2 * a * e) + 2 * L * 8 * e,
        (8, 8),
        "a softmax over queries' channels keeps query and key; values and stream are free",
    ),
    Entry(
        "heads of a joint projection",
        lambda: Attended(Net(_joint, qkv=nn.Linear(8, 48), out=nn.Linear(16, 8))),
        lambda a, d: ENDS * a + L * (a * 12 * d + 4 * d * a) + 4 * 2 * L * L * d,
        (8, 4),
        "the size of a head follows: the same channels of every head, of query, key and value",
    ),
    Entry("heads by hand", lambda: Attended(_projected(_by_hand)), _by_heads, (8, 4), HEADS),
    Entry("heads by scaled_dot_product_attention", lambda: Attended(_projected(_sdpa)), _by_heads, (8, 4), HEADS),
    Entry(
        "heads turned by position",
        lambda: Attended(_projected(_rotary, cos=torch.rand(L, 2), sin=torch.rand(L, 2))),
        _by_heads,
        (8, 4),
        HEADS,
    ),
    Entry(
        "heads turned as complex numbers",
        lambda: Attended(_projected(_turned_as_complex, turns=torch.rand(L, 2, 2))),
        _by_heads,
        (8, 4),
        HEADS,
    ),
    Entry(
        "heads turned by halves",
        lambda: Attended(_projected(_turned_by_halves, cos=torch.rand(L, 4), sin=torch.rand(L, 4))),
        _by_heads,
        (8, 4),
        HEADS,
    ),
    Entry(
        "inside of heads turned by pairs",
        lambda: Attended(_projected(_turned_by_pairs, cos=torch.rand(L, 2), sin=torch.rand(L, 2))),
        _in_pairs,
        (8, 2, 4),
        "both channels of a pair go, of queries and keys; values are free",
    ),
    Entry(
        "inside of heads turned as complex numbers",
        lambda: Attended(
            _projected(lambda m, x: _turned_as_complex(m, x, 4, -1), turns=torch.rand(L, 2, 2)),
        ),
        _in_pairs,
        (8, 2, 4),
        "a complex number is a pair of channels, of queries and keys; values are free",
    ),
    Entry(
        "heads with a scale from their size", lambda: Attended(_projected(_divided_by_root)), _by_heads, (8, 4), HEADS
    ),
    Entry(
        "heads of queries that share keys",
        lambda: _shared_heads(_shared),
        _by_shared_heads,
        (8, 2),
        "a head of keys and values goes with the heads of queries that it serves",
    ),
    Entry(
        "heads of queries that share repeated keys",
        lambda: _shared_heads(_shared_by_hand),
        _by_shared_heads,
        (8, 2),
        "a head of keys and values goes with the heads of queries that it serves",
    ),
    Entry(
        "inside of heads, default scale",
        lambda: Attended(_projected(_sdpa_within)),
        _inside,
        (8, 4, 4),
        "queries and keys are tied, values are free; weights of queries make up for the scale, which follows their size",
    ),
    Entry(
        "inside of heads of a joint projection, default scale",
        lambda: Attended(Net(_joint_sdpa, qkv=nn.Linear(8, 48), out=nn.Linear(16, 8))),
        lambda a, d: ENDS * a + L * (a * 12 * d + 4 * d * a) + 4 * 2 * L * L * d,
        (8, 4),
        "the same channels of every head, of query, key and value; the rows of queries make up for the scale",
    ),
    Entry(
        "inside of heads turned by position, default scale",
        lambda: Attended(
            _projected(lambda m, x: _rotary(m, x, 4, -1), cos=torch.rand(L, 2), sin=torch.rand(L, 2)),
        ),
        _in_pairs,
        (8, 2, 4),
        "both channels of a pair go, of queries and keys; values are free",
    ),
    Entry(
        "normalized queries and keys",
        lambda: Attended(_projected(_normalized, norm_q=nn.LayerNorm(4), norm_k=nn.RMSNorm(4))),
        _inside,
        (8, 4, 4),
        "norms of each head leave dropped channels out; their weights make up for the scale",
    ),
    Entry(
        "inside of heads, fixed scale",
        lambda: Attended(_projected(_sdpa_scaled)),
        _inside,
        (8, 4, 4),
        "queries and keys are tied, values are free",
    ),
    Entry(
        "multi-head attention of torch.nn",
        lambda: around(Net(_multihead, attention=nn.MultiheadAttention(8, 2, batch_first=True))),
        lambda a, h, b: both(a, b) + L * 4 * a * 4 * h + h * 2 * L * L * 4,
        (8, 2, 8),
        HEADS,
        one_at_a_time=FIXED,
    ),
    Entry(
        "transformer layer of torch.nn",
        lambda: Attended(
            Net(_transformer, layer=nn.TransformerEncoderLayer(8, 2, 32, batch_first=True, norm_first=True))
        ),
        lambda a, h, m: ENDS * a + L * (4 * a * 4 * h + 2 * a * m) + h * 2 * L * L * 4,
        (8, 2, 32),
        "heads go as wholes; the stream and the hidden channels of the MLP are free",
        one_at_a_time=FIXED,
    ),
    Entry(
        "multi-head attention with its weights, sequence first",
        lambda: Attended(Net(_sequence_first, attention=nn.MultiheadAttention(8, 4, bias=False))),
        lambda a, h: ENDS * a + L * 4 * a * 2 * h + h * 2 * L * L * 2,
        (8, 4),
        HEADS,
        one_at_a_time=FIXED,
    ),
    Entry(
        "multi-head attention to a latent",
        lambda: Net(
            _to_latent,
            first=conv(3, 8),
            attention=nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True),
            last=conv(8, 3),
        ),
        lambda a, h: ENDS * a + 2 * L * a * 4 * h + 2 * 4 * 6 * 4 * h + h * 2 * L * 4 * 4,
        (8, 2),
        HEADS,
        inputs="image:3,8,8;latent:24",
        one_at_a_time=FIXED,
    ),
    Entry(
        "transformer encoder and decoder of torch.nn",
        lambda: Attended(
            Net(
                _encoded,
                encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
                decoder=nn.TransformerDecoderLayer(8, 2, 16, batch_first=True),
            )
        ),
        lambda a, *each: (
            ENDS * a
            + sum(L * 4 * a * 4 * h + h * 2 * L * L * 4 for h in each[:4])
            + sum(L * 2 * a * m for m in each[4:])
        ),
        (8, 2, 2, 2, 2, 16, 16, 16),
        "heads of four attentions and hidden channels of three MLPs; one stream",
        one_at_a_time=FIXED,
    ),
    Entry(
        "windows",
        lambda: Attended(
            Net(_window, qkv=nn.Linear(8, 48), out=nn.Linear(16, 8), bias=nn.Parameter(torch.randn(4, 16, 16)))
        ),
        lambda a, d: ENDS * a + L * (a * 12 * d + 4 * d * a) + 4 * 4 * 2 * 16 * 16 * d,
        (8, 4),
        "the same channels of every head; the bias has none",
    ),
    Entry(
        "rows",
        lambda: Attended(Net(_rows, q=nn.Linear(8, 16), k=nn.Linear(8, 16), v=nn.Linear(8, 16), out=nn.Linear(16, 8))),
        lambda a, d, v: ENDS * a + L * (2 * a * d + 2 * a * v) + 8 * 8 * 8 * (d + v),
        (8, 16, 16),
        "queries and keys are tied, values are free",
    ),
    Entry(
        "attention between channels",
        lambda: Attended(
            Net(
                _transposed,
                qkv=conv(8, 48, 1),
                depthwise=conv(48, 48, groups=48),
                temperature=nn.Parameter(torch.ones(4, 1, 1)),
                out=conv(16, 8, 1),
            )
        ),
        lambda a: ENDS * a + S * (48 * a + 9 * 48 + 16 * a) + 2 * 4 * 4 * 4 * L,
        (8,),
        "channels attend to each other and stay; the stream is free",
    ),
    Entry(
        "non-local block with stored numbers",
        lambda: Attended(Net(_non_local, theta=conv(8, 4, 1), phi=conv(8, 4, 1), g=conv(8, 4, 1), out=conv(4, 8, 1))),
        lambda a: ENDS * a + S * 4 * 4 * a + 2 * L * 16 * 4,
        (8,),
        "the inner number of channels is in the code; the stream is free",
    ),
    Entry(
        "global context",
        lambda: Attended(Net(_context, score=conv(8, 1, 1), squeeze=conv(8, 4, 1), excite=conv(4, 8, 1))),
        lambda a, r: ENDS * a + 2 * S * a + 2 * a * r,
        (8, 4),
        "the stream's channels are rows of the product with one map; the squeezed ones are free",
    ),
    Entry(
        "convolution along channels",
        lambda: around(Net(_efficient, f=nn.Conv1d(1, 1, 3, padding=1))),
        lambda b: second(b) + 8 * 3,
        B,
        "a convolution slides over the channels, which stay",
    ),
    Entry(
        "spatial attention",
        lambda: around(Net(_spatial, f=nn.Conv2d(2, 1, 7, padding=3))),
        lambda b: second(b) + S * 49 * 2,
        B,
        "mean and maximum are taken over channels, which stay",
    ),
    Entry(
        "cross-attention to a latent",
        lambda: Net(
            _cross,
            first=conv(3, 8),
            q=nn.Linear(8, 16),
            k=nn.Linear(8, 16),
            v=nn.Linear(8, 16),
            out=nn.Linear(16, 8),
            last=conv(8, 3),
        ),
        lambda a, h: ENDS * a + L * 2 * a * 4 * h + 2 * 4 * 8 * 4 * h + h * 2 * L * 4 * 4,
        (8, 4),
        HEADS,
        inputs="image:3,8,8;latent:32",
    ),
]
