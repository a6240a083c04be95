"""Views, permutations and tokens: channels on other axes than the second."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, both, conv, second
from .weights import ALL, three


def _linear(m: Net, x: Tensor) -> Tensor:
    return m.f(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()


def _tokens(m: Net, x: Tensor) -> Tensor:
    n, _, h, w = x.shape
    t = m.f(x.flatten(2).transpose(1, 2))
    return t.transpose(1, 2).reshape(n, -1, h, w)


def _moved(m: Net, x: Tensor) -> Tensor:
    return m.f(x.movedim(1, -1)).swapaxes(1, 3).mT


def _as_rows(m: Net, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(n * h * w, c)
    return m.f(rows).view(n, h, w, -1).permute(0, 3, 1, 2)


def _bottleneck(m: Net, x: Tensor) -> Tensor:
    h = torch.relu(m.down(x))
    h = m.widen(torch.relu(m.narrow(h.flatten(1))))
    return m.up(h.view(x.shape[0], -1, 4, 4))


def _viewed(m: Net, x: Tensor) -> Tensor:
    h = torch.relu(m.down(x))
    return m.up(m.widen(torch.relu(m.narrow(h.view(h.size(0), -1)))).unflatten(1, (-1, 4, 4)))


def _squeezed_code() -> dict[str, nn.Module]:
    return {
        "down": nn.Conv2d(3, 8, 4, 2, 1),
        "narrow": nn.Linear(128, 8),
        "widen": nn.Linear(8, 128),
        "up": nn.ConvTranspose2d(8, 3, 4, 2, 1),
    }


def _code(a: float, d: float, b: float) -> float:
    return 16 * 48 * a + 16 * a * d + d * 16 * b + 16 * 48 * b


def _patches(m: Net, x: Tensor) -> Tensor:
    """A vision transformer's frame: patches, places, an MLP, patches again."""
    t = m.embed(x).flatten(2).transpose(1, 2) + m.place
    t = t + m.b(F.gelu(m.a(t)))
    return m.head(t).view(x.shape[0], 4, 4, 3, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(x.shape[0], 3, 8, 8)


def _with_token(m: Net, x: Tensor) -> Tensor:
    t = m.first(x).flatten(2).transpose(1, 2)
    t = torch.cat([m.token.expand(x.shape[0], -1, -1), t], 1)
    t = torch.relu(m.f(t))[:, 1:]
    return m.last(t.transpose(1, 2).unflatten(2, (8, 8)))


def _mixer(m: Net, x: Tensor) -> Tensor:
    t = m.first(x).flatten(2).transpose(1, 2)
    t = t + m.across(t.transpose(1, 2)).transpose(1, 2)
    t = t + m.along(m.norm(t))
    return m.last(t.transpose(1, 2).unflatten(2, (8, 8)))


def _mlp(n: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n, hidden), nn.GELU(), nn.Linear(hidden, n))


def _pixels(m: Net, z: Tensor) -> Tensor:
    """A value for each place, from its coordinates and a latent."""
    places = torch.sin(m.places @ m.frequencies)
    h = places[None].expand(z.shape[0], -1, -1)
    h = torch.relu(m.a(h) * m.style(z)[:, None])
    return m.b(h).transpose(1, 2).reshape(z.shape[0], 3, 8, 8)


def _einsum(m: Net, x: Tensor) -> Tensor:
    return torch.einsum("bchw,dc->bdhw", x, m.w)


def _matmul(m: Net, x: Tensor) -> Tensor:
    return (x.permute(0, 2, 3, 1) @ m.w).permute(0, 3, 1, 2)


def _tensordot(m: Net, x: Tensor) -> Tensor:
    return torch.tensordot(x, m.w, dims=([1], [0])).movedim(-1, 1)


def _weight_first(m: Net, x: Tensor) -> Tensor:
    return torch.matmul(m.w, x.flatten(2)).view(x.shape[0], -1, 8, 8)


def _matrix(spelling: object) -> nn.Sequential:
    return around(Net(spelling, w=nn.Parameter(torch.randn(8, 8))))


def three_points(a: float, b: float, c: float) -> float:
    """`around` a layer at each pixel."""
    return three(a, b, c) - S * 8 * a * b


POINT = "a linear layer at each pixel is a convolution of one pixel"


def _fourier_unit(m: Net, x: Tensor) -> Tensor:
    waves = torch.fft.rfft2(x, norm="ortho")
    pairs = torch.stack([waves.real, waves.imag], -1).permute(0, 1, 4, 2, 3).flatten(1, 2)
    pairs = m.f(pairs).relu().unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2)
    return torch.fft.irfft2(torch.complex(pairs[..., 0], pairs[..., 1]), x.shape[-2:], norm="ortho")


