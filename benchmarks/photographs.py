"""A real upscaler pruned without training: agreement with the teacher on photographs that had no part in it.

Real-ESRGAN's compact x4 generator is cut to several budgets, without and with the refit, by `ganprune.prune` on a few
unlabeled photographs. Each result is compared with the dense output on other photographs: PSNR and SSIM over
all pixels, without a border. The low side is the photograph at a quarter of its size (antialiased bicubic). About ten
minutes of CPU time.

    python benchmarks/photographs.py --teacher realesr-animevideov3-x4.safetensors --data FOLDER_WITH_train_AND_test
        [--budgets 75%,50%,25%,12.5%] [--images 100] [--calibration 64] [--seeds 3] [--picture FILE.png]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from pathlib import Path

import ganprune
import numpy as np
import pandas as pd
import torch
from ganprune.gan_models.networks.catalog import build
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file
from scipy.ndimage import uniform_filter
from torch import Tensor, nn

SCALE = 4
ROWS, DETAIL, ZOOM = 4, 56, 3  # of the picture: photographs, side of a detail in pixels of the high side, enlargement


def low_sides(folder: Path, count: int, seed: int) -> tuple[Tensor, list[Image.Image]]:
    """Return the low sides of some photographs, [N, 3, H / 4, W / 4] in [0, 1], and the photographs."""
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png"))
    chosen = np.random.default_rng(seed).permutation(len(paths))[:count]
    photos = [Image.open(paths[i]).convert("RGB") for i in sorted(chosen)]
    small = [p.resize((p.width // SCALE, p.height // SCALE), Image.Resampling.BICUBIC) for p in photos]
    return torch.stack([torch.from_numpy(np.array(p)).permute(2, 0, 1) / 255 for p in small]), photos


@torch.no_grad()
def outputs(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the network's images, [N, 3, H, W], clamped to [0, 1] and rounded to 8 bits as in a file."""
    network.eval()
    return torch.cat([(network(batch).clamp(0, 1) * 255).round() / 255 for batch in inputs.split(10)])


def psnr(a: Tensor, b: Tensor) -> float:
    """Return the mean over images of 10 log10(1 / MSE), in dB."""
    errors = (a - b).square().mean((1, 2, 3)).clamp_min(1e-10)
    return float((-10 * errors.log10()).mean())


def ssim(a: Tensor, b: Tensor) -> float:
    """Return the mean structural similarity of the luma (windows of 7 x 7; Wang et al. 2004, equation 13)."""
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    x, y = ((images * weights).sum(1).double().numpy() for images in (a, b))
    mean = lambda values: uniform_filter(values, (0, 7, 7))  # noqa: E731
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def details(dense: Tensor) -> list[tuple[int, int, int]]:
    """Return (image, top, left) of the details with the steepest mean gradient, of photographs far apart in the set."""
    luma = dense.mean(1, keepdim=True)
    steep = (luma[..., 1:, 1:] - luma[..., 1:, :-1]).abs() + (luma[..., 1:, 1:] - luma[..., :-1, 1:]).abs()
    mean = torch.nn.functional.avg_pool2d(steep, DETAIL, 8)[:, 0]
    chosen = []
    for index in torch.arange(len(dense)).tensor_split(ROWS):
        best = int(mean[index].argmax())
        image, place = divmod(best, mean[0].numel())
        chosen.append((int(index[image]), *(8 * n for n in divmod(place, mean.shape[2]))))
    return chosen


def draw(columns: dict[str, Tensor], path: Path) -> None:
    """Write the details side by side, with the name of each column above it."""
    side, gap, head = ZOOM * DETAIL, 4, 22
    places = details(columns["dense"])
    sheet = Image.new("RGB", (len(columns) * (side + gap) - gap, head + len(places) * (side + gap) - gap), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, (name, images) in enumerate(columns.items()):
        pen.text((column * (side + gap) + 2, 3), name, fill="black", font=font)
        for row, (image, top, left) in enumerate(places):
            part = images[image, :, top : top + DETAIL, left : left + DETAIL]
            tile = Image.fromarray((part * 255).byte().permute(1, 2, 0).numpy())
            sheet.paste(
                tile.resize((side, side), Image.Resampling.NEAREST), (column * (side + gap), head + row * (side + gap))
            )
    sheet.quantize(256).save(path, optimize=True)


def main() -> None:
    """Prune, compare, print the table and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
    parser.add_argument("--budgets", default="75%,50%,25%,12.5%")
    parser.add_argument("--methods", default="uniform,reconstruct")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--calibration", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3, help="draws of the calibration photographs")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--pictured", default="50%", help="budget of the picture")
    given = parser.parse_args()
    teacher = build("srvgg_compact")
    teacher.load_state_dict(load_file(given.teacher))
    inputs, photos = low_sides(given.data / "test", given.images, 0)
    dense = outputs(teacher, inputs)
    bicubic = torch.stack(
        [
            torch.from_numpy(np.array(p.resize((p.width // 4, p.height // 4), 3).resize(p.size, 3)))
            .permute(2, 0, 1)
            .div(255)
            for p in photos
        ]
    )
    lines = [{"budget": "", "cut": "bicubic enlargement", "psnr": psnr(bicubic, dense), "ssim": ssim(bicubic, dense)}]
    pictured = {"input, enlarged": bicubic}
    cases = [(budget, "uniform", False) for budget in given.budgets.split(",")]
    cases += [(budget, method, True) for method in given.methods.split(",") for budget in given.budgets.split(",")]
    for budget, method, refit in cases:
        for seed in range(given.seeds if refit else 1):
            calibration, _ = low_sides(given.data / "train", given.calibration, seed)
            begun = time.process_time()
            pruned = ganprune.prune(
                teacher, inputs[:1], budget, method=method, calibration=calibration if refit else None, seed=seed
            )
            seconds = time.process_time() - begun
            made = outputs(pruned.model, inputs)
            name = f"{method}, {'refitted' if refit else 'plain cut'}"
            lines.append(
                {
                    "budget": budget,
                    "cut": name,
                    "seed": seed,
                    "params": sum(p.numel() for p in pruned.model.parameters()),
                    "psnr": psnr(made, dense),
                    "ssim": ssim(made, dense),
                    "cpu_seconds": seconds,
                }
            )
            print(lines[-1], flush=True)
            if budget == given.pictured and not seed:
                pictured[f"{budget}, {name}"] = made
    table = pd.DataFrame(lines)
    print(table.groupby(["budget", "cut"], sort=False).agg(["mean", "min", "max"]).drop(columns="seed").to_string())
    if given.picture:
        draw({**pictured, "dense": dense}, given.picture)


if __name__ == "__main__":
    main()
