"""The choice of the next trial: first the uniform ladder, then one sampler per method on the study's history.

The same history, seed and trial number give the same proposal, even after a restart: the only state here is a cache.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution

from ...gan_models.files.errors import UserError
from ...gan_models.files.seeds import derived_seed
from ...gan_models.pruning.proposal import Proposal
from ...gan_models.quantization.settings import FULL_BITS
from ...spaces.methods import BITS, RATIO, TARGET
from ..records.ledger import NewTrial, TrialRecord
from ..records.plan_score import PlanScore
from ..samplers.catalog import SAMPLERS
from ..samplers.optuna_mirror import Seen, suggest
from ..samplers.width_model import propose
from . import pareto
from .cost_targets import widest_gap
from .history import History
from .method_shares import LADDER, choose_method, fixed_shares, sampled
from .score_agreement import NEAR_COST_FACTOR
from .score_prior import expected_slopes

START = "start"  # origin of a method's own initial points
N_CHANGED_SETTINGS = (
    2  # settings that a trial changes while its method has few trials: most random ones are worse than defaults
)
MIN_TRIALS_FOR_ALL_SETTINGS = 16  # number of trials of a method from which its sampler chooses all settings
STARTS = 2  # number of trials' plans, and of scored plans, that a search for a plan starts from
REDRAWS = 10  # number of new draws for a proposal that repeats an earlier trial
Mode = Literal["pareto", "target"]


class Proposals(Protocol):
    """The sub-spaces that may be searched, one per method."""

    @property
    def methods(self) -> Sequence[str]:
        """The methods, in the user's order."""
        ...

    def distributions(self, method: str) -> Mapping[str, BaseDistribution]:
        """Return a method's dimensions by parameter name; the same name in two methods has the same distribution."""
        ...

    def decode(self, method: str, params: Mapping[str, Any], seed: int) -> tuple[Proposal, Mapping[str, Any]]:
        """Return the proposal of a point, at or under the budget, and the point as it will be built.

        A pure function of its arguments. The point that is built has the same names, and values inside their
        distributions.
        """
        ...

    def identity(self, proposal: Proposal) -> str:
        """Return a text that is equal for proposals of the same network and training; empty if unknown."""
        ...

    def ladder(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Return the first trials: (method, params) of uniform plans inside the budget, from large to small."""
        ...

    def starts(self, method: str) -> Sequence[Mapping[str, Any]]:
        """Return a method's initial points, before its sampler decides: good settings at targets over the range."""
        ...

    def solved_point(self, method: str, target: float | None, index: int) -> Mapping[str, Any] | None:
        """Return the solver's plan at a target as a method's point number `index`, or None."""
        ...

    def starts_from_plans(self, method: str) -> bool:
        """Return True if a method's search for a plan starts from known plans."""
        ...

    def start_plans(self, plans: Sequence[Mapping[str, int]], target: float) -> tuple[dict[str, int], ...]:
        """Return plans scaled to a target, without repetitions and plans of another network."""
        ...

    def takes_plans(self, method: str) -> bool:
        """Return True if other methods' plans can be points of its sub-space."""
        ...

    def translate(
        self, widths: Mapping[str, int], target: float, bits: int, to: str, recipe: Mapping[str, float]
    ) -> Mapping[str, Any] | None:
        """Return one method's plan and recipe as a point of another's sub-space; None if it has no such point."""
        ...


@dataclass(frozen=True)
class Choice:
    """The settings of the choice of trials.

    Attributes:
        sampler: A name of `catalog.SAMPLERS`, or a sampler by path.
        seed: The study's seed.
        mode: `pareto` (quality and cost) or `target` (quality alone).
        shares: Shares of the trials by method, set by the user; empty: by gains.
    """

    sampler: str = "linear"
    seed: int = 0
    mode: Mode = "pareto"
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        SAMPLERS.find(self.sampler).sampler(
            self.seed
        )  # raises an error if there is no such sampler, or it cannot be created
        if self.mode not in ("pareto", "target"):
            raise UserError(f"invalid mode: got {self.mode!r}; expected pareto or target")


class Chooser:
    """A chooser of the trials of one study.

    Args:
        proposals: The sub-spaces to search.
        choice: Settings of the choice.
        scored: Plans of the study that were scored and not trained, as a prior on the importance of groups.

    Raises:
        ValueError: There is no method, or the shares do not fit the methods.
    """

    def __init__(self, proposals: Proposals, choice: Choice, scored: Sequence[PlanScore] = ()):
        if not proposals.methods:
            raise UserError("a search has no method: got none; expected at least one")
        if choice.shares:
            fixed_shares(proposals.methods, choice.shares)
        self.proposals, self.choice, self.scored = proposals, choice, tuple(scored)
        self._history = History(proposals.translate, proposals.takes_plans)
        self._spaces: dict[
            str, Mapping[str, BaseDistribution]
        ] = {}  # one cache for all trials: 60 dimensions are kilobytes
        self._ladder: Sequence[tuple[str, Mapping[str, Any]]] | None = None

    def next(self, records: Sequence[TrialRecord], number: int) -> NewTrial:
        """Return the trial with a number, given the known trials.

        Args:
            records: The trials that it may depend on, by number.
            number: Number of the trial.

        Returns:
            The trial, decoded. Its `identity` may equal an earlier trial's if new draws did not help.
        """
        known = {record.new.identity for record in records if record.state != "FAIL"} - {""}
        new = self._rung_of_ladder(records, number, known) or self._sampled(records, number, known)
        return self._started(new, records)

    def _rung_of_ladder(self, records: Sequence[TrialRecord], number: int, known: set[str]) -> NewTrial | None:
        used = [r.new.origin.removeprefix(LADDER) for r in records if r.new.origin.startswith(LADDER)]
        first = 1 + max(map(int, used), default=-1)
        if self._ladder is None:
            self._ladder = self.proposals.ladder()
        for index, (method, params) in list(enumerate(self._ladder))[first:]:
            new = self._decoded(method, params, number, f"{LADDER}{index}", {})
            if new.identity not in known:  # with coarse multiples, two plans of the ladder can be the same network
                return new
        return None

    def _sampled(self, records: Sequence[TrialRecord], number: int, known: set[str]) -> NewTrial:
        draw = self._seed(number, "method") / 2**32
        method = choose_method(records, self.proposals.methods, self.choice.shares, draw)
        index = len(sampled(records, method))
        starts, space = self.proposals.starts(method), self._space(method)
        target = self._target(records, space, self._seed(number, "target") / 2**32)
        if index < len(starts):
            at = {TARGET: target} if index and target is not None else {}
            return self._decoded(method, {**starts[index], **at}, number, START, {})
        turn = derived_seed(self.choice.seed, 0, f"targets {method}")
        at = target or (drawn_target(space[TARGET], index, turn) if TARGET in space else None)
        if (point := self.proposals.solved_point(method, at, index)) is not None:
            solved = self._decoded(method, point, number, START, {})
            if solved.identity not in known:
                return solved
        history = self._history.seen(records, method, space)
        prior = self._prior(records, method, space, target)
        new = self._proposed(self.choice.sampler, method, history, space, number, index, "sampler", target, prior)
        for again in range(REDRAWS):
            if new.identity not in known:
                break
            # the sampler may know other good points; if it has none, random points are tried
            sampler = self.choice.sampler if again < REDRAWS // 2 else "random"
            new = self._proposed(sampler, method, history, space, number, index, f"again {again}", prior=prior)
        return new

    def _started(self, new: NewTrial, records: Sequence[TrialRecord]) -> NewTrial:
        """Return a trial whose search for a plan, if it has one, starts from the best known plans near its cost.

        These are the two trials of the best quality and the two scored plans of the lowest error.
        """
        proposal = new.proposal
        if not self.proposals.starts_from_plans(proposal.method):
            return new

        def near(cost: float | None) -> bool:
            return cost is not None and abs(np.log(cost / proposal.target)) <= np.log(NEAR_COST_FACTOR)

        trained = sorted((r for r in records if r.scored and near(r.cost)), key=lambda r: (r.quality, r.number))
        guided = [(p.errors.guide, p.name, p.widths) for p in self.scored if p.errors is not None and near(p.cost)]
        plans = [r.widths for r in trained[:STARTS]] + [found[2] for found in sorted(guided, key=_first)[:STARTS]]
        starts = self.proposals.start_plans(plans, proposal.target)
        return replace(new, proposal=replace(proposal, starts=starts)) if starts else new

    def _prior(
        self, records: Sequence[TrialRecord], method: str, space: Mapping[str, BaseDistribution], target: float | None
    ) -> NDArray[np.float64] | None:
        """Return the groups' expected slopes near a cost by zero-shot scores; None if scores have no weight there.

        Without a target (all trials have the same, or none is chosen yet), the median cost of trials counts.
        """
        ratios = [name for name in space if name.startswith(RATIO)]
        costs = [record.cost for record in records if record.scored and record.cost is not None]
        if not self.scored or not ratios or not costs:
            return None
        at = float(np.median(costs)) if target is None else target

        def point(widths: Mapping[str, int], cost: float) -> Mapping[str, Any] | None:
            return self.proposals.translate(widths, cost, FULL_BITS, method, {})

        return expected_slopes(records, self.scored, point, ratios, at)

    def _target(
        self, records: Sequence[TrialRecord], space: Mapping[str, BaseDistribution], turn: float
    ) -> float | None:
        """Return the target at the widest gap of the front; None if no target is chosen, or there is no front yet."""
        kind = space.get(TARGET)
        points_N2 = np.array([(r.quality, r.cost) for r in records if r.scored], dtype=float).reshape(-1, 2)
        if not isinstance(kind, FloatDistribution) or len(np.unique(points_N2[:, 1])) < 2:
            return None
        best = {tuple(point) for point in points_N2[pareto.non_dominated(points_N2)]}
        ended = [r for r in records if r.finished and (r.quality, r.cost) not in best]
        running = [r.new.target for r in records if not r.finished]
        return widest_gap(points_N2, [r.new.target for r in ended], running, kind.low, kind.high, turn)

    def _proposed(
        self,
        sampler: str,
        method: str,
        history: Sequence[Seen],
        space: Mapping[str, BaseDistribution],
        number: int,
        index: int,
        purpose: str,
        target: float | None = None,
        prior: NDArray[np.float64] | None = None,
    ) -> NewTrial:
        """Return one sampler's proposal at a target; at a random target if none is given."""
        choice, seed = self.choice, self._seed(number, purpose)
        ratios = [name for name in space if name.startswith(RATIO)] if SAMPLERS.find(sampler).models_ratios else []
        asked = {name: distribution for name, distribution in space.items() if name not in ratios}
        params: dict[str, Any] = {}
        state: Mapping[str, Any] = {}
        if set(asked) - {TARGET}:
            own = [replace(seen, params={name: seen.params[name] for name in asked}) for seen in history]
            params, state = suggest(sampler, own, asked, seed, choice.seed, index, choice.mode == "pareto")
            params |= self._kept(method, params, index, seed)
        if TARGET in space:
            turn = derived_seed(choice.seed, 0, f"targets {method}") if purpose == "sampler" else seed
            params[TARGET] = target or drawn_target(space[TARGET], index, turn)
        if ratios:
            params |= _ratios(history, {name: space[name] for name in ratios}, params.get(TARGET), seed, prior)
        return self._decoded(method, params, number, sampler, state)

    def _kept(self, method: str, params: Mapping[str, Any], index: int, seed: int) -> dict[str, Any]:
        """Return the settings that stay at their defaults: all but two, while a method has few trials."""
        start = next(iter(self.proposals.starts(method)), {})
        names = [name for name in params if name in start and name not in (TARGET, BITS)]
        if index >= MIN_TRIALS_FOR_ALL_SETTINGS or len(names) <= N_CHANGED_SETTINGS:
            return {}
        changed = set(np.random.default_rng(seed).choice(names, N_CHANGED_SETTINGS, replace=False).tolist())
        return {name: start[name] for name in names if name not in changed}

    def _space(self, method: str) -> Mapping[str, BaseDistribution]:
        if method not in self._spaces:
            self._spaces[method] = self.proposals.distributions(method)
        return self._spaces[method]

    def _seed(self, number: int, purpose: str) -> int:
        return derived_seed(self.choice.seed, number, purpose)

    def _decoded(
        self, method: str, params: Mapping[str, Any], number: int, origin: str, state: Mapping[str, Any]
    ) -> NewTrial:
        proposal, built = self.proposals.decode(method, params, self._seed(number, "decode"))
        space = self._space(method)
        if set(built) != set(space):
            raise ValueError(f"{method}: decode gave {sorted(built)}, the sub-space has {sorted(space)}")
        return NewTrial(proposal, built, space, origin, self.proposals.identity(proposal), state)


def _first(found: tuple[float, str, Mapping[str, int]]) -> tuple[float, str]:
    return found[:2]


def drawn_target(distribution: BaseDistribution, index: int, seed: int) -> float:
    """Return the target of a method's proposal `index`: a sequence that fills the range evenly at any length.

    Van der Corput's sequence in base 2, rotated by the seed, on the logarithm of the range.
    """
    assert isinstance(distribution, FloatDistribution)
    unit, part, rest = seed / 2**32, 0.5, index
    while rest:
        unit, part, rest = unit + part * (rest & 1), part / 2, rest >> 1
    return float(distribution.high * (distribution.low / distribution.high) ** (unit % 1.0))


def _ratios(
    history: Sequence[Seen],
    space: Mapping[str, BaseDistribution],
    target: float | None,
    seed: int,
    prior: NDArray[np.float64] | None,
) -> dict[str, float]:
    """Return ratios by ganprune's own model of the trained plans."""
    ended = [(seen, seen.values) for seen in history if seen.values is not None]
    points_NG = np.log([[seen.params[name] for name in space] for seen, _ in ended]).reshape(-1, len(space))
    values_N2 = np.array([values for _, values in ended], dtype=float).reshape(-1, 2)
    at = target or (float(np.median(values_N2[:, 1])) if len(ended) else 1.0)
    draw = np.random.default_rng(seed)
    found_G = np.exp(propose(points_NG, values_N2[:, 1], values_N2[:, 0], at, draw, prior))
    ranges = [(kind.low, kind.high) for kind in space.values() if isinstance(kind, FloatDistribution)]
    return {
        name: float(np.clip(ratio, low, high)) for name, ratio, (low, high) in zip(space, found_G, ranges, strict=True)
    }
