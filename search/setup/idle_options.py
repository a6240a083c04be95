"""Options that are given but have no effect in this study, with the reasons.

A condition is part of an option's declaration; all of them are checked only here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from ...evaluators.quality.catalog import METRICS
from ...gan_models.costs.catalog import cost_of
from ...gan_models.data.spec import BUILTIN, is_own
from ...gan_models.distillation.catalog import MAPS, terms_that_need
from ...gan_models.files.errors import UserError
from ...gan_models.networks.catalog import NETWORKS, build, find_builder
from ...gan_models.networks.user_builders import taken
from ...gan_models.pruning.catalog import METHODS
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.training.loop import best_device
from ..config import StudyConfig
from ..configuration.flags import spelling_of
from ..configuration.option import Condition, Option, options_of


@dataclass(frozen=True)
class Facts:
    """The facts of a study that conditions of options depend on.

    Attributes:
        config: The configuration, with all choices decided.
        bits: Bits that trials may have.
        run: Options of the run, a `RunOptions`.
        given: The given values, nested by field.
    """

    config: StudyConfig
    bits: tuple[int, ...]
    run: Any
    given: Mapping[str, Any]

    @cached_property
    def task(self) -> Task:
        """The study's task."""
        return make_task(self.config.task, self.config.task_settings, self.config.seed)

    @property
    def builtin_data(self) -> bool:
        """Return True if the images are rendered, instead of read from files."""
        return self.config.data in BUILTIN

    @property
    def own_data(self) -> bool:
        """Return True if a user's own code provides the images."""
        return is_own(self.config.data)

    @property
    def reads_files(self) -> bool:
        """Return True if images are files that ganprune reads."""
        return not self.builtin_data and not self.own_data

    @property
    def cuda(self) -> bool:
        """Return True if trials run on a GPU of this machine, or if that is unknown here."""
        elsewhere = self.run.executor == "ray" and self.run.ray_address != "local"
        return elsewhere or best_device(self.config.device).type == "cuda"

    @property
    def counts_macs(self) -> bool:
        """Return True if a budget depends on the convention of MACs."""
        return any(each.cost.startswith("macs") for each in self.config.stated_budgets)

    @property
    def calibrates(self) -> bool:
        """Return True if there are calibration inputs: the plans of all trials are scored with them."""
        return self.config.calibration_images != 0

    @property
    def cuts_at_once(self) -> bool:
        """Return True if a method cuts without training, and there are steps for training between two cuts."""
        return self.config.prune_steps != 0 and any(not METHODS.find(name).trains for name in self.config.methods)

    @property
    def profiled(self) -> bool:
        """Return True if a budget's cost is predicted from a profile of a device."""
        return any(not cost_of(each.cost).exact for each in self.config.stated_budgets)

    @property
    def judged(self) -> bool:
        """Return True if the task's loss depends on a discriminator."""
        return self.task.has_judge

    @property
    def trains_before(self) -> bool:
        """Return True if a teacher or its discriminator is trained before the search."""
        judge_is_there = bool(self.config.teacher_discriminator or self.config.own_training) or not self.judged
        return not (self.config.teacher and judge_is_there)

    @property
    def reads_direction(self) -> bool:
        """Return True if the task has pairs, or a generator of that direction; True for another package's task."""
        config = self.config
        chosen = config.direction in self.task.generator_names and config.prune_network == config.direction
        one_picture = any(one.color == "lightness" for one in config.inputs.inputs)  # is both sides of a pair
        pairs = self.task.has_reference and not one_picture and not self.own_data  # items name the input
        return pairs or chosen or config.task not in TASKS.own

    @property
    def resizes(self) -> bool:
        """Return True if the task resizes images."""
        return self.task.resizes

    @property
    def mode_matters(self) -> bool:
        """Return True if the generator differs between train and eval mode; True for a user's own."""
        if self.config.model not in NETWORKS.own:
            return True
        with torch.device("meta"):
            model = build(self.config.model, self.config.model_args)
        layers = (nn.Dropout, nn.Dropout2d, nn.modules.batchnorm._BatchNorm)
        return any(isinstance(module, layers) for module in model.modules())

    @property
    def reads_feature_maps(self) -> bool:
        """Return True if a method, metric, task or term reads VGG-16's maps; unknown methods count as readers."""
        methods = self.config.methods
        if terms_that_need(MAPS, self.config.recipe.distillation):
            return True
        if self.task.reads_feature_maps:
            return True
        return "slimming" in methods or any(name not in METHODS.own for name in methods) or "vgg" in self._measured_with

    @property
    def measures_all(self) -> bool:
        """Return True if every requested metric has its references."""
        rows = [METRICS.find(name) for name in filter(None, (*self.config.also_measure, self.config.objective))]
        return self.task.has_reference or not any(row.needs_references for row in rows)

    @property
    def reads_weights(self) -> bool:
        """Return True if each given weight file belongs to the encoder, a metric or a method."""
        vgg = {"vgg"} if self.reads_feature_maps else set()
        return set(self.given.get("weights", ())) <= self._measured_with | vgg

    @property
    def _measured_with(self) -> set[str]:
        """Return the names of the weight files of the encoder and the metrics."""
        rows = [METRICS.find(name) for name in filter(None, (*self.config.also_measure, self.config.objective))]
        return {self.config.metric.rpartition(":")[2], *(name for row in rows for name in row.weights)}

    def unsearched(self, names: Iterable[str]) -> str:
        """Return a text on the methods among `names` that are not searched; empty if all are."""
        others = [name for name in dict.fromkeys(names) if name not in self.config.methods]
        listed, searched = ", ".join(others), ", ".join(self.config.methods)
        return (
            f"{listed} is not among the methods, {searched}; add it to --methods, or omit this option" if others else ""
        )

    def judge_takes(self, argument: str) -> bool:
        """Return True if the discriminator's builder takes an argument."""
        judge = self.task.settings_json().get("discriminator")
        model = str(judge.get("model", "")) if isinstance(judge, Mapping) else ""
        return not model or bool(taken(find_builder(model), {argument: None}))


