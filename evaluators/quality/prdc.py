"""Precision, recall, density and coverage: is what is generated real, and is all that is real generated?

A Fréchet distance mixes the two; here mode collapse shows as low recall and coverage at high precision.
Precision and recall: Kynkäänniemi et al. 2019. Density and coverage: Naeem et al. 2020, equations 3 and 4.
Shapes: n generated and m real images, d features.

Ours, though the authors' package has it: that holds all n x m distances at once, and takes them by a matrix product,
which loses those of near-duplicates to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Coverage:
    """Shares in [0, 1]; density may exceed 1.

    Attributes:
        precision: generated images within some real image's k-neighborhood.
        recall: real images within some generated image's k-neighborhood.
        density: how many real neighborhoods a generated image lies in, divided by k; 1 in expectation for
            equal distributions.
        coverage: real images with a generated one in their k-neighborhood.
        k: neighbors that make a neighborhood.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int


def coverage_of(generated_ND: Tensor, real_MD: Tensor, k: int = 5) -> Coverage:
    """The four numbers, from Euclidean distances between features; time O((n + m)^2 d), memory O(n + m) rows.

    Raises:
        ValueError: k not below both set sizes, different dimensions, values that are not finite.
    """
    generated, real = generated_ND.detach().double().cpu(), real_MD.detach().double().cpu()
    if generated.dim() != 2 or real.dim() != 2 or generated.shape[1] != real.shape[1]:
        raise ValueError(f"features must be (n, d) and (m, d), got {tuple(generated.shape)}, {tuple(real.shape)}")
    if not 1 <= k < min(len(generated), len(real)):
        raise ValueError(f"k={k} neighbors need more than k images on both sides: {len(generated)}, {len(real)}")
    if not bool(torch.isfinite(generated).all() and torch.isfinite(real).all()):
        raise ValueError("features are not finite (NaN or infinity): no distance can be taken")
    real_radius, generated_radius = _radius(real, k), _radius(generated, k)
    inside_real = torch.zeros(len(generated), dtype=torch.long)
    recalled, covered = torch.zeros(len(real), dtype=torch.bool), torch.zeros(len(real), dtype=torch.bool)
    for start in range(0, len(real), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        distance = _distances(real[rows], generated)
        inside_real += (distance <= real_radius[rows, None]).sum(0)
        recalled[rows] = (distance <= generated_radius[None]).any(1)
        covered[rows] = distance.min(1).values <= real_radius[rows]
    return Coverage(
        precision=float((inside_real > 0).double().mean()),
        recall=float(recalled.double().mean()),
        density=float(inside_real.double().mean()) / k,
        coverage=float(covered.double().mean()),
        k=k,
    )


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # The quick form by matrix product loses the distance of near-duplicates to rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _radius(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th nearest other point."""
    parts = [_distances(part, points).kthvalue(k + 1, dim=1).values for part in points.split(_ROWS_AT_ONCE)]
    return torch.cat(parts)
