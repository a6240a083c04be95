"""Several generators as one network, so that groups, costs, plans, cuts and gates need not know of it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class GeneratorPair(nn.Module):
    """Runs each generator on inputs of its own, equally many for each; its groups are theirs, `<name>.` before each.

    Args:
        generators: By name; held, not copied.
    """

    def __init__(self, generators: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, generator in generators.items():
            self.add_module(name, generator)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return one output per generator, in order."""
        generators = list(self.children())
        each = len(inputs) // len(generators)
        if each * len(generators) != len(inputs):
            raise ValueError(f"{len(inputs)} inputs cannot be shared out among {len(generators)} generators")
        return tuple(generator(*inputs[i * each : (i + 1) * each]) for i, generator in enumerate(generators))
