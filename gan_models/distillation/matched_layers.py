"""Layers of a student and its teacher whose features can be compared, and the features themselves.

Layers are found automatically: modules of the same name whose channels differ, evenly spaced in order of execution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .term import Pair


@contextmanager
def recorded(module: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Record the output of each named submodule's first call while the context is open."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: object) -> None:
            if isinstance(output, Tensor):
                outputs.setdefault(name, output)

        return hook

    modules = dict(module.named_modules())
    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class MatchedLayers:
    """Layers that both networks have, with features of one batch.

    Attributes:
        names: Names of the submodules, in order of execution.
        student: The student's features by name.
        teacher: The teacher's features by name.
    """

    names: tuple[str, ...]
    student: Mapping[str, Tensor]
    teacher: Mapping[str, Tensor]


def matched_layers(pair: Pair) -> MatchedLayers:
    """Return at most `pair.layers` layers; an empty set if no channels differ."""
    own = {name: module for name, module in pair.student.named_modules() if not list(module.children())}
    others = {name for name, module in pair.teacher.named_modules() if not list(module.children())}
    names = [name for name in own if name in others]
    mine, theirs = (_features(network, names, pair.inputs) for network in (pair.student, pair.teacher))
    found = [name for name in mine if name in theirs and _differs(mine[name], theirs[name])]
    # Norms and activations repeat the output of the convolution before them.
    convolutions = [name for name in found if isinstance(own[name], nn.modules.conv._ConvNd)]
    found = convolutions or found
    if len(found) > pair.layers:
        found = [found[(2 * i + 1) * len(found) // (2 * pair.layers)] for i in range(pair.layers)]
    return MatchedLayers(tuple(found), mine, theirs)


def _features(module: nn.Module, names: Sequence[str], inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return outputs of the named submodules for these inputs, in order of execution, eval mode, no gradient."""
    was_training = module.training
    module.eval()
    with torch.no_grad(), recorded(module, names) as outputs:
        module(*inputs)
    module.train(was_training)
    return outputs


def _differs(a: Tensor, b: Tensor) -> bool:
    return a.dim() == b.dim() >= 3 and a.shape[1] != b.shape[1] and a.shape[2:] == b.shape[2:]
