"""Networks whose groups break under uneven plans though half of each group may be cut, and networks that must not."""

import torch
from torch import nn
from torch.nn import functional as F


def conv(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1)


class Picky(nn.Module):
    """A block that normalizes the first half of its channels: which ones these are moves with the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = conv(width, width)

    def forward(self, x):
        y = self.conv(x)
        half = y.shape[1] // 2
        return x + torch.cat([y[:, :half] * 3, y[:, half:]], 1)


class Blocks(nn.Module):
    """Residual blocks; those of `picky` take half of their channels by number."""

    def __init__(self, n_blocks: int, picky: tuple[int, ...], width: int = 8) -> None:
        super().__init__()
        self.head, self.tail = conv(3, width), conv(width, 3)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"a": conv(width, width), "b": conv(width, width)}) for _ in range(n_blocks)
        )
        self.picky = picky

    def forward(self, x):
        x = self.head(x)
        for number, block in enumerate(self.blocks):
            y = torch.relu(block["a"](x))
            if number in self.picky:
                y = scaled(y)
            x = x + block["b"](y)
        return torch.tanh(self.tail(x))


def scaled(y):
    """A factor that moves with the number of channels, where a trace on shapes does not see it."""
    return y if y.is_meta else y * y.shape[1] ** 0.5


class Norm32(nn.GroupNorm):
    def forward(self, x):
        return super().forward(x.float()).type(x.dtype)


def float32_norm() -> nn.Module:
    return nn.Sequential(conv(3, 8), Norm32(2, 8), nn.SiLU(), conv(8, 8), nn.SiLU(), conv(8, 3))


class Float32Blur(nn.Module):
    """A kernel made in forward, in torch's default type."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(3, 8), conv(8, 3)

    def forward(self, x):
        x = self.a(x)
        kernel = torch.ones(1, 1, 3, 3) / 9
        return self.b(torch.relu(F.conv2d(x, kernel.repeat(x.shape[1], 1, 1, 1), padding=1, groups=x.shape[1])))


class Huge(nn.Module):
    """Values of 1e12 on the way, outputs of 1e-6."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 8), conv(8, 8), conv(8, 3)

    def forward(self, x):
        x = torch.relu(self.a(x)) * 1e12
        return self.c(torch.relu(self.b(x)) * 1e-12) * 1e-6


class Quiet(nn.Module):
    """Noise of strength zero, as a trained network may have."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(3, 8), conv(8, 3)
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        y = self.a(x)
        return self.b(torch.relu(y + self.strength * torch.randn_like(y[:, :1])))


class Sized(nn.Module):
    """A network for images of 64 pixels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(3, 4), conv(4, 3)
        self.place = nn.Parameter(torch.zeros(1, 1, 64, 64))

    def forward(self, x):
        return self.b(torch.relu(self.a(x) + self.place))


class Sampled(nn.Module):
    """A variational autoencoder, which draws a number for each channel of its code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mean, self.spread, self.decoder = conv(3, 8), conv(8, 6), conv(8, 6), conv(6, 3)

    def forward(self, x):
        h = torch.relu(self.encoder(x))
        mean, spread = self.mean(h), self.spread(h)
        return self.decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * spread))
