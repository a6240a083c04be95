"""Two rounds of pruning and distillation: a large cut is made in two halves, with training in between.

Minitron (Muralidharan et al. 2024) repeats pruning and distillation if more than half is cut. Original to ganprune:
beyond a reduction of 75 %, the network is first cut to widths between the full and the final ones. It is refitted and
trained for the steps that a method may use for pruning. Then it is cut to the final plan, a subset of the first one.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import nn

from ...files.errors import UserError
from ...files.seeds import mixed
from ...groups.plan import ChannelPlan
from ...groups.surgery import copy_network, cut, embedded
from ...reconstruction.reconstruction import RefitOptions, reconstruct
from ...training.loop import Networks, checkpoint_cadence, train
from ..method import Pruned, PruneJob
from ..ranking import Scores, ranked

ONE_ROUND = 0.25  # minimum share of the dense cost for a single cut


def wants_two_rounds(job: PruneJob, plan: ChannelPlan) -> bool:
    """Return True if the recipe has two rounds and the plan costs less than a quarter of the dense network."""
    training, form = job.training, job.groups.form
    if training is None or training.recipe.rounds < 2:
        return False
    cost = job.target.exact_cost
    return float(form.predict(form.widths(plan.widths), cost)) < ONE_ROUND * form.dense(cost)


def plan_between(plan: ChannelPlan, scores: Scores) -> ChannelPlan:
    """Return the plan between the full network and a plan: each width the geometric mean of both.

    Args:
        plan: The final plan; its channels are kept, and the best of the others.
        scores: Scores of every group's channels; the highest are kept.
    """
    kept = {}
    for name, last in plan.kept.items():
        size = len(scores[name])
        others = sorted(set(range(size)) - set(last), key=lambda channel, own=scores[name]: -own[channel])
        width = round(math.sqrt(size * len(last)))
        kept[name] = tuple(sorted((*last, *others[: width - len(last)])))
    return ChannelPlan(kept)


def in_two_rounds(job: PruneJob, pruned: Pruned, refit: bool) -> Pruned:
    """Return a method's plan cut in two rounds.

    Args:
        job: The method's job, with training steps.
        pruned: The method's result of a single cut; its plan is used.
        refit: True to refit the first cut to the teacher on the job's calibration inputs.

    Raises:
        UserError: There are no training steps.
        TrainingDiverged: A loss is not finite.
    """
    training = job.training
    if training is None or training.steps < 1:
        raise UserError(
            "two rounds need training steps in between: got none; expected 1 or more. Try --prune-steps 1200"
        )
    first = plan_between(pruned.plan, ranked(job))
    model, refit_macs = cut(job.model, job.groups, first), 0
    if refit and (inputs := job.calibration) is not None:
        options = RefitOptions(memory_bytes=inputs.memory_bytes)
        refit_macs = reconstruct(job.model, model, job.groups, first, inputs.inputs, inputs.seed, options).macs
    others = {name: copy_network(each).requires_grad_(True) for name, each in training.generators.items()}
    judges = copy_network(training.discriminators).requires_grad_(True)
    run = train(
        training.task,
        Networks(nn.ModuleDict({**others, job.name: model.requires_grad_(True)}), judges),
        training.data,
        training.recipe,
        steps=training.steps,
        seed=mixed(job.seed, 70),
        device=training.device,
        teacher=training.generators,
        teacher_judges=dict(training.discriminators.items()),
        feature_maps=training.feature_maps,
        checkpoint_dir=None if training.workspace is None else training.workspace / "first-round",
        checkpoint_every=checkpoint_cadence(training.steps),
        on_step=training.on_step,
    )
    trained = embedded(job.model.cpu(), model.cpu().requires_grad_(False), job.groups, first)
    return replace(
        pruned,
        model=cut(trained, job.groups, pruned.plan),
        steps=run.steps,
        discriminators=judges.cpu().requires_grad_(False).eval(),
        training_macs=pruned.training_macs + run.macs,
        calibration_macs=pruned.calibration_macs + refit_macs,
        record={**pruned.record, "first round": {"widths": dict(first.widths), "steps": run.steps}},
    )
