"""Scales and shifts from elsewhere: squeeze and excitation, styles, labels, maps, noise, experts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, both, conv, second
from .weights import ALL, three


def _fc() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8), nn.Sigmoid())


def _excited(spelling: object) -> nn.Sequential:
    return around(Net(spelling, fc=_fc()))


def _by_view(m: Net, x: Tensor) -> Tensor:
    n, c, _, _ = x.size()
    return x * m.fc(F.adaptive_avg_pool2d(x, 1).view(n, c)).view(n, c, 1, 1)


def _by_expand(m: Net, x: Tensor) -> Tensor:
    n, c = x.shape[:2]
    return x * m.fc(x.mean((2, 3))).view(n, c, 1, 1).expand_as(x)


def _by_index(m: Net, x: Tensor) -> Tensor:
    return x * m.fc(x.mean([-2, -1]))[:, :, None, None]


def _by_reshape_as(m: Net, x: Tensor) -> Tensor:
    pooled = F.adaptive_avg_pool2d(x, 1)
    return x.mul(m.fc(pooled.flatten(1)).reshape_as(pooled))


def _by_broadcast(m: Net, x: Tensor) -> Tensor:
    return x * torch.broadcast_to(m.fc(x.flatten(2).mean(2)).unsqueeze(-1).unsqueeze(-1), x.shape)


def _by_transpose(m: Net, x: Tensor) -> Tensor:
    return x * m.fc(x.mean((2, 3), keepdim=True).transpose(1, 3)).transpose(1, 3)


def _squeeze(r: float, a: float, b: float) -> float:
    return both(a, b) + 2 * a * r


def _cbam(m: Net, x: Tensor) -> Tensor:
    pools = (F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1))
    return x * torch.sigmoid(sum(m.fc(pool) for pool in pools))


def _maximum(m: Net, x: Tensor) -> Tensor:
    return x * m.fc(x.flatten(2).max(dim=2).values)[..., None, None]


def _top(m: Net, x: Tensor) -> Tensor:
    return x * m.fc(x.flatten(2).topk(4, 2)[0].mean(2))[..., None, None]


def _adain(m: Net, x: Tensor, z: Tensor) -> Tensor:
    scale, shift = m.style(z)[:, :, None, None].chunk(2, 1)
    return m.c(torch.relu((1 + scale) * m.norm(m.a(x)) + shift))


def _adain_by_view(m: Net, x: Tensor, z: Tensor) -> Tensor:
    h = m.a(x)
    style = m.style(z).view(z.shape[0], 2, h.shape[1], 1, 1)
    return m.c(torch.relu(m.norm(h) * style[:, 0] + style[:, 1]))


def _adain_by_slice(m: Net, x: Tensor, z: Tensor) -> Tensor:
    h, style = m.a(x), m.style(z)
    scale, shift = style[:, : h.size(1)], style[:, h.size(1) :]
    return m.c(torch.relu(m.norm(h) * scale[..., None, None] + shift[..., None, None]))


def _of_norm(style: nn.Module, run: object) -> Net:
    return Net(run, a=conv(3, 8), style=style, norm=nn.InstanceNorm2d(8), c=conv(8, 3))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True) + 1e-5


def _transfer(m: Net, x: Tensor, y: Tensor) -> Tensor:
    """Statistics of another picture's features, by the same encoder."""
    content, style = m.a(x), m.a(y)
    (mean, std), (new_mean, new_std) = _moments(content), _moments(style)
    return m.c((content - mean) / std * new_std + new_mean)


def _spade(m: Net, x: Tensor, mask: Tensor) -> Tensor:
    shared = torch.relu(m.shared(F.interpolate(mask, x.shape[2:], mode="nearest")))
    return m.c(torch.relu(m.norm(m.a(x)) * (1 + m.gamma(shared)) + m.beta(shared)))


def _film(m: Net, x: Tensor, z: Tensor) -> Tensor:
    return m.c(torch.relu(torch.addcmul(m.shift(z)[..., None, None], m.a(x), m.scale(z)[..., None, None])))


def _by_class(m: Net, x: Tensor, y: Tensor) -> Tensor:
    scale, shift = m.table(y)[:, :, None, None].chunk(2, 1)
    return m.c(torch.relu(m.norm(m.a(x)) * scale + shift))


def _indexed(m: Net, x: Tensor, y: Tensor) -> Tensor:
    h = m.norm(m.a(x))
    return m.c(torch.relu(h * m.scales[y][:, :, None, None] + m.shifts[y].view(-1, h.shape[1], 1, 1)))


