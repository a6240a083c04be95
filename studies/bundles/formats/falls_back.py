"""The operators of a file that run on a slower unit, or not at all: by the runtimes' rules, and by their profiles."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from ....evaluators.cost.runtime import Runtime, RuntimeUnavailable
from ....gan_models.export.exporter import Exporter, ExportJob, file_input
from ....gan_models.export.lint.catalog import RUNTIME_RULES
from ....gan_models.export.lint.lint import Traced
from ....gan_models.export.program import NoProgram
from ....gan_models.networks.specs import InputSpec


def measured_lines(runtime: Runtime, path: Path, dtype: str, inputs: tuple[Tensor, ...]) -> tuple[str, ...]:
    """Return what a runtime really runs on a slower unit here, as at most one line; none if it cannot tell.

    Args:
        runtime: The file's runtime.
        path: The file.
        dtype: Data type of the file.
        inputs: A batch of each of the file's inputs, of a size that it takes.
    """
    try:
        found = runtime.fallbacks(path, dtype, tuple(file_input(x).numpy() for x in inputs))
    except RuntimeUnavailable:
        return ()
    return tuple(filter(None, [found and found.line(runtime.title)]))


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
