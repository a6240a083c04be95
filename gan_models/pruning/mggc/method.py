"""MGGC (Ganjdanesh et al., AAAI 2024): two collaborating agents prune G and D, preserving the local density.

A reconstruction of "neighborhood-conditioned adversarial pruning with two recurrent agents". The paper's loss, encoder,
sizes and rates are unpublished, and none of its numbers is claimed. From the abstract: the learned manifold, its
neighborhoods with Centers, adversarial pruning by two agents that exchange feedback, pruning of the pretrained G and D.
Parts original to ganprune are named in `agents`, `local_density`, `manifold` and `collaboration`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...costs.cost_form import CostForm
from ...groups.channel_groups import ChannelGroups
from ...groups.discovery import find_groups
from ...groups.plan import ChannelPlan
from ...groups.surgery import copy_network, cut
from ...tasks.task import shown
from ...tracing.graph.export import NotTraceable
from ...training.recipe import TrainRecord
from ..method import PruneJob, Target, TrainingContext
from ..ranking import Scores, channel_costs, cost_of, l1_scores, plan_within_target, ranked
from ..trained_method import TrainedMethod
from .agents import OFFSET
from .collaboration import Collaboration, Player, Stage
from .local_density import features_of
from .manifold import Samples, learned_manifold

_COST_EXPONENT = 0.05  # exponent of the cost in the prior, as measured for `magnitude`


class MggcPhase(Collaboration):
    """The training of a job's two agents, and the cut of generator and discriminator by their logits.

    Args:
        job: The pruning job.
        training: The training context.
        steps: Number of steps of the whole phase.
    """

    def __init__(self, job: PruneJob, training: TrainingContext, steps: int) -> None:
        stage, self._about = _stage(job, training)
        generator = _generator_player(job, stage)
        discriminator, self._unpruned = _discriminator_player(job, training, stage)
        super().__init__(stage, generator, discriminator, job.proposal.settings, steps)
        self._job, self._training = job, training

    def scores(self) -> Scores:
        """Return the generator's logits by group."""
        return self.logits()["generator"]

    def own_widths(self) -> NDArray[np.int64]:
        """Return the widths [G] that the generator's agent keeps without noise."""
        return _own_plan(self._job.groups, self.scores())

    def cut(self, plan: ChannelPlan) -> nn.Module:
        """Return the frozen generator cut to a plan."""
        return cut(self._job.model, self._job.groups, plan)

    def judges(self) -> nn.ModuleDict | None:
        """Return the discriminators, this generator's cut to its agent's plan; None if it is not pruned."""
        if self.discriminator is None:
            return None
        name, whole = self._job.name, self._training.discriminators
        others = {other: copy_network(judge) for other, judge in whole.items() if other != name}
        judged = cut(whole[name], self.discriminator.player.groups, self._judge_plan(self.discriminator.player))
        return nn.ModuleDict({other: judged if other == name else others[other] for other in whole})

    def record(self, run: TrainRecord) -> dict[str, Any]:
        """Return the agents' path, and the result for the discriminator."""
        record: dict[str, Any] = {
            "discriminator": self._unpruned or "pruned",
            "path": {name: run.path(name) for name in run.curve[-1][1]},
        } | self._about
        if self.discriminator is None:
            return record
        player = self.discriminator.player
        aim = self._judge_target(player.groups.form)
        own = cost_of(player.groups.form, _own_plan(player.groups, self.logits()["discriminator"]), aim)
        record["discriminator_cost_before_landing"] = {"value": own, "ratio": own / aim.value}
        record["discriminator_widths"] = self._judge_plan(player).widths
        return record

    def _judge_target(self, form: CostForm) -> Target:
        value = self.settings.discriminator_target * form.dense()
        return Target("macs", value, floor=self._job.target.floor)

    def _judge_plan(self, player: Player) -> ChannelPlan:
        form = player.groups.form
        return plan_within_target(form, self.logits()["discriminator"], _reachable(self._judge_target(form), form))


