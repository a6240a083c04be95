"""The generators that a study prunes: one, or both directions together, each under its own budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import FORM_COSTS, stored_cost
from ...gan_models.costs.cost_form import LATENCY, CostModel
from ...gan_models.files.errors import UserError
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.groups.unpruned_reasons import Why
from ...gan_models.latency.predictor import LatencyForm
from ...gan_models.networks.catalog import build, example_input
from ...gan_models.networks.generator_pair import GeneratorPair
from ...gan_models.tasks.task import Task, make_task
from ...spaces.budget import Budget, BudgetError
from ..config import BOTH, StudyConfig
from ..latency.predictor import OpenedProfile, open_latency


@dataclass(frozen=True)
class Side:
    """One of several generators that are pruned together.

    Attributes:
        name: Its name in the task; stands before each of its groups.
        groups: Its own, without the name.
        budget: What the user wrote for it.
        limit: The budget's bound in its cost's unit.
        share: The limit's part of all sides' limits: of any trial's target this side gets as much.
        latency: Prices its plans in ms, where the budget is in ms.
    """

    name: str
    groups: ChannelGroups
    budget: Budget
    limit: float
    share: float = 1.0
    latency: LatencyForm | None = None

    def own(self, values: Mapping[str, object]) -> dict[str, object]:
        """The entries of this side, without its name."""
        start = f"{self.name}."
        return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}

    def plan_of(self, plan: ChannelPlan) -> ChannelPlan:
        """This side's part of a plan of all."""
        return ChannelPlan({name: kept for name, kept in self.own(plan.kept).items() if isinstance(kept, tuple)})


def pruned_network(config: StudyConfig) -> str:
    """The generator that a study prunes, or `both`.

    Raises:
        ValueError: The task has no generator of the name that was given.
    """
    names = _generators(config)
    allowed = (*names, BOTH) if len(names) > 1 else names
    if config.prune_network and config.prune_network not in allowed:
        raise UserError(
            f"the task {config.task} has no generator {config.prune_network!r}; it has {', '.join(allowed)}"
        )
    return config.prune_network or next(iter(names))


def pruned_names(config: StudyConfig) -> tuple[str, ...]:
    """Names of the generators that a study prunes."""
    chosen = pruned_network(config)
    return _generators(config) if chosen == BOTH else (chosen,)


def _generators(config: StudyConfig) -> tuple[str, ...]:
    task: Task = make_task(config.task, config.task_settings, config.seed)
    return task.generator_names


def joined(config: StudyConfig, generators: Mapping[str, nn.Module]) -> nn.Module:
    """Of all generators those that are pruned, as one network."""
    names = pruned_names(config)
    return generators[names[0]] if len(names) == 1 else GeneratorPair({name: generators[name] for name in names})


def new_network(config: StudyConfig) -> nn.Module:
    """What is pruned, at full width with fresh weights."""
    return joined(config, {name: build(config.model, config.model_args) for name in pruned_names(config)})


def examples(config: StudyConfig, n: int = 1) -> tuple[torch.Tensor, ...]:
    """Inputs [n, ...] of what is pruned, one a generator."""
    return tuple(example_input(config.example_shape(), n) for _ in pruned_names(config))


def sides_of(config: StudyConfig, groups: ChannelGroups, latency: OpenedProfile | None = None) -> tuple[Side, ...]:
    """The generators of a study that prunes both; nothing where it prunes one.

    Args:
        config: Resolved configuration.
        groups: Of both together, less what patterns leave whole.
        latency: The latency profile where it is open already; else the one that the configuration names is read.

    Raises:
        BudgetError: Not one budget for each, of the same cost and within what is possible.
    """
    names = pruned_names(config)
    if len(names) == 1:
        return ()
    budgets = _budgets(config, names)
    latency = latency or open_latency(config)
    bits = config.bits_offered() if latency is None else latency.bits(config)
    with torch.device("meta"):
        model = build(config.model, config.model_args)
    every = find_groups(model, example_input(config.example_shape()))
    found = []
    for name in names:
        whole = {group: Why.LEFT_WHOLE() for group in every.names if f"{name}.{group}" not in groups.names}
        own = find_groups(model, example_input(config.example_shape()), whole) if whole else every
        form = latency.of(own) if latency is not None else None
        limit = budgets[name].resolve(dense_costs(own, form), cheapest_plan(config, own, bits, form))
        found.append(Side(name, own, budgets[name], limit, latency=form))
    total = sum(side.limit for side in found)
    return tuple(replace(side, share=side.limit / total) for side in found)


