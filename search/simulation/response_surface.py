"""What a simulated trial would come to: quality as a function of plan and training, drawn from a seed.

Our reconstruction, shaped on measured studies of a small generator: the excess over the dense network's quality grows
by a power of what a group lost; groups differ in how much they matter; neighbors that differ a lot cost extra; a
measurement repeated with another training seed differs by a few percent. It says how a search behaves, and nothing
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

DENSE_QUALITY = 2.3  # of the dense teacher
LOST = 0.35  # excess at full width; with POWER, uniform plans have about 4 at 40 % of MACs and 60 at 5 %
POWER = 3.0  # excess ~ (share of channels kept) ** -POWER
SPREAD = 1.6  # std of the log of how much groups matter: the best plan then has about half of uniform's excess
NEIGHBORS = 0.3  # extra share of the excess for neighbors a factor e apart
NOISE = 0.04  # std of the log of the excess, from one training seed to another
SHORT = 0.6  # excess after a fraction f of the training: 1 + SHORT * (1 / f - 1) times the final one
CURVES = 0.1  # std of the log of SHORT between plans
SETTING = 1.0  # std that a method's widths are off by, at settings at the far end of their ranges


@dataclass(frozen=True)
class Surface:
    """A response drawn for one study.

    Attributes:
        form: The groups' cost form.
        matters: How much each group matters [G], sum 1.
        pairs: Groups next to each other [N, 2], as positions.
        seed: What everything is drawn from.
    """

    form: CostForm
    matters: Floats
    pairs: NDArray[np.int64]
    seed: int

    @classmethod
    def drawn(cls, form: CostForm, seed: int) -> Surface:
        """The response of a seed: groups matter in proportion to what they cost, times what is drawn."""
        half = 0.5 * form.sizes
        elastic = np.maximum(half * form.gradient(half), 1e-12)
        matters = elastic / elastic.sum() * np.exp(SPREAD * _draw(seed, "groups").standard_normal(len(form.sizes)))
        found = {tuple(sorted((i, j))) for left, right in zip(form.left, form.right, strict=True)
                 for i in np.flatnonzero(left) for j in np.flatnonzero(right) if i != j}  # fmt: skip
        pairs = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
        return cls(form, matters / matters.sum(), pairs, seed)

    def quality(self, widths: NDArray[np.int64], trained: float = 1.0, noise: int | None = None) -> float:
        """Quality (lower is better) of a plan.

        Args:
            widths: Channels [G].
            trained: Fraction of the training done, above 0 up to 1.
            noise: Seed of the training; None for what many trainings would have on average.
        """
        kept = np.asarray(widths, dtype=float) / self.form.sizes
        steps = np.log(kept[self.pairs[:, 0]] / kept[self.pairs[:, 1]])
        rough = 1 + NEIGHBORS * float(np.mean(steps**2)) if len(self.pairs) else 1.0
        excess = LOST * float(self.matters @ kept**-POWER) * rough
        if noise is None:
            return DENSE_QUALITY + excess * (1 + SHORT * (1 / trained - 1))
        draw = _draw(noise, "training")
        end, slow = np.exp(NOISE * draw.standard_normal()), np.exp(CURVES * draw.standard_normal())
        wobble = np.exp(NOISE * _draw(noise, f"rung {trained:.6f}").standard_normal()) if trained < 1 else 1.0
        return DENSE_QUALITY + float(excess * end * wobble * (1 + slow * SHORT * (1 / trained - 1)))

    def best(self) -> Floats:
        """Ratios [G] near the best plan's: the balance of loss and cost, neighbors left out, to first order."""
        half = 0.5 * self.form.sizes
        elastic = np.maximum(half * self.form.gradient(half), 1e-12)
        logs = np.log(self.matters / (elastic / elastic.sum())) / (POWER + 2)
        return np.exp(logs - logs.mean())

    def learned(self, method: str, settings: Mapping[str, object], noise: int) -> Floats:
        """Ratios [G] that a method which learns widths ends at: a part of the way to the best ones, and off by some.

        How far it gets and which settings suit it are drawn by method, so that in one study one method wins and
        in the next another.
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
