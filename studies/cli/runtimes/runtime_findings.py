"""The findings of a runtime's rules, as `ganprune inspect --runtime` shows them. Imports no torch by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ....gan_models.export.catalog import EXPORTERS
from ....gan_models.export.lint.catalog import RUNTIME_RULES
from ....gan_models.files.errors import UserError
from ....gan_models.files.texts.number_text import percent

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from ....gan_models.networks.specs import InputSpec

DTYPES = ("float32", "float16", "int8")


def runtime_inspection(name: str, dtype: str, build: Callable[[], nn.Module], inputs: InputSpec) -> dict[str, Any]:
    """Return what a runtime will not run well of a network, as plain JSON.

    Args:
        name: A row of the runtimes' rules.
        dtype: Data type of the file.
        build: Builds the network with values.
        inputs: What it takes.

    Raises:
        UserError: There is no such row or data type.
        NoProgram: The network cannot be traced.
    """
    from ....gan_models.export.exporter import ExportJob
    from ....gan_models.export.lint.lint import Traced

    if dtype not in DTYPES:
        raise UserError(f"data type is unknown: got {dtype}; expected {', '.join(DTYPES)}")
    row = RUNTIME_RULES.find(name)
    traced = Traced.of(ExportJob(build().eval(), inputs.examples(1), inputs.names, free_batch=False))
    findings = [
        {
            "kind": each.rule.kind,
            "operators": dict(each.operators),
            "modules": list(each.modules),
            "share": each.share,
            "text": each.rule.text,
            "source": each.rule.source,
            "rewrites": list(each.rewrites),
        }
        for each in traced.lint(name, dtype)
    ]
    shown = {"name": name, "title": row.title, "dtype": dtype, "format": row.format, "slower": row.slower}
    return {**shown, "findings": findings}


def print_runtime(found: dict[str, Any], console: Console) -> None:
    """Print a table of findings, worst first; those that the exporter's rewrites remove stand last."""
    title = f"{found['title']}, {found['dtype']}"
    if not found["findings"]:
        console.print(f"{title}: no rule concerns this network", highlight=False)
        return
    table = Table(
        "finding", "operators", "modules", "MACs behind", "reason", "removed by",
        title=f"{title}: what is not run as it should be", title_justify="left",
    )  # fmt: skip
    for row in found["findings"]:
        operators = "\n".join(f"{n} {name}" for name, n in row["operators"].items())
        kind = f"falls back to {found['slower']}" if row["kind"] == "falls back" and found["slower"] else row["kind"]
        removed = ", ".join(row["rewrites"])
        modules = "\n".join(row["modules"])
        table.add_row(kind, operators, modules, f"{percent(row['share'])}%", row["text"], removed)
    console.print(table)
    sources = dict.fromkeys(row["source"] for row in found["findings"])
    console.print("sources: " + ", ".join(sources), highlight=False, soft_wrap=True)
    rewrites = EXPORTERS.find(found["format"]).rewrites
    left = [row for row in found["findings"] if not row["rewrites"]]
    if rewrites and not left:
        console.print(f"every finding is removed when format {found['format']} is written", highlight=False)
