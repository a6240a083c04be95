"""The check of channel groups before any training: random uneven plans, and the groups that fail under them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..files.errors import UserError
from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..groups.surgery import copy_network, cut
from ..networks.specs import InputSpec
from ..tracing.unpruned_reasons import UnprunedReason, Why
from .call_record import first_difference, line_of_error
from .comparison import compare, outputs_of
from .precision import Precision, first_line, in_precision
from .random_weights import randomize
from .same_draws import SameDraws

PLANS = 3
SMALLEST_SIDE = 32  # pixels; smaller inputs are not tried
MAX_COMPARISONS = (
    100  # trials per search for the groups that fail; groups that are not separated by then are pinned together
)
GAINS = (1.0, 0.5, 0.25)  # gains of random weights, of which the first that does not saturate the outputs is used
SATURATED = 0.999

Find = Callable[[Mapping[str, UnprunedReason]], ChannelGroups]


@dataclass(frozen=True)
class GroupCheck:
    """A network whose groups were checked.

    Attributes:
        groups: Groups that any plan may cut.
        pinned: Groups that failed, which are left unpruned -> the reason.
        plans: The uneven plans that passed.
        precision: The arithmetic of the comparison.
        difference: The largest difference of cut and gated outputs, relative to the largest output.
    """

    groups: ChannelGroups
    pinned: Mapping[str, UnprunedReason]
    plans: tuple[ChannelPlan, ...]
    precision: Precision
    difference: float

    @property
    def text(self) -> str:
        """The result as one line."""
        left = f"; not pruned: {', '.join(self.pinned)}" if self.pinned else ""
        return (
            f"{len(self.plans)} random plans cut and gated differ by {self.difference:.2g} of the largest output at "
            f"most, in {self.precision.text}{left}"
        )


def check_groups(model: nn.Module, inputs: InputSpec, groups: ChannelGroups, find: Find, seed: int = 0) -> GroupCheck:
    """Cut a network to random uneven plans and compare each with the gated network; pin the groups that fail.

    Groups are pinned until all plans pass. Images are small if the network accepts small ones; failures are repeated at
    full size.

    Args:
        model: The network with values, on the CPU; not changed.
        inputs: Its inputs, at the study's size.
        groups: Its groups.
        find: Function that finds the groups without the pinned ones.
        seed: Seed of weights and plans.

    Raises:
        UserError: The network does not run, or its outputs differ between two calls.
    """
    examples = _smaller(model, inputs)
    lively = _lively(model, examples[0], seed)
    pinned: dict[str, UnprunedReason] = {}
    while True:
        bench = _Bench(lively, groups, examples[0])
        plans = tuple(uneven_plan(groups, seed + number) for number in range(PLANS)) if groups.groups else ()
        failing = next((found for plan in plans if (found := bench.failing(plan))), {})
        if not failing:
            return GroupCheck(groups, pinned, plans, bench.precision, bench.largest)
        if len(examples) > 1:  # the small size may be the cause
            examples = examples[1:]
            continue
        pinned |= failing
        groups = find(pinned)


def uneven_plan(groups: ChannelGroups, seed: int) -> ChannelPlan:
    """Return a random plan that keeps at least a quarter of each group, but never all of it."""
    random = np.random.default_rng(seed)
    kept = {}
    for name, size in groups.sizes.items():
        count = int(random.integers(max(1, size // 4), max(2, size)))
        kept[name] = tuple(sorted(random.choice(size, count, replace=False).tolist()))
    return ChannelPlan(kept)


class _Bench:
    """A network with its groups, for cuts and comparisons."""

    def __init__(self, model: nn.Module, groups: ChannelGroups, example: tuple[Tensor, ...]) -> None:
        self.precision, self.model = in_precision(model, example)
        self.inputs = self.precision.inputs(example)
        self.groups, self.largest, self.left = groups, 0.0, MAX_COMPARISONS

    def failing(self, plan: ChannelPlan) -> dict[str, UnprunedReason]:
        """Return the groups that make a plan fail -> the reason; empty if the plan passes."""
        names = list(plan.kept)
        if self.failure(plan, names) is None:
            return {}
        if (unequal := self.failure(plan, [])) is not None:
            raise UserError(
                f"the network cannot be compared with a cut of it: got {unequal.text} for two calls on one input; "
                f"expected equal outputs. Try to keep state and random numbers out of forward in eval mode"
            )
        self.left = MAX_COMPARISONS
        culprits = self._culprits(plan, names, [])
        together = self.failure(plan, names) or Why.LEFT_WHOLE()
        return {name: self.failure(plan, [name]) or together for name in culprits}

    def failure(self, plan: ChannelPlan, names: Sequence[str]) -> UnprunedReason | None:
        """Return why a plan that cuts these groups alone fails; None if it does not."""
        full = self.groups.full_plan().kept
        own = ChannelPlan({name: kept if name in names else full[name] for name, kept in plan.kept.items()})
        try:
            small = cut(self.model, self.groups, own)
            seen = compare(self.model, small, self.groups, own, self.inputs, self.precision)
        except Exception as error:  # any exception of the network's code is the reason that is reported
            line = line_of_error(error)
            return Why.BREAKS_WHEN_CUT(message=first_line(error), line=f" ({line})" if line else "")
        if seen.same:
            self.largest = max(self.largest, seen.difference)
            return None
        line = first_difference(self.model, small, self.groups, own, self.inputs, self.precision)
        return Why.DIFFERS_WHEN_CUT(difference=f"{seen.difference:.2g}", line=f", first at {line}" if line else "")

    def _culprits(self, plan: ChannelPlan, names: Sequence[str], others: Sequence[str]) -> list[str]:
        """Return the failing groups of `names` by bisection; `others` alone pass, together with `names` they fail."""
        self.left -= 2
        if len(names) == 1 or self.left < 0:
            return list(names)
        left, right = names[: len(names) // 2], names[len(names) // 2 :]
        found = []
        for half in (left, right):
            if self.failure(plan, [*others, *half]) is not None:
                found += self._culprits(plan, half, others)
        return found or self._culprits(plan, right, [*others, *left])


def _smaller(model: nn.Module, inputs: InputSpec) -> list[tuple[Tensor, ...]]:
    """Return inputs with the smallest images that a network accepts, if there are any, then those of full size."""
    full, own = inputs.examples(), copy_network(model).eval()
    if inputs.pixels is None:
        return [full]
    side = min(inputs.pixels)
    halvings = 0
    while side % 2 ** (halvings + 1) == 0 and side >> (halvings + 1) >= SMALLEST_SIDE:
        halvings += 1
    for size in (side >> n for n in range(halvings, 0, -1)):
        example = inputs.at_size(size).examples()
        try:
            with torch.no_grad():
                own(*example)
        except Exception:  # the network accepts only its own size, or a multiple of a larger number
            continue
        return [example, full]
    return [full]


def _lively(model: nn.Module, example: tuple[Tensor, ...], seed: int) -> nn.Module:
    """Return a copy in eval mode with random weights that do not saturate outputs, or with its own if none fit."""
    for gain in GAINS:
        lively = copy_network(model).eval()
        randomize(lively, seed, gain)
        if _usable(lively, example):
            return lively
    return copy_network(model).eval()


def _usable(model: nn.Module, example: tuple[Tensor, ...]) -> bool:
    """Return True if outputs are finite, do not saturate a tanh, and are repeatable: some weights switch on noise."""
    try:
        with torch.no_grad(), SameDraws():
            first, second = outputs_of(model(*example)), outputs_of(model(*example))
    except Exception:  # `in_precision` gives a better message
        return True
    return all(
        bool(a.isfinite().all()) and float((a.abs() > SATURATED * a.abs().max()).double().mean()) < 0.5
        and torch.equal(a, b)
        for a, b in zip(first, second, strict=True)
        if a.numel()
    )  # fmt: skip
