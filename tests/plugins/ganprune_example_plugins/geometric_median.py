"""A pruning method: channels near the geometric median of their group go first (He et al. 2019, FPGM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganprune.gan_models.pruning.method import MethodSpec, Pruned, PruneJob
from ganprune.gan_models.pruning.settings import setting

from .weight_distances import NAME, distances

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class GeometricMedianSettings:
    """Settings of the method."""

    cost_exponent: float = setting(0.05, low=0.01, high=0.3, log=True, note="power of the cost that divides a score")


class GeometricMedian:
    """A channel's score is the sum of its distances to the other channels that the same tensor writes."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cut to the target. Raises InfeasibleBudget."""
        import numpy as np
        from ganprune.gan_models.groups.surgery import cut
        from ganprune.gan_models.pruning.ranking import channel_costs, plan_within_target

        form, exponent = job.groups.form, job.proposal.settings.cost_exponent
        weights = np.maximum(channel_costs(form, job.target.exact_cost), 1e-12) ** exponent
        scores = {name: score / weight for (name, score), weight in zip(_scores(job).items(), weights, strict=True)}
        plan = plan_within_target(form, scores, job.target)
        return Pruned(cut(job.model, job.groups, plan), plan, record={"prepared": job.prepared is not None})


def _scores(job: PruneJob) -> dict[str, np.ndarray]:
    """Return group -> score per channel, mean 1."""
    import numpy as np

    groups = job.groups
    found = distances(job.model) if job.prepared is None else job.prepared(NAME)[job.name]
    total = np.zeros(1 + sum(groups.sizes.values()))
    for site in groups.writes:
        own = found.get(f"{site.parameter}/{site.axis}")
        if own is not None:
            np.add.at(total, site.flat, own.numpy())
    scores = {name: total[1 + (at := groups.offsets[name]) : 1 + at + size] for name, size in groups.sizes.items()}
    return {name: score / score.mean() if score.any() else np.ones_like(score) for name, score in scores.items()}


GEOMETRIC_MEDIAN = MethodSpec(
    f"{__name__}:GeometricMedian",
    "learned",
    GeometricMedianSettings,
    preparations=(NAME,),
    note="channels that the others of their group can stand for go first",
)
