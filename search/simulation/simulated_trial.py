"""A trial without training, whose quality is drawn from the study's seed. Engine and record are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...evaluators.measurement import Measurement
from ...gan_models.files.plain_values import from_json, to_json
from ...gan_models.pruning.catalog import method_spec
from ..config import StudyConfig
from ..preparations.opened_study import OpenedStudy, open_study
from ..records.messages import TrialOutcome, TrialReport, TrialRequest
from ..records.teacher_artifact import TeacherArtifact
from ..resolved_study import ResolvedStudy
from ..strategy.proposals import SpaceProposals
from .response_surface import DENSE_QUALITY, Surface
from .step_times import StepTimes

METRIC = "fd[simulated]"
PROTOCOL = "SIMULATED: drawn from the study's seed; no network was trained"


@dataclass(frozen=True)
class _World:
    """The data that the trials of one study share."""

    study: OpenedStudy
    proposals: SpaceProposals
    surface: Surface


_LATEST_WORLD: dict[str, _World] = {}


def _world(study: ResolvedStudy) -> _World:
    if study.fingerprint not in _LATEST_WORLD:
        opened = open_study(study)
        _LATEST_WORLD.clear()
        _LATEST_WORLD[study.fingerprint] = _World(
            opened, opened.proposals(), Surface.drawn(opened.groups.form, study.config.seed)
        )
    return _LATEST_WORLD[study.fingerprint]


def simulated_teacher(config: StudyConfig, times: StepTimes) -> TeacherArtifact:
    """Return a record in place of a teacher's; its `times` determine each trial's simulated duration."""
    return TeacherArtifact(
        measurements=(_measured(DENSE_QUALITY),),
        origin=PROTOCOL,
        seconds=0.0 if config.teacher_discriminator else config.teacher_steps * times.teacher,
        times=to_json(times),
    )


def run(request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialOutcome:
    """Simulate one trial: its method's plan, its curve of qualities, and its duration in seconds."""
    assert request.study is not None
    world, proposal = _world(request.study), request.proposal
    study, config, form = request.study, request.study.config, world.study.groups.form
    space = world.proposals.space(proposal.method).widths_at(proposal.bits)
    widths = proposal.widths
    if widths is None:
        ratios = world.surface.learned(proposal.method, to_json(proposal.settings), request.seed)
        named = dict(zip(form.names, ratios.tolist(), strict=True))
        widths = space.decode({name: named.get(name, 1.0) for name in space.dimensions}, proposal.target)
    plan_G = form.widths(widths)
    cost = float((space.model or form).predict(plan_G, space.cost))
    spent = config.prune_steps if method_spec(proposal.method).trains else 0
    steps = config.prune_steps + config.finetune_steps
    per_step = from_json(StepTimes, request.step_seconds).student_at(cost / study.dense[study.cost])
    rungs = {config.prune_steps + max(1, round(share * config.finetune_steps)) for share in config.rungs}
    curve: dict[int, float] = {}

    def seconds(step: int) -> Mapping[str, float]:
        return {"prune": spent * per_step, "finetune": (step - spent) * per_step}

    for step in sorted(rung for rung in rungs if rung < steps):
        curve[step] = world.surface.quality(plan_G, step / steps, request.seed)
        if not report(TrialReport(step, curve[step], cost, curve, widths, seconds=seconds(step))):
            return TrialOutcome(
                "PRUNED", curve[step], cost, rungs=curve, widths=widths, seconds=seconds(step), stopped="simulated"
            )
    curve[steps] = world.surface.quality(plan_G, 1.0, request.seed)
    counted = Measurement(study.cost, cost, "1", protocol="predicted by the cost form")
    return TrialOutcome(
        state="COMPLETE",
        quality=curve[steps],
        cost=cost,
        measurements=(_measured(curve[steps]), counted),
        rungs=curve,
        widths=widths,
        seconds=seconds(steps),
        worker="simulated",
    )


def _measured(value: float) -> Measurement:
    return Measurement(METRIC, value, "1", protocol=PROTOCOL)
