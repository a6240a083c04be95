"""The spaces of widths that a resolved study proposes from, priced by its cost form or its latency profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...gan_models.costs.combined_budgets import Bound, priced_with
from ...gan_models.costs.prices import Prices
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.pruning.method import Target
from ...spaces.joint_widths import JointWidths
from ...spaces.recipes import recipe_settings
from ...spaces.widths import WidthSpace
from ..resolved_study import ResolvedStudy
from ..strategy.proposals import SpaceProposals
from .pruned_generators import own_entries
from .study_parts import StudyParts


@dataclass(frozen=True)
class PrunedGenerator:
    """A generator of several that are pruned together.

    Attributes:
        name: Its name in the task, the prefix of its groups.
        groups: Its own groups, without the prefix.
        limit: Its budget's bound in its cost's unit.
        share: The limit's share of all limits, and of any trial's target.
        prices: Prices of its plans.
    """

    name: str
    groups: ChannelGroups
    limit: float
    share: float
    prices: Prices

    def own(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the entries of this generator, without its name."""
        return own_entries(self.name, values)


@dataclass(frozen=True)
class SearchSpace:
    """A study's groups with the prices of their plans.

    Attributes:
        study: The study.
        groups: Groups of all pruned generators.
        generators: Each generator with its own groups if several are pruned, else empty.
        prices: Prices of plans of all generators.
    """

    study: ResolvedStudy
    groups: ChannelGroups
    generators: tuple[PrunedGenerator, ...]
    prices: Prices

    @classmethod
    def of(cls, study: ResolvedStudy, parts: StudyParts) -> SearchSpace:
        """Return the space of a study over its traced groups."""
        generators = tuple(
            PrunedGenerator(
                generator.name,
                parts.own_groups[generator.name],
                generator.limit,
                generator.share,
                parts.own_prices[generator.name],
            )
            for generator in study.generators
        )
        return cls(study, parts.groups, generators, parts.prices)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """Return the further bounds of every plan of a single generator: all budgets after the first."""
        return tuple(
            Bound(priced.budget.cost, priced.limit, self.prices.model(priced.budget.cost) or self.groups.form)
            for priced in self.study.others
        )

    def proposals(self) -> SpaceProposals:
        """Return the spaces of all methods."""
        study, config, form = self.study, self.study.config, self.groups.form
        multiple, cost = config.channel_multiple, study.cost
        if self.generators:
            parts = tuple((g.name, g.groups.form, g.share, g.prices.model(cost)) for g in self.generators)
            widths = JointWidths(form, cost, multiple=multiple, ties=config.tie, sides=parts)
        else:
            model = self.prices.model(cost)
            widths = WidthSpace(form, cost, multiple=multiple, ties=config.tie, model=model, bounds=self.bounds)
        return SpaceProposals(
            widths,
            study.limit,
            config.methods,
            config.ladder,
            fixed_target=config.mode == "target",
            bits=study.bits,
            per_channel=config.quantization_settings.per_channel,
            fixed=config.method_settings,
            recipe=recipe_settings(config.recipe, config.search_recipe),
        )


def target_of(cost: str, value: float, multiple: int, prices: Prices, bounds: Sequence[Bound] = ()) -> Target:
    """Return the target of a trial; plans that meet it also meet the bounds.

    Args:
        cost: Name of the cost, as the network will be stored.
        value: Upper bound in the cost's unit.
        multiple: Step of widths in channels.
        prices: Prices of the generator's plans.
        bounds: The other budgets.
    """
    model = prices.model(cost)
    priced = priced_with(model or prices.form, value, bounds) if bounds else model
    return Target(cost, value, multiple=multiple, model=priced)
