"""MGGC (Ganjdanesh et al., AAAI 2024): two collaborating agents prune G and D, keeping the local density.

Our reconstruction of "neighbourhood-conditioned adversarial pruning with two recurrent agents": the paper's loss,
encoder, sizes and rates are not known to us, and none of its numbers is claimed. From the abstract: the learned
manifold, its neighbourhoods with Centers, adversarial pruning by two agents that exchange feedback, pruning of the
pretrained G and D. Ours: everything said so in `agents`, `local_density`, `manifold` and `collaboration`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...files.errors import UserError
from ...groups.channel_groups import ChannelGroups
from ...groups.discovery import find_groups
from ...groups.surgery import copy_network, cut
from ...groups.trace import NotTraceable
from ..method import Pruned, PruneJob, Target
from ..phase import run_phase
from ..ranking import channel_costs, cost_of, l1_scores, plan_within_target
from .agents import OFFSET
from .collaboration import Collaboration, Player, Stage
from .local_density import discriminator_features, trial_features
from .manifold import Encode, Samples, learned_manifold

_COST_EXPONENT = 0.05  # of the prior, as measured for `magnitude`


class Mggc:
    """Trains two agents on frozen networks, then cuts the generator and its discriminator."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cuts to the target.

        Raises:
            ValueError: No training steps, or nothing to train with.
            InfeasibleBudget: No plan meets the target.
            TrainingDiverged: A loss is not finite.
        """
        if job.steps < 1:
            raise UserError("mggc trains before it cuts: give it --prune-steps")
        if job.task is None or job.data is None or job.device is None or job.discriminators is None:
            raise ValueError("mggc trains before it cuts: it needs a task, data, a device and discriminators")
        # An impossible target is refused before the training.
        plan_within_target(job.groups.form, l1_scores(job.model, job.groups), job.target)
        stage, about = _stage(job)
        steps = max(1, round(job.settings.share * job.steps))
        generator = _generator_player(job, stage)
        discriminator, unpruned = _discriminator_player(job, stage)
        phase = Collaboration(stage, generator, discriminator, job.settings, steps)
        done = run_phase(phase, job, steps)
        logits = phase.logits()
        own = _own_plan(job.groups, logits["generator"])
        plan = plan_within_target(job.groups.form, logits["generator"], job.target)
        own_cost = cost_of(job.groups.form, own, job.target)
        record: dict[str, Any] = {
            "cost_before_landing": {"value": own_cost, "ratio": own_cost / job.target.value},
            "own_widths": dict(zip(job.groups.form.names, own.tolist(), strict=True)),
            "discriminator": unpruned or "pruned",
            "path": {name: done.path(name) for name in done.curve[-1][1]},
            "seconds": done.seconds,
        } | about
        discriminators = None
        if discriminator is not None:
            form = discriminator.groups.form
            aim = Target("macs", job.settings.discriminator_target * form.dense(), floor=job.target.floor)
            scores = logits["discriminator"]
            judge_plan = plan_within_target(form, scores, _reachable(aim, form))
            record["discriminator_cost_before_landing"] = {
                "value": cost_of(form, _own_plan(discriminator.groups, scores), aim),
                "ratio": cost_of(form, _own_plan(discriminator.groups, scores), aim) / aim.value,
            }
            record["discriminator_widths"] = judge_plan.widths
            others = {name: copy_network(judge) for name, judge in job.discriminators.items() if name != job.name}
            judged = cut(job.discriminators[job.name], discriminator.groups, judge_plan)
            ordered = {name: judged if name == job.name else others[name] for name in job.discriminators}
            discriminators = nn.ModuleDict(ordered)
        return Pruned(cut(job.model, job.groups, plan), plan, done.steps, discriminators, record)


def _stage(job: PruneJob) -> tuple[Stage, dict[str, Any]]:
    """Teacher, discriminator, encoder and manifold on the job's device, and what is to be said of them."""
    assert job.task is not None
    assert job.device is not None
    assert job.discriminators is not None
    teacher = copy_network(job.model).to(job.device).eval().requires_grad_(False)
    judge = copy_network(job.discriminators[job.name]).to(job.device).eval().requires_grad_(False)
    wanted = job.settings.encoder
    encode: Encode
    if wanted == "trial" and job.encoder is not None:
        encode, used = trial_features(job.encoder), str(getattr(job.encoder, "name", "trial"))
    else:
        encode, used = discriminator_features(job.task, judge), "discriminator"
    samples = Samples(job.task, job.name, job.data, job.device)
    manifold = learned_manifold(teacher, samples, encode, job.shared)
    stage = Stage(job.task, job.name, teacher, judge, samples, encode, manifold, _batch_size(job), job.seed)
    about = {
        "encoder": used,
        "manifold": {"samples": len(manifold.entries), "dimension": manifold.features.shape[1]},
    }
    return stage, about


