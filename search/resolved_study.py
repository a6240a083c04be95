"""A resolved study: the user's configuration, with every open choice decided and every budget priced.

The value is stored with the study and goes to its workers. Readers of it trace no network, open no data and parse no
budget; importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..gan_models.costs.catalog import shown_cost
from ..gan_models.files.hashes import json_sha256
from ..gan_models.files.plain_values import to_json
from ..gan_models.groups.group_table import GroupTable
from ..gan_models.networks.specs import OutputSpec
from ..spaces.budget import Budget, PricedBudget
from .config import StudyConfig


@dataclass(frozen=True)
class GeneratorBudget:
    """One of several generators that are pruned together, with a budget of its own.

    Attributes:
        name: Its name in the task, the prefix of its groups.
        budget: Its budget, parsed.
        limit: The budget's bound in its cost's unit.
        share: The limit's share of the sum of all limits, and of any trial's target.
        sizes: Channels at full width by group, without the name.
    """

    name: str
    budget: Budget
    limit: float
    share: float
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class DataSummary:
    """The data that a study was resolved with.

    Attributes:
        images: Split -> number of images in it.
        sha256: Hash of the content of every file, or a built-in set's parameters.
    """

    images: Mapping[str, int]
    sha256: str


@dataclass(frozen=True)
class ResolvedStudy:
    """The results of resolving a study's configuration, as a value.

    Attributes:
        config: The configuration, with all choices decided.
        budgets: Every budget with its bound; the first one is the cost objective. With several generators these are
            theirs, in the order of `generators`.
        dense, cheapest: Cost name -> cost of the full network, and of the smallest plan.
        highest: The highest target of a trial: the first budget, or less if the other budgets bind.
        groups: The groups of all pruned generators.
        data: Number of images, and a hash of their content.
        encoder: Name and hash of the encoder of the quality's features.
        generators: Empty if one generator is pruned; else each of them with its budget.
        output: The output of each generator; None in studies of earlier versions.
        bits: Allowed bits of trials: those in which some plan is within the budgets.
        notes: Notes for the user.
    """

    config: StudyConfig
    budgets: tuple[PricedBudget, ...]
    dense: Mapping[str, float]
    cheapest: Mapping[str, float]
    highest: float
    groups: GroupTable
    data: DataSummary
    encoder: str = ""
    generators: tuple[GeneratorBudget, ...] = ()
    output: OutputSpec | None = None
    bits: tuple[int, ...] = (32,)
    notes: tuple[str, ...] = field(default=())

    @property
    def cost(self) -> str:
        """Name of the cost objective."""
        return self.budgets[0].budget.cost

    @property
    def limit(self) -> float:
        """The first budget's bound; the sum of all generators' bounds if several are pruned."""
        return sum(generator.limit for generator in self.generators) or self.budgets[0].limit

    @property
    def others(self) -> tuple[PricedBudget, ...]:
        """The budgets that every plan meets in addition to its target; empty if several generators are pruned."""
        return () if self.generators else self.budgets[1:]

    @property
    def measures_finalists(self) -> bool:
        """True if a budget's cost is measured once more after the search."""
        return any(shown_cost(priced.budget.cost).measured_after_search for priced in self.budgets)

    @cached_property
    def fingerprint(self) -> str:
        """Hash (16 hex digits) of all that changes what a trial is: configuration, data, groups, bounds."""
        parts = [self.config.fingerprint(), self.data.sha256, self.encoder, self.groups.names, self.groups.sizes]
        bounds = [priced.limit for priced in self.budgets]
        return json_sha256(to_json([*parts, bounds, self.bits]))[:16]
