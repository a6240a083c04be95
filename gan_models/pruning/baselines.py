"""Pruning by the size of weights only: uniform, to given widths, and by one global ranking."""

from __future__ import annotations

import numpy as np

from ..groups.plan import ChannelPlan
from ..groups.surgery import cut
from .method import Pruned, PruneJob
from .ranking import channel_costs, cost_of, plan_within_target, ranked, ranking_macs, strongest


class GivenWidths:
    """A method that cuts each group to the width that the search space gives, keeping its strongest channels."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cut to `job.proposal.widths`, or to its channels if the proposal has them.

        Raises:
            ValueError: There are no widths, or their cost is above the target.
        """
        if job.proposal.widths is None:
            raise ValueError("the method takes widths from the search space: got none; expected one per group")
        cost = cost_of(job.groups.form, job.groups.form.widths(job.proposal.widths), job.target)
        if cost > job.target.value:
            raise ValueError(
                f"widths exceed the target: got {cost:g} {job.target.cost}; expected at most {job.target.value:g}"
            )
        if job.proposal.channels is not None:
            plan = ChannelPlan(job.proposal.channels)
            return Pruned(cut(job.model, job.groups, plan), plan)
        plan = strongest(job.proposal.widths, ranked(job))
        return Pruned(cut(job.model, job.groups, plan), plan, calibration_macs=ranking_macs(job))


class Uniform(GivenWidths):
    """A method that keeps the same share of every group; the widths come from the space, as for `GivenWidths`."""


class Magnitude:
    """A method that ranks all channels of the network together: L1 norm divided by the channel's share of the cost.

    Global magnitude pruning on channel groups, original to ganprune; the exponent on the cost is searched.
    """

    def prune(self, job: PruneJob) -> Pruned:
        """Cut to the target. Raises InfeasibleBudget if even the smallest plan costs more."""
        form = job.groups.form
        per_channel = channel_costs(form, job.target.exact_cost)
        exponent = job.proposal.settings.cost_exponent
        scores = {
            name: score / np.maximum(cost, 1e-12) ** exponent
            for (name, score), cost in zip(ranked(job).items(), per_channel, strict=True)
        }
        plan = plan_within_target(form, scores, job.target)
        return Pruned(cut(job.model, job.groups, plan), plan, calibration_macs=ranking_macs(job))
