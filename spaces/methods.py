"""A method's sub-space: a target, the method's settings, and ratios if it takes widths from the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..gan_models.files.errors import UserError
from ..gan_models.pruning.catalog import method_spec
from ..gan_models.pruning.proposal import Proposal
from ..gan_models.pruning.settings import Setting
from .recipes import RECIPE
from .widths import RATIO_RANGE, WidthSpace

TARGET, BITS = "target", "bits"
RATIO = "ratio:"


def settings_of(method: str, values: Mapping[str, Any]) -> Any:
    """Return a method's settings as its dataclass; an omitted setting has its default.

    Raises:
        UserError: The method is unknown, or a setting is.
    """
    spec = method_spec(method)
    return spec.read_settings(values) if values else spec.settings()


def stored_settings(method: str, values: Mapping[str, Any]) -> Any:
    """Return stored settings as the method's dataclass.

    If this version's method does not take the stored values, they are returned as a mapping, for tables and cards.
    """
    try:
        return settings_of(method, values)
    except UserError:
        return dict(values)


@dataclass(frozen=True)
class MethodSpace:
    """The sub-space of one method under one budget.

    Attributes:
        method: Its name in the catalog.
        widths: The space of widths.
        low, high: Range of the target, in the cost's unit; `high` is the budget, or less if the other budgets bind.
        fixed_target: True if every trial has the target `high` (`--mode target`).
        bits: Allowed bits of stored weights; a dimension if there are several. The ladder uses the first.
        per_channel: True if 8-bit weights have one scale per output channel, which counts in bytes.
        fixed: Settings that the study fixes, by name; they are not dimensions.
        recipe: Settings of the training recipe that are also dimensions.
    """

    method: str
    widths: WidthSpace
    low: float
    high: float
    fixed_target: bool = False
    bits: Sequence[int] = (32,)
    per_channel: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    recipe: tuple[Setting, ...] = ()

    @property
    def _searched(self) -> tuple[Setting, ...]:
        return tuple(s for s in method_spec(self.method).searched if s.name not in self.fixed)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return parameter name -> distribution; a setting's name starts with its method's."""
        spec = method_spec(self.method)
        space: dict[str, BaseDistribution] = {}
        if not self.fixed_target:
            space[TARGET] = FloatDistribution(self.low, self.high, log=True)
        if len(self.bits) > 1:
            space[BITS] = CategoricalDistribution(self.bits)
        for setting in self._searched:
            space[f"{self.method}.{setting.name}"] = _distribution(setting)
        for setting in self.recipe:
            space[RECIPE + setting.name] = _distribution(setting)
        if spec.searches_ratios:
            for name in self.widths.dimensions:
                space[RATIO + name] = FloatDistribution(*RATIO_RANGE, log=True)
        return space

    def widths_at(self, bits: int) -> WidthSpace:
        """Return the space of widths with plans priced as stored with this many bits."""
        return self.widths.stored(bits, self.per_channel)

    def defaults(self, target: float, bits: int | None = None) -> dict[str, Any]:
        """Return the ladder's point at a target: settings at their defaults, all ratios equal."""
        bits = self.bits[0] if bits is None else bits
        point = {f"{self.method}.{s.name}": s.default for s in self._searched}
        point |= {RECIPE + s.name: s.default for s in self.recipe}
        if not self.fixed_target:
            point[TARGET] = target
        if len(self.bits) > 1:
            point[BITS] = bits
        if method_spec(self.method).searches_ratios:
            point |= {RATIO + n: r for n, r in self.widths.encode(self.widths_at(bits).uniform(target)).items()}
        return point

    def decode(self, params: Mapping[str, Any]) -> tuple[Proposal, dict[str, Any]]:
        """Return the proposal of a point, and the point as it will be built, in the names of `distributions`.

        A plan is at or under the target by construction.

        Raises:
            InfeasibleBudget: The target is below the smallest plan.
        """
        spec = method_spec(self.method)
        target = self.high if self.fixed_target else float(min(max(params[TARGET], self.low), self.high))
        searched = {s.name: params[f"{self.method}.{s.name}"] for s in self._searched}
        settings = settings_of(self.method, {**self.fixed, **searched})
        built = dict(params) if self.fixed_target else dict(params) | {TARGET: target}
        widths, bits = None, int(params[BITS]) if len(self.bits) > 1 else self.bits[0]
        space = self.widths_at(bits)
        if spec.searches_ratios:
            ratios = {name: float(params[RATIO + name]) for name in space.dimensions}
            widths = space.decode(ratios, target)
            built |= {RATIO + name: ratio for name, ratio in space.encode(widths).items()}
        elif spec.widths == "given":
            widths = space.uniform(target)
        recipe = {s.name: float(params[RECIPE + s.name]) for s in self.recipe}
        return Proposal(self.method, settings, target, self.widths.cost, widths, bits, recipe=recipe), built


def _distribution(setting: Setting) -> BaseDistribution:
    if setting.choices:
        return CategoricalDistribution(setting.choices)
    assert setting.low is not None
    assert setting.high is not None
    return FloatDistribution(setting.low, setting.high, log=setting.log)
