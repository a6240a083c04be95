"""A term of distillation: the pair that it is made for, and its inputs in each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn


class FeatureMaps(Protocol):
    """An encoder's maps, for distances between images; frozen.

    Attributes:
        name: Name of the encoder, for the record.
        style_weight: Weight of the Gram matrices' squared differences, relative to the first maps' L1.
    """

    name: str
    style_weight: float

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return maps [N, c, h, w], from fine to coarse, of images [N, 3, H, W] in [-1, 1]; differentiable."""
        ...

    def to(self, device: torch.device | str) -> FeatureMaps:
        """Return the encoder on another device."""
        ...


def _alone(_inputs: tuple[Tensor, ...], images: Tensor) -> tuple[Tensor, ...]:
    return (images,)


@dataclass(frozen=True)
class Pair:
    """A student and its teacher, with the networks by which terms may compare them.

    Attributes:
        student: The generator that is trained.
        teacher: Its teacher, frozen.
        inputs: A batch of their inputs, for finding layers and fitting maps.
        layers: Maximum number of layers whose features are compared.
        feature_maps: An encoder of the generators' images; None if there is none.
        judge: The teacher's discriminator, frozen; None if there is none.
        shown: Function from inputs and images to the discriminator's arguments.
    """

    student: nn.Module
    teacher: nn.Module
    inputs: tuple[Tensor, ...]
    layers: int = 4
    feature_maps: FeatureMaps | None = None
    judge: nn.Module | None = None
    shown: Callable[[tuple[Tensor, ...], Tensor], tuple[Tensor, ...]] = _alone


@dataclass(frozen=True)
class Seen:
    """Inputs, outputs and features of a student and its teacher in one step.

    Attributes:
        inputs: Inputs of both.
        output: The student's output, differentiable.
        goal: The teacher's output.
        features: The student's features by layer, of all terms.
        goal_features: The teacher's features by layer.
    """

    inputs: tuple[Tensor, ...]
    output: Tensor
    goal: Tensor
    features: Mapping[str, Tensor] = field(default_factory=dict)
    goal_features: Mapping[str, Tensor] = field(default_factory=dict)


class Term(nn.Module):
    """A distance of a student to its teacher; its own parameters are trained with the student.

    A module that it only reads must not become a submodule: it would be trained and saved.

    Attributes:
        layers: Names of submodules of both networks whose outputs it reads.
        compares: False if the term has nothing to compare in these networks, and is left out.
    """

    layers: tuple[str, ...] = ()
    compares: bool = True

    def forward(self, seen: Seen) -> Tensor:
        """Return the distance, a scalar in float32 that is not negative."""
        raise NotImplementedError
