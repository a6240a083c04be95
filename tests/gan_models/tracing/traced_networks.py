"""Small networks around one middle, each of which calls torch in one way that published generators do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

WIDTH = 8


class Between(nn.Module):
    """A convolution to 8 channels, some function of these, and a convolution to the image."""

    def __init__(self, middle: Callable[..., Tensor], out: int = WIDTH, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.a, self.z = nn.Conv2d(3, WIDTH, 3, padding=1), nn.Conv2d(out, 3, 3, padding=1)
        self.middle = middle
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.z(self.middle(self, torch.relu(self.a(x)))))


def conv(n_in: int = WIDTH, n_out: int = WIDTH, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1, **options)


def expand_as(net: Any, h: Tensor) -> Tensor:
    n, c = h.shape[:2]
    return h * torch.sigmoid(net.fc(h.mean((2, 3)))).view(n, c, 1, 1).expand_as(h)


def view_as(net: Any, h: Tensor) -> Tensor:
    scale = net.fc(F.adaptive_avg_pool2d(h, 1).flatten(1)).view_as(h[:, :, :1, :1])
    return h * torch.sigmoid(scale)


def reshape_as(net: Any, h: Tensor) -> Tensor:
    return h * torch.sigmoid(net.fc(h.amax((2, 3)))).reshape_as(h.amax((2, 3), keepdim=True))


def in_autocast(net: Any, h: Tensor) -> Tensor:
    with torch.autocast("cuda", enabled=False):
        h = torch.relu(net.b(h))
    with torch.no_grad():
        return torch.relu(net.c(h))


def in_checkpoint(net: Any, h: Tensor) -> Tensor:
    return checkpoint(lambda t: torch.relu(net.c(torch.relu(net.b(t)))), h, use_reentrant=False)


def by_norm(net: Any, h: Tensor) -> Tensor:
    return h / (h.norm(dim=1, keepdim=True) + 1e-6)


def by_third_norm(net: Any, h: Tensor) -> Tensor:
    return h / (h.norm(p=3, dim=1, keepdim=True) + 1e-6)


def by_image_norm(net: Any, h: Tensor) -> Tensor:
    return h / (torch.linalg.vector_norm(h, dim=(2, 3))[:, :, None, None] + 1e-6)


def less_mean(net: Any, h: Tensor) -> Tensor:
    return h - h.mean(dtype=h.dtype)


def halves(net: Any, h: Tensor) -> Tensor:
    first, second = net.b(h).chunk(2, 1)
    return torch.cat([net.norm(first), second], 1)


def slices(net: Any, h: Tensor) -> Tensor:
    h = net.b(h)
    half = h.shape[1] // 2
    return torch.cat([net.norm(h[:, :half]), h[:, half:]], 1)


def fixed_slices(net: Any, h: Tensor) -> Tensor:
    h = net.b(h)
    return torch.cat([net.norm(h[:, :4]), h[:, 4:]], 1)


def gate_of_two(net: Any, h: Tensor) -> Tensor:
    value, gate = torch.split(net.b(h), net.b.out_channels // 2, 1)
    return value * torch.sigmoid(gate)


def scaled_by_width(net: Any, h: Tensor) -> Tensor:
    return torch.relu(net.b(h) / math.sqrt(h.shape[1]))


def scaled_weight(net: Any, h: Tensor) -> Tensor:
    weight = net.b.weight
    return F.conv2d(h, weight * math.sqrt(2 / weight[0].numel()), net.b.bias, padding=1)


def scaled_once(net: Any, h: Tensor) -> Tensor:
    return F.conv2d(h, net.b.weight * 0.3, net.b.bias, padding=1)


def einsum_layer(net: Any, h: Tensor) -> Tensor:
    return torch.einsum("nchw,dc->ndhw", h, net.w) + net.b(h)


def unit_weight(net: Any, h: Tensor) -> Tensor:
    w = net.b.weight
    return F.conv2d(h, w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt(), padding=1)


def sum_of_weights(net: Any, h: Tensor) -> Tensor:
    return F.conv2d(h, net.b.weight + net.c.weight, net.b.bias, padding=1)


def shared_blur(net: Any, h: Tensor) -> Tensor:
    kernel = torch.ones(1, 1, 3, 3, dtype=h.dtype) / 9
    return F.conv2d(h, kernel.repeat(h.shape[1], 1, 1, 1), padding=1, groups=h.shape[1])


def expanded_blur(net: Any, h: Tensor) -> Tensor:
    return F.conv2d(h, net.kernel.expand(h.shape[1], -1, -1, -1), padding=1, groups=h.shape[1])


def stacked(net: Any, h: Tensor) -> Tensor:
    return torch.stack([net.b(h), net.c(h)], 0).sum(0)


def unbound(net: Any, h: Tensor) -> Tensor:
    first, second = torch.stack([net.b(h), h], 2).unbind(2)
    return first * second


def extremes(net: Any, h: Tensor) -> Tensor:
    return torch.maximum(h, net.b(h)) - h.max(3, keepdim=True)[0] - torch.topk(h, 2, -1).values.sum(-1, keepdim=True)


def standardized(net: Any, h: Tensor) -> Tensor:
    var, mean = torch.var_mean(h, dim=(2, 3), keepdim=True)
    return (h - mean) / (var + 1e-5).sqrt()


def pooled_places(net: Any, h: Tensor) -> Tensor:
    small, places = F.max_pool2d(h, 2, return_indices=True)
    return F.max_unpool2d(net.b(small), places, 2)


def picked_rows(net: Any, h: Tensor) -> Tensor:
    return h[:, :, [1, 0, 3, 2]] + h.index_select(3, torch.tensor([3, 2, 1, 0]))


def flat_view(net: Any, h: Tensor) -> Tensor:
    return h * torch.sigmoid(net.fc(h.view(h.shape[0], -1)))[:, :, None, None]


def by_max_pool(net: Any, h: Tensor) -> Tensor:
    return h * torch.sigmoid(net.b(F.adaptive_max_pool2d(h, 1)))


def sagan(net: Any, h: Tensor) -> Tensor:
    n, _, height, width = h.shape
    q, k, v = (layer(h).flatten(2) for layer in (net.q, net.k, net.v))
    weights = torch.softmax(torch.bmm(q.permute(0, 2, 1), k), -1)
    out = torch.bmm(v, weights.permute(0, 2, 1)).view(n, -1, height, width)
    return h + net.gamma * net.o(out)


def heads(net: Any, h: Tensor) -> Tensor:
    n, _, height, width = h.shape
    q, k, v = (layer(h).view(n, 2, -1, height * width).transpose(2, 3) for layer in (net.q, net.k, net.v))
    out = F.scaled_dot_product_attention(q, k, v, scale=0.5)
    return h + net.o(out.transpose(2, 3).reshape(n, -1, height, width))


def border_then_heads(net: Any, h: Tensor) -> Tensor:
    """A border that the code fixes beside heads that are whole: each call is followed in a way of its own."""
    n, _, height, width = h.shape
    h = torch.cat([h[:, :3], torch.relu(h[:, 3:])], 1)
    q, k, v = (layer(h).view(n, -1, 4, height * width).transpose(2, 3) for layer in (net.q, net.k, net.v))
    out = F.scaled_dot_product_attention(q, k, v)
    return net.o(out.transpose(2, 3).reshape(n, -1, height, width))


def joint_heads(net: Any, h: Tensor) -> Tensor:
    n, _, height, width = h.shape
    qkv = net.qkv(h).reshape(n, 3, 2, -1, height * width)
    q, k, v = qkv.unbind(1)
    weights = (torch.einsum("bhdi,bhdj->bhij", q, k) * 0.5).softmax(-1)
    out = torch.einsum("bhij,bhdj->bhdi", weights, v)
    return h + net.o(out.reshape(n, -1, height, width))


class Modulated(nn.Module):
    """StyleGAN2's convolution: a weight times a style per image, of unit length, the batch folded into groups."""

    def __init__(self, n_in: int, n_out: int, style: int, axes: int = 5) -> None:
        super().__init__()
        shape = (1, n_out, n_in, 3, 3) if axes == 5 else (n_out, n_in, 3, 3)
        self.weight, self.style = nn.Parameter(torch.randn(shape)), nn.Linear(style, n_in)
        self.noise, self.bias = nn.Parameter(torch.randn(1)), nn.Parameter(torch.randn(n_out))
        self.register_buffer("grain", torch.randn(1, 1, 4, 4))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        n, c, height, width = x.shape
        style = self.style(w).view(n, 1, c, 1, 1)
        weight = (self.weight if self.weight.ndim == 5 else self.weight[None]) * style * 0.1
        weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8).view(n, -1, 1, 1, 1)
        weight = weight.view(-1, c, 3, 3)
        out = F.conv2d(x.reshape(1, n * c, height, width), weight, padding=1, groups=n)
        out = out.view(n, -1, height, width)
        return F.leaky_relu(out + self.noise * self.grain + self.bias.view(1, -1, 1, 1), 0.2)


