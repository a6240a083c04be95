"""The operators of a network that a file's runtimes run on a slower unit, or not at all, by the runtimes' rules."""

from __future__ import annotations

from functools import cached_property

from torch import nn

from ....gan_models.export.exporter import Exporter, ExportJob
from ....gan_models.export.lint.catalog import RUNTIME_RULES
from ....gan_models.export.lint.lint import Traced
from ....gan_models.export.program import NoProgram
from ....gan_models.networks.specs import InputSpec


class FallsBack:
    """The rules of runtimes, applied to one network.

    Args:
        model: The network on the CPU.
        inputs: What it takes.
    """

    def __init__(self, model: nn.Module, inputs: InputSpec) -> None:
        self.model, self.inputs = model, inputs

    def lines(self, exporter: Exporter) -> tuple[str, ...]:
        """Return what falls back or is not supported after a format's rewrites, a line per reason and runtime."""
        if self._traced is None:
            return ()
        lines = []
        for name in exporter.rules:
            row = RUNTIME_RULES.find(name)
            for finding in self._traced.lint(name, exporter.dtype):
                if finding.rule.kind in ("falls back", "unsupported") and not finding.removed:
                    slower = f" to {row.slower}" if finding.rule.kind == "falls back" and row.slower else ""
                    lines.append(f"{row.title}: {finding.rule.kind}{slower}: {finding.concerned}")
        return tuple(lines)

    @cached_property
    def _traced(self) -> Traced | None:
        """The network's program; None if there is none, which exporters that need one say themselves."""
        try:
            return Traced.of(ExportJob(self.model, self.inputs.examples(1), self.inputs.names, free_batch=False))
        except NoProgram:
            return None
