"""Structure of modules: sharing, loops, recursion, containers, several outputs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, both, conv, second
from .weights import ALL, three


def _thrice(m: Net, x: Tensor) -> Tensor:
    for _ in range(3):
        x = x + m.f(torch.relu(x))
    return x


def _recurrent(m: Net, x: Tensor) -> Tensor:
    h = torch.zeros_like(x)
    for _ in range(2):
        h = torch.tanh(m.of_x(x) + m.of_h(h))
    return h


def _memory(m: Net, x: Tensor) -> Tensor:
    """A convolutional LSTM over two steps of one image."""
    x = m.first(x)
    h, c = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(2):
        i, f, o, g = m.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return m.last(h)


def _rows_by_lstm(m: Net, x: Tensor) -> Tensor:
    return m.lstm(x.mean(2).transpose(1, 2))[0].transpose(1, 2)[:, :, None] + x


def _same_weight() -> nn.Module:
    network = nn.Sequential(conv(3, 8), conv(8, 8), nn.ReLU(), conv(8, 8), conv(8, 3))
    network[3].weight = network[1].weight
    return network


class Level(nn.Module):
    """A U-Net's level, which contains the next one."""

    def __init__(self, depth: int, n: int = 8) -> None:
        super().__init__()
        self.down = nn.Conv2d(n, n, 3, 2, 1)
        self.inner = Level(depth - 1, n) if depth > 1 else nn.Identity()
        self.up = nn.ConvTranspose2d(n, n, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.up(self.inner(torch.relu(self.down(x))))) + x


class Twice(nn.Sequential):
    """A sequence that is run forward and back."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in [*self, *reversed(list(self))]:
            x = layer(x)
        return x


class Wider(nn.Conv2d):
    """A convolution whose forward adds a scale of its own."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(n_out))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale[:, None, None]


