"""The health of a GAN in training: what is looked at, and when it is beyond hope. Imports no torch.

Our own definitions. Diversity and duplicates are of the generator's outputs for a fixed batch of inputs, beside those
of its teacher's for the same inputs: a translator that turns every input into one picture, or a sampler that draws one
picture, loses the first long before a distance on few images says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...gan_models.files.errors import UserError


@dataclass(frozen=True)
class Health:
    """One look at one generator.

    Attributes:
        step: generator steps done.
        network: the generator's name.
        real_accuracy: share of the real images' scores that the discriminator has right.
        generated_accuracy: the same for generated images; 1 for both means that it has nothing left to learn.
        diversity: root mean square distance between two outputs, in units of the [-1, 1] scale, 0 to 2.
        teacher_diversity: the same of the teacher's outputs.
        duplicates: share of the outputs that have a twin among them, within one of 255 gray levels.
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
        """Diversity as a share of the teacher's; 1 where the teacher has none."""
        return self.diversity / self.teacher_diversity if self.teacher_diversity > 0 else 1.0


@dataclass(frozen=True)
class HealthLimits:
    """The limits of health: how often a training is looked at, and what ends it early.

    The defaults end only what has plainly collapsed: a generator cut to a few channels may begin gray.

    Attributes:
        checks: looks, evenly spread over the training (and one at every rung besides); 0 switches them off.
        start: share of the training before which nothing is ended, only recorded.
        least_steps: steps before which nothing is ended either: a cut generator begins gray, in a short training too.
        diversity: a generator whose diversity is below this share of the teacher's is ended; 0 never does.
        duplicates: so is one with more duplicates than this share, the teacher's own taken off; 1 never does.
        accuracy: so is one whose discriminator is right on more than this share of real and of generated images;
            1 never does, and is the default: with distillation a generator learns on without its discriminator.

    Raises:
        ValueError: a number outside what is allowed.
    """

    checks: int = 8
    start: float = 0.25
    least_steps: int = 50
    diversity: float = 0.05
    duplicates: float = 0.9
    accuracy: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.checks, bool) or not isinstance(self.checks, int) or self.checks < 0:
            raise UserError(f"health checks={self.checks!r} is no number of looks; use 0 (off) or more")
        if isinstance(self.least_steps, bool) or not isinstance(self.least_steps, int) or self.least_steps < 0:
            raise UserError(f"health least_steps={self.least_steps!r} is no number of steps; use 0 or more")
        for name in ("start", "diversity", "duplicates", "accuracy"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise UserError(f"health {name}={value!r} is no share; use 0 to 1")

    def looks(self, steps: int) -> tuple[int, ...]:
        """Steps at which to look, of a training of `steps` steps; the last step is none of them."""
        if not self.checks:
            return ()
        wanted = {round(steps * i / (self.checks + 1)) for i in range(1, self.checks + 1)}
        return tuple(sorted(step for step in wanted if 0 < step < steps))

    def verdict(self, health: Health) -> str | None:
        """Why a training ends here, such as `collapsed at step 400: diversity 0.03 of teacher`; None where not."""
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
