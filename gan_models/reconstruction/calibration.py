"""Calibration inputs: training inputs without labels, which channels are ranked and layers refitted with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

MEMORY = 2_000_000_000  # bytes


@dataclass(frozen=True)
class Calibration:
    """Inputs of one generator, the same for all trials of a study.

    Attributes:
        read: Returns them, one tensor per input of the generator, batch axis first; called at most once.
        seed: Of the places that are sampled.
        memory_bytes: Largest sum of live activations of one pass.
    """

    read: Callable[[], tuple[Tensor, ...]]
    seed: int
    memory_bytes: int = MEMORY

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs."""
        return self.read()
