"""A pruning method: its row in the catalog, its job, its result."""

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
    """A method as the catalog and the space know it, without importing it.

    Attributes:
        implementation: "module:attribute", or "file.py:attribute" of a user's own; one that starts with a dot is of
            `gan_models.pruning`. Calling it makes the method.
        widths: `given`: it cuts to widths from the search space; `learned`: it finds widths for a target.
        settings_class: A frozen dataclass of fields made by `settings.setting`, or its "module:attribute".
        searches_ratios: True if its sub-space has one ratio per group.
        trains: True if it spends training steps of its own (`prune_steps`); the others fine-tune longer instead.
        sizes: "module:function" of what it holds in memory beside the networks, (model, groups) -> rows of plain
            values; empty if that is nothing.
        preparations: Names of what it is given by `PruneJob.prepared`: made once per study, shared by its trials.
        starts_from_plans: True if its search for a plan starts from those that a study knows (`Proposal.starts`).
        refits: True if what it cut is then refitted to the teacher's activations on calibration inputs.
        calibrated: True if it can do nothing without calibration inputs.
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
        """Return the settings of these values, the others at their defaults; a range may be left, a type may not.

        Raises:
            UserError: An unknown name, or a value of another type.
        """
        return from_json(self.settings, dict(values), f"settings of {self.implementation.rpartition(':')[2]}")


@dataclass(frozen=True)
class Target:
    """The cost that one plan aims at, from below.

    Attributes:
        cost: `macs`, `macs_published`, `params`, `bytes` or `latency_ms`.
        value: Upper bound in that unit.
        floor: Fewest channels a group keeps.
        multiple: Widths are multiples of this, or full.
        model: Prices plans where it is not the exact cost form (a latency table, several budgets at once).
    """

    cost: str
    value: float
    floor: int = 1
    multiple: int = 1
    model: CostModel | None = None

    @property
    def exact_cost(self) -> str:
        """The cost form's own cost to take gradients of: MACs if the form does not price the target's cost."""
        return self.cost if cost_of(self.cost).name in FORM_COSTS else "macs"


@dataclass(frozen=True)
class TrainingContext:
    """Networks, data and recipe for a method that trains, beside its job.

    Attributes:
        task: The task's losses.
        data: The training data.
        generators: The teacher's generators by name.
        discriminators: The teacher's discriminators by name.
        recipe: The study's training recipe.
        device: Device to train on.
        steps: Training steps that the method may spend.
        encoder: Images [N, 3, H, W] in [-1, 1] -> features [N, d], handed in by the trial; None if there is none.
        feature_maps: The maps of an encoder, for distances between images; None if there is none.
        on_step: Called with (step, values to record).
        workspace: Folder for the method's own checkpoint, so that an interrupted trial resumes; None keeps none.
        quantized: How fine-tuning will quantize the result; a method may do so from the start.
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
    """All that a method is given.

    Attributes:
        model: The teacher's generator at full width; a method must not change it.
        name: Its name in the task (`G`, `AtoB`, ...).
        groups: Its channel groups.
        proposal: The method's settings, and widths if it is given them.
        target: The cost to meet from below: the proposal's, as this generator's plans are priced.
        seed: Of everything the method draws.
        training: What is needed to train; None for methods that do not.
        prepared: Loads a preparation of the study by name, at most once per process; None outside a study.
        calibration: Inputs to rank channels with; None without any.
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
        plan: What was kept.
        steps: Generator optimizer steps that were spent.
        discriminators: Discriminators to go on with, where the method changed them.
        record: The method's own record, plain JSON (`cost_before_landing`, paths of multipliers, ...).
        quantized: How fine-tuning and measuring quantize the generator; None leaves that to the trial.
        reconstructions: Records of refits, by generator; set by the trial.
        training_macs: Multiply-accumulates of all passes of the steps, a backward counted as two forwards.
        calibration_macs: Those of passes on calibration inputs by which channels were chosen.
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
    """A way to prune channels; stateless."""

    def prune(self, job: PruneJob) -> Pruned:
        """Cuts the teacher's generator to the target.

        Raises:
            InfeasibleBudget: No plan meets the target.
            RuntimeError: The method did not get there; the message is the trial's reason.
        """
        ...
