"""The time of a training step on this machine, by cost: measured in a few real steps, for the estimate of hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...gan_models.files.errors import UserError

if TYPE_CHECKING:
    import torch

    from ...gan_models.groups.plan import ChannelPlan
    from ...gan_models.training.recipe import Recipe
    from ..preparations.opened_study import OpenedStudy

MAX_TIMED_STEPS = 4  # maximum number of timed steps, after one untimed step
MAX_TIMING_S = 1.0  # seconds of timed steps, after which further ones would not help
SLOW_STEP_S = 1.5  # seconds: a slower step is timed with a smaller batch, and its time scaled
SMALL_BATCH = 2  # batch norms need two images


@dataclass(frozen=True)
class StepTimes:
    """The seconds of one training step.

    Attributes:
        teacher: Seconds of the dense network in the teacher's training.
        dense: Seconds of the dense network in a trial's training (with distillation).
        small: Seconds of the smallest uniform plan of a search, in a trial's training.
        share: That plan's cost as a share of the dense network's.
    """

    teacher: float
    dense: float
    small: float
    share: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        if min(self.teacher, self.dense, self.small) <= 0 or not 0 <= self.share < 1:
            raise UserError(
                f"invalid seconds per step: got {self.teacher}, {self.dense}, {self.small}; expected above 0"
            )

    @classmethod
    def constant(cls, seconds: float) -> StepTimes:
        """Return the same time for every network. Raises ValueError unless it is above 0."""
        return cls(seconds, seconds, seconds, 0.0)

    def student_at(self, share: float) -> float:
        """Return the seconds per step of a plan with `share` of the dense cost, on the line through both times."""
        return max(1e-9, self.small + (self.dense - self.small) * (share - self.share) / (1 - self.share))


def time_steps(study: OpenedStudy, threads: int) -> StepTimes:
    """Train fresh weights for a few steps, dense and small, as in a search, and time them.

    The teacher is trained in this process, with all its threads; trials in their own, with the threads of a trial.

    Args:
        study: The study.
        threads: CPUs of one trial.

    Raises:
        ValueError: The data cannot be read.
    """
    import torch

    config, before = study.config, torch.get_num_threads()
    small, share = small_plan(study)
    plain = config.teacher_recipe.without_teacher
    timing = _StepTiming(study)
    try:
        # an existing teacher only gets a discriminator
        teacher = timing.seconds(plain, None, distils=False, trained=not config.teacher)
        torch.set_num_threads(threads)
        distils = config.recipe.distils
        return StepTimes(
            teacher=teacher,
            dense=timing.seconds(config.recipe, None, distils),
            small=timing.seconds(config.recipe, small, distils),
            share=share,
        )
    finally:
        torch.set_num_threads(before)


def small_plan(study: OpenedStudy) -> tuple[ChannelPlan, float]:
    """Return approximately the smallest uniform plan that a search tries, and its share of the dense MACs."""
    from ...gan_models.groups.plan import ChannelPlan

    groups = next(iter(study.own_groups.values()), study.groups)
    lowest = study.proposals().lowest / study.resolved.dense[study.resolved.cost]
    widths = {name: max(1, round(size * lowest**0.5)) for name, size in groups.sizes.items()}
    plan = ChannelPlan({name: tuple(range(width)) for name, width in widths.items()})
    return plan, float(groups.form.predict(groups.form.widths(widths))) / groups.form.dense()


class _StepTiming:
    """Real training steps of a study's networks with fresh weights."""

    def __init__(self, study: OpenedStudy) -> None:
        from ..setup.pruned_generators import one_network

        self.study, self.config, self.device = study, study.config, study.device
        self.groups = next(iter(study.own_groups.values()), study.groups)
        self.teacher = {name: one_network(self.config) for name in study.task().generator_names}
        for model in self.teacher.values():
            model.to(self.device).eval().requires_grad_(False)

    def seconds(self, recipe: Recipe, cut_to: ChannelPlan | None, distils: bool, trained: bool = True) -> float:
        """Return the seconds of one step, of all generators cut to a plan or dense.

        Args:
            recipe: The training recipe.
            cut_to: The plan; None: dense.
            distils: True to train with a teacher.
            trained: True to train the generators; False to train only their discriminators.
        """
        batch_size = min(SMALL_BATCH, recipe.batch_size)
        first = self._timed(replace(recipe, batch_size=batch_size), cut_to, distils, trained, most=1)
        factor = recipe.batch_size / batch_size
        if first * factor > SLOW_STEP_S:
            return first * factor
        return self._timed(recipe, cut_to, distils, trained, most=MAX_TIMED_STEPS)

    def _timed(self, recipe: Recipe, cut_to: ChannelPlan | None, distils: bool, trained: bool, most: int) -> float:
        import torch
        from torch import nn

        from ...gan_models.data.dataset import batches
        from ...gan_models.distillation.catalog import MAPS, terms_that_need
        from ...gan_models.groups.surgery import cut
        from ...gan_models.training.step import Networks, Trainer
        from ..setup.pruned_generators import new_discriminators, one_network

        task = self.study.task()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            made = {name: one_network(self.config).requires_grad_(trained) for name in self.teacher}
            if cut_to is not None:
                made = {name: cut(model, self.groups, cut_to) for name, model in made.items()}
            networks = Networks(nn.ModuleDict(made), new_discriminators(self.config, task, self.study.output))
            source = batches(self.study.train_data, recipe.batch_size, self.config.seed)
            try:
                trainer = Trainer(
                    task, networks, recipe, steps=MAX_TIMED_STEPS + 1, seed=self.config.seed, device=self.device,
                    teacher=self.teacher if distils else None, example=next(source),
                    teacher_judges=dict(new_discriminators(self.config, task, self.study.output).items()),
                    feature_maps=self.study.output_maps if terms_that_need(MAPS, recipe.distillation) else None,
                )  # fmt: skip
                return seconds_each(lambda step: trainer.step(step, lambda: next(source)), self.device, most)
            finally:
                source.close()


def seconds_each(work: Callable[[int], object], device: torch.device, most: int, enough: float = MAX_TIMING_S) -> float:
    """Return the median seconds of some work, after one untimed call.

    Args:
        work: Called with 0, 1, 2, ...
        device: Device of the work.
        most: Maximum number of timed calls.
        enough: Seconds after which it is not repeated.
    """
    import torch

    def done() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    work(0)
    taken: list[float] = []
    while len(taken) < most and sum(taken) < enough:
        before = done()
        work(len(taken) + 1)
        taken.append(done() - before)
    return sorted(taken)[len(taken) // 2]
