"""A method's sub-space: a target, the method's settings, and ratios where it takes widths from the space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..gan_models.pruning.catalog import method_spec
from ..gan_models.pruning.method import Setting
from .widths import RATIO_RANGE, WidthSpace

TARGET = "target"
RATIO = "ratio:"


@dataclass(frozen=True)
class Point:
    """A point of a sub-space, decoded.

    Attributes:
        target: The cost aimed at.
        settings: The method's settings.
        widths: Channels by group, None where the method learns them.
        params: The point as it will really be built, in the names of `distributions`.
    """

    target: float
    settings: Mapping[str, Any]
    widths: Mapping[str, int] | None
    params: Mapping[str, Any]


@dataclass(frozen=True)
class MethodSpace:
    """The sub-space of one method under one budget.

    Attributes:
        method: Its name in the catalog.
        widths: The space of widths.
        low, high: Range of the target, in the cost's unit; `high` is the budget.
        fixed_target: Whether every trial aims at the budget itself (`--mode target`).
    """

    method: str
    widths: WidthSpace
    low: float
    high: float
    fixed_target: bool = False

    def distributions(self) -> dict[str, BaseDistribution]:
        """Parameter name -> distribution; a setting's name starts with its method's."""
        spec = method_spec(self.method)
        space: dict[str, BaseDistribution] = {}
        if not self.fixed_target:
            space[TARGET] = FloatDistribution(self.low, self.high, log=True)
        for setting in spec.settings:
            space[f"{self.method}.{setting.name}"] = _distribution(setting)
        if spec.searches_ratios:
            for name in self.widths.dimensions:
                space[RATIO + name] = FloatDistribution(*RATIO_RANGE, log=True)
        return space

    def defaults(self, target: float) -> dict[str, Any]:
        """The point of the ladder at a target: settings at their defaults, all ratios equal."""
        point = {f"{self.method}.{s.name}": s.default for s in method_spec(self.method).settings}
        if not self.fixed_target:
            point[TARGET] = target
        if method_spec(self.method).searches_ratios:
            point |= {RATIO + n: r for n, r in self.widths.encode(self.widths.uniform(target)).items()}
        return point

    def decode(self, params: Mapping[str, Any]) -> Point:
        """The plan or target that a point means; at or under the target by construction.

        Raises:
            InfeasibleBudget: The target is below the smallest plan.
        """
        spec = method_spec(self.method)
        target = self.high if self.fixed_target else float(min(max(params[TARGET], self.low), self.high))
        settings = {s.name: params[f"{self.method}.{s.name}"] for s in spec.settings}
        built = dict(params) if self.fixed_target else dict(params) | {TARGET: target}
        widths = None
        if spec.searches_ratios:
            ratios = {name: float(params[RATIO + name]) for name in self.widths.dimensions}
            widths = self.widths.decode(ratios, target)
            built |= {RATIO + name: ratio for name, ratio in self.widths.encode(widths).items()}
        elif spec.widths == "given":
            widths = self.widths.uniform(target)
        return Point(target, settings, widths, built)


def _distribution(setting: Setting) -> BaseDistribution:
    if setting.choices:
        return CategoricalDistribution(setting.choices)
    assert setting.low is not None
    assert setting.high is not None
    return FloatDistribution(setting.low, setting.high, log=setting.log)
