"""The response surface of a simulated study: quality as a function of plan and training, drawn from a seed.

Original to ganprune, modeled on measured studies of a small generator. The excess over the dense network's quality
grows by a power of a group's loss of channels. Groups differ in importance; large differences between neighbors cost
extra; another training seed changes a measurement by a few percent. It shows the behavior of a search, and nothing
about any real network's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...gan_models.costs.cost_form import CostForm
from ...gan_models.files.seeds import derived_seed
from ...gan_models.pruning.catalog import method_spec

Floats = NDArray[np.float64]

DENSE_QUALITY = 2.3  # quality of the dense teacher
EXCESS_AT_FULL_WIDTH = (
    0.35  # excess at full width; with POWER, uniform plans have about 4 at 40 % of MACs and 60 at 5 %
)
POWER = 3.0  # excess ~ (share of channels kept) ** -POWER
IMPORTANCE_LOG_STD = (
    1.6  # std of the log of the groups' importance: the best plan then has about half of uniform's excess
)
NEIGHBORS = 0.3  # extra share of the excess for neighbors a factor e apart
NOISE = 0.04  # std of the log of the excess, from one training seed to another
SHORT_TRAINING_EXCESS = (
    0.6  # excess after a fraction f of the training: 1 + SHORT_TRAINING_EXCESS * (1 / f - 1) times the final one
)
CURVES = 0.1  # std of the log of SHORT_TRAINING_EXCESS between plans
SETTING = 1.0  # std of errors in a method's widths, at settings at the far end of their ranges


@dataclass(frozen=True)
class Surface:
    """The response surface of one study.

    Attributes:
        form: The groups' cost form.
        matters: Importance of each group [G], sum 1.
        pairs: Indices of neighboring groups [N, 2].
        seed: Seed of all random numbers.
    """

    form: CostForm
    matters: Floats
    pairs: NDArray[np.int64]
    seed: int

    @classmethod
    def drawn(cls, form: CostForm, seed: int) -> Surface:
        """Return the surface of a seed: groups matter in proportion to their cost, times a random factor."""
        half = 0.5 * form.sizes
        elastic = np.maximum(half * form.gradient(half), 1e-12)
        matters = (
            elastic
            / elastic.sum()
            * np.exp(IMPORTANCE_LOG_STD * _draw(seed, "groups").standard_normal(len(form.sizes)))
        )
        found = {tuple(sorted((i, j))) for left, right in zip(form.left, form.right, strict=True)
                 for i in np.flatnonzero(left) for j in np.flatnonzero(right) if i != j}  # fmt: skip
        pairs = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
        return cls(form, matters / matters.sum(), pairs, seed)

    def quality(self, widths: NDArray[np.int64], trained: float = 1.0, noise: int | None = None) -> float:
        """Return the quality (lower is better) of a plan.

        Args:
            widths: Channels [G].
            trained: Completed fraction of the training, above 0 up to 1.
            noise: Seed of the training; None: the average of many trainings.
        """
        kept = np.asarray(widths, dtype=float) / self.form.sizes
        steps = np.log(kept[self.pairs[:, 0]] / kept[self.pairs[:, 1]])
        rough = 1 + NEIGHBORS * float(np.mean(steps**2)) if len(self.pairs) else 1.0
        excess = EXCESS_AT_FULL_WIDTH * float(self.matters @ kept**-POWER) * rough
        if noise is None:
            return DENSE_QUALITY + excess * (1 + SHORT_TRAINING_EXCESS * (1 / trained - 1))
        draw = _draw(noise, "training")
        end, slow = np.exp(NOISE * draw.standard_normal()), np.exp(CURVES * draw.standard_normal())
        wobble = np.exp(NOISE * _draw(noise, f"rung {trained:.6f}").standard_normal()) if trained < 1 else 1.0
        return DENSE_QUALITY + float(excess * end * wobble * (1 + slow * SHORT_TRAINING_EXCESS * (1 / trained - 1)))

    def best(self) -> Floats:
        """Return ratios [G] near the best plan's: the balance of loss and cost without neighbors, to first order."""
        half = 0.5 * self.form.sizes
        elastic = np.maximum(half * self.form.gradient(half), 1e-12)
        logs = np.log(self.matters / (elastic / elastic.sum())) / (POWER + 2)
        return np.exp(logs - logs.mean())

    def learned(self, method: str, settings: Mapping[str, object], noise: int) -> Floats:
        """Return ratios [G] found by a method that learns widths: part of the way to the best, with errors.

        Its progress and its best settings are random per method, so that different methods win in different studies.
        """
        draw = _draw(self.seed, f"method {method}")
        part, off = draw.uniform(0.1, 0.8), draw.uniform(0.05, 0.25)
        bias = draw.standard_normal(len(self.matters))
        for setting in method_spec(method).all_settings:
            value, suits = settings.get(setting.name), draw.uniform(0.0, 1.0)
            if setting.low is not None and setting.high is not None and isinstance(value, int | float):
                low, high, at = float(setting.low), float(setting.high), float(value)
                if setting.log:
                    low, high, at = np.log(low), np.log(high), np.log(at)
                off += SETTING * abs((at - low) / (high - low) - suits) ** 2
        own = 0.3 * _draw(noise, "widths").standard_normal(len(self.matters))
        return np.exp(part * np.log(self.best()) + off * (0.5 * bias + own))


def _draw(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(derived_seed(seed, 0, purpose))
