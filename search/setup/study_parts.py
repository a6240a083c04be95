"""The live parts of a study that follow from its configuration: networks, groups, images, encoder, profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.features.catalog import choose_encoder, load_encoder
from ...evaluators.features.encoders import Encoder
from ...evaluators.features.feature_maps import EncoderMaps, load_feature_maps
from ...evaluators.quality.catalog import MetricSet
from ...gan_models.costs.cost_form import CostModel
from ...gan_models.costs.prices import Prices
from ...gan_models.costs.summed_cost import SummedCost
from ...gan_models.cut_checks.group_check import GroupCheck
from ...gan_models.data.dataset import ImageSet
from ...gan_models.data.spec import DataSpec
from ...gan_models.files.errors import UserError
from ...gan_models.files.meta_device import build_for_shapes
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.group_table import GroupTable
from ...gan_models.networks.colors import taking, to_rgb
from ...gan_models.networks.specs import OutputSpec
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.tasks.task_data import Splits, fingerprint, open_split
from ...gan_models.tracing.unpruned_reasons import UnprunedReason, Why
from ...gan_models.training.loop import best_device
from ...spaces.widths import select
from ..config import StudyConfig
from .compatibility import output_of
from .opened_profile import OpenedProfile, profile_source
from .pruned_generators import examples, joined, new_network, one_network, pruned_names

FindProfile = Callable[[StudyConfig], Any]
# Attributes that depend on the unpruned groups.
_OF_GROUPS = {"groups", "left_whole", "table", "own_groups", "profiles", "own_prices", "prices", "bits_offered"}


class StudyParts:
    """The live parts of a configuration, each opened at first use, and once.

    Args:
        config: The configuration, with every open choice decided.
        find_profile: Function that finds a profile of this machine in the study's database, if the configuration names
            no copy.
        like: Parts of the same study, for instance before its files were copied; its opened parts are reused.
        output: The output of each generator, if known.
        pinned: Further groups that are left unpruned, besides those of patterns -> the reason; None: as in `like`.
        splits: The images, if they are open already.

    Attributes:
        checks: Results of cutting the study's generators to random plans; empty if not checked.
    """

    def __init__(
        self,
        config: StudyConfig,
        find_profile: FindProfile | None = None,
        like: StudyParts | None = None,
        output: OutputSpec | None = None,
        pinned: Mapping[str, UnprunedReason | str] | None = None,
        splits: Splits | None = None,
    ) -> None:
        self.config = config
        self.pinned = dict(pinned if pinned is not None else like.pinned if like is not None else {})
        if output is not None:
            self.output = output
        if splits is not None:
            self.splits = splits
        self.find_profile = find_profile
        self.checks: tuple[GroupCheck, ...] = () if like is None else like.checks
        if like is not None:
            parts = {name for name, value in vars(StudyParts).items() if isinstance(value, cached_property)}
            whole = vars(like).get("left_whole", like.pinned)
            if not set(like.pinned) <= set(self.pinned) <= set(whole):
                parts -= _OF_GROUPS
            vars(self).update({name: value for name, value in vars(like).items() if name in parts})

    def task(self) -> Task:
        """Return a new task: it may contain an image pool, so no two runs share one."""
        task = make_task(self.config.task, self.config.task_settings, self.config.seed)
        if task.reads_feature_maps:
            task.feature_maps = self._maps_of
        if task.reads_teacher:
            task.teacher = self.taught
        return task

    def taught(self, name: str, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the teacher's outputs for inputs of a generator.

        Raises:
            UserError: There is no teacher.
        """
        raise UserError(f"the teacher's outputs are not available: got no teacher of {name}; expected a prepared study")

    @property
    def taught_by(self) -> str:
        """Hash of the teacher, if a task's real images are its outputs; else empty."""
        return ""

    def _maps_of(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of images on their device; the network is loaded at first use."""
        return self.feature_maps.to(images.device)(images)

    @property
    def trains_before(self) -> bool:
        """Return True if a teacher, or a discriminator of the loss, is trained before the search."""
        judged = bool(self.config.teacher_discriminator or self.config.own_training)
        judged = judged or not self.task().has_judge
        return not (self.config.teacher and judged)

    def joined(self, generators: Mapping[str, nn.Module]) -> nn.Module:
        """Return the pruned ones of all generators as one network."""
        return joined(self.config, generators)

    def examples(self, n: int = 1) -> tuple[Tensor, ...]:
        """Return inputs [n, ...] of the pruned generators, in order."""
        return examples(self.config, n)

    def full_network(self) -> nn.Module:
        """Return the pruned generators at full width, with fresh weights; the caller's random numbers are restored."""
        with torch.random.fork_rng(devices=[]):
            return new_network(self.config)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the pruned generators."""
        return pruned_names(self.config)

    @cached_property
    def output(self) -> OutputSpec:
        """Return the output of each generator, found once by its traced graph."""
        return output_of(self.config, self.config.inputs)

    @cached_property
    def device(self) -> torch.device:
        """Return the device that networks run on."""
        return best_device(self.config.device)

    @cached_property
    def every_group(self) -> ChannelGroups:
        """All groups of the pruned generators, including those that patterns exclude."""
        return self._traced(new_network, self.examples())

    @cached_property
    def groups(self) -> ChannelGroups:
        """The groups of the pruned generators, without those that patterns exclude and pinned ones.

        Raises:
            UserError: Nothing can be pruned, a pattern matches nothing, or the network cannot be traced.
        """
        groups = self.every_group
        left_out = self.left_out
        if left_out:
            groups = self._traced(new_network, self.examples(), left_out)
        if not groups.groups:
            reasons = "; ".join(f"{u.module or 'the model'}: {u.reason}" for u in groups.unpruned[:3])
            raise UserError(f"nothing in {self.config.model} can be pruned: {reasons or 'it has no channel group'}")
        return groups

    @property
    def left_out(self) -> dict[str, UnprunedReason | str]:
        """Groups that patterns exclude, and pinned ones -> the reason."""
        names = self.every_group.names
        chosen = select(names, self.config.prune, self.config.keep)
        return {**{name: reason for name, reason in self.pinned.items() if name in names}, **chosen}

    @cached_property
    def left_whole(self) -> Mapping[str, str]:
        """Groups that the study leaves unpruned -> the reason."""
        reasons = {entry.module: entry.reason.text for entry in self.groups.unpruned}
        reasons |= {name: str(reason) for name, reason in self.pinned.items()}
        kept = [name for name in self.every_group.names if name not in self.groups.names]
        return {name: reasons.get(name, Why.LEFT_WHOLE().text) for name in kept}

    @cached_property
    def table(self) -> GroupTable:
        """The groups as a plain value."""
        unpruned = {entry.module: entry.reason.text for entry in self.groups.unpruned}
        return GroupTable.of(self.groups, self.left_whole, unpruned)

    @cached_property
    def own_groups(self) -> Mapping[str, ChannelGroups]:
        """The groups of each generator under its own names; empty if one generator is pruned."""
        if len(self.names) == 1:
            return {}
        example = self.config.inputs.examples()
        every = self._traced(one_network, example)
        found = {}
        for name in self.names:
            names = self.groups.names
            left_out = {group: Why.LEFT_WHOLE() for group in every.names if f"{name}.{group}" not in names}
            found[name] = self._traced(one_network, example, left_out) if left_out else every
        return found

    def data_spec(self) -> DataSpec:
        """Return the data that images are read from."""
        return self.config.data_spec(self.output)

    @cached_property
    def splits(self) -> Splits:
        """The images, each split opened at first use."""
        return Splits(self.data_spec())

    @property
    def train_data(self) -> ImageSet:
        """Training images."""
        return self.splits.open("train")

    @property
    def test_data(self) -> ImageSet:
        """Test images."""
        return self.splits.open("test")

    @property
    def scored_data(self) -> ImageSet:
        """The images that trials are compared on."""
        return self.splits.open(self.config.scored_on)

    def split(self, spec: DataSpec, name: str) -> ImageSet:
        """Return one split for `spec`; a split that is open at this size is reused.

        Args:
            spec: The study's data, possibly with another `load_size`.
            name: Name of the split, as for `Splits.open`.
        """
        same = name != "train" or spec.load_factors == self.data_spec().load_factors
        return self.splits.open(name) if same else open_split(spec, name, tell=False)

    @cached_property
    def data_sha256(self) -> str:
        """Hash of the data's content; reads every file."""
        return fingerprint(self.data_spec())

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the quality's features, on the study's device."""
        return load_encoder(*choose_encoder(self.config.metric, self.config.weight_files)).to(self.device)

    def rgb(self, images: Tensor, inputs: Sequence[Tensor] = ()) -> Tensor:
        """Return outputs or real images [n, C, H, W] of the generators as RGB [n, 3, H, W].

        Args:
            images: Images in the generators' form.
            inputs: The inputs of the images.
        """
        return to_rgb(images, self.output.color or "rgb", inputs)

    @property
    def output_encoder(self) -> Encoder:
        """The quality's encoder for images in the generators' form."""
        return taking(self.encoder, self.output.color)

    @cached_property
    def metrics(self) -> dict[str, MetricSet]:
        """The metrics of each pruned generator; their preparation is cached in the process."""
        config, told = self.config, self.told_of_task
        return {
            name: MetricSet(config.also_measure, config.weight_files, told, config.objective) for name in self.names
        }

    @property
    def told_of_task(self) -> dict[str, Any]:
        """Return the task's facts for metrics, by name: see `MetricSpec.takes`."""
        inputs = self.config.inputs
        return {"border": self.task().border, "label_map": inputs.label_map, "class_label": inputs.class_label}

    @cached_property
    def feature_maps(self) -> EncoderMaps:
        """The network for distances between images in training."""
        return load_feature_maps(self.config.weight_files.get("vgg"))

    @property
    def output_maps(self) -> EncoderMaps:
        """The same network for images in the generators' form."""
        return taking(self.feature_maps, self.output.color)

    @cached_property
    def profiles(self) -> Mapping[str, OpenedProfile]:
        """The profile of each cost that a budget is in, by the cost's name; exact costs have none.

        Raises:
            NoProfile: There is none, or one of another network or device.
        """
        return {name: profile_source(name).open(self) for name in self.config.stated_budgets.profiled}

    def prices_of(self, groups: ChannelGroups) -> Prices:
        """Return the prices of one generator's plans in every budget's cost.

        Args:
            groups: The generator's own groups.
        """
        profiled = {name: profile.of(groups) for name, profile in self.profiles.items()}
        return Prices.of(groups, self.config.stated_budgets.costs, profiled)

    @cached_property
    def own_prices(self) -> Mapping[str, Prices]:
        """Return the prices of each generator's plans; empty if one generator is pruned."""
        return {name: self.prices_of(groups) for name, groups in self.own_groups.items()}

    @cached_property
    def prices(self) -> Prices:
        """The prices of plans of all pruned generators; profiled costs of several networks add up."""
        if not self.own_groups:
            return self.prices_of(self.groups)
        names = {network: groups.names for network, groups in self.own_groups.items()}
        profiled: dict[str, CostModel] = {}
        for cost, profile in self.profiles.items():
            models = {network: profile.of(groups) for network, groups in self.own_groups.items()}
            profiled[cost] = SummedCost(self.groups.names, names, models)
        return Prices.of(self.groups, self.config.stated_budgets.costs, profiled)

    @cached_property
    def bits_offered(self) -> tuple[int, ...]:
        """Bits that trials may have, according to the configuration and the profiles."""
        offered = [profile.bits(self.config) for profile in self.profiles.values()] or [self.config.bits_offered()]
        return tuple(bits for bits in offered[0] if all(bits in other for other in offered))

    def _traced(
        self,
        make: Callable[[StudyConfig], nn.Module],
        example: tuple[Tensor, ...],
        left_out: Mapping[str, UnprunedReason | str] | None = None,
    ) -> ChannelGroups:
        """Return the groups of a network that is built only for its shapes."""
        return find_groups(build_for_shapes(lambda: make(self.config)), example, dict(left_out or {}))
