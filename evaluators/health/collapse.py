"""Collapse indicators of a GAN in training, and the limits that abort a training run. Imports no torch.

Original to ganprune. Diversity and duplicates are measured on the generator's outputs for a fixed batch of inputs, and
compared with the teacher's for the same inputs. A generator whose outputs are all one picture loses diversity long
before a distance on few images shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...gan_models.files.errors import UserError


@dataclass(frozen=True)
class Health:
    """Collapse indicators of one generator at one training step.

    Attributes:
        step: Number of completed generator steps.
        network: the generator's name.
        real_accuracy: Share of the real images' scores that the discriminator classifies correctly.
        generated_accuracy: The same for generated images; 1 for both means that it has nothing left to learn.
        diversity: root mean square distance between two outputs, in units of the [-1, 1] scale, 0 to 2.
        teacher_diversity: the same of the teacher's outputs.
        duplicates: Share of the outputs that equal another output to within one of 255 gray levels.
        teacher_duplicates: the same of the teacher's outputs.
    """

    step: int
    network: str
    real_accuracy: float
    generated_accuracy: float
    diversity: float
    teacher_diversity: float
    duplicates: float
    teacher_duplicates: float

    @property
    def of_teacher(self) -> float:
        """Diversity as a share of the teacher's; 1 if the teacher has none."""
        return self.diversity / self.teacher_diversity if self.teacher_diversity > 0 else 1.0


@dataclass(frozen=True)
class HealthLimits:
    """Limits on the collapse indicators: how often they are computed, and what aborts a training run.

    The defaults abort only a clear collapse: a generator pruned to a few channels may start with gray outputs.

    Attributes:
        checks: Number of checks, evenly spread over the training, in addition to one per rung; 0 disables them.
        start: Share of the training before which indicators are only recorded.
        least_steps: Steps before which no training is aborted, for short trainings: a pruned generator starts gray.
        diversity: Abort if the diversity is below this share of the teacher's; 0 disables this limit.
        duplicates: Abort if the share of duplicates minus the teacher's is above this; 1 disables this limit.
        accuracy: Abort if the discriminator is right on more than this share of real and of generated images. 1, the
            default, disables this limit: with distillation a generator learns without its discriminator.

    Raises:
        ValueError: A number is out of range.
    """

    checks: int = 8
    start: float = 0.25
    least_steps: int = 50
    diversity: float = 0.05
    duplicates: float = 0.9
    accuracy: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.checks, bool) or not isinstance(self.checks, int) or self.checks < 0:
            raise UserError(f"invalid number of health checks: got checks={self.checks!r}; expected 0 (off) or more")
        if isinstance(self.least_steps, bool) or not isinstance(self.least_steps, int) or self.least_steps < 0:
            raise UserError(
                f"invalid number of steps of health: got least_steps={self.least_steps!r}; expected 0 or more"
            )
        for name in ("start", "diversity", "duplicates", "accuracy"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise UserError(f"invalid share of health: got {name}={value!r}; expected 0 to 1")

    def looks(self, steps: int) -> tuple[int, ...]:
        """Return the steps of the checks in a training of `steps` steps; the last step is never one of them."""
        if not self.checks:
            return ()
        wanted = {round(steps * i / (self.checks + 1)) for i in range(1, self.checks + 1)}
        return tuple(sorted(step for step in wanted if 0 < step < steps))

    def verdict(self, health: Health) -> str | None:
        """Return why a training is aborted, such as `collapsed at step 400: diversity 0.03 of teacher`, or None."""
        if health.of_teacher < self.diversity:
            return f"collapsed at step {health.step}: diversity {health.of_teacher:.2g} of teacher"
        own = health.duplicates - health.teacher_duplicates
        if own > self.duplicates:
            return f"collapsed at step {health.step}: {100 * health.duplicates:.0f} % of outputs are duplicates"
        if min(health.real_accuracy, health.generated_accuracy) > self.accuracy:
            real, generated = 100 * health.real_accuracy, 100 * health.generated_accuracy
            return (
                f"out of balance at step {health.step}: discriminator right on {real:.0f} % of real and "
                f"{generated:.0f} % of generated images"
            )
        return None
