"""The proposals for the chooser: the sub-spaces of all methods under one budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution

from ...gan_models.files.hashes import text_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.pruning.catalog import fixed_for, method_spec
from ...gan_models.pruning.proposal import Proposal
from ...gan_models.pruning.settings import Setting
from ...gan_models.quantization.settings import FULL_BITS
from ...spaces.methods import BITS, RATIO, TARGET, MethodSpace
from ...spaces.recipes import RECIPE
from ...spaces.widths import WidthSpace, ladder

# The front is sampled from the budget down to this share of it (or the smallest plan). Below an eighth, even the
# ladder's plans are far worse, and trials there find nothing (measured in simulation).
LOWEST_SHARE = 1 / 8
_BINDING_SHARE = 0.98  # share of the budget: plans this close to it count as at the budget
N_SOLVED = 4  # number of trials at the solver's plans of a method that searches ratios, before its sampler decides
N_STARTS = 8  # number of trials of a learned method at its default settings, before these are searched


@dataclass(frozen=True)
class SpaceProposals:
    """The sub-spaces of methods over one space of widths.

    Attributes:
        widths: The space of widths, which prices plans.
        budget: The bound on the first cost, in its unit.
        methods: The methods that compete.
        n_ladder: Number of uniform plans that are tried first.
        fixed_target: True if every trial's target is the budget itself.
        bits: Allowed bits of stored weights; the ladder and each method's first points alternate between them.
        per_channel: True if 8-bit weights have one scale per output channel.
        fixed: Settings that the study fixes, by `method.setting`; they are not dimensions.
        recipe: Settings of the training recipe that are dimensions of every method's sub-space.
        solved: Function that returns the solver's widths at a target; None: there is no score table.
    """

    widths: WidthSpace
    budget: float
    methods: tuple[str, ...]
    n_ladder: int = 8
    fixed_target: bool = False
    bits: tuple[int, ...] = (32,)
    per_channel: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    recipe: tuple[Setting, ...] = ()
    solved: Callable[[float], Mapping[str, int]] | None = None

    @property
    def lowest(self) -> float:
        """The lowest sampled target; plans of all bits can meet it."""
        cheapest = max(space.cheapest() for space in self._spaces)
        return min(self.highest, max(self.highest * LOWEST_SHARE, 1.001 * cheapest))

    @cached_property
    def highest(self) -> float:
        """The highest sampled target: the budget, or the maximum cost of a plan that also meets the other budgets."""
        dearest = max(space.dearest(self.budget) for space in self._spaces)
        return self.budget if dearest > _BINDING_SHARE * self.budget else dearest

    @property
    def _spaces(self) -> list[WidthSpace]:
        return [self.widths.stored(bits, self.per_channel) for bits in self.bits]

    def space(self, method: str) -> MethodSpace:
        """Return one method's sub-space."""
        return MethodSpace(
            method, self.widths, self.lowest, self.highest, self.fixed_target, self.bits, self.per_channel,
            fixed_for(method, self.fixed), self.recipe,
        )  # fmt: skip

    def distributions(self, method: str) -> Mapping[str, BaseDistribution]:
        """Return the method's dimensions."""
        return self.space(method).distributions()

    def decode(self, method: str, params: Mapping[str, Any], seed: int) -> tuple[Proposal, Mapping[str, Any]]:
        """Return the plan or target of a point, and the point as built. `seed` is not used."""
        return self.space(method).decode(params)

    def identity(self, proposal: Proposal) -> str:
        """Return a text that is equal for proposals of the same plan and settings; empty if the method finds the plan.

        `uniform` and `widths` with equal widths train the same network.
        """
        if proposal.widths is None:
            return ""
        known = [sorted(proposal.widths.items()), to_json(proposal.settings)]
        known += [] if proposal.bits == FULL_BITS else [proposal.bits]
        known += [] if proposal.channels is None else [to_json(dict(sorted(proposal.channels.items())))]
        known += [] if proposal.parent is None else [{"parent": proposal.parent}]
        known += [{"recipe": dict(sorted(proposal.recipe.items()))}] if proposal.recipe else []
        text = json.dumps(known)
        return "given:" + text_sha256(text)[:16]

    def ladder(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Return uniform plans from the budget down; without a method that takes widths, each method in turn."""
        given = [method for method in self.methods if method_spec(method).widths == "given"]
        starters = [m for m in given if not method_spec(m).searches_ratios][:1] or given[:1] or list(self.methods)
        top = self.highest
        if self.widths.bounds:  # above it, all uniform plans are the same
            top = max(self.lowest, *(space.price(space.uniform(top)) for space in self._spaces))
        targets = ladder(self.lowest, top, 1 if self.fixed_target else self.n_ladder)
        return [
            (method, self.space(method).defaults(target, bits))
            for i, target in enumerate(targets)
            for method, bits in [(starters[i % len(starters)], self.bits[i // len(starters) % len(self.bits)])]
        ]

    def starts(self, method: str) -> Sequence[Mapping[str, Any]]:
        """Return learned methods at default settings, at eight targets from the budget down; else an empty list.

        Random settings are usually poor: without these points, a short study is not evidence about a method.
        """
        if method_spec(method).widths == "given":
            return []
        targets = ladder(self.lowest, self.highest, 1 if self.fixed_target else N_STARTS)
        return [self.space(method).defaults(t, self.bits[i % len(self.bits)]) for i, t in enumerate(targets)]

    def solved_point(self, method: str, target: float | None, index: int) -> Mapping[str, Any] | None:
        """Return the solver's plan at a target as point number `index` of a method that searches ratios.

        The result is None for other methods, without a score table, and from the fifth point on.
        """
        if self.solved is None or index >= N_SOLVED or not self.takes_plans(method):
            return None
        at = self.highest if target is None else target
        return self.translate(self.solved(at), at, self.bits[index % len(self.bits)], method, {})

    def starts_from_plans(self, method: str) -> bool:
        """Return True if a method's search for a plan starts from known plans."""
        return method_spec(method).starts_from_plans

    def start_plans(self, plans: Sequence[Mapping[str, int]], target: float) -> tuple[dict[str, int], ...]:
        """Return plans scaled to a target, without repetitions and plans of another network.

        Args:
            plans: Plans, possibly at other costs.
            target: The target cost.
        """
        known = [plan for plan in plans if set(plan) == set(self.widths.form.names)]
        scaled = [self.widths.decode(self.widths.encode(plan), target) for plan in known]
        return tuple({tuple(sorted(plan.items())): plan for plan in scaled}.values())

    def takes_plans(self, method: str) -> bool:
        """Return True if other methods' plans can be points of its sub-space: it searches ratios."""
        return method_spec(method).searches_ratios

    def translate(
        self, widths: Mapping[str, int], target: float, bits: int, to: str, recipe: Mapping[str, float]
    ) -> Mapping[str, Any] | None:
        """Return a plan as a point of a method that searches ratios; None for other methods and networks."""
        if not self.takes_plans(to) or set(widths) != set(self.widths.form.names):
            return None
        point: dict[str, Any] = {RATIO + name: ratio for name, ratio in self.widths.encode(widths).items()}
        point |= {RECIPE + each.name: recipe.get(each.name, each.default) for each in self.recipe}
        if len(self.bits) > 1:
            point[BITS] = bits
        return point if self.fixed_target else point | {TARGET: min(max(target, self.lowest), self.highest)}


def ladder_size(trials: int, methods: Sequence[str]) -> int:
    """Return the number of plans in the ladder for a study of `trials` trials, 2 to 8.

    It is half of the trials if all methods take widths from the space: below about 30 trials, most of a front is then
    the ladder's. It is a fifth (from 9 trials on at least three) if methods learn widths: these are better than uniform
    plans from their first trial on.
    """
    learns = any(method_spec(method).widths == "learned" for method in methods)
    wanted = max(trials // 5, min(3, trials // 3)) if learns else trials // 2
    return max(2, min(8, wanted))
