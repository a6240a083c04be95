"""A pruning method: its catalog row, its job and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..costs.catalog import FORM_COSTS, cost_of
from ..files.plain_values import from_json
from ..files.user_code import load_named
from .settings import NoSettings, Setting, settings_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..costs.cost_form import CostModel
    from ..distillation.term import FeatureMaps
    from ..groups.channel_groups import ChannelGroups
    from ..groups.plan import ChannelPlan
    from ..quantization.settings import QuantSettings
    from ..reconstruction.calibration import Calibration
    from ..reconstruction.record import Reconstruction
    from ..tasks.task import Task
    from ..training.recipe import Recipe
    from .proposal import Proposal

Widths = Literal["given", "learned"]


@dataclass(frozen=True)
class MethodSpec:
    """A row of the catalog of methods, readable without importing the method.

    Attributes:
        implementation: "module:attribute", or "file.py:attribute" of a user's own method; a leading dot is relative to
            `gan_models.pruning`. Calling it returns the method.
        widths: `given`: it cuts to widths from the search space; `learned`: it finds widths for a target.
        settings_class: A frozen dataclass of fields made by `settings.setting`, or its "module:attribute".
        searches_ratios: True if its sub-space has one ratio per group.
        trains: True if it uses training steps itself (`prune_steps`); the others fine-tune longer instead.
        sizes: "module:function" of its memory in addition to the networks, (model, groups) -> rows of plain values;
            empty if there is none.
        preparations: Names of the preparations in `PruneJob.prepared`: made once per study, shared by its trials.
        starts_from_plans: True if its search for a plan starts from known plans of the study (`Proposal.starts`).
        refits: True if the cut network is refitted to the teacher's activations on calibration inputs.
        calibrated: True if it requires calibration inputs.
        note: One line for tables.
    """

    implementation: str
    widths: Widths
    settings_class: type | str = NoSettings
    searches_ratios: bool = False
    trains: bool = False
    sizes: str = ""
    preparations: tuple[str, ...] = ()
    starts_from_plans: bool = False
    refits: bool = False
    calibrated: bool = False
    note: str = ""

    @property
    def settings(self) -> type[Any]:
        """The settings class."""
        return load_named(self.settings_class, "settings", __package__)

    @property
    def all_settings(self) -> tuple[Setting, ...]:
        """Every setting with its default and range."""
        return settings_of(self.settings)

    @property
    def searched(self) -> tuple[Setting, ...]:
        """The settings that are dimensions of its space."""
        return tuple(setting for setting in self.all_settings if setting.searched)

    def defaults(self) -> dict[str, Any]:
        """Return every setting's default by name."""
        return {setting.name: setting.default for setting in self.all_settings}

    def read_settings(self, values: Mapping[str, Any]) -> Any:
        """Return the settings with these values, else defaults; values may exceed a range, but not change type.

        Raises:
            UserError: A name is unknown, or a value has another type.
        """
        return from_json(self.settings, dict(values), f"settings of {self.implementation.rpartition(':')[2]}")


@dataclass(frozen=True)
class Target:
    """The cost of one plan: an upper bound that the plan should be close to.

    Attributes:
        cost: `macs`, `macs_published`, `params`, `bytes` or `latency_ms`.
        value: Upper bound in that unit.
        floor: Minimum number of channels per group.
        multiple: Widths are multiples of this, or the full width.
        model: Prices plans if the exact cost form does not (a latency table, several budgets at once).
    """

    cost: str
    value: float
    floor: int = 1
    multiple: int = 1
    model: CostModel | None = None

    @property
    def exact_cost(self) -> str:
        """The cost of the cost form for gradients: MACs if the form does not price the target's cost."""
        return self.cost if cost_of(self.cost).name in FORM_COSTS else "macs"


@dataclass(frozen=True)
class TrainingContext:
    """The networks, data and recipe for a method that trains, in addition to its job.

    Attributes:
        task: The task's losses.
        data: The training data.
        generators: The teacher's generators by name.
        discriminators: The teacher's discriminators by name.
        recipe: The study's training recipe.
        device: Device to train on.
        steps: Number of training steps that the method may use.
        encoder: Images [N, 3, H, W] in [-1, 1] -> features [N, d], from the trial; None if there is none.
        feature_maps: The maps of an encoder, for distances between images; None if there is none.
        on_step: Called with (step, values to record).
        workspace: Folder for the method's own checkpoint, from which an interrupted trial resumes; None: no checkpoint.
        quantized: Quantization in fine-tuning; a method may apply it from the start.
    """

    task: Task
    data: Any
    generators: Mapping[str, nn.Module]
    discriminators: nn.ModuleDict
    recipe: Recipe
    device: torch.device
    steps: int
    encoder: Callable[[torch.Tensor], torch.Tensor] | None = None
    feature_maps: FeatureMaps | None = None
    on_step: Callable[[int, Mapping[str, float]], None] | None = None
    workspace: Path | None = None
    quantized: QuantSettings | None = None


@dataclass(frozen=True)
class PruneJob:
    """The inputs of a method.

    Attributes:
        model: The teacher's generator at full width; a method must not change it.
        name: Its name in the task (`G`, `AtoB`, ...).
        groups: Its channel groups.
        proposal: The method's settings, and its widths if they come from the search space.
        target: The upper bound on the cost: the proposal's, as this generator's plans are priced.
        seed: Seed of all random numbers of the method.
        training: The training context; None for methods that do not train.
        prepared: Loads a preparation of the study by name, at most once per process; None outside a study.
        calibration: Inputs for ranking channels; None if there are none.
    """

    model: nn.Module
    name: str
    groups: ChannelGroups
    proposal: Proposal
    target: Target
    seed: int
    training: TrainingContext | None = None
    prepared: Callable[[str], Any] | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Pruned:
    """The result of a method.

    Attributes:
        model: The cut generator, ready for fine-tuning.
        plan: The kept channels.
        steps: Number of generator optimizer steps used.
        discriminators: Discriminators to continue with, if the method changed them.
        record: The method's own record, plain JSON (`cost_before_landing`, paths of multipliers, ...).
        quantized: Quantization in fine-tuning and measuring; None: the trial decides.
        reconstructions: Records of refits, by generator; set by the trial.
        training_macs: Multiply-accumulates of all passes of the steps, a backward counted as two forwards.
        calibration_macs: Multiply-accumulates of passes on calibration inputs by which channels were chosen.
        notes: Notes for a user who prunes one network in one call.
        curves: (step, {term: value}) of training before the cut, by generator; empty for methods that do not train.
    """

    model: nn.Module
    plan: ChannelPlan
    steps: int = 0
    discriminators: nn.ModuleDict | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    quantized: QuantSettings | None = None
    reconstructions: Mapping[str, Reconstruction] = field(default_factory=dict)
    training_macs: int = 0
    calibration_macs: int = 0
    notes: tuple[str, ...] = ()
    curves: Mapping[str, tuple[tuple[int, Mapping[str, float]], ...]] = field(default_factory=dict)


class Method(Protocol):
    """A stateless pruning method."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cut the teacher's generator to the target.

        Raises:
            InfeasibleBudget: No plan meets the target.
            RuntimeError: The method did not meet the target; the message is the trial's reason.
        """
        ...