def _one_hot(m: Net, x: Tensor, y: Tensor) -> Tensor:
    label = F.one_hot(y, 4).to(x.dtype)[:, :, None, None].expand(-1, -1, 8, 8)
    return m.c(m.b(torch.cat([torch.relu(m.a(x)), label], 1)))


def _latent_map(m: Net, x: Tensor, z: Tensor) -> Tensor:
    return m.c(m.b(torch.cat([torch.relu(m.a(x)), z.view(z.shape[0], -1, 1, 1).repeat(1, 1, 8, 8)], 1)))


def _noisy(m: Net, x: Tensor) -> Tensor:
    return x + m.strength * torch.randn(x.shape[0], 1, *x.shape[2:], dtype=x.dtype, device=x.device)


def _fixed_noise(m: Net, x: Tensor) -> Tensor:
    return x + m.strength.view(1, -1, 1, 1) * m.noise


def _truncated(m: Net, z: Tensor) -> Tensor:
    w = m.average.lerp(m.mapping(z), 0.7)
    return m.last(m.constant * m.affine(w)[:, :, None, None])


def _timed(m: Net, x: Tensor, t: Tensor) -> Tensor:
    """Sines and cosines of a time, as diffusion networks add them."""
    frequency = torch.exp(torch.arange(4, dtype=x.dtype, device=x.device) * -0.5)
    angle = t * frequency[None]
    seen = m.time(torch.cat([angle.sin(), angle.cos()], 1))
    return m.c(torch.relu(m.b(m.a(x) + seen[:, :, None, None])))


def _experts(m: Net, x: Tensor) -> Tensor:
    weight = m.route(x.mean((2, 3))).softmax(-1)
    made = torch.stack([expert(x) for expert in m.experts], 1)
    return (made * weight[:, :, None, None, None]).sum(1)


GATE = "the gate is tied to what it scales; the squeezed vector is free"
STYLE = "both halves of the style are tied to the channels that they scale and shift"
LATENT = "image:3,8,8;latent:8"
LABEL = "image:3,8,8;label:4"


def _styled(a: float) -> float:
    return S * 54 * a + 8 * 2 * a


def _se(a: float, r: float, b: float) -> float:
    return _squeeze(r, a, b)


SE = (8, 4, 8)

