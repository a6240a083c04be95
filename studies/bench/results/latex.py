"""The tables of a benchmark as LaTeX, made from their Markdown: one `table` each, which needs `booktabs` alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "×": r"$\times$", "≥": r"$\geq$",
    "≤": r"$\leq$", "[": "{[}", "]": "{]}",
}  # fmt: skip
_TITLE = re.compile(r"\*\*(.*)\*\*")
_NUMBER = re.compile(r"[-+]?\d")


def escaped(text: str) -> str:
    """Return a text with every character that LaTeX would take as a command escaped."""
    return "".join(_SPECIAL.get(each, each) for each in text)


def latex(markdown: str) -> str:
    """Return Markdown tables as LaTeX, each with its title as caption; other lines become paragraphs.

    Columns of numbers are set to the right. The preamble needs `\\usepackage{booktabs}`.

    Args:
        markdown: What `tables.markdown` returns: titles in bold, then a table with `|` between cells.
    """
    parts, title, rows = [r"% needs \usepackage{booktabs}"], "", list[list[str]]()
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip()[1:-1].split(" | " if "---" not in line else "|")])
            continue
        if rows:
            parts.append("\n".join(_table(title, rows[0], rows[2:])))
            title, rows = "", []
        if found := _TITLE.fullmatch(line):
            title = found[1]
        elif line:
            parts.append(escaped(line.removeprefix("* ")))
    return "\n\n".join(parts) + "\n"


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    columns = "".join("r" if _numbers([line[i] for line in lines]) else "l" for i in range(len(head)))
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{escaped(title)}}}"
    yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    for number, line in enumerate([head, *lines]):
        yield " & ".join(map(escaped, line)) + r" \\"
        if not number:
            yield r"\midrule"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _numbers(cells: Sequence[str]) -> bool:
    """Return True if each cell that is not empty begins with a number."""
    known = [cell for cell in cells if cell not in ("", "-")]
    return bool(known) and all(_NUMBER.match(cell) for cell in known)
