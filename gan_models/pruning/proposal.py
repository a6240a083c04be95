"""The proposal of one trial: method, settings and target cost. Imports no torch."""

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
        target: The upper bound on the cost that the plan should be close to, in the cost's unit.
        cost: Name of the cost (`macs`, `macs_published`, `params`, `bytes`, `latency_ms`).
        widths: Channels per group for methods that are given widths, else None.
        bits: Bits of weights and activations; 32 is float32.
        channels: Kept channels per group, if the plan names them; None: the method chooses them.
        parent: Number of the trial whose network is cut; None: the teacher.
        starts: Widths of plans at or under the target, as additional starts of a search for a plan.
        recipe: Values of the training recipe that the search chose, by name (`Recipe.values`); others are the study's.

    Raises:
        ValueError: The target is not a finite cost above 0.
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
            raise ValueError(f"invalid target of a proposal: got {self.target}; expected a finite cost above 0")
