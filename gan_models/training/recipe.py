"""The recipe of a training run (`Recipe`) and its result (`TrainRecord`). Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..distillation.catalog import TERM_FIELDS, TERMS
from ..files.errors import UserError
from ..files.plain_values import later
from ..tasks.settings import check_weights

AMP_MODES = ("off", "bf16", "fp16")


@dataclass(frozen=True)
class Recipe:
    """The optimizers, schedule and distillation of one training run; the task has the loss weights.

    Args:
        batch_size: Images per step.
        lr: Learning rate of the generators (Adam).
        lr_discriminator: Learning rate of the discriminators; None: as `lr`.
        betas: Both betas of Adam.
        decay: Share of the steps, at the end, over which the rates fall linearly to 0 (upstream: 0.5).
        d_steps: Discriminator steps per generator step (SNGAN: 5); each after the first uses a new batch.
        distill_output: Weight of |G(x) - teacher(x)|; 0: off.
        distill_features: Weight of feature matching through trained 1x1 maps; 0: off.
        feature_layers: Maximum number of matched layers.
        amp: "off", or "bf16" / "fp16" autocast on CUDA; a CPU always computes in float32.
        channels_last: Store images and weights channels last (faster on CUDA with autocast).
        ema: Half-life of the generators' averaged weights, as a share of the steps; 0: off. The averaged weights are
            measured and stored.
        distill_terms: Weights of further terms of distillation, by name of `distillation.catalog.TERMS`.
        reconstruct_first: Share of the steps, at the start, without the task's adversarial term: generators follow only
            references and teachers, while discriminators are trained.
        rounds: Rounds of pruning. With 2, a cut of more than 75 % by a method that does not train is made in two parts,
            with training for the pruning steps between them.

    Raises:
        ValueError: A field is out of range.
    """

    batch_size: int = 8
    lr: float = 2e-4
    lr_discriminator: float | None = None
    betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 0.5
    d_steps: int = 1
    distill_output: float = 0.0
    distill_features: float = 0.0
    feature_layers: int = 4
    amp: str = "off"
    channels_last: bool = False
    ema: float = later(0.0)
    distill_terms: Mapping[str, float] = later(factory=dict)
    reconstruct_first: float = later(0.0)
    rounds: int = later(1)

    def __post_init__(self) -> None:
        for name in ("batch_size", "d_steps", "feature_layers"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is too small: got {name}={getattr(self, name)}; expected 1 or more")
        check_weights(self, "lr", "distill_output", "distill_features")
        if self.lr == 0:
            raise UserError("a learning rate of 0 trains nothing: got lr=0; expected above 0. Try 0.0002")
        if self.lr_discriminator is not None:
            check_weights(self, "lr_discriminator")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"invalid betas: got betas={self.betas}; expected two numbers in [0, 1)")
        if not 0 <= self.decay <= 1:
            raise UserError(f"invalid share of the steps: got decay={self.decay}; expected 0 to 1")
        if not 0 <= self.ema <= 1:
            raise UserError(
                f"invalid half-life of the averaged weights as a share of the steps: got ema={self.ema}; expected 0 "
                f"to 1. "
                "Try 0.05"
            )
        if self.rounds not in (1, 2):
            raise UserError(f"invalid rounds of pruning: got rounds={self.rounds}; expected 1 or 2. Try 2")
        if not 0 <= self.reconstruct_first <= 1:
            raise UserError(
                "invalid share of steps without an adversarial term: got "
                f"reconstruct_first={self.reconstruct_first}; expected 0 to 1. Try 0.1"
            )
        for name, weight in self.distill_terms.items():
            if name in TERM_FIELDS:
                raise UserError(f"distill_terms has its own field for {name}: got {weight}. Try distill_{name}")
            if not 0 <= weight < float("inf"):
                raise UserError(f"invalid weight: got distill_terms.{name}={weight}; expected a number of at least 0")
        if self.amp not in AMP_MODES:
            raise UserError(
                f"unknown mode of mixed precision: got amp={self.amp!r}; expected one of {', '.join(AMP_MODES)}"
            )

    def rate(self, step: int, steps: int) -> float:
        """Return the factor on the learning rates at `step` (from 0) of `steps`: 1, then linearly down to 1 / n > 0."""
        n_decaying = self.decay * steps
        return 1.0 if n_decaying < 1 else min(1.0, (steps - step) / n_decaying)

    def averaging(self, steps: int) -> float:
        """Return the factor beta that averaged weights keep per step: 0.5^(1 / half-life); 0 without averaging.

        StyleGAN2 (Karras et al. 2020, released code) gives the half-life in images, beta = 0.5^(batch / half-life).
        ganprune's is a share of all images, ema * steps * batch, so that one value fits short and long trainings.
        """
        return 0.5 ** (1 / (self.ema * steps)) if self.ema > 0 else 0.0

    def adversarial(self, step: int, steps: int) -> bool:
        """Return True if the adversarial term counts at `step` (from 0) of `steps`."""
        return step >= round(self.reconstruct_first * steps)

    @property
    def distillation(self) -> dict[str, float]:
        """Return the weights of all terms of distillation by name, without those of 0."""
        own = {name: getattr(self, f"distill_{name}") for name in TERM_FIELDS}
        return {name: weight for name, weight in (own | dict(self.distill_terms)).items() if weight > 0}

    def values(self) -> dict[str, float]:
        """Return the settings that a search may choose: `ema`, `reconstruct_first`, and `distill_<term>` per term."""
        found = {"ema": self.ema, "reconstruct_first": self.reconstruct_first}
        weights = dict.fromkeys(TERMS.own, 0.0) | dict(self.distill_terms)
        weights |= {name: getattr(self, f"distill_{name}") for name in TERM_FIELDS}
        return found | {f"distill_{name}": weight for name, weight in weights.items()}

    def with_values(self, values: Mapping[str, float]) -> Recipe:
        """Return the recipe with some of its `values` replaced."""
        own = {name: value for name, value in values.items() if name in Recipe.__dataclass_fields__}
        terms = {name.removeprefix("distill_"): value for name, value in values.items() if name not in own}
        return replace(self, **own, distill_terms={**self.distill_terms, **terms}) if values else self

    @property
    def distils(self) -> bool:
        """Return True if the recipe needs a teacher."""
        return bool(self.distillation)

    @property
    def without_teacher(self) -> Recipe:
        """Return the recipe without any distillation."""
        return replace(self, distill_output=0.0, distill_features=0.0, distill_terms={})


@dataclass(frozen=True)
class TrainRecord:
    """The result of a training run, including interruptions.

    Attributes:
        steps: Number of completed generator steps.
        stopped: True if a rung's callback stopped it before its last step.
        curve: (step, {term: value}) at about a hundred steps.
        seconds: Time of training steps and reading data, without callbacks and checkpoints.
        macs: Multiply-accumulates of all forward and backward passes of the steps; a backward counts as two forwards.
    """

    steps: int
    stopped: bool
    curve: tuple[tuple[int, Mapping[str, float]], ...]
    seconds: float
    macs: int = 0

    def path(self, value: str) -> list[list[float]]:
        """Return [[step, value], ...] of one recorded value."""
        return [[step, values[value]] for step, values in self.curve if value in values]