def _channel_attention(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    return x + (torch.bmm(flat, flat.mT).softmax(-1) @ flat).view(x.shape)


LAYOUTS = [
    Entry("linear layer over the last axis", lambda: around(Net(_linear, f=nn.Linear(8, 8))), three_points, ALL, POINT),
    Entry("linear layer over tokens", lambda: around(Net(_tokens, f=nn.Linear(8, 8))), three_points, ALL, POINT),
    Entry("movedim, swapaxes and mT", lambda: around(Net(_moved, f=nn.Linear(8, 8))), three_points, ALL, POINT),
    Entry(
        "pixels as rows of a matrix",
        lambda: around(Net(_as_rows, f=nn.Linear(8, 8, bias=False))),
        three_points,
        ALL,
        POINT,
    ),
    Entry("product with a parameter by einsum", lambda: _matrix(_einsum), three_points, ALL, POINT),
    Entry("product with a parameter by matmul", lambda: _matrix(_matmul), three_points, ALL, POINT),
    Entry("product with a parameter by tensordot", lambda: _matrix(_tensordot), three_points, ALL, POINT),
    Entry("product with a parameter on the left", lambda: _matrix(_weight_first), three_points, ALL, POINT),
    Entry(
        "code by flatten",
        lambda: Net(_bottleneck, **_squeezed_code()),
        _code,
        ALL,
        "sixteen columns or rows of a linear layer go with a channel",
    ),
    Entry(
        "code by view",
        lambda: Net(_viewed, **_squeezed_code()),
        _code,
        ALL,
        "sixteen columns or rows of a linear layer go with a channel",
    ),
    Entry(
        "patches with learned places",
        lambda: Net(
            _patches,
            embed=nn.Conv2d(3, 8, 2, 2),
            place=nn.Parameter(torch.randn(1, 16, 8)),
            a=nn.Linear(8, 16),
            b=nn.Linear(16, 8),
            head=nn.Linear(8, 12),
        ),
        lambda a, h: 16 * (12 * a + 2 * a * h + 12 * a),
        (8, 16),
        "places go with the stream; the head writes the image",
    ),
    Entry(
        "extra token",
        lambda: Net(
            _with_token, first=conv(3, 8), token=nn.Parameter(torch.randn(1, 1, 8)), f=nn.Linear(8, 8), last=conv(8, 3)
        ),
        lambda a, b: S * (27 * a + 27 * b) + 65 * a * b,
        AB,
        "the token goes with the stream",
    ),
    Entry(
        "mixer",
        lambda: Net(
            _mixer, first=conv(3, 8), across=_mlp(64, 16), norm=nn.LayerNorm(8), along=_mlp(8, 16), last=conv(8, 3)
        ),
        lambda a, t, h: S * 54 * a + a * 2 * 64 * t + S * 2 * a * h,
        (8, 16, 16),
        "the stream, hidden places and hidden channels; the 64 places stay",
    ),
    Entry(
        "places without an image",
        lambda: Net(
            _pixels,
            places=torch.rand(64, 2),
            frequencies=nn.Parameter(torch.randn(2, 8)),
            a=nn.Linear(8, 8),
            style=nn.Linear(8, 8),
            b=nn.Linear(8, 3),
        ),
        lambda f, a: S * (2 * f + f * a + 3 * a) + 8 * a,
        AB,
        "frequencies are columns of a parameter; the style is tied to what it scales",
        inputs="latent:8",
    ),
    Entry(
        "mean of groups of channels",
        lambda: around(lambda x: x.view(x.shape[0], 4, -1, 8, 8).mean(2), given=4),
        lambda b: S * (27 * 8 + 9 * 4 * b + 27 * b),
        B,
        "a mean over channels keeps them",
    ),
    Entry(
        "products along an axis of size one",
        lambda: around(lambda x: x.unsqueeze(1).squeeze(1).unsqueeze(-1).squeeze(-1)),
        both,
        AB,
        "nothing moves",
    ),
    Entry(
        "nested views",
        lambda: around(lambda x: x.view(x.shape[0], -1, 2, 8, 8).permute(0, 2, 1, 4, 3).reshape(x.shape[0], -1, 8, 8)),
        lambda a, b: both(2 * a, b),
        (4, 8),
        "the view needs an even number: neighbors are tied in pairs",
    ),
    Entry(
        "sizes kept in numbers",
        lambda: around(lambda x: x.reshape(-1, 8, 64).reshape(-1, 8, 8, 8)),
        second,
        B,
        "the code holds the number eight",
    ),
    Entry(
        "Fourier unit",
        lambda: around(Net(_fourier_unit, f=nn.Conv2d(16, 16, 1))),
        lambda a, b, c: S * 27 * a + 40 * 2 * a * 2 * b + S * (9 * b * c + 27 * c),
        ALL,
        "real and imaginary parts of a channel go together; 8 x 5 frequencies are multiplied",
    ),
    Entry(
        "attention between channels without weights",
        lambda: around(_channel_attention),
        lambda b: S * (27 * 8 + 2 * 8 * 8 + 9 * 8 * b + 27 * b),
        B,
        "its softmax is over channels, which stay; both products cost a channel times a channel per pixel",
    ),
]
