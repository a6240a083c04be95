"""Make `evaluators/features/shapes_encoder.safetensors`, the bundled encoder, and the JSON next to it that says how.

    python benchmarks/train_shapes_encoder.py            (about 15 minutes on one core)

The network learns, from one 96-number feature of a (possibly spoiled) painting of `builtin:shapes`:
  * the drawing of the scene, 16 x 16 (what is where),
  * the spoiled painting's colors, 8 x 8,
  * how strongly each of seven kinds of damage was applied.
The heads are thrown away. Everything is a function of the seed on one thread: the same machine type and
library versions write the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from ganprune.evaluators.features.shapes_network import SHAPES_DIMENSION, SIDE, ShapesNetwork
from ganprune.gan_models.data.synthetic import render_shapes
from safetensors.torch import save
from torch import Tensor, nn

DAMAGES = ("noise", "blur", "tint", "checkerboard", "patches", "ghost", "fade")


def _strengths(n: int, random: torch.Generator) -> Tensor:
    """(n, damages) in [0, 1]: a third of the images clean, else each damage on with chance 0.4."""
    strength = torch.rand(n, len(DAMAGES), generator=random) ** 1.5
    strength = strength * (torch.rand(n, len(DAMAGES), generator=random) < 0.4)
    return strength * (torch.rand(n, 1, generator=random) < 2 / 3)


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, one sigma (pixels) an image: a depthwise convolution with the batch as channels."""
    n, c, h, w = images.shape
    offsets = torch.arange(-6, 7, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.clamp(min=1e-2)[:, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)
    flat = F.pad(images.reshape(1, n * c, h, w), (6, 6, 6, 6), mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=n * c)
    return F.conv2d(flat, kernel[:, None, :, None], groups=n * c).reshape(n, c, h, w)


def spoil(paintings: Tensor, drawings: Tensor, strength: Tensor, random: torch.Generator) -> Tensor:
    """Paintings in [-1, 1] with damages of the given strengths (n, 7): what a weak generator gets wrong."""
    noise, _, tint, checker, patches, ghost, fade = (strength[:, i, None, None, None] for i in range(7))
    n, _, h, w = paintings.shape
    others = paintings.roll(1, 0)
    cells = torch.rand(n, 1, 8, 8, generator=random)
    where = F.interpolate((cells < 0.5 * patches).float(), (h, w), mode="nearest")
    images = paintings * (1 - where) + others * where
    images = images * (1 - 0.6 * ghost) + drawings * 0.6 * ghost
    images = _blurred(images, 2.5 * strength[:, 1])
    images = images * (1 - 0.7 * fade) + images.mean((1, 2, 3), keepdim=True) * 0.7 * fade
    images = images + 0.4 * tint * (2 * torch.rand(n, 3, 1, 1, generator=random) - 1)
    board = 1 - 2 * ((torch.arange(h)[:, None] + torch.arange(w)[None]) % 2).float()
    stripes = 1 - 2 * (torch.arange(w)[None] % 2).float().expand(h, w)
    kind = (torch.rand(n, 1, 1, 1, generator=random) < 0.5).float()
    images = images + 0.25 * checker * (kind * board + (1 - kind) * stripes)
    images = images + 0.3 * noise * torch.randn(images.shape, generator=random)
    eight_bit = torch.round((images.clamp(-1, 1) + 1) * 127.5)
    return eight_bit / 127.5 - 1


class _Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(SHAPES_DIMENSION, 160), nn.ReLU())
        self.drawing = nn.Linear(160, 16 * 16)
        self.colors = nn.Linear(160, 3 * 8 * 8)
        self.damage = nn.Linear(SHAPES_DIMENSION, len(DAMAGES))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.hidden(features)
        return self.drawing(hidden), self.colors(hidden), self.damage(features)