@dataclass(frozen=True)
class IdleOption:
    """An option that is given but has no effect.

    Attributes:
        name: Its flag, or its path.
        why: The reason.
        refused: True if it is an error instead of a note.
    """

    name: str
    why: str
    refused: bool = False

    @property
    def line(self) -> str:
        """One line for a note or an error."""
        return f"{self.name} does not act: {self.why}"


def idle_options(sections: Iterable[type], facts: Facts) -> list[IdleOption]:
    """Return the given options without effect.

    Args:
        sections: The sections that declare them.
        facts: The facts of the study, with the given values.
    """
    given = facts.given
    found: dict[str, IdleOption] = {}
    for section in sections:
        for field, declared in options_of(section).items():
            if field not in given or declared.internal:
                continue
            for name, condition in _conditions(field, declared, given):
                if condition is not None and not condition.acts(facts):
                    why = condition.why if isinstance(condition.why, str) else condition.why(facts)
                    found[name] = IdleOption(name, why, condition.refused)
    return list(found.values())


def idle_notes(sections: Iterable[type], facts: Facts) -> list[str]:
    """Return a line for each given option without effect.

    Raises:
        UserError: One of them is an error.
    """
    idle = idle_options(sections, facts)
    for each in idle:
        if each.refused:
            raise UserError(each.line)
    return [each.line for each in idle]


def _conditions(field: str, declared: Option, given: Mapping[str, Any]) -> Iterator[tuple[str, Condition | None]]:
    """Yield the name and condition of each given value of one field."""
    shortcuts = {tuple(one.path.split(".")): one for one in declared.shortcuts}
    leaves = dict(_leaves(given[field])) if isinstance(given[field], Mapping) else {}
    for path, value in leaves.items():
        if path in shortcuts:
            one = shortcuts[path]
            yield spelling_of(one.flag, value), one.acts_if or declared.acts_if
        elif declared.hidden and not _copied(field, path, value, given):
            yield ".".join((field, *path)), declared.acts_if
    if not declared.hidden and not (leaves and leaves.keys() <= shortcuts.keys()):
        yield spelling_of(declared.flag or f"--{field.replace('_', '-')}", given[field]), declared.acts_if


def _copied(field: str, path: tuple[str, ...], value: Any, given: Mapping[str, Any]) -> bool:
    """Return True if one flag set a value in several recipes, and has an effect in the other one."""
    others = [given[name] for name in ("recipe",) if name != field and isinstance(given.get(name), Mapping)]
    return any(dict(_leaves(other)).get(path) == value for other in others)


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and value of each entry that is not a table."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value
