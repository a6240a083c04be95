"""Seven generators, each pruned in one call and trained on by a loop that knows nothing of ganprune.

Each generator learns its task from drawn images first, by the loop below. `ganprune.prune` cuts it with a few training
inputs, and the same loop continues with the smaller network. Losses are of held-out images; errors of refits are
relative to the variance of the dense outputs. About two minutes of CPU time.

    python benchmarks/one_call.py [--method uniform] [--budget 40%] [--before 120] [--after 80] [--only ResNet,U-Net]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ganprune
import pandas as pd
import torch
import torch.nn.functional as F
from ganprune.gan_models.networks.catalog import build
from torch import Tensor, nn

SIDE, TRAINED, HELD_OUT, BATCH = 32, 192, 32, 8
LATENT = 16


class Own(nn.Module):
    """A user's network: squeeze-and-excitation, a shared convolution, and a skip over everything."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.inside = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(4, width)
        self.excite = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 8, 1), nn.ReLU(), nn.Conv2d(8, width, 1))
        self.last = nn.Conv2d(2 * width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return images of the same size."""
        first = F.silu(self.first(x))
        y = F.silu(self.norm(self.inside(F.silu(self.inside(first)))))
        y = y * self.excite(y).sigmoid()
        return x + self.last(torch.cat([first, y], 1))


def images(n: int, seed: int) -> Tensor:
    """Return drawings of three discs each, [N, 3, 32, 32] in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    across = torch.linspace(-1, 1, SIDE)
    drawn = torch.rand(n, 3, 1, 1, generator=random).expand(n, 3, SIDE, SIDE).clone()
    for _ in range(3):
        x, y = (2 * torch.rand(n, 1, 1, generator=random) - 1 for _ in range(2))
        radius = 0.2 + 0.4 * torch.rand(n, 1, 1, generator=random)
        inside = ((across - x) ** 2 + (across[:, None] - y) ** 2 < radius**2)[:, None]
        drawn = torch.where(inside, torch.rand(n, 3, 1, 1, generator=random), drawn)
    return 2 * drawn - 1


Pairs = tuple[Tensor, Tensor]  # inputs and targets


def noisy(clean: Tensor) -> Pairs:
    """Return images with noise, and the images."""
    return clean + 0.3 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)), clean


def small(clean: Tensor) -> Pairs:
    """Return images at half the size in [0, 1], and the images."""
    clean = (clean + 1) / 2
    return F.avg_pool2d(clean, 2), clean


def described(clean: Tensor) -> Pairs:
    """Return a vector of each image's mean colors at 2 x 2 places and noise, and the images."""
    colors = F.adaptive_avg_pool2d(clean, 2).flatten(1)
    noise = torch.randn(len(clean), LATENT - colors.shape[1], generator=torch.Generator().manual_seed(1))
    return torch.cat([colors, noise], 1), clean


@dataclass(frozen=True)
class Case:
    """A generator and its task."""

    build: Callable[[], nn.Module]
    task: Callable[[Tensor], Pairs]


CASES = {
    "ResNet": Case(lambda: build("resnet", {"ngf": 12, "n_blocks": 3}), noisy),
    "U-Net": Case(lambda: build("unet", {"num_downs": 5, "ngf": 12}), noisy),
    "mobile ResNet": Case(lambda: build("mobile_resnet_9blocks", {"ngf": 16, "n_blocks": 3}), noisy),
    "SNGAN": Case(lambda: build("sngan_32", {"ngf": 32, "latent": LATENT}), described),
    "compact super-resolution": Case(
        lambda: build("srvgg_compact", {"scale": 2, "num_feat": 24, "num_conv": 4}), small
    ),
    "RRDB": Case(lambda: build("rrdbnet", {"scale": 2, "num_feat": 16, "num_block": 2, "num_grow_ch": 8}), small),
    "own": Case(Own, noisy),
}


def own_loop(network: nn.Module, data: Pairs, steps: int, seed: int) -> None:
    """Train a network in place: nothing here is of ganprune."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    random = torch.Generator().manual_seed(seed)
    network.train()
    for _ in range(steps):
        chosen = torch.randint(len(data[0]), (BATCH,), generator=random)
        loss = F.l1_loss(network(data[0][chosen]), data[1][chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()


def loss_of(network: nn.Module, data: Pairs) -> float:
    """Return the mean absolute error of held-out images."""
    with torch.no_grad():
        return float(F.l1_loss(network.eval()(data[0]), data[1]))


def run(name: str, options: argparse.Namespace) -> dict[str, str | float]:
    """Return one line of the table."""
    torch.manual_seed(0)
    case, started = CASES[name], time.process_time()
    network, data, held_out = case.build(), case.task(images(TRAINED, 2)), case.task(images(HELD_OUT, 3))
    own_loop(network, data, options.before, 4)
    pruned = ganprune.prune(network, data[0][:1], options.budget, method=options.method, calibration=data[0][:64])
    assert type(pruned.model) is type(network)
    cut_loss = loss_of(pruned.model, held_out)
    dense_loss = loss_of(network, held_out)
    for each in (network, pruned.model):  # the dense one as well, so that the two are compared at equal steps
        own_loop(each, data, options.after, 5)
    with tempfile.TemporaryDirectory() as folder:
        files = pruned.export(Path(folder) / "files")
    macs, refit = pruned.costs["macs"], pruned.reconstruction
    assert refit is not None
    return {
        "generator": name,
        "MMACs": f"{macs.dense / 1e6:.2f} -> {macs.pruned / 1e6:.2f}",
        "left": f"{macs.share:.1%}",
        "error of the cut": f"{refit.before:.3g}",
        "refitted": f"{refit.after:.3g}" if refit.kept else "not kept",
        "loss: dense": f"{dense_loss:.4f}",
        "cut": f"{cut_loss:.4f}",
        f"dense, {options.after} steps on": f"{loss_of(network, held_out):.4f}",
        f"cut, {options.after} steps on": f"{loss_of(pruned.model, held_out):.4f}",
        "export": ", ".join(f"{n} {'none' if r.absent else f'{r.difference:.1e}'}" for n, r in files.formats.items()),
        "CPU s": f"{time.process_time() - started:.0f}",
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="uniform")
    parser.add_argument("--budget", default="40%")
    parser.add_argument("--before", type=int, default=120)
    parser.add_argument("--after", type=int, default=80)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.only.split(","):
        rows.append(run(name, options))
        print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
