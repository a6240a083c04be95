"""The estimate of a search's hours: its steps and measurements, times their durations on this machine.

Original to ganprune. Seconds of a step are on a line through the dense network and a small one, by exact MACs.
docs/measurements.md compares estimates with searches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log

from ...gan_models.files.meta_device import build_for_shapes, run_for_shapes
from ...gan_models.files.texts.number_text import counted
from ...gan_models.pruning.catalog import fixed_for, method_spec
from ...gan_models.training.loop import best_device
from ..config import StudyConfig
from ..preparations.opened_study import OpenedStudy
from ..setup.pruned_generators import one_network
from ..simulation.step_times import StepTimes
from ..strategy.method_shares import fixed_shares
from .launch import Placement
from .timing import Timing

CONTINUED_SHARE = (
    0.78  # share of trials that continue at a rung whose nominal share is one in three, from six simulated studies
)
# Seconds on a quiet machine, once and per trial: workers start, load the teacher and cut it.
START_S = (15.0, 4.0)
LOCAL_START_S = (3.0, 0.5)  # the same for trials in this process
FRONT_SHARE = 0.4  # approximate share of the trials that end on the front: four of ten in the demo
# Cost of cut, refit and scores of one plan per input, relative to making and measuring an image with the dense network:
# the demo's.
PLAN_IMAGE = 3.0
INTERVAL_S = 3.4e-9  # seconds of one product of two features in intervals, measured on one core
MIN_SAVED_SHARE = 0.1  # minimum share of the hours that an option must save to be named
MAX_NAMED_OPTIONS = 5


@dataclass(frozen=True)
class Workload:
    """The numbers that determine a search's hours.

    Attributes:
        teacher_steps: Steps of the teacher or of its discriminator before the search; 0: both are given.
        trials: Number of trials.
        pruning_trials: Number of trials of methods that train before they cut.
        prune_steps, finetune_steps: Steps of one trial; other methods use all of them for fine-tuning.
        rungs: Shares of the fine-tuning steps at which trials are measured.
        stops: True if trials are stopped at rungs.
        low, high: Lowest and highest target of a trial, as a share of the dense cost.
        measured: Number of images for the quality.
        tested: Number of images for the final measurement of the front; 0: there is none.
        reals: Number of real images of the comparison.
        generators: Number of measured generators.
        at_once: Number of trials that run at once.
        hours: Time limit of the search; None: none.
        start: Seconds of the start on a quiet machine, once and per trial.
        plan_inputs: Number of calibration inputs of all refits and scores of plans before training.
    """

    teacher_steps: int
    trials: int
    pruning_trials: float
    prune_steps: int
    finetune_steps: int
    rungs: tuple[float, ...]
    stops: bool
    low: float
    high: float
    measured: int
    reals: int
    tested: int = 0
    generators: int = 1
    at_once: int = 1
    hours: float | None = None
    start: tuple[float, float] = START_S
    plan_inputs: float = 0.0

    @classmethod
    def of(cls, study: OpenedStudy, placement: Placement) -> Workload:
        """Return the work of a resolved study."""
        config, resolved, proposals = study.config, study.resolved, study.proposals()
        ladder = [method for method, _ in proposals.ladder()]
        dense, images = resolved.dense[resolved.cost], resolved.data.images
        measured, test = images[config.scored_on], images["test"]
        return cls(
            teacher_steps=config.teacher_steps if study.trains_before else 0,
            trials=config.trials,
            pruning_trials=_trials_of(config, ladder, [name for name in config.methods if method_spec(name).trains]),
            prune_steps=config.prune_steps,
            finetune_steps=config.finetune_steps,
            rungs=config.rungs,
            stops=bool(config.reduction and config.rungs),
            low=proposals.lowest / dense,
            high=proposals.highest / dense,
            measured=min(measured, config.n_eval or measured),
            reals=sum(images.values()) if "train" in config.protocol else measured,
            tested=0 if config.scored_on == "test" else min(test, config.n_eval or test),
            generators=len(study.names),
            at_once=placement.at_once(study.device),
            hours=config.hours,
            start=LOCAL_START_S if placement.in_turn else START_S,
            plan_inputs=len(study.names) * (config.calibration_images or 0) * _scored_plans(config, ladder),
        )

    def continuing(self, rung: int) -> float:
        """Return the share of trials that are trained beyond this number of rungs."""
        return CONTINUED_SHARE**rung if self.stops else 1.0


@dataclass(frozen=True)
class Part:
    """A part of a search's time.

    Attributes:
        name: Name of the work.
        hours: Hours from start to end, with parallel trials counted once.
        detail: Numbers that it is computed from.
    """

    name: str
    hours: float
    detail: str


@dataclass(frozen=True)
class Shorter:
    """An option that would shorten a search.

    Attributes:
        option: Option with its value, as on the command line.
        hours: Hours of the search with it.
    """

    option: str
    hours: float


@dataclass(frozen=True)
class Estimate:
    """The estimated time of a search on this machine.

    Attributes:
        parts: Parts of the time.
        shorter: Options that would shorten it, the best first.
        at_once: Number of trials that run at once.
        limit: The time limit in hours; None: none.
    """

    parts: tuple[Part, ...]
    shorter: tuple[Shorter, ...] = ()
    at_once: int = 1
    limit: float | None = None

    @property
    def whole(self) -> float:
        """Hours of all trials, without a time limit."""
        return sum(part.hours for part in self.parts)

    @property
    def hours(self) -> float:
        """Hours from start to end."""
        return self.whole if self.limit is None else min(self.whole, self.limit)

    @property
    def line(self) -> str:
        """The estimate on one line, with options that would shorten it."""
        parts = " + ".join(f"{part.name} {duration(part.hours)}" for part in self.parts)
        limit = "" if self.limit is None or self.whole <= self.limit else f" of {duration(self.whole)} without --hours"
        options = ", ".join(f"{each.option}: {duration(each.hours)}" for each in self.shorter)
        return f"about {duration(self.hours)}{limit} = {parts}" + (f"; with {options}" if options else "")


def duration(hours: float) -> str:
    """Return a duration as text: `40 s`, `2.5 min`, `12 min`, `14.5 h`."""
    if hours * 3600 < 90:
        return f"{hours * 3600:.0f} s"
    return f"{hours * 60:.2g} min" if hours * 60 < 90 else f"{hours:.1f} h"


def estimated(work: Workload, timing: Timing, shorter: tuple[Shorter, ...] = ()) -> Estimate:
    """Return the estimated time of a search.

    Args:
        work: Its steps, trials and images.
        timing: Seconds of each on this machine.
        shorter: Options that would shorten it.
    """
    return Estimate(tuple(_parts(work, timing)), shorter, work.at_once, work.hours)


def options_that_shorten(
    config: StudyConfig, work: Workload, timing: Timing, placement: Placement
) -> tuple[Shorter, ...]:
    """Return options that would shorten a search by a tenth or more, the best first.

    Args:
        config: The resolved configuration.
        work: The search's present work.
        timing: Seconds of each part.
        placement: Placement of the trials.
    """
    whole = estimated(work, timing).whole
    found = [
        Shorter(option, estimated(other, own).whole)
        for option, other, own in _candidates(config, work, timing, placement)
    ]
    found = [each for each in found if each.hours <= (1 - MIN_SAVED_SHARE) * whole]
    return tuple(sorted(found, key=lambda each: each.hours)[:MAX_NAMED_OPTIONS])


def _candidates(
    config: StudyConfig, work: Workload, timing: Timing, placement: Placement
) -> Iterator[tuple[str, Workload, Timing]]:
    """Yield options with values, and the work and timing with each."""
    if config.trials > 4:
        half = config.trials // 2
        share = half / work.trials
        fewer = {"pruning_trials": share * work.pruning_trials, "plan_inputs": share * work.plan_inputs}
        yield f"--trials {half}", replace(work, trials=half, **fewer), timing
    steps = {"prune_steps": work.prune_steps // 4, "finetune_steps": work.finetune_steps // 4}
    named = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in steps.items() if value)
    if steps["finetune_steps"]:
        yield named, replace(work, **steps), timing
    if work.teacher_steps and not config.teacher:
        yield "--teacher FILE --teacher-discriminator FILE", replace(work, teacher_steps=0), timing
    if work.measured > 4 * 50:
        few = replace(work, measured=work.measured // 4)
        yield f"--n-eval {few.measured}", few, timing
    if config.recipe.batch_size > 1:
        half = config.recipe.batch_size // 2
        yield (
            f"--batch-size {half}",
            work,
            replace(timing, steps=_scaled(timing.steps, half / config.recipe.batch_size)),
        )
    if smaller := _half_size(config):
        quarter = replace(timing, steps=_scaled(timing.steps, 0.25), image=timing.image / 4)
        yield f"--image-size {smaller}", work, quarter
    everything = replace(placement, most=None).at_once(best_device(config.device))
    if everything > work.at_once:
        yield f"--max-concurrent {everything}", replace(work, at_once=everything), timing


def _half_size(config: StudyConfig) -> int:
    """Return half the image size if the generator is in the catalog and runs at that; else 0."""
    size = config.image_size
    if not isinstance(size, int) or size % 2 or config.input_shape:
        return 0
    network = build_for_shapes(lambda: one_network(config))
    try:
        run_for_shapes(network, replace(config, image_size=size // 2).inputs.examples(2), lambda copy, x: copy(*x))
    except Exception:  # a network may raise anything at an unsupported size
        return 0
    return size // 2


def _parts(work: Workload, timing: Timing) -> Iterator[Part]:
    """Yield the parts of a search's time."""
    steps, trials, at_once = timing.steps, work.trials, work.at_once
    mean = (work.high - work.low) / log(work.high / work.low) if work.high > work.low > 0 else work.high
    student = steps.student_at(mean)
    if work.teacher_steps:
        name = "teacher"
        yield Part(name, work.teacher_steps * steps.teacher / 3600, _each(work.teacher_steps, steps.teacher))
    compared = work.generators * (work.reals + 2 * work.measured)
    yield Part("real images, teacher measured", compared * timing.image / 3600, counted(compared, "image"))

    def shared(name: str, count: float, seconds: float) -> Part:
        return Part(name, count * seconds / at_once / 3600, f"{_each(count, seconds)}, {at_once} at once")

    if work.plan_inputs:
        seconds = work.plan_inputs * PLAN_IMAGE * timing.image
        yield Part("scoring plans", seconds / at_once / 3600, counted(round(work.plan_inputs), "calibration input"))
    if work.pruning_trials:
        yield shared("pruning", work.pruning_trials * work.prune_steps, steps.dense)
    spare = (trials - work.pruning_trials) * work.prune_steps
    ends = [*work.rungs, 1.0]
    reached = sum(
        (end - start) * work.continuing(i) for i, (start, end) in enumerate(zip([0.0, *ends], ends, strict=False))
    )
    yield shared("fine-tuning", spare + trials * work.finetune_steps * reached, student)
    image = timing.image * student / steps.dense
    images = work.generators * work.measured
    rungs = sum(work.continuing(i) for i in range(len(work.rungs)))
    ended = work.continuing(len(work.rungs))
    details = INTERVAL_S * images * min(work.measured, 2 * timing.features) * timing.features
    seconds = images * image * (rungs + ended) + ended * details
    yield Part(
        "measuring", trials * seconds / at_once / 3600, f"{trials * (rungs + ended):.0f} x {counted(images, 'image')}"
    )
    once, each = work.start
    if work.tested:
        front, images = max(1, round(FRONT_SHARE * trials)), work.generators * work.tested
        seconds = each * timing.slowdown + images * image
        yield Part("front on test images", front * seconds / 3600, f"{front} x {counted(images, 'image')}")
    yield Part("starting", timing.slowdown * (once + trials * each / at_once) / 3600, counted(trials, "trial"))


def _each(count: float, seconds: float) -> str:
    return f"{counted(round(count), 'step')} of {seconds:.2g} s"


def _scaled(steps: StepTimes, factor: float) -> StepTimes:
    return replace(steps, teacher=steps.teacher * factor, dense=steps.dense * factor, small=steps.small * factor)


def _trials_of(config: StudyConfig, ladder: list[str], methods: Sequence[str]) -> float:
    """Return the approximate number of trials of these methods: those after the ladder are divided among methods."""
    shares = fixed_shares(config.methods, config.shares) if config.shares else {}
    first = ladder[: config.trials]
    share = sum(shares.get(name, 1 / len(config.methods)) for name in methods)
    return sum(name in methods for name in first) + (config.trials - len(first)) * share


def _scored_plans(config: StudyConfig, ladder: list[str]) -> float:
    """Return the approximate number of plans that methods refit and score before training."""
    plans = 0.0
    for name in config.methods:
        spec = method_spec(name)
        if spec.starts_from_plans:
            settings = spec.read_settings(fixed_for(name, config.method_settings))
            plans += settings.evaluations * _trials_of(config, ladder, [name])
    return plans