def dense_costs(groups: ChannelGroups, latency: CostModel | None = None) -> dict[str, float]:
    """Cost name -> cost of the full network; with what prices it in ms, that too."""
    dense = {cost: groups.form.dense(cost) for cost in FORM_COSTS}
    return dense if latency is None else dense | {LATENCY: float(latency.predict(groups.form.sizes, LATENCY))}


def cheapest_plan(
    config: StudyConfig, groups: ChannelGroups, bits: tuple[int, ...] | None = None, latency: CostModel | None = None
) -> dict[str, float]:
    """Cost name -> cost of the smallest plan, in the cheapest of these bits.

    Args:
        config: Of the study.
        groups: Of the generator.
        bits: None: those that the study offers.
        latency: Prices it in ms, where it can.
    """
    floors = groups.form.floors(1, config.channel_multiple)
    models: dict[str, CostModel] = dict.fromkeys(FORM_COSTS, groups.form) | ({LATENCY: latency} if latency else {})

    def price(cost: str, each: int) -> float:
        return float(models[cost].predict(floors, stored_cost(cost, each, config.quantisation.per_channel)))

    return {cost: min(price(cost, each) for each in bits or config.bits_offered()) for cost in models}


def _budgets(config: StudyConfig, names: tuple[str, ...]) -> dict[str, Budget]:
    given = config.parsed_budgets
    form = " ".join(f"--budget {name}=25%" for name in names)
    if len(given) == 1 and given[0].network is None:
        return dict.fromkeys(names, given[0])
    by_name = {budget.network or "": budget for budget in given}
    if set(by_name) != set(names) or len(given) != len(names):
        raise BudgetError(
            f"--prune-direction both takes one budget for each, {form}, or one for each alike, --budget 25%; got "
            f"{', '.join(config.budgets)}"
        )
    if len({budget.cost for budget in given}) > 1:
        raise BudgetError(f"both budgets must be of one kind (both in MACs, ...); got {', '.join(config.budgets)}")
    return by_name


def mean_quality(found: Mapping[str, list[Measurement]]) -> list[Measurement]:
    """The mean of the sides' qualities first, then all that was measured of each, its name before it.

    Args:
        found: Measurements by side, quality first.
    """
    first = [measured[0] for measured in found.values()]
    protocol = f"mean over {' and '.join(found)}; {first[0].protocol.partition('; interval')[0]}"
    mean = sum(m.value for m in first) / len(first)
    lows, highs = [m.low for m in first if m.low is not None], [m.high for m in first if m.high is not None]
    low = high = None
    if len(lows) == len(highs) == len(first):
        # They share images, so their errors may move together: the mean of the ends is wide enough even then.
        low, high = sum(lows) / len(first), sum(highs) / len(first)
        protocol += "; interval: mean of the sides' intervals"
    named = [
        replace(m, name=f"{name.lower()}_{m.name}", protocol=f"{name}; {m.protocol}")
        for name, measured in found.items()
        for m in measured
    ]
    return [Measurement(first[0].name, mean, first[0].unit, low, high, first[0].n, protocol), *named]


def own_measurements(found: Sequence[Measurement], name: str) -> tuple[Measurement, ...]:
    """Of what `mean_quality` gave, one side's measurements under the names that they have when it is alone."""
    start = f"{name.lower()}_"
    return tuple(replace(m, name=m.name.removeprefix(start)) for m in found if m.name.startswith(start))
