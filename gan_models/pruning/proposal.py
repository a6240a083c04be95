"""The proposal of one trial: which method cuts, with which settings, to which cost. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..files.plain_values import later


@dataclass(frozen=True, slots=True)
class Proposal:
    """One point of the search, decoded; it travels unchanged from the sampler to the method.

    Attributes:
        method: The pruning method's name.
        settings: The method's settings, complete: an instance of its catalog row's settings class.
        target: The cost aimed at, from below, in the cost's unit.
        cost: Which cost (`macs`, `macs_published`, `params`, `bytes`, `latency_ms`).
        widths: Channels per group for methods that are given widths, else None.
        bits: Of weights and activations; 32 is float32.
        channels: Channels that stay per group, of a plan that says them; None: the method chooses them.
        parent: Number of the trial whose network is cut; None: the teacher.
        starts: Widths of plans at or under the target that a search for a plan starts from as well.
        recipe: Values of the training recipe that the search chose, by name (`Recipe.values`); others are the study's.

    Raises:
        ValueError: The target is no finite cost above 0.
    """

    method: str
    settings: Any
    target: float
    cost: str
    widths: Mapping[str, int] | None = None
    bits: int = 32
    channels: Mapping[str, tuple[int, ...]] | None = None
    parent: int | None = None
    recipe: Mapping[str, float] = later(factory=dict)
    starts: tuple[Mapping[str, int], ...] = later(factory=tuple)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.target) and self.target > 0):
            raise ValueError(f"a proposal's target must be a finite cost above 0: got {self.target}")
