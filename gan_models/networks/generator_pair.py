"""Several generators as one network, so that groups, costs, plans, cuts and gates need not know of it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class GeneratorPair(nn.Module):
    """Runs each generator on an input of its own; its groups are theirs, `<name>.` before each.

    Args:
        generators: By name; held, not copied.
    """

    def __init__(self, generators: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, generator in generators.items():
            self.add_module(name, generator)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One output a generator, in order."""
        return tuple(generator(x) for generator, x in zip(self.children(), inputs, strict=True))