class Mggc(TrainedMethod):
    """A method that trains two agents on frozen networks, then cuts the generator and its discriminator."""

    name = "mggc"

    def share(self, job: PruneJob) -> float:
        """Return the share of the steps that the agents use."""
        return job.proposal.settings.share

    def phase(self, job: PruneJob, training: TrainingContext, target: Target, steps: int) -> MggcPhase:
        """Return the training of both agents."""
        return MggcPhase(job, training, steps)


def _stage(job: PruneJob, training: TrainingContext) -> tuple[Stage, dict[str, Any]]:
    """Return teacher, discriminator, encoder and manifold on the job's device, and their record."""
    device, task = training.device, training.task
    teacher = copy_network(job.model).to(device).eval().requires_grad_(False)
    judge = copy_network(training.discriminators[job.name]).to(device).eval().requires_grad_(False)
    source, encode = features_of(job.proposal.settings.encoder, training.encoder, task, judge)
    samples = Samples(task, job.name, training.data, device)
    if job.prepared is None:
        manifold = learned_manifold(teacher, samples, encode)
    else:
        manifold = job.prepared("manifold")(job.name, source)
    used = str(getattr(training.encoder, "name", "trial")) if source == "trial" else source
    stage = Stage(task, job.name, teacher, judge, samples, encode, manifold, training.recipe.batch_size, job.seed)
    about = {
        "encoder": used,
        "manifold": {"samples": len(manifold.entries), "dimension": manifold.features.shape[1]},
    }
    return stage, about


def _generator_player(job: PruneJob, stage: Stage) -> Player:
    cost = job.target.exact_cost
    priced = job.target.model or job.groups.form
    dense = float(priced.predict(job.groups.form.sizes, job.target.cost))
    share = min(1.0, job.target.value / dense)
    prior = _prior(ranked(job), job.groups, job.proposal.settings.prior, cost)
    return Player(stage.teacher, job.groups, share, cost, job.target, prior)


def _discriminator_player(job: PruneJob, training: TrainingContext, stage: Stage) -> tuple[Player | None, str]:
    """Return the discriminator's player, or None and the reason that it is not pruned."""
    if not job.proposal.settings.prune_discriminator:
        return None, "not pruned: prune_discriminator is off"
    with torch.no_grad():
        inputs = stage.samples.inputs([0])
        judged = tuple(x.cpu() for x in shown(training.task, inputs, stage.teacher(*inputs)))
    judge = training.discriminators[job.name]
    try:
        groups = find_groups(copy_network(judge).cpu(), judged)
    except NotTraceable as error:
        return None, f"not pruned: {str(error).splitlines()[0]}"
    if not groups.groups:
        return None, "not pruned: it has no channel group"
    target = Target("macs", job.proposal.settings.discriminator_target * groups.form.dense(), floor=job.target.floor)
    target = _reachable(target, groups.form)
    share = target.value / groups.form.dense()
    prior = _prior(l1_scores(judge, groups), groups, job.proposal.settings.prior, "macs")
    return Player(stage.judge, groups, share, "macs", target, prior), ""


def _reachable(target: Target, form: Any) -> Target:
    """Return the target, or the discriminator's smallest plan if that costs more: its cost is bound by no budget."""
    return replace(target, value=max(target.value, form.cheapest(target.cost, target.floor)))


def _prior(scores: Scores, groups: ChannelGroups, strength: float, cost: str) -> Tensor | None:
    """Return strength times standardized log importance, score per cost, within 3 deviations [C]. Original."""
    if strength <= 0:
        return None
    per_channel = channel_costs(groups.form, cost)
    logs = [
        np.log(np.maximum(found, 1e-12)) - _COST_EXPONENT * np.log(max(price, 1e-12))
        for found, price in zip(scores.values(), per_channel, strict=True)
    ]
    flat = np.concatenate(logs)
    median = np.median(flat)
    spread = np.std(np.clip(flat, *np.quantile(flat, (0.05, 0.95)))) or 1.0
    return torch.from_numpy(strength * np.clip((flat - median) / max(spread, 1e-6), -3, 3))


def _own_plan(groups: ChannelGroups, logits: Scores) -> NDArray[np.int64]:
    """Return the widths [G] of the agent's own plan: kept channels without noise, at least one per group."""
    widths = [max(1, int((logits[name] + OFFSET >= 0).sum())) for name in groups.form.names]
    return np.array(widths, dtype=np.int64)
