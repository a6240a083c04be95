"""One trial, from request to result: prune, check, fine-tune, measure. Runs in a worker; knows no database."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ...gan_models.checkpoints.checkpoint import save_weights
from ...gan_models.costs.prices import Prices
from ...gan_models.files.atomic_files import write_json
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.seeds import mixed
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.surgery import copy_network
from ...gan_models.pruning.catalog import make_method
from ...gan_models.pruning.method import Pruned, PruneJob, TrainingContext
from ...gan_models.pruning.ranking import cost_of
from ...gan_models.quantization.calibration import Quantiser
from ...gan_models.quantization.settings import FULL_BITS
from ...gan_models.training.loop import Networks, TrainRecord, train
from ..artifacts.study_folder import read_curve, write_curve
from ..execution.worker import stop_reason
from ..preparations.opened_study import OpenedStudy, open_study
from ..records.messages import Artifact, StepsSpent, TrainingSummary, TrialOutcome, TrialReport, TrialRequest
from ..setup.search_space import target_of
from .collapse_monitor import HealthWatch
from .cut_check import CutCheck, CutMismatch, check_cut, cost_as_stored
from .quantized import QUANTISATION, detach, quantise

ROUNDING = 1e-9  # relative: a cost that is summed in another order is the same cost
WEIGHTS, PLAN = "generator.safetensors", "plan.json"


def run(request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialOutcome:
    """Runs one trial.

    Args:
        request: What to build and where to keep it; the workspace may hold an earlier attempt's checkpoint.
        report: Told at each rung; False stops the trial.

    Returns:
        COMPLETE with everything measured, or PRUNED with the curve so far.

    Raises:
        Exception: Whatever goes wrong; the executor records it as FAIL with its message.
    """
    bench = open_study(request.study, request.teacher)
    clock = _Clock()
    pruned = _prune(bench, request)
    clock.lap("prune")
    checked = check_cut(bench, pruned, request)
    clock.lap("check")
    trial = _Trial(bench, request, pruned, checked, clock, report)
    return trial.finetune()


class _Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """Adds the time since the last lap to a phase."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now


def _prune(bench: OpenedStudy, request: TrialRequest) -> Pruned:
    """One generator; or both, one after the other, each to its share of the target: a method never sees two."""
    if not bench.sides:
        return _prune_one(bench, request, bench.names[0], bench.groups, bench.prices, bench.config.prune_steps)
    proposal = request.proposal
    done: dict[str, Pruned] = {}
    kept: dict[str, tuple[int, ...]] = {}
    discriminators = None
    for side in bench.sides:
        widths = None if proposal.widths is None else side.own(proposal.widths)
        own = replace(proposal, target=side.share * proposal.target, widths=widths)
        steps = bench.config.prune_steps // len(bench.sides)
        done[side.name] = found = _prune_one(
            bench, replace(request, proposal=own), side.name, side.groups, side.prices, steps, discriminators
        )
        form, stored = side.groups.form, cost_as_stored(own.cost, found.quantised)
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
        discriminators=discriminators,
        quantised=next(iter(done.values())).quantised,
        record={name: dict(found.record) for name, found in done.items()},
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
    quantised = config.quantisation if proposal.bits < FULL_BITS else None
    stored = cost_as_stored(proposal.cost, quantised)
    bounds = list(bench.bounds)
    if quantised:
        bounds = [bound.stored(quantised.bits, quantised.per_channel) for bound in bounds]
    job = PruneJob(
        model=bench.generators[name].cpu(),
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
            recipe=config.recipe,
            device=bench.device,
            steps=steps,
            encoder=bench.encoder,
            feature_maps=bench.feature_maps,
            workspace=Path(request.workspace) / "prune" / name,
            shared=Path(str(request.teacher["path"])) / "shared",
            quantized=quantised,
        ),
    )
    pruned = make_method(proposal.method).prune(job)
    return pruned if pruned.quantised else replace(pruned, quantised=quantised)


