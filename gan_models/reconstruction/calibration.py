"""Calibration inputs: training inputs without labels, for ranking channels and refitting layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..groups.channel_groups import ChannelGroups
from .channel_scores import Removals, removals
from .layers.call_tape import Tape
from .weight_store import computed_once

MEMORY = 2_000_000_000  # bytes per pass
Scores = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Calibration:
    """The calibration inputs of one generator, the same for all trials of a study.

    Attributes:
        read: Function that returns them, one tensor per input of the generator, batch axis first; called at most once.
        seed: Seed of the sampled positions.
        memory_bytes: Maximum sum of live activations in one pass, in bytes.
        read_judging: Function that returns held-out inputs, which nothing is fitted to; called at most once. None:
            there are none.
        scores: Scores of a network's channels on these inputs, by ranking; the teacher's are the same in every trial. A
            network whose weights change must not be ranked twice.
        macs: Multiply-accumulates of the passes for these scores, by ranking.
    """

    read: Callable[[], tuple[Tensor, ...]]
    seed: int
    memory_bytes: int = MEMORY
    read_judging: Callable[[], tuple[Tensor, ...]] | None = None
    scores: WeakKeyDictionary[nn.Module, dict[str, Scores]] = field(default_factory=WeakKeyDictionary, compare=False)
    macs: WeakKeyDictionary[nn.Module, dict[str, int]] = field(default_factory=WeakKeyDictionary, compare=False)
    _removals: WeakKeyDictionary[nn.Module, Removals] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs."""
        return self.read()

    @cached_property
    def judging(self) -> tuple[Tensor, ...]:
        """Inputs that nothing is fitted to, for comparing refitted networks; empty if there are none."""
        return self.read_judging() if self.read_judging is not None else ()

    def removals(self, model: nn.Module, groups: ChannelGroups) -> Removals:
        """Return the removals of a network's channels on these inputs, computed once per network."""
        if model not in self._removals:
            self._removals[model] = removals(model, groups, self.fitting(model), self.seed)
        return self._removals[model]

    def fitting(self, model: nn.Module) -> tuple[Tensor, ...]:
        """Return as many inputs as fit into the memory of a network's pass, at least one."""
        was_training = model.training
        model.eval()
        try:
            with computed_once(model):
                each = Tape(model, tuple(x[:1] for x in self.inputs)).peak_bytes()
        finally:
            model.train(was_training)
        n = max(1, self.memory_bytes // max(1, each))
        return tuple(x[:n] for x in self.inputs)
