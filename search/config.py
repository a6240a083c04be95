"""A study's whole configuration: one frozen value, JSON both ways. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import PurePath
from typing import Any, Literal

from ..evaluators.features.catalog import AUTO, ENCODERS
from ..evaluators.quality.catalog import METRICS
from ..gan_models.costs.catalog import cost_of
from ..gan_models.data.spec import BUILTIN, DataSpec, PictureForm, is_own
from ..gan_models.files.errors import Refusals, UserError
from ..gan_models.files.hashes import json_sha256
from ..gan_models.files.pictures.image_size import image_size_of, read_image_size
from ..gan_models.files.plain_values import from_json, to_json
from ..gan_models.files.texts.near_names import MAX_NEAR_NAMES, did_you_mean
from ..gan_models.files.user_code import is_path
from ..gan_models.networks.catalog import NETWORKS
from ..gan_models.networks.specs import InputSpec, OutputSpec, range_text
from ..gan_models.networks.value_ranges import ValueRanges, usual
from ..gan_models.pruning.catalog import check_fixed, method_spec
from ..gan_models.quantization.settings import FULL_BITS
from ..gan_models.tasks.catalog import builtin_task, check_asked, check_source
from ..spaces.budget import Budget, Budgets
from .configuration.option import check_options, former_names
from .configuration.sections import (
    DISTILL,
    SELECTION,
    STEPS_UNSET,
    TEST,
    BudgetOptions,
    DataOptions,
    ModelOptions,
    PlaceOptions,
    QualityOptions,
    QuantizationOptions,
    SearchOptions,
    TrainingOptions,
)
from .samplers.catalog import SAMPLERS
from .study_name import check_study_name

SPLIT_LABELS = {"select": SELECTION, "test": TEST}  # split that is measured -> its name for people
BOTH_DIRECTIONS = "both"  # generators are pruned, each under its own budget
STEPS_TO_BE_CHOSEN = STEPS_UNSET
# Fields of later versions: empty, they leave a study's fingerprint what it was.
LATER_FIELDS = (
    "also_measure",
    "weights",
    "profiles",
    "output",
    "output_color",
    "value_range",
    "select_on",
    "calibration_images",
    "calibration_memory",
    "trial_seed",
    "search_recipe",
    "objective",
    "own_training",
    "maximizes",
    "preset",
)
# What may differ between two runs of one study: none of it changes what a trial is.
FIELDS_FREE_TO_CHANGE = ("name", "trials", "hours", "device", "data_workers", "latency_profile")


@dataclass(frozen=True, kw_only=True)
class StudyConfig(
    PlaceOptions,
    QuantizationOptions,
    QualityOptions,
    TrainingOptions,
    SearchOptions,
    DataOptions,
    BudgetOptions,
    ModelOptions,
):
    """Everything that decides what a study's trials are: all options of all sections, as fields of one value.

    Raises:
        UserError: One line: what was given, what is allowed.
    """

    def __post_init__(self) -> None:
        """Check what can be seen without any table of rows: a record is read where a row's package is not installed."""
        refusals = Refusals()
        for check in (
            lambda: check_study_name(self.name),
            self._read_lists,
            self._read_inputs,
            self._read_image_size,
            self._read_value_range,
            lambda: check_options(self),
            self._check_stopping,
            self._check_seed,
            self._check_bits,
            self._check_names,
        ):
            refusals.passes(check)
        refusals.end()
        if not self.image_size and (size := self._stated_size()):
            object.__setattr__(self, "image_size", image_size_of(*size))
        if self.task and self.size:
            images = InputSpec.of_shape((3, *self.size))
            self._data_spec(self.task, images, PictureForm.of(images.inputs[0]))  # raises

    def _read_lists(self) -> None:
        for name in _LISTS:
            value = getattr(self, name)
            if isinstance(value, str):
                raise UserError(f"{name} is a list, such as [{value!r}]; got {value!r}")
            object.__setattr__(self, name, tuple(value))

    def _read_inputs(self) -> None:
        stated = InputSpec.read(self.input_shape, "input_shape") if self.input_shape else None
        shape = () if stated is None else stated.text if stated.shape is None else stated.shape
        object.__setattr__(self, "input_shape", shape)
        object.__setattr__(self, "output", str(self.output))

    def _read_image_size(self) -> None:
        if self.image_size:
            object.__setattr__(self, "image_size", image_size_of(*read_image_size(self.image_size)))
        if isinstance(self.load_size, str):
            sides = self.load_size.strip()
            object.__setattr__(
                self,
                "load_size",
                int(sides) if sides.isdigit() else "x".join(map(str, read_image_size(sides, "load size"))),
            )

    def _read_value_range(self) -> None:
        object.__setattr__(self, "value_range", self._range_text())

    def checked(self) -> StudyConfig:
        """Return the configuration, every name checked against its table; needs no torch and no data.

        Objects by path are loaded when the study is resolved.

        Raises:
            UserError: A name that is not known, or what its row does not allow.
        """
        refusals = Refusals()
        for check in (
            self._check_quality,
            self._check_sampler,
            *(partial(self.budget_of, text) for text in self.budgets),
            lambda: self.stated_budgets,  # raises for budgets that do not go together
            lambda: self.check_methods(by_path=False),
            self._check_input_shape,
            lambda: check_source(self.task, self.data) if self.task else None,
            lambda: check_asked(self.task, self.task_settings),
        ):
            refusals.passes(check)
        refusals.end()
        return self

    def check_methods(self, by_path: bool) -> None:
        """Check the methods and their settings.

        Args:
            by_path: Check the user's own methods, which loads their files; else those of the table. Reading a
                configuration needs no such file.

        Raises:
            UserError: A method or a setting that is not known, or a method that trains without steps to train in.
        """
        for method in self.methods:
            if is_path(method) == by_path and method_spec(method).trains and not self.prune_steps:
                raise UserError(f"{method} trains before it cuts: give it --prune-steps")
        check_fixed({name: value for name, value in self.method_settings.items() if is_path(name) == by_path})

    def _check_quality(self) -> None:
        """Check the names of encoder and metrics; objects by path are loaded when the study is resolved."""
        if self.objective and self.objective not in METRICS and not is_path(self.objective):
            METRICS.find(self.objective)  # raises with the names there are
        if not self.knows_metric:
            names = ", ".join((AUTO, *ENCODERS))
            near = did_you_mean(self.metric, (AUTO, *ENCODERS, *METRICS))
            raise UserError(
                f"metric {self.metric!r} is unknown; use {names}, or your own as file.py:name. {near}".rstrip(". ")
            )
        for name in self.also_measure:
            if name not in METRICS and not is_path(name):
                METRICS.find(name)  # raises with the names there are

    @property
    def knows_metric(self) -> bool:
        """True if the quality is one of the encoders or metrics there are, or a user's own."""
        return self.metric == AUTO or self.metric in ENCODERS or self.metric in METRICS or is_path(self.metric)

    def _check_input_shape(self) -> None:
        if self.model not in NETWORKS or not self.input_shape:
            return
        own = NETWORKS[self.model].inputs_for(self.model_args)
        stated = self.stated_inputs.at_size(own.pixels or 0)
        if [(one.kind, one.shape) for one in stated.inputs] != [(one.kind, one.shape) for one in own.inputs]:
            raise UserError(
                f"--input-shape does not fit {self.model} of the catalog: got {self.stated_inputs.text}; expected "
                f"{own.text} of any size. Try --image-size, or --model-args input_channels=1 for other channels"
            )

    def _check_sampler(self) -> None:
        """Check the sampler's name; one by path is loaded by the search that asks it."""
        if self.sampler not in SAMPLERS.own and not is_path(self.sampler):
            SAMPLERS.find(self.sampler)  # raises with the names there are

    def _check_seed(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UserError(f"the seed is not possible: got {self.seed}; expected 0 to {2**32 - 1}. Try 0")
        if (self.trial_seed or 0) >= 2**32:
            raise UserError(
                f"the seed of trials is not possible: got {self.trial_seed}; expected 0 to {2**32 - 1}. Try 0"
            )

    def _check_bits(self) -> None:
        if len(set(self.bits)) != len(self.bits) or not set(self.bits) <= {8, FULL_BITS}:
            raise UserError(f"bits are 32, 8, or 32,8; got {', '.join(map(str, self.bits))}")
        if (bits := self.quantization_settings.bits) != 8:
            raise UserError(f"trials are quantized to 8 bits; got quantization_settings with bits={bits}")

    def _check_names(self) -> None:
        if not self.budgets:
            raise UserError("no budget given; give one such as --budget 25%")
        if len(set(self.methods)) != len(self.methods):
            raise UserError(f"methods must be named once each; got {', '.join(self.methods)}")
        if ":" in self.model and not self.input_shape:
            raise UserError(f"model {self.model!r} is not in the catalog: say what it takes, --input-shape 3,256,256")

    def _check_stopping(self) -> None:
        if any(not 0 < share < 1 for share in self.rungs) or list(self.rungs) != sorted(set(self.rungs)):
            raise UserError(f"rungs are rising shares of the fine-tuning steps between 0 and 1; got {list(self.rungs)}")
        if self.reduction is not None and (self.reduction == 1 or self.reduction < 0):
            raise UserError(f"reduction is 0 (off) or 2 and more; got {self.reduction}")
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"hours must be above 0; got {self.hours}")

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of what the networks see; None if it is not decided."""
        return read_image_size(self.image_size) if self.image_size else None

    def data_spec(self, output: OutputSpec, task: str = "") -> DataSpec:
        """Return the data, as the generators' inputs and output are.

        Args:
            output: What the generators give.
            task: The task that was detected, if the study's is not decided.
        """
        own = self.own_inputs if is_own(self.data) else None
        return self._data_spec(task or self.task, self.inputs, PictureForm.of(output), own)

    def _data_spec(
        self, task: str, inputs: InputSpec, output: PictureForm, own_inputs: InputSpec | None = None
    ) -> DataSpec:
        return DataSpec(
            source=self.data,
            task=task,
            inputs=inputs,
            output=output,
            direction=self.direction,
            load_size=self.load_size,
            flip=self.flip,
            seed=self.seed,
            n_train=self.n_train,
            n_test=self.n_test,
            strict=self.strict,
            selects=self.scored_on == "select",
            settings=dict(self.task_settings),
            own_inputs=own_inputs,
            own_range=self.value_ranges.given,
        )

    @property
    def scored_on(self) -> Literal["select", "test"]:
        """The split that trials are compared on; a record without the option is of a study that knew the test alone."""
        return "select" if self.select_on == SELECTION else "test"

    @property
    def seed_of_trials(self) -> int:
        """The seed that trials are chosen and trained with."""
        return self.seed if self.trial_seed is None else self.trial_seed

    @property
    def sign(self) -> float:
        """Factor from a value of the objective to a quality (lower is better): -1 if higher values are better."""
        return -1.0 if self.maximizes else 1.0

    @property
    def stated_budgets(self) -> Budgets:
        """The budgets, parsed."""
        return _parsed(self.budgets, self.convention)

    def budget_of(self, text: str) -> Budget:
        """Return a budget's text parsed in the study's convention.

        Raises:
            BudgetError: It cannot be read.
        """
        return _parsed_alone(text, self.convention)

    def bits_offered(self, profiled_int8: bool = False) -> tuple[int, ...]:
        """Return the bits that trials may have; each method chooses among them if there are several.

        Args:
            profiled_int8: True if the profile of the cost objective prices networks of 8 bits, too.
        """
        cost = cost_of(self.stated_budgets.cost)
        both = cost.depends_on_bits and (cost.exact or profiled_int8)
        return self.bits or ((FULL_BITS, 8) if both else (FULL_BITS,))

    def known_task(self) -> str | None:
        """Return the task if it is known without reading the data, else None."""
        return self.task or (builtin_task(self.data) if self.data in BUILTIN else None)

    @property
    def inputs(self) -> InputSpec:
        """The generator's inputs in the study, where each kind of input has one range of values.

        Raises:
            UserError: It is neither in the catalog, nor is its input stated.
        """
        return usual(self.stated_inputs)

    @property
    def own_inputs(self) -> InputSpec:
        """The generator's inputs in its own code: the same, with its own ranges of values."""
        return self.value_ranges.of_inputs(self.stated_inputs)

    @property
    def value_ranges(self) -> ValueRanges:
        """The ranges of the generator's images in the code that it comes from."""
        return ValueRanges.read(self.value_range)

    @property
    def stated_inputs(self) -> InputSpec:
        """Inputs as they were stated, or as the catalog says for the builder's arguments, at the study's image size."""
        if self.input_shape:
            return InputSpec.read(self.input_shape)
        if self.model not in NETWORKS:
            raise UserError(
                f"{self.model} is not a generator: use one of {', '.join(NETWORKS)}, or your own with --input-shape"
            )
        return NETWORKS[self.model].inputs_for(self.model_args).at_size(self.size or 0)

    def _range_text(self) -> str:
        """Return the ranges of values as stated, or as the catalog says: a row's own are spelled out."""
        own = NETWORKS[self.model].value_range if self.model in NETWORKS else ""
        ranges = ValueRanges.read(self.value_range or own)
        return ranges.text or (range_text(ranges.taken) if own else "")

    def _stated_size(self) -> tuple[int, int] | None:
        """Return height and width of the generator's images as stated; None if none are, or it takes no images."""
        return self.inputs.pixels if self.input_shape else None

    @property
    def model_name(self) -> str:
        """The model without the folder of its file, which may be moved; the copy's name holds the content's hash."""
        return _without_folder(self.model)

    @property
    def data_name(self) -> str:
        """The data, likewise: a built-in set, or the folder's own name."""
        return self.data if self.data in BUILTIN else PurePath(self.data).name or self.data

    @property
    def task_name(self) -> str:
        """The task, likewise."""
        return _without_folder(self.task)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON, one flat mapping."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StudyConfig:
        """Return the configuration of a flat mapping; nested settings that are left out take a study's defaults.

        Raises:
            UserError: An unknown field, or a value that a field does not take.
        """
        allowed, former = {f.name for f in dataclasses.fields(cls)}, former_names(cls)
        data = {former.get(name, name): value for name, value in data.items()}
        unknown = sorted(set(data) - allowed)
        if unknown:
            near = did_you_mean(unknown[0], allowed, MAX_NEAR_NAMES) or f"Expected one of {', '.join(sorted(allowed))}"
            raise UserError(f"unknown option {unknown[0]!r}. {near}")
        values = data
        for name, own in _NESTED.items():
            if isinstance(values.get(name), Mapping):
                values[name] = own | dict(values[name])
        for name in _LISTS:
            if isinstance(values.get(name), str):
                raise UserError(f"{name} is a list, such as [{values[name]!r}]; got {values[name]!r}")
        if isinstance(settings := values.get("method_settings"), Mapping):
            values["method_settings"] = _by_method(settings)
        return from_json(cls, values)

    def fingerprint(self) -> str:
        """Hash (16 hex digits) of all that changes what a trial is."""
        former = {name: old for old, name in former_names(type(self)).items()}
        data = {
            former.get(name, name): value
            for name, value in self.to_json().items()
            if name not in FIELDS_FREE_TO_CHANGE and (value or name not in LATER_FIELDS)
        }
        # A folder may be moved: what is in it is known by its hash.
        return json_sha256(data | {"data": self.data if self.data in BUILTIN else ""})[:16]


@cache
def _parsed_alone(text: str, convention: str) -> Budget:
    """Return one parsed budget."""
    return Budgets.parse((text,), convention).first


@cache
def _parsed(texts: tuple[str, ...], convention: str) -> Budgets:
    """Return parsed budgets; the same texts are parsed once per process, however often a configuration is copied."""
    if not texts:
        return Budgets.parse(texts, convention)  # says that one is missing
    return Budgets(tuple(_parsed_alone(text, convention) for text in texts), convention)


# What a study's own defaults add to a nested setting that is given in part.
_NESTED = {"recipe": {"distill_output": DISTILL}, "quantization_settings": {"per_channel": True}}
_LISTS = tuple(f.name for f in dataclasses.fields(StudyConfig) if str(f.type).startswith("tuple"))


def _by_method(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"coronet": {"embedding": 1}}` as `{"coronet.embedding": 1}`."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


def _without_folder(reference: str) -> str:
    location, _, name = reference.rpartition(":")
    return f"{PurePath(location).name}:{name}" if location.endswith(".py") else reference