class Listed(nn.Module):
    """Layers found by their numbered names."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(3):
            setattr(self, f"layer_{i}", conv(3 if i == 0 else 8, 3 if i == 2 else 8))

    def forward(self, x: Tensor) -> Tensor:
        i = 0
        while hasattr(self, f"layer_{i}"):
            x = getattr(self, f"layer_{i}")(x)
            i += 1
        return x


def _by_name(m: Net, x: Tensor) -> Tensor:
    for name in ("first", "last"):
        x = m.layers[name](x)
    return x


def _slices(m: Net, x: Tensor) -> Tensor:
    h = m.layers[:2](x)
    return m.layers[3:](h + m.layers[2](h))


def _coarse_and_fine(m: Net, x: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.relu(m.a(x))
    return m.coarse(h), m.fine(torch.relu(m.b(h)))


def _named_outputs(m: Net, x: Tensor) -> dict[str, Tensor]:
    h = torch.relu(m.a(x))
    return {"image": m.c(m.b(h)), "features": h}


def _listed_outputs(m: Net, x: Tensor) -> list[Tensor]:
    images = []
    for f, to_image in zip(m.fs, m.to_images, strict=True):
        x = torch.relu(f(x))
        images.append(to_image(x))
    return images


def _grown(m: Net, x: Tensor) -> Tensor:
    h = m.b(x)
    new = m.to_new(m.c(F.interpolate(h, scale_factor=2)))
    return 0.3 * F.interpolate(m.to_old(h), scale_factor=2) + 0.7 * new


def _two(m: Net, x: Tensor, y: Tensor) -> Tensor:
    return m.c(torch.relu(m.b(torch.cat([m.of_x(x), m.of_y(y)], 1))))


def _normalized(m: Net, x: Tensor) -> Tensor:
    return m.c(torch.relu(m.a((x - m.mean) / m.std))) * m.std + m.mean


def _constant(m: Net, x: Tensor) -> Tensor:
    h = m.f(x)
    return h + torch.linspace(0, 1, 8, dtype=h.dtype, device=h.device)


def _keywords(m: Net, x: Tensor) -> Tensor:
    return F.conv2d(input=torch.relu(input=x), weight=m.f.weight, bias=m.f.bias, padding=1)


def _accumulated(m: Net, x: Tensor) -> Tensor:
    total: Any = 0
    for f in m.fs:
        total = total + f(x)
        x = total
    return total


def _unused(m: Net, x: Tensor) -> Tensor:
    m.f(x)
    return torch.relu(x)


def _out(m: Net, x: Tensor) -> Tensor:
    x = m.f(x)
    x += 1
    x.mul_(0.5)
    return x.clamp_(-3, 3)


STRUCTURE = [
    Entry(
        "one block three times",
        lambda: around(Net(_thrice, f=conv(8, 8))),
        lambda a, b: both(a, b) + S * 27 * a * a,
        AB,
        "the block writes what it reads",
    ),
    Entry(
        "recurrence over one image",
        lambda: around(Net(_recurrent, of_x=conv(8, 8), of_h=conv(8, 8))),
        lambda a, b: both(a, b) + 2 * S * 18 * a * a,
        AB,
        "the state begins as zeros like the input, so that all are one group",
    ),
    Entry(
        "convolutional LSTM",
        lambda: Net(_memory, first=conv(3, 8), gates=conv(16, 32), last=conv(8, 3)),
        lambda a: S * (54 * a + 2 * 9 * 2 * a * 4 * a),
        (8,),
        "four gates, state and input are one group",
    ),
    Entry(
        "LSTM over columns",
        lambda: around(Net(_rows_by_lstm, lstm=nn.LSTM(8, 8, batch_first=True))),
        lambda b: second(b) + 8 * 2 * 32 * 8,
        B,
        "torch's LSTM holds its sizes in numbers, and is the stream's width: both stay",
    ),
    Entry(
        "one weight for two layers",
        lambda: _same_weight(),
        lambda a: S * (27 * a + 18 * a * a + 27 * a),
        (8,),
        "the shared weight ties inputs and outputs of both layers",
    ),
    Entry(
        "recursion",
        lambda: nn.Sequential(conv(3, 8), Level(2), conv(8, 3)),
        lambda a, b, c: S * 54 * a + 16 * (9 * a * b + 16 * b * a) + 4 * (9 * b * c + 16 * c * b),
        ALL,
        "each level's stream is a group",
        "3,8,8",
    ),
    Entry(
        "a sequence forward and back",
        lambda: around(Twice(conv(8, 8), nn.ReLU())),
        lambda a, b: both(a, b) + S * 18 * a * a,
        AB,
        "the layer reads what it writes",
    ),
    Entry("subclass with a scale", lambda: around(Wider(8, 8)), three, ALL, "the scale goes with the outputs"),
    Entry("layers by numbered names", Listed, both, AB, "names change nothing"),
    Entry(
        "layers in a ModuleDict",
        lambda: Net(_by_name, layers=nn.ModuleDict({"last": conv(8, 3), "first": conv(3, 8)})),
        lambda a: S * 54 * a,
        (8,),
        "containers change nothing",
    ),
    Entry(
        "slices of a Sequential",
        lambda: Net(_slices, layers=nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 8), nn.ReLU(), conv(8, 3))),
        lambda a: S * (54 * a + 9 * a * a),
        (8,),
        "the sum ties both layers",
    ),
    Entry(
        "coarse and fine image",
        lambda: Net(_coarse_and_fine, a=conv(3, 8), coarse=conv(8, 3), b=conv(8, 8), fine=conv(8, 3)),
        lambda a, b: S * (27 * a + 27 * a + 9 * a * b + 27 * b),
        AB,
        "both images keep their channels",
    ),
    Entry(
        "image and features by name",
        lambda: Net(_named_outputs, a=conv(3, 8), b=conv(8, 8), c=conv(8, 3)),
        lambda b: both(8, b),
        B,
        "features that are given out keep their channels",
    ),
    Entry(
        "images in a list",
        lambda: Net(
            _listed_outputs,
            fs=nn.ModuleList([conv(3, 8), conv(8, 8)]),
            to_images=nn.ModuleList([conv(8, 3, 1), conv(8, 3, 1)]),
        ),
        lambda a, b: S * (27 * a + 3 * a + 9 * a * b + 3 * b),
        AB,
        "images keep their channels",
    ),
    Entry(
        "growing, two outputs blended",
        lambda: Net(_grown, b=conv(3, 8), c=conv(8, 8), to_old=conv(8, 3, 1), to_new=conv(8, 3, 1)),
        lambda a, b: S * (27 * a + 3 * a) + 256 * (9 * a * b + 3 * b),
        AB,
        "the blend is one of images",
    ),
    Entry(
        "two images",
        lambda: Net(_two, of_x=conv(3, 8), of_y=conv(1, 8), b=conv(16, 8), c=conv(8, 3)),
        lambda a, b, c: S * (27 * a + 9 * b + 9 * (a + b) * c + 27 * c),
        ALL,
        "concatenation ties nothing",
        inputs="image:3,8,8;mask:1,8,8",
    ),
    Entry(
        "normalized images",
        lambda: Net(
            _normalized, a=conv(3, 8), c=conv(8, 3), mean=torch.rand(1, 3, 1, 1), std=torch.rand(3, 1, 1) + 0.5
        ),
        lambda a: S * 54 * a,
        (8,),
        "constants of the image's three channels stay",
    ),
    Entry(
        "constant along rows", lambda: around(Net(_constant, f=conv(8, 8))), three, ALL, "the constant has no channels"
    ),
    Entry(
        "arguments by name",
        lambda: around(Net(_keywords, f=conv(8, 8))),
        three,
        ALL,
        "names of arguments change nothing",
    ),
    Entry(
        "running sum over layers",
        lambda: around(Net(_accumulated, fs=nn.ModuleList([conv(8, 8), conv(8, 8)]))),
        lambda a, b, c: S * (27 * a + 9 * a * b + 9 * b * b + 9 * b * c + 27 * c),
        ALL,
        "the sum ties all layers but the first input",
    ),
    Entry("changes in place", lambda: around(Net(_out, f=conv(8, 8))), three, ALL, "element by element"),
    Entry(
        "layer that is not called",
        lambda: around(Net(lambda m, x: m.f(x), f=conv(8, 8), unused=conv(8, 8))),
        three,
        ALL,
        "what is not called costs no MACs",
    ),
    Entry(
        "result that is not used",
        lambda: around(Net(_unused, f=conv(8, 8))),
        lambda a, b: both(a, b) + S * 9 * 8 * a,
        AB,
        "the layer runs, and reads what it is given; nothing reads its own channels",
    ),
]