def _targets(images: Tensor, drawings: Tensor) -> tuple[Tensor, Tensor]:
    ink = F.avg_pool2d(drawings[:, :1], SIDE // 16).flatten(1)
    return ink, F.avg_pool2d(images, SIDE // 8).flatten(1)


def _set(split: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    return render_shapes(seed, split, range(n), SIDE)


def _floats(pixels: Tensor) -> Tensor:
    return pixels.float() / 127.5 - 1


def _spoiled_batch(paintings: Tensor, drawings: Tensor, index: Tensor, random: torch.Generator):
    painting, drawing = _floats(paintings[index]), _floats(drawings[index])
    strength = _strengths(len(index), random)
    return spoil(painting, drawing, strength, random), drawing, strength


@torch.no_grad()
def _explained(network: ShapesNetwork, heads: _Heads, n: int, seed: int) -> dict[str, float]:
    """Share of variance explained by each head on test images (R squared; 1 is perfect, 0 the mean)."""
    drawings, paintings = _set("test", n, seed)
    images, drawing, strength = _spoiled_batch(
        paintings, drawings, torch.arange(n), torch.Generator().manual_seed(seed + 7)
    )
    features = torch.cat([network(part) for part in images.split(100)])
    predicted = heads(features)
    targets = (*_targets(images, drawing), strength)
    shares = {}
    for name, guess, truth in zip(("drawing", "colors", "damage"), predicted, targets, strict=True):
        shares[name] = 1 - float(((guess - truth) ** 2).sum() / ((truth - truth.mean(0)) ** 2).sum())
    for i, name in enumerate(DAMAGES):
        truth = targets[2][:, i]
        shares[f"damage {name}"] = 1 - float(
            ((predicted[2][:, i] - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
        )
    return {name: round(share, 4) for name, share in shares.items()}


def train(steps: int, batch: int, images: int, seed: int) -> tuple[ShapesNetwork, dict]:
    """Return the trained network (eval mode) and the record of its training."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    drawings, paintings = _set("train", images, seed)
    network, heads = ShapesNetwork().train(), _Heads()
    parameters = [*network.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4)
    started = time.monotonic()
    for step in range(steps):
        rate = min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * max(rate, 0.01)
        index = torch.randint(images, (batch,), generator=random)
        spoiled, drawing, strength = _spoiled_batch(paintings, drawings, index, random)
        guesses = heads(network(spoiled))
        targets = (*_targets(spoiled, drawing), strength)
        weights = (1.0, 1.0, 6.0)
        terms = [w * F.mse_loss(g, t) for w, g, t in zip(weights, guesses, targets, strict=True)]
        optimizer.zero_grad(set_to_none=True)
        torch.stack(terms).sum().backward()
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            losses = " ".join(f"{term.item():.4f}" for term in terms)
            print(f"step {step:5d}  {losses}  {time.monotonic() - started:.0f} s", flush=True)
    network.eval()
    accuracy = _explained(network, heads, 500, seed)
    with torch.no_grad():
        mixed = _spoiled_batch(paintings, drawings, torch.arange(1000), torch.Generator().manual_seed(seed + 1))[0]
        spread = torch.cat([network(part) for part in mixed.split(100)]).std(0)
        network.scale.copy_(1 / spread.clamp(min=0.05 * float(spread.median())))
    record = {
        "data": f"builtin:shapes, train, seed {seed}, {images} images of {SIDE}x{SIDE}",
        "steps": steps,
        "batch": batch,
        "seed": seed,
        "torch": torch.__version__.split("+")[0],
        "parameters": sum(p.numel() for p in network.parameters()),
        "explained_on_500_test_images": accuracy,
    }
    return network, record


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(data)
    beside.replace(path)


def main() -> None:
    here = Path(__file__).resolve().parents[1] / "evaluators" / "features" / "shapes_encoder.safetensors"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=here)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    network, record = train(arguments.steps, arguments.batch, arguments.images, arguments.seed)
    data = save({name: value.contiguous() for name, value in network.state_dict().items()})
    record = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), **record}
    _write(arguments.out, data)
    _write(arguments.out.with_suffix(".json"), (json.dumps(record, indent=2) + "\n").encode())
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
