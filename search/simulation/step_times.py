"""How long a training step takes here, by cost: measured in a few real steps, for the estimate of a search's hours."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...gan_models.files.errors import UserError

if TYPE_CHECKING:
    from ..preparations.opened_study import OpenedStudy

WARM, TIMED = 1, 4  # steps that are not, and that are timed


@dataclass(frozen=True)
class StepTimes:
    """Seconds of one training step.

    Attributes:
        teacher: The dense network's, as the teacher is trained.
        dense: The dense network's, as trials are (with distillation).
        small: The same of the smallest uniform plan that a search tries.
        share: That plan's cost as a share of the dense network's.
    """

    teacher: float
    dense: float
    small: float
    share: float

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if min(self.teacher, self.dense, self.small) <= 0 or not 0 <= self.share < 1:
            raise UserError(f"seconds a step must be above 0; got {self.teacher}, {self.dense}, {self.small}")

    @classmethod
    def constant(cls, seconds: float) -> StepTimes:
        """The same for every network. Raises ValueError for a number that is not above 0."""
        return cls(seconds, seconds, seconds, 0.0)

    def student_at(self, share: float) -> float:
        """Seconds a step of a plan that costs `share` of the dense network: on the line through both."""
        return max(1e-9, self.small + (self.dense - self.small) * (share - self.share) / (1 - self.share))


def time_steps(study: OpenedStudy, threads: int) -> StepTimes:
    """Trains with fresh weights for a few steps, dense and small, as a search's trials would in this many threads.

    Args:
        study: The study.
        threads: CPUs of one trial.

    Raises:
        ValueError: Data that cannot be read.
    """
    import torch
    from torch import nn

    from ...gan_models.groups.plan import ChannelPlan
    from ...gan_models.groups.surgery import cut
    from ...gan_models.training.loop import Networks, train
    from ..setup.pruned_generators import one_network

    config, before, task = study.config, torch.get_num_threads(), study.task()
    data, device = study.train_data, study.device
    teacher = {name: one_network(config) for name in task.generator_names}
    for model in teacher.values():
        model.to(device).eval().requires_grad_(False)
    groups = next(iter(study.own_groups.values()), study.groups)
    lowest = study.proposals().lowest / study.resolved.dense[study.resolved.cost]
    widths = {name: max(1, round(size * lowest**0.5)) for name, size in groups.sizes.items()}
    small = ChannelPlan({name: tuple(range(width)) for name, width in widths.items()})
    share = float(groups.form.predict(groups.form.widths(widths))) / groups.form.dense()
    plain = replace(config.teacher_recipe, distill_output=0.0, distill_features=0.0)

    def timed(recipe: Any, cut_to: ChannelPlan | None, distils: bool, trained: bool = True) -> float:
        made = {name: one_network(config).requires_grad_(trained) for name in teacher}
        if cut_to is not None:
            made = {name: cut(model, groups, cut_to) for name, model in made.items()}
        networks = Networks(nn.ModuleDict(made), task.make_discriminators(config.seed))
        moments: list[float] = []
        train(
            study.task(),
            networks,
            data,
            recipe,
            steps=WARM + TIMED,
            seed=config.seed,
            device=device,
            teacher=teacher if distils else None,
            on_step=lambda step, losses: moments.append(time.perf_counter()),
        )
        # on CUDA only each tenth step is told: the whole run then, warm-up and all, would be all that is known
        if len(moments) < WARM + TIMED:
            raise UserError("steps are not told one by one on this device: give --seconds-per-step")
        return (moments[-1] - moments[WARM - 1]) / TIMED

    torch.set_num_threads(threads)
    try:
        distils = config.recipe.distils
        return StepTimes(
            teacher=timed(plain, None, False, trained=not config.teacher),  # a given one only gets a discriminator
            dense=timed(config.recipe, None, distils),
            small=timed(config.recipe, small, distils),
            share=share,
        )
    finally:
        torch.set_num_threads(before)
