"""A study's whole configuration: one frozen value, JSON both ways. Imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePath
from typing import Any, Literal

from ..evaluators.quality.collapse import HealthLimits
from ..gan_models.data.spec import BUILTIN_TASKS, DIRECTIONS, DataSpec
from ..gan_models.files.errors import UserError
from ..gan_models.files.plain_values import from_json, to_json
from ..gan_models.networks.catalog import NETWORKS, parse_input_shape
from ..gan_models.pruning.catalog import check_fixed, method_spec
from ..gan_models.quantization.settings import FULL_BITS, QuantSettings
from ..gan_models.tasks.catalog import TASKS
from ..gan_models.training.recipe import Recipe
from ..spaces.budget import CONVENTIONS, Budget, parse_budget
from .study_name import check_study_name

Metric = Literal["auto", "inception", "shapes"]
METRICS = ("auto", "inception", "shapes")
PROTOCOLS = ("test-vs-test", "test-vs-train+test", "test-vs-train")
BOTH = "both"  # generators are pruned, each under its own budget
OPEN = -1  # steps that are decided with the study's methods
DISTILL = 10.0  # a batch size given alone must not switch distillation off: a study's default, not the recipe's
# What may differ between two runs of one study: none of it changes what a trial is.
FREE = ("name", "trials", "hours", "device", "data_workers", "latency_profile")


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides what a study's trials are.

    Attributes:
        name: The study.
        model: Catalog name, `package.module:function` or `path.py:function`.
        data: `builtin:...` or a folder.
        budgets: As the user wrote them; the first one is the cost objective, the others are constraints.
        model_args: Keyword arguments of the builder.
        input_shape: Of one input without the batch, for a generator that is not in the catalog.
        task: `paired`, `unpaired`, `unconditional`, or empty: what the data's layout says.
        task_settings: The task's own settings (loss weights, discriminator).
        image_size: Pixels a side of what the networks see; 0: as the generator has it.
        load_size, flip, direction, strict, n_train, n_test: See `DataSpec`.
        convention: `exact` or `published` MACs, for budgets in MACs and percent.
        methods: Pruning methods that compete; none: the default ones, see `default_methods`.
        method_settings: Settings of methods that are fixed, and so not searched, by `method.setting`.
        trials: The study's total.
        ladder: Uniform plans tried first; 0 chooses by the number of trials.
        teacher: Weights of the generator (.safetensors or .pth); empty: it is trained.
        teacher_discriminator: Weights of its discriminator; empty: one is trained or warmed up.
        teacher_train_mode: Whether the teacher is run in train mode when it is measured and distilled from, as
            upstream pix2pix does (dropout, batch statistics).
        teacher_steps: Training steps of the teacher, or of its discriminator's warm-up.
        prune_steps: Training steps that a method may spend; methods that do not train fine-tune so much longer. Open:
            30 % of all steps where a method trains.
        finetune_steps: Training steps after pruning. Open: what is left of 4,000.
        rungs: Shares of `finetune_steps` at which a trial is measured.
        reduction: At a rung one trial in so many goes on; 0 lets all run to the end; None: 3 in a study of 8 trials
            or more, else 0.
        teacher_recipe, recipe: How the teacher is trained, how trials are.
        metric: Features of the quality: `inception` (FID), `shapes` (bundled encoder), `auto`: Inception where
            its weights are at hand when the study is made.
        inception_weights: Path of the weights; empty: environment variable or torch hub's cache.
        vgg_weights: Path of torchvision's VGG-16 weights, for distances between images in pruning; empty: the bundled
            encoder.
        n_eval: Most images that quality is measured on; 0 for all.
        protocol: Which images are compared: outputs for the test inputs, with the real test images (`test-vs-test`),
            training images (`test-vs-train`) or both (`test-vs-train+test`). Papers differ; no table mixes them.
        health: How a training is watched, and what ends it early.
        sampler, mode, shares, seed, deterministic: See `search.strategy.chooser`.
        prune, keep, tie: Patterns of group names.
        channel_multiple: Widths are multiples of this, or full.
        bits: What trials may have, 32 or 8 or both; empty: both where the first budget is in bytes, else 32.
        quantisation: How trials with 8 bits are quantised.
        prune_network: The generator to prune where the task has several, or `both`.
        batch: Asks in batches of this size where `deterministic`.
        device: auto, cpu, cuda.
        hours: Time limit of one run; None for none.
        data_workers: Processes that read images ahead of one training; 0 reads in the trial itself.
        latency_profile: File of the device's latency profile, for budgets in ms.
        latency_sha256: Of its content; empty until the study has its own copy.

    Raises:
        ValueError: One line: what was given, what is allowed.
    """

    name: str
    model: str
    data: str
    budgets: tuple[str, ...]
    model_args: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[int, ...] = ()
    task: str = ""
    task_settings: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 0
    load_size: int | None = None
    flip: bool = True
    direction: str = "AtoB"
    strict: bool = False
    n_train: int = 2000
    n_test: int = 500
    convention: str = "exact"
    methods: tuple[str, ...] = ()
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    trials: int = 20
    ladder: int = 0
    teacher: str = ""
    teacher_discriminator: str = ""
    teacher_train_mode: bool = False
    teacher_steps: int = 20_000
    prune_steps: int = OPEN
    finetune_steps: int = OPEN
    rungs: tuple[float, ...] = (0.25, 0.5)
    reduction: int | None = None
    teacher_recipe: Recipe = field(default_factory=Recipe)
    recipe: Recipe = field(default_factory=lambda: Recipe(distill_output=DISTILL))
    metric: Metric = "auto"
    inception_weights: str = ""
    vgg_weights: str = ""
    n_eval: int = 0
    protocol: str = "test-vs-test"
    health: HealthLimits = field(default_factory=HealthLimits)
    sampler: str = "linear"
    mode: str = "pareto"
    shares: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    deterministic: bool = False
    prune: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    tie: tuple[str, ...] = ()
    channel_multiple: int = 1
    bits: tuple[int, ...] = ()
    quantisation: QuantSettings = field(default_factory=lambda: QuantSettings(per_channel=True))
    prune_network: str = ""
    batch: int = 4
    device: str = "auto"
    hours: float | None = None
    data_workers: int = 0
    latency_profile: str = ""
    latency_sha256: str = ""

    def __post_init__(self) -> None:
        """Checks everything that needs no torch and no data."""
        check_study_name(self.name)
        for name in ("budgets", "methods", "rungs", "prune", "keep", "tie", "input_shape", "bits"):
            if isinstance(getattr(self, name), str):
                raise UserError(f"{name} is a list, such as [{getattr(self, name)!r}]; got {getattr(self, name)!r}")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_choices()
        self._check_numbers()
        if not self.budgets:
            raise UserError("no budget given; give one such as --budget 25%")
        _ = self.parsed_budgets  # raises if one cannot be read
        for method in self.methods:
            if method_spec(method).trains and not self.prune_steps:
                raise UserError(f"{method} trains before it cuts: give it --prune-steps")
        check_fixed(self.method_settings)
        if len(set(self.bits)) != len(self.bits) or not set(self.bits) <= {8, FULL_BITS}:
            raise UserError(f"bits are 32, 8, or 32,8; got {', '.join(map(str, self.bits))}")
        if self.quantisation.bits != 8:
            raise UserError(f"trials are quantised to 8 bits; got quantisation with bits={self.quantisation.bits}")
        if len(set(self.methods)) != len(self.methods):
            raise UserError(f"methods must be named once each; got {', '.join(self.methods)}")
        if self.model in NETWORKS and self.input_shape:
            raise UserError(f"--input-shape is for generators that are not in the catalog; {self.model} has its own")
        if ":" in self.model and not self.input_shape:
            raise UserError(f"model {self.model!r} is not in the catalog: say what it eats, --input-shape 3,256,256")
        if not self.image_size and len(eats := self._eats()) == 3:
            object.__setattr__(self, "image_size", eats[1])
        if self.task and self.image_size:
            self.data_spec()

    def _check_choices(self) -> None:
        for name, allowed in (
            ("metric", METRICS),
            ("protocol", PROTOCOLS),
            ("convention", tuple(CONVENTIONS)),
            ("direction", DIRECTIONS),
            ("mode", ("pareto", "target")),
            ("task", ("", *TASKS)),
        ):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} {getattr(self, name)!r} is unknown; use {', '.join(a or 'none' for a in allowed)}"
                )

    def _check_numbers(self) -> None:
        least = {
            "image_size": 8 if self.image_size else 0,
            "trials": 1,
            "ladder": 0,
            "teacher_steps": 0,
            "prune_steps": OPEN if self.prune_steps == OPEN else 0,
            "finetune_steps": OPEN if self.finetune_steps == OPEN else 1,
        }
        least |= {"channel_multiple": 1, "n_eval": 0, "batch": 1, "data_workers": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UserError(f"{name} is {getattr(self, name)}; use {low} or more")
        if any(not 0 < share < 1 for share in self.rungs) or list(self.rungs) != sorted(set(self.rungs)):
            raise UserError(f"rungs are rising shares of the fine-tuning steps between 0 and 1; got {list(self.rungs)}")
        if self.reduction is not None and (self.reduction == 1 or self.reduction < 0):
            raise UserError(f"reduction is 0 (off) or 2 and more; got {self.reduction}")
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"hours must be above 0; got {self.hours}")

    def data_spec(self, task: str = "") -> DataSpec:
        """The data, for the study's task or the one that was detected."""
        return DataSpec(
            source=self.data,
            task=task or self.task,
            image_size=self.image_size,
            direction=self.direction,
            load_size=self.load_size,
            flip=self.flip,
            seed=self.seed,
            n_train=self.n_train,
            n_test=self.n_test,
            strict=self.strict,
        )

    @property
    def parsed_budgets(self) -> tuple[Budget, ...]:
        """The budgets in their order, parsed."""
        return tuple(map(self.budget_of, self.budgets))

    def budget_of(self, text: str) -> Budget:
        """Return a budget's text parsed in the study's convention.

        Raises:
            BudgetError: It cannot be read.
        """
        return _parsed(text, self.convention)

    def bits_offered(self, latency_int8: bool = False) -> tuple[int, ...]:
        """Bits that trials may have; each method chooses among them where there are several.

        Args:
            latency_int8: Whether the device's latency profile prices networks of 8 bits, too.
        """
        first = self.parsed_budgets[0]
        both = first.cost == "bytes" or (first.cost == "latency_ms" and latency_int8)
        return self.bits or ((FULL_BITS, 8) if both else (FULL_BITS,))

    def known_task(self) -> str | None:
        """The task where it is known without looking at the data."""
        return self.task or (BUILTIN_TASKS[self.data][0] if self.data in BUILTIN_TASKS else None)

    def example_shape(self) -> tuple[int, ...]:
        """Shape of one input of the generator, without the batch."""
        shape = self._eats()
        return (shape[0], self.image_size, self.image_size) if len(shape) == 3 and not self.input_shape else shape

    def _eats(self) -> tuple[int, ...]:
        """What the generator says that it eats; nothing of a name that is not known."""
        return self.input_shape or (NETWORKS[self.model].input_shape if self.model in NETWORKS else ())

    @property
    def model_name(self) -> str:
        """The model without the folder of its file, which may be moved; the copy's name holds the content's hash."""
        location, _, function = self.model.rpartition(":")
        return f"{PurePath(location).name}:{function}" if location.endswith(".py") else self.model

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name in ("teacher_recipe", "recipe", "quantisation", "health"):
            data[name] = to_json(data[name])
        return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StudyConfig:
        """What `to_json` wrote. Raises ValueError for unknown fields and values out of range."""
        allowed = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(data) - allowed)
        if unknown:
            raise UserError(f"unknown option {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}")
        values = dict(data)
        for name, own in (("teacher_recipe", {}), ("recipe", {"distill_output": DISTILL})):
            if isinstance(values.get(name), Mapping):
                values[name] = from_json(Recipe, own | dict(values[name]), name)
        if isinstance(values.get("health"), Mapping):
            values["health"] = from_json(HealthLimits, values["health"], "health")
        if isinstance(values.get("quantisation"), Mapping):
            values["quantisation"] = from_json(
                QuantSettings, {"per_channel": True} | dict(values["quantisation"]), "quantisation"
            )
        if isinstance(values.get("input_shape"), str):
            values["input_shape"] = parse_input_shape(values["input_shape"])
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"the configuration is incomplete or of the wrong kind: {error}") from error

    def fingerprint(self) -> str:
        """Hash (16 hex digits) of all that changes what a trial is."""
        data = {name: value for name, value in self.to_json().items() if name not in FREE}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _parsed(text: str, convention: str) -> Budget:
    """Return a budget; the one place of the product that parses one, and each text is parsed once per process."""
    return parse_budget(text, convention)
