"""Small networks, one trait each, for tests of reconstruction."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Plain(nn.Module):
    """Convolutions with a stride, dilation and reflected border."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(8, 8, 3, stride=2, padding=2, dilation=2)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.second(F.relu(self.first(x)))))


class Residual(nn.Module):
    """Residual blocks without norms, whose branches count a fifth; the trunk is a group."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.outer = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.head = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for inner, outer in zip(self.inner, self.outer, strict=True):
            x = outer(F.relu(inner(F.relu(x)))) * 0.2 + x
        return self.head(F.relu(x))


class Concatenated(nn.Module):
    """A U: down, up by a transposed convolution, and a concatenation with what came before."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 8, 4, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(x), 0.2)
        return self.last(torch.cat([F.relu(self.up(F.relu(self.down(x)))), x], 1))


class Grouped(nn.Module):
    """A grouped and a depthwise convolution, and a pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.last = nn.Conv2d(8, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.grouped(F.relu(self.first(x))))
        return F.pixel_shuffle(self.last(F.relu(self.depthwise(x))), 2)


class Bordered(nn.Module):
    """Convolutions whose border is the nearest pixel, or the other side's."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="replicate")
        self.second = nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")
        self.last = nn.Conv2d(8, 3, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.second(F.relu(self.first(x)))))


class Line(nn.Module):
    """Rows of pixels as signals: a convolution and a transposed convolution of one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 8, 3, padding=1)
        self.up = nn.ConvTranspose1d(8, 8, 4, stride=2, padding=1)
        self.last = nn.Conv1d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.up(F.relu(self.first(x.flatten(2)[..., ::2])))))


class Volume(nn.Module):
    """Rows of pixels as volumes: convolutions of three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(3, 8, 3, padding=1)
        self.second = nn.Conv3d(8, 8, (1, 3, 3), padding=(0, 1, 1))
        self.last = nn.Conv3d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.second(F.relu(self.first(x[:, :, :8, :8].unflatten(2, (2, 4)))))))


class Latent(nn.Module):
    """A latent to an image: linear, norms over the batch, transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 8 * 4)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.after = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.norm(self.linear(z).unflatten(1, (-1, 2, 2))))
        return torch.tanh(self.last(F.relu(self.after(self.up(x)))))


class Repeated(nn.Module):
    """One convolution that is called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        for _ in range(3):
            x = F.relu(self.again(x))
        return self.last(x)


class Multiplied(nn.Module):
    """A convolution, and a matrix that its outputs are multiplied by, channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.table = nn.Parameter(torch.randn(8, 6))
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu((F.relu(self.first(x)).movedim(1, -1) @ self.table).movedim(-1, 1)))


IMAGES: dict[str, type[nn.Module]] = {
    "plain": Plain,
    "residual": Residual,
    "concatenated": Concatenated,
    "grouped": Grouped,
    "repeated": Repeated,
    "bordered": Bordered,
    "line": Line,
    "multiplied": Multiplied,
    "volume": Volume,
}


class Attended(nn.Module):
    """Pixels attend to each other, by two heads whose size decides their scale."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 1), nn.Conv2d(8, 3, 1)
        self.q, self.k, self.v = (nn.Linear(6, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.first(x).flatten(2).transpose(1, 2)
        q, k, v = (one(tokens).unflatten(2, (2, -1)).transpose(1, 2) for one in (self.q, self.k, self.v))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.last(out.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:]))


class ByHeads(nn.Module):
    """The same with torch's attention."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.first(x).flatten(2).transpose(1, 2)
        return self.last(self.attention(tokens, tokens, tokens)[0].transpose(1, 2).unflatten(2, x.shape[2:]))