class _Trial:
    """Fine-tuning with its rungs."""

    def __init__(
        self,
        bench: OpenedStudy,
        request: TrialRequest,
        pruned: Pruned,
        checked: CutCheck,
        clock: _Clock,
        report: Callable[[TrialReport], bool],
    ) -> None:
        self.bench, self.request, self.pruned, self.clock, self.report = bench, request, pruned, clock, report
        self.counted, self.costs, self.cost_record = checked.counted, checked.costs, checked.record
        self.curve = read_curve(request.workspace)  # an earlier attempt's: its report may have been lost
        config = bench.config
        # Equal compute: steps that a method did not spend on pruning are spent on fine-tuning.
        self.spare = max(0, config.prune_steps - pruned.steps)
        self.steps = config.finetune_steps + self.spare
        bits = pruned.quantised.bits if pruned.quantised else FULL_BITS
        self.architecture = pruned.plan.architecture(config.model_name, config.model_args, bits)
        self.rungs = {max(1, round(share * config.finetune_steps)) + self.spare for share in config.rungs}
        first = self._at(max(round(config.health.start * self.steps), config.health.least_steps))
        self.watch = HealthWatch(bench, config.health, Path(request.workspace), first)
        self.judges = copy_network(self.pruned.discriminators or bench.discriminators).requires_grad_(True)

    def finetune(self) -> TrialOutcome:
        """Trains to the last rung and measures there."""
        bench, config = self.bench, self.bench.config
        generators = {name: copy_network(model) for name, model in bench.generators.items()}
        pruned = self.pruned.model.requires_grad_(True)  # the others stay the frozen teacher's
        alone = len(bench.names) == 1
        generators |= {name: pruned if alone else pruned.get_submodule(name) for name in bench.names}
        settings = self.pruned.quantised
        quantisers = quantise(bench, generators, settings, self.request.seed) if settings else {}
        stops = self.rungs | set(config.health.looks(self.steps))
        trained = train(
            bench.task(),
            Networks(nn.ModuleDict(generators), self.judges),
            bench.train_data,
            config.recipe,
            steps=self.steps,
            seed=mixed(self.request.seed, 3),
            device=bench.device,
            teacher=bench.generators,
            checkpoint_dir=Path(self.request.workspace) / "checkpoint",
            checkpoint_every=max(200, self.steps // 10),
            rungs=sorted(step for step in stops if step < self.steps),
            on_rung=self._rung,
            workers=config.data_workers,
        )
        self.clock.lap("finetune")
        return self._result(bench.joined(generators), quantisers, trained)

    def _at(self, step: int) -> int:
        return self.pruned.steps + step

    def _rung(self, step: int, generators: Mapping[str, nn.Module]) -> bool:
        self.clock.lap("finetune")
        if self.bench.config.health.checks and self.watch.look(self._at(step), generators, dict(self.judges.items())):
            return False
        if step not in self.rungs:
            self.clock.lap("measure")
            return True
        quality = self.bench.measure(self.bench.joined(generators), full=False)[0].value
        self.clock.lap("measure")
        rungs = {rung: value for rung, value in self.curve.items() if rung < self._at(step)}
        self.curve = rungs | {self._at(step): quality}
        write_curve(self.request.workspace, self.curve)
        return self.report(
            TrialReport(
                step=self._at(step),
                quality=quality,
                cost=self._cost(),
                rungs=dict(self.curve),
                widths=self.pruned.plan.widths,
                architecture=self.architecture,
                measurements=self.costs,
                seconds=dict(self.clock.seconds),
            )
        )

    def _cost(self) -> float:
        return self.counted[self.request.proposal.cost]

    def _result(self, model: nn.Module, quantisers: Mapping[str, Quantiser], trained: TrainRecord) -> TrialOutcome:
        request, workspace = self.request, Path(self.request.workspace)
        stopped = trained.stopped
        if stopped:
            measured, quality = [], self.curve[max(self.curve)] if self.curve else None
        else:
            measured = self.bench.measure(model, full=True)
            quality = measured[0].value
            self.curve[self._at(self.steps)] = quality
        write_json(workspace / PLAN, self.pruned.plan.to_json())
        ranges, ranges_sha256 = "", ""
        if quantisers:
            write_json(workspace / QUANTISATION, detach(quantisers))
            ranges, ranges_sha256 = f"{request.number}/{QUANTISATION}", file_sha256(workspace / QUANTISATION)
        digest = save_weights(model.cpu(), workspace / WEIGHTS)
        artifact = Artifact(f"{request.number}/{WEIGHTS}", digest, f"{request.number}/{PLAN}", ranges, ranges_sha256)
        self.clock.lap("measure")
        return TrialOutcome(
            state="PRUNED" if stopped else "COMPLETE",
            quality=quality,
            cost=self._cost(),
            measurements=(*measured, *self.costs),
            rungs=dict(self.curve),
            widths=self.pruned.plan.widths,
            architecture=self.architecture,
            artifact=artifact,
            stopped=(self.watch.reason or stop_reason(max(self.curve, default=0))) if stopped else None,
            seconds=dict(self.clock.seconds),
            constraints=self._constraints(),
            worker=f"{platform.node()}:{os.getpid()} {self.bench.device} {torch.get_num_threads()} threads",
            quantized=self.pruned.quantised,
            steps=StepsSpent(self.pruned.steps, self.steps),
            training=_summary(trained),
            health=tuple(self.watch.entries),
            cost_check=self.cost_record,
            method_record=to_json(self.pruned.record),
        )

    def _constraints(self) -> dict[str, float]:
        """Every budget after the first one: cost over bound, less 1; above 0 the trial is off the front."""
        # of several generators each one's budget is met by its own plan
        others = self.bench.resolved.others
        excess = {each.budget.text: self.counted[each.budget.cost] / each.limit - 1 for each in others}
        return {text: 0.0 if abs(value) < ROUNDING else value for text, value in excess.items()}


def _summary(trained: TrainRecord) -> TrainingSummary | None:
    """Return the end of a training; None if no losses were noted."""
    if not trained.curve:
        return None
    step, losses = trained.curve[-1]
    return TrainingSummary(trained.seconds, step, losses)
