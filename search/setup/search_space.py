"""What a resolved study may propose: its spaces of widths, priced by its cost form or its latency profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...gan_models.costs.combined_budgets import Bound
from ...gan_models.costs.cost_form import LATENCY, CostModel
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.latency.predictor import LatencyForm, SummedLatency
from ...spaces.joint_widths import JointWidths
from ...spaces.widths import WidthSpace
from ..latency.predictor import latency_model
from ..resolved_study import ResolvedStudy
from ..strategy.proposals import SpaceProposals
from .pruned_generators import own_entries
from .study_parts import StudyParts


@dataclass(frozen=True)
class PrunedGenerator:
    """One of several generators that are pruned together.

    Attributes:
        name: Its name in the task; stands before each of its groups.
        groups: Its own, without the name.
        limit: Its budget's bound in its cost's unit.
        share: The limit's part of all limits: of any trial's target this generator gets as much.
        latency: Prices its plans in ms if the budget is in ms.
    """

    name: str
    groups: ChannelGroups
    limit: float
    share: float
    latency: LatencyForm | None = None

    def own(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the entries of this generator, without its name."""
        return own_entries(self.name, values)


@dataclass(frozen=True)
class SearchSpace:
    """A study's groups with what prices their plans.

    Attributes:
        study: The study.
        groups: Of all that is pruned.
        generators: Each with its own groups if several are pruned, else empty.
        latency: Prices plans of all in ms; None if no budget is in ms.
    """

    study: ResolvedStudy
    groups: ChannelGroups
    generators: tuple[PrunedGenerator, ...]
    latency: LatencyForm | SummedLatency | None

    @classmethod
    def of(cls, study: ResolvedStudy, parts: StudyParts) -> SearchSpace:
        """Return the space of a study over its traced groups."""
        generators = tuple(
            PrunedGenerator(
                generator.name,
                parts.own_groups[generator.name],
                generator.limit,
                generator.share,
                None if parts.latency is None else parts.latency.of(parts.own_groups[generator.name]),
            )
            for generator in study.generators
        )
        return cls(study, parts.groups, generators, latency_model(parts.latency, parts.groups, generators))

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """What every plan of the one generator meets beside its target: all budgets after the first."""
        form = self.groups.form
        models: Mapping[str, CostModel] = {LATENCY: self.latency or form}
        return tuple(
            Bound(priced.budget.cost, priced.limit, models.get(priced.budget.cost, form))
            for priced in self.study.others
        )

    def proposals(self) -> SpaceProposals:
        """Return the spaces of all methods."""
        study, config, form = self.study, self.study.config, self.groups.form
        multiple, in_ms = config.channel_multiple, study.cost == LATENCY
        if self.generators:
            parts = tuple((g.name, g.groups.form, g.share, g.latency if in_ms else None) for g in self.generators)
            widths = JointWidths(form, study.cost, multiple=multiple, ties=config.tie, sides=parts)
        else:
            model = self.latency if in_ms else None
            widths = WidthSpace(form, study.cost, multiple=multiple, ties=config.tie, model=model, bounds=self.bounds)
        return SpaceProposals(
            widths,
            study.limit,
            config.methods,
            config.ladder,
            fixed_target=config.mode == "target",
            bits=study.bits,
            per_channel=config.quantisation.per_channel,
            fixed=config.method_settings,
        )
