"""Random plans as a contender of `ganprune bench`: channels ranked, refitted and fine-tuned as by `uniform`.

Every seed of a cell is another plan. They are a baseline (is a found plan better than a random one?). They are also
plans that no method has chosen, for the rank correlation between scores before training and quality at the end.
Original to ganprune.

    ganprune bench --model resnet --data pairs --budget 25% --contender uniform
        --contender benchmarks/random_plans.py:RandomPlan
"""

from __future__ import annotations

import numpy as np
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.method import Pruned, PruneJob
from ganprune.gan_models.pruning.ranking import cost_of, ranked, ranking_macs, strongest

STEPS = 40  # of the bisection of the common factor of all shares
SMALLEST_SHARE = 0.2  # of a group before that factor: shares are log-uniform from it to 1


class RandomPlan:
    """Shares of all groups drawn at random, scaled by one factor to the target."""

    refits = True
    calibrated = True

    def prune(self, job: PruneJob) -> Pruned:
        """Return the cut network of the plan that the job's seed draws.

        Raises:
            ValueError: Even one channel per group costs more than the target.
        """
        sizes = job.groups.sizes
        drawn = np.random.default_rng(job.seed).uniform(np.log(SMALLEST_SHARE), 0.0, len(sizes))
        low, high, best = 0.0, 1 / SMALLEST_SHARE, None
        for _ in range(STEPS):
            factor = (low + high) / 2
            shares = np.minimum(factor * np.exp(drawn), 1.0)
            widths = {
                name: max(round(share * size), 1) for (name, size), share in zip(sizes.items(), shares, strict=True)
            }
            if cost_of(job.groups.form, job.groups.form.widths(widths), job.target) <= job.target.value:
                low, best = factor, widths
            else:
                high = factor
        if best is None:
            raise ValueError(f"no random plan meets the target of {job.target.value:g}")
        plan = strongest(best, ranked(job))
        return Pruned(cut(job.model, job.groups, plan), plan, calibration_macs=ranking_macs(job))
