"""Mean and covariance of features, streamed, and pytorch-fid's `.npz` files of them.

Shapes: N images, d features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...gan_models.files.atomic_files import written_beside
from ...gan_models.files.errors import UserError
from ...gan_models.files.parsers.array_files import load_arrays


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """The mean and covariance of a set of features: all that a Fréchet distance needs.

    Attributes:
        mean: (d,), float64.
        covariance: (d, d), float64, divided by n - 1.
        n: Number of images, or None if a file does not say.
    """

    mean: Tensor
    covariance: Tensor
    n: int | None = None

    def __post_init__(self):
        d = self.mean.numel()
        if self.mean.shape != (d,) or self.covariance.shape != (d, d):
            raise ValueError(
                f"statistics have the wrong shapes: got {tuple(self.mean.shape)} and {tuple(self.covariance.shape)}; "
                f"expected a mean (d,) and a covariance (d, d)"
            )
        for name in ("mean", "covariance"):
            object.__setattr__(self, name, getattr(self, name).detach().double().cpu())
            if not bool(torch.isfinite(getattr(self, name)).all()):
                raise UserError(f"the {name} of the features is not finite")

    @property
    def dimension(self) -> int:
        """The feature dimension d."""
        return self.mean.numel()

    def save(self, path: Path) -> None:
        """Write an `.npz` file atomically: pytorch-fid's keys `mu` and `sigma`, and the number of images as `n`."""
        arrays = {"mu": self.mean.numpy(), "sigma": self.covariance.numpy()}
        if self.n is not None:
            arrays["n"] = np.array(self.n)
        with written_beside(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> FeatureStatistics:
        """Read an `.npz` file with pytorch-fid's keys `mu` and `sigma`, written by ganprune or by pytorch-fid.

        Raises:
            ValueError: It is not such a file; nothing in it is unpickled.
        """
        try:
            arrays = load_arrays(path, ("mu", "sigma", "n"))
            n = int(arrays["n"]) if "n" in arrays else None
            mean, covariance = arrays["mu"], arrays["sigma"]
            if (
                mean.shape * 2 != covariance.shape
                or mean.ndim != 1
                or {mean.dtype.kind, covariance.dtype.kind} != {"f"}
            ):
                raise ValueError(f"got {mean.dtype} of shape {mean.shape} and {covariance.dtype} of {covariance.shape}")
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise UserError(f"{path} is not an .npz of statistics with the keys mu and sigma ({error})") from error
        return cls(torch.from_numpy(mean), torch.from_numpy(covariance), n)


class StatisticsAccumulator:
    """An accumulator of batches of features; its memory is d x d regardless of the number of images.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983), in float64: the result depends on order
    and batch size only by rounding.
    """

    def __init__(self):
        self._n = 0
        self._mean: Tensor | None = None
        self._scatter: Tensor | None = None

    def add(self, features: Tensor) -> None:
        """Add features (n, d)."""
        if features.dim() != 2:
            raise ValueError(f"features have the wrong shape: got {tuple(features.shape)}; expected (n, d)")
        if len(features) == 0:
            return
        batch = features.detach().double().cpu()
        mean = batch.mean(0)
        centered = batch - mean
        self._merge(len(batch), mean, centered.T @ centered)

    def add_statistics(self, part: FeatureStatistics) -> None:
        """Add the statistics of a part, as if its features had been added.

        Raises:
            ValueError: The part does not state its number of images.
        """
        if part.n is None:
            raise UserError("statistics of an unknown number of images cannot be merged with others")
        self._merge(part.n, part.mean.clone(), part.covariance * (part.n - 1))

    def _merge(self, n: int, mean: Tensor, scatter: Tensor) -> None:
        if self._mean is None or self._scatter is None:
            self._n, self._mean, self._scatter = n, mean, scatter
            return
        if mean.shape != self._mean.shape:
            raise ValueError(f"features of dimension {mean.numel()} after features of {self._mean.numel()}")
        total = self._n + n
        shift = mean - self._mean
        self._scatter += scatter + torch.outer(shift, shift) * (self._n * n / total)
        self._mean = self._mean + shift * (n / total)
        self._n = total

    def result(self) -> FeatureStatistics:
        """Return the statistics of all features that were added.

        Raises:
            ValueError: There are fewer than 2 images, and so no covariance.
        """
        if self._mean is None or self._scatter is None or self._n < 2:
            raise UserError(f"a covariance needs more images: got {self._n}; expected at least 2")
        return FeatureStatistics(self._mean.clone(), self._scatter / (self._n - 1), self._n)


def merged(parts: Iterable[FeatureStatistics]) -> FeatureStatistics:
    """Return the exact statistics of several parts together."""
    accumulator = StatisticsAccumulator()
    for part in parts:
        accumulator.add_statistics(part)
    return accumulator.result()