CONDITIONING = [
    Entry("squeeze and excitation by view", lambda: _excited(_by_view), _se, SE, GATE),
    Entry("squeeze and excitation by expand_as", lambda: _excited(_by_expand), _se, SE, GATE),
    Entry("squeeze and excitation by indexing", lambda: _excited(_by_index), _se, SE, GATE),
    Entry("squeeze and excitation by reshape_as", lambda: _excited(_by_reshape_as), _se, SE, GATE),
    Entry("squeeze and excitation by broadcast_to", lambda: _excited(_by_broadcast), _se, SE, GATE),
    Entry("squeeze and excitation by transpose", lambda: _excited(_by_transpose), _se, SE, GATE),
    Entry(
        "squeeze and excitation by convolutions",
        lambda: around(
            Net(
                lambda m, x: x * m.f(x),
                f=nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(8, 4, 1), nn.ReLU(), conv(4, 8, 1), nn.Hardsigmoid()),
            )
        ),
        _se,
        SE,
        GATE,
    ),
    Entry(
        "excitation by mean and maximum",
        lambda: around(Net(_cbam, fc=nn.Sequential(conv(8, 4, 1), nn.ReLU(), conv(4, 8, 1)))),
        lambda a, r, b: both(a, b) + 4 * a * r,
        SE,
        GATE + ", and used twice",
    ),
    Entry("excitation by max over pixels", lambda: _excited(_maximum), _se, SE, GATE),
    Entry("excitation by the largest pixels", lambda: _excited(_top), _se, SE, GATE),
    Entry("style by chunk", lambda: _of_norm(nn.Linear(8, 16), _adain), _styled, (8,), STYLE, inputs=LATENT),
    Entry("style by view", lambda: _of_norm(nn.Linear(8, 16), _adain_by_view), _styled, (8,), STYLE, inputs=LATENT),
    Entry("style by slices", lambda: _of_norm(nn.Linear(8, 16), _adain_by_slice), _styled, (8,), STYLE, inputs=LATENT),
    Entry(
        "statistics of another picture",
        lambda: Net(_transfer, a=conv(3, 8), c=conv(8, 3)),
        lambda a: S * (54 * a + 27 * a),
        (8,),
        "content and style come from one layer, and are tied channel by channel",
        inputs="image:3,8,8;style=image:3,8,8",
    ),
    Entry(
        "SPADE",
        lambda: Net(
            _spade,
            a=conv(3, 8),
            norm=nn.BatchNorm2d(8, affine=False),
            shared=conv(1, 8),
            gamma=conv(8, 8),
            beta=conv(8, 8),
            c=conv(8, 3),
        ),
        lambda a, r: S * (54 * a + 9 * r + 18 * r * a),
        AB,
        "scale and shift are tied to the channels; the shared map is free",
        inputs="image:3,8,8;mask:1,8,8",
    ),
    Entry(
        "FiLM by addcmul",
        lambda: Net(_film, a=conv(3, 8), scale=nn.Linear(8, 8), shift=nn.Linear(8, 8), c=conv(8, 3)),
        _styled,
        (8,),
        "scale and shift are tied to the channels",
        inputs=LATENT,
    ),
    Entry(
        "batch norm by class",
        lambda: Net(
            _by_class, a=conv(3, 8), norm=nn.BatchNorm2d(8, affine=False), table=nn.Embedding(4, 16), c=conv(8, 3)
        ),
        lambda a: S * 54 * a,
        (8,),
        "two columns of the table go with a channel",
        inputs=LABEL,
    ),
    Entry(
        "rows of parameters by class",
        lambda: Net(
            _indexed,
            a=conv(3, 8),
            norm=nn.InstanceNorm2d(8),
            scales=nn.Parameter(torch.randn(4, 8)),
            shifts=nn.Parameter(torch.randn(4, 8)),
            c=conv(8, 3),
        ),
        lambda a: S * 54 * a,
        (8,),
        "columns of the parameters go with the channels",
        inputs=LABEL,
    ),
    Entry(
        "label concatenated",
        lambda: Net(_one_hot, a=conv(3, 8), b=conv(12, 8), c=conv(8, 3)),
        lambda a, b: both(a, b) + S * 9 * 4 * b,
        AB,
        "the label's four channels stay",
        inputs=LABEL,
    ),
    Entry(
        "latent concatenated",
        lambda: Net(_latent_map, a=conv(3, 8), b=conv(16, 8), c=conv(8, 3)),
        lambda a, b: both(a, b) + S * 9 * 8 * b,
        AB,
        "the latent's eight channels stay",
        inputs=LATENT,
    ),
    Entry(
        "noise of each call",
        lambda: around(Net(_noisy, strength=nn.Parameter(torch.rand(1, 8, 1, 1)))),
        both,
        AB,
        "strengths go with their channels; the noise has one",
        onnx="ONNX Runtime draws other noise",
    ),
    Entry(
        "stored noise",
        lambda: around(Net(_fixed_noise, strength=nn.Parameter(torch.rand(8)), noise=torch.randn(1, 1, 8, 8))),
        both,
        AB,
        "strengths go with their channels; the noise has one",
    ),
    Entry(
        "truncated style",
        lambda: Net(
            _truncated,
            mapping=nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)),
            average=torch.randn(8),
            affine=nn.Linear(8, 8),
            constant=nn.Parameter(torch.randn(1, 8, 4, 4)),
            last=conv(8, 3),
        ),
        lambda m, w, a: 8 * m + m * w + w * a + 16 * 27 * a,
        ALL,
        "the average is cut with the style; the learned constant with its scales",
        inputs="latent:8",
    ),
    Entry(
        "time added",
        lambda: Net(
            _timed,
            a=conv(3, 8),
            b=conv(8, 8),
            time=nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8)),
            c=conv(8, 3),
        ),
        lambda a, t, b: both(a, b) + 8 * t + t * a,
        (8, 16, 8),
        "the time's channels are tied to those that they are added to",
        inputs="image:3,8,8;vector:1",
    ),
    Entry(
        "mixture of experts",
        lambda: around(Net(_experts, route=nn.Linear(8, 2), experts=nn.ModuleList([conv(8, 8), conv(8, 8)]))),
        lambda a, b, c: three(a, b, c) + S * 9 * a * b + 2 * a,
        ALL,
        "experts write one group; the router's two outputs stay",
    ),
    Entry(
        "softmax gate over channels",
        lambda: around(Net(lambda m, x: x * m.f(x.mean((2, 3))).softmax(1)[:, :, None, None], f=nn.Linear(8, 8))),
        lambda b: second(b) + 64,
        B,
        "a softmax over channels keeps them",
    ),
]
