"""Optuna's samplers on an in-memory copy of the history, chosen for them and without SQL.

Optuna's own tables are unsuitable for a sampler: a stopped trial has no values there, and one with a curve makes TPE
raise in a study of two objectives (Optuna 5.0).
"""

import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from .catalog import SAMPLERS

STARTUP = 10  # number of trials before a model is used, including the ladder


def tpe(seed: int) -> BaseSampler:
    """Return Optuna's TPE with independent dimensions."""
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=False, constant_liar=True)


def nsga2(seed: int) -> BaseSampler:
    """Return Optuna's NSGA-II."""
    return NSGAIISampler(seed=seed, population_size=20)


def gaussian_process(seed: int) -> BaseSampler:
    """Return Optuna's Gaussian process."""
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP)  # imports torch, and so is not at the top


def uniform(seed: int) -> BaseSampler:
    """Return Optuna's random sampler."""
    return RandomSampler(seed=seed)


@dataclass(frozen=True)
class Seen:
    """A trial as a sampler sees it; without `values`, it is still running."""

    number: int
    params: Mapping[str, Any]
    values: tuple[float, float] | None
    constraints: Mapping[str, float] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)


class MirrorStorage(InMemoryStorage):
    """A storage with a study's history, never copied, and the one trial that is being asked for.

    The trial asked for is number 0 here; the history is numbered from 1.
    """

    def __init__(self, history: Sequence[FrozenTrial]):
        super().__init__()
        self.history = list(history)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the history, then the trial that is being asked for."""
        asked = super().get_all_trials(study_id, deepcopy=deepcopy, states=states)
        return [trial for trial in self.history if states is None or trial.state in states] + asked


def _frozen(seen: Seen, space: Mapping[str, BaseDistribution], two_objectives: bool) -> FrozenTrial | None:
    values = None if seen.values is None else list(seen.values if two_objectives else seen.values[:1])
    try:
        trial = create_trial(
            state=TrialState.RUNNING if values is None else TrialState.COMPLETE,
            values=values,
            params=dict(seen.params),
            distributions=dict(space),
            constraints=dict(seen.constraints),
            system_attrs=dict(seen.state),
        )
    except ValueError:  # outside the space, which was wider when the trial was created
        return None
    trial.number = seen.number + 1
    trial._trial_id = 1_000_000 + seen.number
    return trial


def suggest(
    sampler: str,
    history: Sequence[Seen],
    space: Mapping[str, BaseDistribution],
    seed: int,
    study_seed: int,
    index: int,
    two_objectives: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a proposal: a pure function of its arguments.

    Args:
        sampler: A name of `catalog.SAMPLERS`, or a sampler by path.
        history: The trials that the sampler sees, by number.
        space: The dimensions.
        seed: This proposal's seed.
        study_seed: The study's seed, for sequences over the whole study.
        index: Number of earlier proposals (for those sequences).
        two_objectives: True for quality and cost, False for quality only.

    Returns:
        The params, and the sampler's state to store with the trial.
    """
    row = SAMPLERS.find(sampler)
    asked_of = row.sampler(seed)
    if asked_of is None:
        return row.at(space, study_seed, index), {}
    frozen = [trial for seen in history if (trial := _frozen(seen, space, two_objectives)) is not None]
    storage = MirrorStorage(frozen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            study = optuna.create_study(
                storage=storage, directions=[StudyDirection.MINIMIZE] * (1 + two_objectives), sampler=asked_of
            )
            asked = study.ask(fixed_distributions=dict(space))
        finally:
            optuna.logging.set_verbosity(verbosity)
    return asked.params, dict(storage.get_trial(asked._trial_id).system_attrs)


def quasi_random(space: Mapping[str, BaseDistribution], seed: int, index: int) -> dict[str, Any]:
    """Return point `index` of a scrambled Sobol sequence over a space.

    Args:
        space: The dimensions; logarithmic and stepped ones are covered evenly.
        seed: Seed of the scrambling.
        index: Index of the point, from 0.
    """
    from scipy.stats import qmc  # takes 0.3 s to import, for this sampler only

    if not space:
        return {}
    sequence = qmc.Sobol(len(space), scramble=True, rng=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one point is not a power of two
        if index:
            sequence.fast_forward(index)
        unit = sequence.random(1)[0]
    return {name: _at(space[name], u) for (name, u) in zip(sorted(space), unit, strict=True)}


def _at(distribution: BaseDistribution, unit: float) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[min(int(unit * len(distribution.choices)), len(distribution.choices) - 1)]
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise ValueError(
            f"a distribution is not supported: got {type(distribution).__name__}; expected a number or categories"
        )
    low, high = float(distribution.low), float(distribution.high)
    half = 0.5 * distribution.step if distribution.step else 0.0  # each step gets an equal part of the line
    low, high = low - half, high + half
    if distribution.log:
        value = float(np.exp(np.log(low) + unit * (np.log(high) - np.log(low))))
    else:
        value = low + unit * (high - low)
    if distribution.step:
        value = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    value = min(max(value, distribution.low), distribution.high)
    return int(value) if isinstance(distribution, IntDistribution) else float(value)
