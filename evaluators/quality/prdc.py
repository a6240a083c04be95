"""Precision, recall, density and coverage: the shares of generated images that are real, and of real ones generated.

A Fréchet distance mixes the two; here mode collapse appears as low recall and coverage at high precision. Precision and
recall: Kynkäänniemi et al. 2019. Density and coverage: Naeem et al. 2020, equations 3 and 4. Shapes: n generated and m
real images, d features.

The authors' package stores all n x m distances at once. It computes them by a matrix product, which loses those of
near-duplicates to rounding. So they are implemented here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SHARES = ("precision", "recall", "density", "coverage")
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Coverage:
    """Shares in [0, 1]; density may exceed 1.

    Attributes:
        precision: Share of generated images in the k-neighborhood of at least one real image.
        recall: Share of real images in the k-neighborhood of at least one generated image.
        density: Mean number of real neighborhoods that contain a generated image, divided by k; 1 in expectation for
            equal distributions.
        coverage: Share of real images whose k-neighborhood contains a generated one.
        k: Number of neighbors of a neighborhood.
        n: Number of generated images.
        m: Number of real images.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    n: int
    m: int

    @property
    def expected_coverage(self) -> float:
        """Return the expected coverage of two sets drawn from one distribution.

        A real image is left out if its k nearest of all other images are real: 1 - prod_i (m - i) / (n + m - i) over
        i = 1 .. k (Naeem et al. 2020, section 3).
        """
        missed = 1.0
        for i in range(1, self.k + 1):
            missed *= max(self.m - i, 0) / (self.n + self.m - i)
        return 1 - missed

    def saturated(self) -> dict[str, str]:
        """Return the limitation of each share that is at an end of its scale.

        Precision and recall are saturated if all images are inside, all but one, or none. Coverage and density are
        saturated at 0, or if they reach the expectation of real images themselves.
        """
        said = dict[str, str]()
        for name, images in (("precision", self.n), ("recall", self.m)):
            if getattr(self, name) >= 1 - 1.5 / images:
                said[name] = "at its upper end: no generator could be clearly higher on these images"
        expected = {"density": 1.0, "coverage": self.expected_coverage}
        for name, value in expected.items():
            if getattr(self, name) >= value:
                said[name] = f"at or above {value:.3g}, the expectation of real images themselves: higher is not closer"
        said |= {name: "at 0: no worse generator could be lower" for name in SHARES if not getattr(self, name)}
        return {name: f"saturated, {text}" for name, text in said.items()}


def coverage_of(generated_ND: Tensor, real_MD: Tensor, k: int = 5) -> Coverage:
    """Return the four numbers, from Euclidean distances between features; time O((n + m)^2 d), memory O(n + m) rows.

    Raises:
        ValueError: k is not below both set sizes, dimensions differ, or values are not finite.
    """
    generated, real = generated_ND.detach().double().cpu(), real_MD.detach().double().cpu()
    if generated.dim() != 2 or real.dim() != 2 or generated.shape[1] != real.shape[1]:
        raise ValueError(
            f"features have the wrong shapes: got {tuple(generated.shape)} and {tuple(real.shape)}; expected (n, d) "
            f"and (m, d)"
        )
    if not 1 <= k < min(len(generated), len(real)):
        raise ValueError(
            f"too few images for k={k} neighbors: got {len(generated)} generated and {len(real)} real; expected more "
            f"than {k} of each"
        )
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
        n=len(generated),
        m=len(real),
    )


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # The faster form by a matrix product loses the distance of near-duplicates to rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _radius(points: Tensor, k: int) -> Tensor:
    """Return the distance of each point to its k-th nearest other point."""
    parts = [_distances(part, points).kthvalue(k + 1, dim=1).values for part in points.split(_ROWS_AT_ONCE)]
    return torch.cat(parts)
