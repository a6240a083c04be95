"""Kernel distance between two sets of features: unbiased at every n, with its own standard error.

The squared maximum mean discrepancy with the kernel k(x, y) = (x . y / d + 1)^3 (Binkowski et al. 2018, "KID" in
Inception's features). It may be negative: it is unbiased, and the truth may be near zero.
Shapes: n and m images, d features.

torch-fidelity's version averages random subsets; this one takes all images and has a standard error.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...gan_models.files.errors import UserError

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class KernelDistance:
    """A kernel distance with its standard error.

    Attributes:
        value: Unbiased estimate of the squared discrepancy.
        standard_error: Standard error of the value, by the delete-one jackknife over all images, or over subsets.
        how: `all pairs` or `100 subsets of 1000`.
    """

    value: float
    standard_error: float
    how: str


def kernel_distance(a_ND: Tensor, b_MD: Tensor) -> KernelDistance:
    """Return the unbiased estimate of all pairs, and a delete-one jackknife standard error; O(n m) time, O(n) memory.

    Args:
        a_ND: Features (n, d), n at least 3.
        b_MD: Features (m, d), m at least 3.

    Raises:
        ValueError: There are too few images, dimensions differ, or values are not finite.
    """
    a, b = _checked(a_ND), _checked(b_MD)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"features of different dimensions cannot be compared: got {a.shape[1]} and {b.shape[1]}; expected the "
            f"same encoder for both"
        )
    n, m = len(a), len(b)
    rows_a, own_a = _row_sums(a, a), _own(a)
    rows_b, own_b = _row_sums(b, b), _own(b)
    across_a, across_b = _row_sums(a, b), _row_sums(b, a)
    within_a, within_b = float((rows_a - own_a).sum()), float((rows_b - own_b).sum())
    across = float(across_a.sum())
    value = within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * across / (n * m)
    # Leaving image i out takes its row and column out of each sum.
    without_a = (within_a - 2 * (rows_a - own_a)) / ((n - 1) * (n - 2)) - 2 * (across - across_a) / ((n - 1) * m)
    without_b = (within_b - 2 * (rows_b - own_b)) / ((m - 1) * (m - 2)) - 2 * (across - across_b) / (n * (m - 1))
    variance = sum((len(w) - 1) / len(w) * float(((w - w.mean()) ** 2).sum()) for w in (without_a, without_b))
    return KernelDistance(value, variance**0.5, "all pairs")


def kernel_distance_of_subsets(
    a_ND: Tensor, b_MD: Tensor, subset_size: int = 1000, n_subsets: int = 100, seed: int = 0
) -> KernelDistance:
    """Return the estimate of papers: the mean over random subsets, each drawn without replacement.

    The standard error is the spread over subsets divided by sqrt(n_subsets). Subsets share images, so it is too small
    for the data; the one of `kernel_distance` is not.

    Raises:
        ValueError: A subset is larger than a set.
    """
    a, b = _checked(a_ND), _checked(b_MD)
    if not 3 <= subset_size <= min(len(a), len(b)) or n_subsets < 2:
        raise UserError(
            f"subsets cannot be drawn from {len(a)} and {len(b)} images: got {n_subsets} of {subset_size}; expected "
            f"at least 2 subsets of 3 to {min(len(a), len(b))}"
        )
    random = torch.Generator().manual_seed(seed)
    values = torch.empty(n_subsets, dtype=torch.float64)
    for i in range(n_subsets):
        one = a[torch.randperm(len(a), generator=random)[:subset_size]]
        two = b[torch.randperm(len(b), generator=random)[:subset_size]]
        values[i] = kernel_distance(one, two).value
    return KernelDistance(
        float(values.mean()), float(values.std()) / n_subsets**0.5, f"{n_subsets} subsets of {subset_size}"
    )


def _checked(features: Tensor) -> Tensor:
    if features.dim() != 2 or len(features) < 3:
        raise ValueError(
            f"a kernel distance needs other features: got {tuple(features.shape)}; expected (n, d) of n >= 3 images"
        )
    values = features.detach().double().cpu()
    if not bool(torch.isfinite(values).all()):
        raise ValueError("features are not finite (NaN or infinity): no distance can be taken")
    return values


def _row_sums(a: Tensor, b: Tensor) -> Tensor:
    parts = [((part @ b.T / a.shape[1] + 1) ** 3).sum(1) for part in a.split(_ROWS_AT_ONCE)]
    return torch.cat(parts)


def _own(a: Tensor) -> Tensor:
    return ((a * a).sum(1) / a.shape[1] + 1) ** 3
