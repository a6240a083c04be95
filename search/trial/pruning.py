"""The first stage of a trial: its method cuts each generator that the study prunes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from ...gan_models.costs.prices import Prices
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.pruning.catalog import method_spec, run_method
from ...gan_models.pruning.method import Pruned, PruneJob, TrainingContext
from ...gan_models.pruning.ranking import cost_of
from ...gan_models.pruning.rounds.two_rounds import in_two_rounds, wants_two_rounds
from ...gan_models.quantization.settings import FULL_BITS
from ..preparations.opened_study import OpenedStudy
from ..records.messages import Artifact, TrialRequest
from ..setup.search_space import target_of
from .calibration import calibration_of, refitted
from .cut_check import ROUNDING, CutMismatch, cost_as_stored
from .saved_network import PLAN, WEIGHTS, saved_generators


def prune(bench: OpenedStudy, request: TrialRequest) -> Pruned:
    """Cut the study's pruned generators to the proposal's target.

    Several generators are cut one after the other, each to its share of the target: a method gets one at a time.

    Args:
        bench: The study.
        request: The request.

    Raises:
        InfeasibleBudget: No plan meets the target.
        CutMismatch: A generator costs more than its share.
        RuntimeError: The method did not meet the target; the message is the trial's reason.
    """
    if not bench.sides:
        return _prune_one(bench, request, bench.names[0], bench.groups, bench.prices, bench.config.prune_steps)
    proposal = request.proposal
    done: dict[str, Pruned] = {}
    kept: dict[str, tuple[int, ...]] = {}
    discriminators = None
    for side in bench.sides:
        widths = None if proposal.widths is None else side.own(proposal.widths)
        channels = None if proposal.channels is None else side.own(proposal.channels)
        starts = tuple(side.own(start) for start in proposal.starts)
        own = replace(proposal, target=side.share * proposal.target, widths=widths, channels=channels, starts=starts)
        steps = bench.config.prune_steps // len(bench.sides)
        done[side.name] = found = _prune_one(
            bench, replace(request, proposal=own), side.name, side.groups, side.prices, steps, discriminators
        )
        form, stored = side.groups.form, cost_as_stored(own.cost, found.quantized)
        target = target_of(stored, own.target, 1, side.prices)
        cost = cost_of(form, form.widths(found.plan.widths), target)
        if cost > own.target * (1 + ROUNDING):
            raise CutMismatch(f"{side.name} costs {cost:.0f} {own.cost}, above its share {own.target:.0f}")
        kept |= {f"{side.name}.{group}": channels for group, channels in found.plan.kept.items()}
        discriminators = found.discriminators or discriminators
    return Pruned(
        model=bench.joined({name: found.model for name, found in done.items()}),
        plan=ChannelPlan(kept),
        steps=sum(found.steps for found in done.values()),
        training_macs=sum(found.training_macs for found in done.values()),
        calibration_macs=sum(found.calibration_macs for found in done.values()),
        discriminators=discriminators,
        quantized=next(iter(done.values())).quantized,
        reconstructions={name: each for found in done.values() for name, each in found.reconstructions.items()},
        record={name: dict(found.record) for name, found in done.items()},
        curves={name: curve for found in done.values() for name, curve in found.curves.items()},
    )


def _prune_one(
    bench: OpenedStudy,
    request: TrialRequest,
    name: str,
    groups: ChannelGroups,
    prices: Prices,
    steps: int,
    discriminators: nn.ModuleDict | None = None,
) -> Pruned:
    config, proposal = bench.config, request.proposal
    model, parent = bench.generators[name].cpu(), None
    if proposal.parent is not None:
        files = Artifact(f"{proposal.parent}/{WEIGHTS}", "", f"{proposal.parent}/{PLAN}")
        parent = saved_generators(bench, Path(request.workspace).parent, files)[name]
        model, groups = parent.model, parent.groups
    quantized = config.quantization_settings if proposal.bits < FULL_BITS else None
    stored = cost_as_stored(proposal.cost, quantized)
    bounds = list(bench.bounds)
    if quantized:
        bounds = [bound.stored(quantized.bits, quantized.per_channel) for bound in bounds]
    job = PruneJob(
        model=model,
        name=name,
        groups=groups,
        proposal=proposal,
        target=target_of(stored, proposal.target, config.channel_multiple, prices, bounds),
        seed=request.seed,
        training=TrainingContext(
            task=bench.task(),
            data=bench.train_data,
            generators=bench.generators,
            discriminators=discriminators or bench.discriminators,
            recipe=config.recipe.with_values(proposal.recipe),
            device=bench.device,
            steps=steps,
            encoder=bench.output_encoder,
            feature_maps=bench.output_maps,
            workspace=Path(request.workspace) / "prune" / name,
            quantized=quantized,
        ),
        prepared=bench.load,
        calibration=calibration_of(bench, name),
    )
    pruned, spec = run_method(proposal.method, job), method_spec(proposal.method)
    wanted = spec.refits and getattr(proposal.settings, "refit", True)
    if not spec.trains and wants_two_rounds(job, pruned.plan):
        pruned = in_two_rounds(job, pruned, wanted)
    if job.calibration is not None and wanted:
        pruned = replace(pruned, reconstructions={name: refitted(job, pruned, job.calibration)})
    if parent is not None:
        pruned = replace(pruned, plan=parent.channels(pruned.plan))
    return pruned if pruned.quantized else replace(pruned, quantized=quantized)
