"""Pruning by the weights' size alone: uniform, to given widths, and by one global ranking."""

from __future__ import annotations

import numpy as np

from ..groups.plan import ChannelPlan
from ..groups.surgery import cut
from .method import Pruned, PruneJob
from .ranking import channel_costs, cost_of, plan_within_target, ranked, ranking_macs, strongest


class GivenWidths:
    """Cuts each group to the width that the search space gave, keeping its strongest channels."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cut to `job.proposal.widths`, or to its channels if the proposal has them.

        Raises:
            ValueError: No widths, or their cost is above the target.
        """
        if job.proposal.widths is None:
            raise ValueError("this method cuts to given widths, and got none")
        cost = cost_of(job.groups.form, job.groups.form.widths(job.proposal.widths), job.target)
        if cost > job.target.value:
            raise ValueError(f"widths cost {cost:g} {job.target.cost}, above the target {job.target.value:g}")
        if job.proposal.channels is not None:
            plan = ChannelPlan(job.proposal.channels)
            return Pruned(cut(job.model, job.groups, plan), plan)
        plan = strongest(job.proposal.widths, ranked(job))
        return Pruned(cut(job.model, job.groups, plan), plan, calibration_macs=ranking_macs(job))


class Uniform(GivenWidths):
    """The same share of every group; the widths come from the space, so this is `GivenWidths` by another name."""


class Magnitude:
    """Ranks all channels of the network together: L1 norm divided by the channel's share of the cost.

    Our reconstruction of global magnitude pruning on channel groups; the exponent on the cost is searched.
    """

    def prune(self, job: PruneJob) -> Pruned:
        """Cuts to the target. Raises InfeasibleBudget."""
        form = job.groups.form
        per_channel = channel_costs(form, job.target.exact_cost)
        exponent = job.proposal.settings.cost_exponent
        scores = {
            name: score / np.maximum(cost, 1e-12) ** exponent
            for (name, score), cost in zip(ranked(job).items(), per_channel, strict=True)
        }
        plan = plan_within_target(form, scores, job.target)
        return Pruned(cut(job.model, job.groups, plan), plan, calibration_macs=ranking_macs(job))