class Synthesis(nn.Module):
    """A small synthesis network of StyleGAN2: mapping, a constant, modulated convolutions, sums of images."""

    def __init__(self, axes: int = 5) -> None:
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(6, 10), nn.LeakyReLU(0.2), nn.Linear(10, 10), nn.LeakyReLU(0.2))
        self.start = nn.Parameter(torch.randn(1, 8, 4, 4))
        self.first, self.second = Modulated(8, 8, 10, axes), Modulated(8, 12, 10, axes)
        self.image1, self.image2 = nn.Conv2d(8, 3, 1), nn.Conv2d(12, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        w = self.mapping(z)
        h = self.first(self.start.repeat(z.shape[0], 1, 1, 1), w)
        image = self.image1(h)
        return image + self.image2(self.second(h, w))


class Kernels(nn.Module):
    """Weights in the order of another framework: height, width, input, output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(3, 3, 3, 8)), nn.Parameter(torch.randn(3, 3, 8, 6))
        self.place, self.last = nn.Parameter(torch.randn(1, 4, 6)), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(F.conv2d(x, self.first.permute(3, 2, 0, 1), padding=1))
        h = F.conv2d(h, self.second.permute(3, 2, 0, 1), padding=1)[:, :, :2, :2]
        return self.last(h.flatten(2).transpose(1, 2) + self.place)


class PixelNorm(nn.Module):
    """Features of unit mean square, as progressive growing has them."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class ImageLayerNorm(nn.Module):
    """A layer norm over an image's channels, spelled out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(WIDTH)), nn.Parameter(torch.randn(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * (x - mean) / torch.sqrt(variance + 1e-6) + self.bias[:, None, None]


class FunctionalNorm(nn.Module):
    """A group norm called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(WIDTH)), nn.Parameter(torch.randn(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, 2, self.weight, self.bias)


class Recurrent(nn.Module):
    """A convolutional LSTM, whose first state is zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.gates, self.image = conv(3 + WIDTH, 4 * WIDTH), conv(WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = cell = x.new_zeros(x.shape[0], self.image.in_channels, *x.shape[2:])
        for _ in range(2):
            enter, keep, leave, new = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(new)
            h = torch.sigmoid(leave) * torch.tanh(cell)
        return self.image(h)


class MovingNorm(nn.LayerNorm):
    """A layer norm of torch that moves the image's channels itself."""

    def forward(self, x: Tensor) -> Tensor:
        moved = x.permute(0, 2, 3, 1)
        return F.layer_norm(moved, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class AddedNorm(nn.GroupNorm):
    """A group norm of torch that is added to its input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class OtherNorm(nn.GroupNorm):
    """A group norm of torch with another epsilon than the one that it keeps."""

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, 0.1)


class ChannelAttention(nn.Module):
    """Attention between channels: it has no weights, and multiplies."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return x + (torch.bmm(flat, flat.mT).softmax(-1) @ flat).view_as(x)


class Gain:
    """A hook that computes a weight in each pass, by a factor from `weight.data`; fixed, or from its size."""

    def __init__(self, fixed: bool) -> None:
        self.fixed = fixed

    def __call__(self, module: nn.Module, _: Any) -> None:
        size = 9 if self.fixed else module.weight_orig.data.size(1) * module.weight_orig.data[0][0].numel()
        module.weight = module.weight_orig * math.sqrt(2 / size)

    @classmethod
    def on(cls, module: nn.Module, fixed: bool) -> nn.Module:
        weight = module._parameters.pop("weight")
        module.register_parameter("weight_orig", nn.Parameter(weight.data))
        module.register_forward_pre_hook(cls(fixed))
        return module


def fourier_unit(net: Any, h: Tensor) -> Tensor:
    waves = torch.fft.rfft2(h, norm="ortho")
    pairs = torch.stack([waves.real, waves.imag], -1).permute(0, 1, 4, 2, 3).flatten(1, 2)
    pairs = torch.relu(net.b(pairs)).unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2)
    return torch.fft.irfft2(torch.complex(pairs[..., 0], pairs[..., 1]), h.shape[-2:], norm="ortho")


def global_filter(net: Any, h: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(h) * torch.view_as_complex(net.w), h.shape[-2:])


def three_factors(net: Any, h: Tensor) -> Tensor:
    return torch.einsum("nchw,dc,d->ndhw", h, net.w, net.v) + net.b(h)


def strongest_pixels(net: Any, h: Tensor) -> Tensor:
    flat = h.flatten(2)
    places = net.s(h).flatten(2).topk(5, -1)[1].expand(-1, h.shape[1], -1)
    return flat.scatter(2, places, 2 * flat.gather(2, places)).view_as(h)


def by_distances(net: Any, h: Tensor) -> Tensor:
    tokens = net.b(h).flatten(2).mT
    return (torch.cdist(tokens, tokens).neg().softmax(-1) @ h.flatten(2).mT).mT.reshape(h.shape)


def windows(net: Any, h: Tensor) -> Tensor:
    return h - h.unfold(2, 2, 2).unfold(3, 2, 2).mean((2, 3, 4, 5))[:, :, None, None]


def rolled(net: Any, h: Tensor) -> Tensor:
    return h + h.roll(1, 1)


def apart(net: Any, h: Tensor) -> Tensor:
    return net.norm(h)


def layer(net: Any, h: Tensor) -> Tensor:
    return torch.relu(net.b(h))


def twice(net: Any, h: Tensor) -> Tensor:
    return net.c(torch.relu(net.b(h)))


def _attention(**layers: nn.Module) -> dict[str, Any]:
    return {**layers, "gamma": nn.Parameter(torch.randn(1))}


def _one(size: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(size, WIDTH))


IMAGE = (3, 4, 4)
Sizes = dict[str, int]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Sizes]] = {
    "expand_as": (lambda: Between(expand_as, fc=nn.Linear(8, 8)), IMAGE, {"a": 8}),
    "view_as": (lambda: Between(view_as, fc=nn.Linear(8, 8)), IMAGE, {"a": 8}),
    "reshape_as": (lambda: Between(reshape_as, fc=nn.Linear(8, 8)), IMAGE, {"a": 8}),
    "autocast": (lambda: Between(in_autocast, b=conv(), c=conv()), IMAGE, {"a": 8, "b": 8, "c": 8}),
    "checkpoint": (lambda: Between(in_checkpoint, b=conv(), c=conv()), IMAGE, {"a": 8, "b": 8, "c": 8}),
    "normalize": (lambda: Between(lambda _, h: F.normalize(h, dim=1)), IMAGE, {"a": 8}),
    "norm": (lambda: Between(by_norm), IMAGE, {"a": 8}),
    "norm of order 3": (lambda: Between(by_third_norm), IMAGE, {"a": 8}),
    "vector_norm of the image": (lambda: Between(by_image_norm), IMAGE, {"a": 8}),
    "mean of everything": (lambda: Between(less_mean), IMAGE, {}),
    "chunk, norm of a half": (lambda: Between(halves, b=conv(), norm=nn.InstanceNorm2d(4)), IMAGE, {"a": 8, "b": 4}),
    "chunk, affine": (lambda: Between(halves, b=conv(), norm=nn.BatchNorm2d(4)), IMAGE, {"a": 8, "b": 4}),
    "slices at a half": (lambda: Between(slices, b=conv(), norm=nn.InstanceNorm2d(4)), IMAGE, {"a": 8, "b": 4}),
    "slices at 4": (lambda: Between(fixed_slices, b=conv(), norm=nn.InstanceNorm2d(4)), IMAGE, {"a": 8, "b": 4}),
    "split": (lambda: Between(gate_of_two, b=conv(8, 16)), IMAGE, {"a": 8, "b": 8}),
    "scale from the width": (lambda: Between(scaled_by_width, b=conv()), IMAGE, {"b": 8}),
    "scale from the weight": (lambda: Between(scaled_weight, b=conv()), IMAGE, {"b": 8}),
    "scale that is fixed": (lambda: Between(scaled_once, b=conv()), IMAGE, {"a": 8, "b": 8}),
    "hook, scale from weight.data": (lambda: Between(layer, b=Gain.on(conv(), False)), IMAGE, {"b": 8}),
    "hook, fixed scale": (lambda: Between(layer, b=Gain.on(conv(), True)), IMAGE, {"a": 8, "b": 8}),
    "einsum": (lambda: Between(einsum_layer, w=_one(8), b=conv()), IMAGE, {"a": 8, "w": 8}),
    "weight of unit length": (lambda: Between(unit_weight, b=conv()), IMAGE, {"a": 8, "b": 8}),
    "sum of weights": (lambda: Between(sum_of_weights, b=conv(), c=conv()), IMAGE, {"a": 8, "b": 8}),
    "blur by repeat": (lambda: Between(shared_blur), IMAGE, {"a": 8}),
    "blur by expand": (lambda: Between(expanded_blur, kernel=nn.Parameter(torch.ones(1, 1, 3, 3))), IMAGE, {"a": 8}),
    "stack": (lambda: Between(stacked, b=conv(), c=conv()), IMAGE, {"a": 8, "b": 8}),
    "unbind": (lambda: Between(unbound, b=conv()), IMAGE, {"a": 8}),
    "max, maximum, topk": (lambda: Between(extremes, b=conv()), IMAGE, {"a": 8}),
    "var_mean": (lambda: Between(standardized), IMAGE, {"a": 8}),
    "max_unpool": (lambda: Between(pooled_places, b=conv()), IMAGE, {"a": 8}),
    "list indexing": (lambda: Between(picked_rows), IMAGE, {"a": 8}),
    "view(n, -1)": (lambda: Between(flat_view, fc=nn.Linear(128, 8)), IMAGE, {"a": 8}),
    "adaptive_max_pool2d": (lambda: Between(by_max_pool, b=conv()), IMAGE, {"a": 8}),
    "weight norm": (lambda: Between(layer, b=parametrizations.weight_norm(conv())), IMAGE, {"a": 8, "b": 8}),
    "weight norm, axis 1": (
        lambda: Between(layer, b=parametrizations.weight_norm(conv(), dim=1)),
        IMAGE,
        {"a": 8, "b": 8},
    ),
    "weight norm, no axis": (lambda: Between(layer, b=weight_norm(conv(), dim=None)), IMAGE, {"a": 8, "b": 8}),
    "weight norm, transposed": (
        lambda: Between(layer, b=parametrizations.weight_norm(nn.ConvTranspose2d(8, 8, 3, padding=1))),
        IMAGE,
        {"a": 8, "b": 8},
    ),
    "old weight norm, transposed": (
        lambda: Between(layer, b=weight_norm(nn.ConvTranspose2d(8, 8, 3, padding=1))),
        IMAGE,
        {"a": 8, "b": 8},
    ),
    "old norms, depthwise": (
        lambda: Between(twice, b=spectral_norm(conv(groups=8)), c=weight_norm(conv(groups=8))),
        IMAGE,
        {"a": 8},
    ),
    "norms, depthwise": (
        lambda: Between(
            twice, b=parametrizations.spectral_norm(conv(groups=8)), c=parametrizations.weight_norm(conv(groups=8))
        ),
        IMAGE,
        {"a": 8},
    ),
    "self-attention": (
        lambda: Between(
            sagan, **_attention(q=nn.Conv2d(8, 4, 1), k=nn.Conv2d(8, 4, 1), v=nn.Conv2d(8, 6, 1), o=nn.Conv2d(6, 8, 1))
        ),
        IMAGE,
        {"a": 8, "q": 4, "v": 6},
    ),
    "heads": (
        lambda: Between(
            heads, **_attention(q=nn.Conv2d(8, 6, 1), k=nn.Conv2d(8, 6, 1), v=nn.Conv2d(8, 8, 1), o=nn.Conv2d(8, 8, 1))
        ),
        IMAGE,
        {"a": 8, "q": 3, "v": 4},
    ),
    "heads beside a fixed border": (
        lambda: Between(
            border_then_heads,
            **_attention(q=nn.Conv2d(8, 8, 1), k=nn.Conv2d(8, 8, 1), v=nn.Conv2d(8, 8, 1), o=nn.Conv2d(8, 8, 1)),
        ),
        IMAGE,
        {"a": 5, "q": 2, "o": 8},
    ),
    "heads of one projection": (
        lambda: Between(joint_heads, **_attention(qkv=nn.Conv2d(8, 24, 1), o=nn.Conv2d(8, 8, 1))),
        IMAGE,
        {"a": 8, "qkv": 4},
    ),
    "modulated": (Synthesis, (6,), {"mapping.0": 10, "mapping.2": 10, "first.style": 8, "first": 8, "second": 12}),
    "modulated, 4 axes": (
        lambda: Synthesis(4),
        (6,),
        {"mapping.0": 10, "mapping.2": 10, "first.style": 8, "first": 8, "second": 12},
    ),
    "kernels of another order": (Kernels, IMAGE, {"first": 8, "second": 6}),
    "pixel norm": (lambda: Between(apart, norm=PixelNorm()), IMAGE, {"a": 8}),
    "layer norm of an image": (lambda: Between(apart, norm=ImageLayerNorm()), IMAGE, {"a": 8}),
    "functional group norm": (lambda: Between(apart, norm=FunctionalNorm()), IMAGE, {"a": 4}),
    "layer norm that moves channels": (lambda: Between(apart, norm=MovingNorm(WIDTH)), IMAGE, {"a": 8}),
    "layer norm that moves channels, not affine": (
        lambda: Between(apart, norm=MovingNorm(WIDTH, elementwise_affine=False)),
        IMAGE,
        {"a": 8},
    ),
    "group norm and its input": (lambda: Between(apart, norm=AddedNorm(2, WIDTH)), IMAGE, {"a": 4}),
    "group norm of another epsilon": (lambda: Between(apart, norm=OtherNorm(2, WIDTH)), IMAGE, {"a": 4}),
    "attention between channels": (lambda: Between(apart, norm=ChannelAttention()), IMAGE, {}),
    "Fourier unit": (lambda: Between(fourier_unit, b=nn.Conv2d(16, 16, 1)), IMAGE, {"a": 8, "b": 8}),
    "global filter": (lambda: Between(global_filter, w=nn.Parameter(torch.randn(8, 4, 3, 2))), IMAGE, {"a": 8}),
    "einsum of three": (
        lambda: Between(three_factors, w=_one(8), v=nn.Parameter(torch.randn(8)), b=conv()),
        IMAGE,
        {"a": 8, "w": 8},
    ),
    "gather and scatter": (lambda: Between(strongest_pixels, s=nn.Conv2d(8, 1, 1)), IMAGE, {"a": 8}),
    "distances": (lambda: Between(by_distances, b=conv()), IMAGE, {"a": 8}),
    "rolled channels": (lambda: Between(rolled), IMAGE, {}),
    "recurrent, from zeros": (Recurrent, IMAGE, {"gates": 8}),
    "windows": (lambda: Between(windows), IMAGE, {"a": 8}),
}