def _batch_size(job: PruneJob) -> int:
    return max(1, int(str(job.recipe.get("batch_size", 4))))


def _generator_player(job: PruneJob, stage: Stage) -> Player:
    cost = job.target.exact_cost
    priced = job.target.model or job.groups.form
    dense = float(priced.predict(job.groups.form.sizes, job.target.cost))
    share = min(1.0, job.target.value / dense)
    prior = _prior(job.model, job.groups, job.settings.prior, cost)
    return Player(stage.teacher, job.groups, share, cost, job.target, prior)


def _discriminator_player(job: PruneJob, stage: Stage) -> tuple[Player | None, str]:
    """The discriminator's side, or None and why it is left whole."""
    assert job.task is not None
    assert job.discriminators is not None
    if not job.settings.prune_discriminator:
        return None, "left whole: prune_discriminator is off"
    with torch.no_grad():
        inputs = stage.samples.inputs([0])
        shown = job.task.judged(inputs, stage.teacher(*inputs)).cpu()
    judge = job.discriminators[job.name]
    try:
        groups = find_groups(copy_network(judge).cpu(), shown)
    except NotTraceable as error:
        return None, f"left whole: {str(error).splitlines()[0]}"
    if not groups.groups:
        return None, "left whole: it has no channel group"
    target = Target("macs", job.settings.discriminator_target * groups.form.dense(), floor=job.target.floor)
    target = _reachable(target, groups.form)
    share = target.value / groups.form.dense()
    return Player(stage.judge, groups, share, "macs", target, _prior(judge, groups, job.settings.prior, "macs")), ""


def _reachable(target: Target, form: Any) -> Target:
    """The target, or the discriminator's smallest plan where that costs more: its cost binds nobody."""
    return replace(target, value=max(target.value, form.cheapest(target.cost, target.floor)))


def _prior(model: nn.Module, groups: ChannelGroups, strength: float, cost: str) -> Tensor | None:
    """Ours: standardised log importance by L1 norm per cost, at most 3 deviations from 0, times its strength [C]."""
    if strength <= 0:
        return None
    per_channel = channel_costs(groups.form, cost)
    logs = [
        np.log(np.maximum(scores, 1e-12)) - _COST_EXPONENT * np.log(max(price, 1e-12))
        for scores, price in zip(l1_scores(model, groups).values(), per_channel, strict=True)
    ]
    flat = np.concatenate(logs)
    median = np.median(flat)
    spread = np.std(np.clip(flat, *np.quantile(flat, (0.05, 0.95)))) or 1.0
    return torch.from_numpy(strength * np.clip((flat - median) / max(spread, 1e-6), -3, 3))


def _own_plan(groups: ChannelGroups, logits: dict[str, Any]) -> Any:
    """Widths [G] of the agent's own plan: what it keeps without noise, at least one channel a group."""
    widths = [max(1, int((logits[name] + OFFSET >= 0).sum())) for name in groups.form.names]
    return np.array(widths, dtype=np.int64)
