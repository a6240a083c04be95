"""Tables of a benchmark as LaTeX: structure, and names that LaTeX would take as commands."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ganprune.studies.bench.results.comparisons import compared
from ganprune.studies.bench.results.fronts import growth
from ganprune.studies.bench.results.latex import escaped, latex
from ganprune.studies.bench.results.rows import read_rows
from ganprune.studies.bench.results.tables import markdown

DOCS = Path(__file__).parents[3] / "docs"


def test_tables_become_latex_with_equal_cells_per_row():
    """Each table of the recorded benchmark has its caption, and as many cells in each row as columns."""
    text = markdown(compared(read_rows(DOCS / "bench.csv"), "uniform"))
    made = latex(text)
    assert made.count(r"\begin{table}") == made.count(r"\end{table}") == len(re.findall(r"^\|---", text, re.M)) > 0
    for table in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", made, re.S):
        rows = [line for line in table[1].splitlines() if line.endswith(r" \\")]
        assert len(rows) > 1
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(table[0])}
    assert not re.search(r"(?<!\\)[%#_]", made.partition("\n")[2])
    assert not re.search(r"^\[", made, re.M)


def test_names_are_escaped():
    """Characters of names that are commands of LaTeX are printed as they are."""
    assert escaped(r"a_b & 5% {x} #1 $ ^ ~ \y") == (
        r"a\_b \& 5\% \{x\} \#1 \$ \textasciicircum{} \textasciitilde{} \textbackslash{}y"
    )
    made = latex("**q_1 [95 %]**\n\n| my_method | n |\n|---|---|\n| file.py:a_b | 1.5 [1, 2] |\n\nleft out: c_d\n")
    assert r"\caption{q\_1 {[}95 \%{]}}" in made
    assert r"file.py:a\_b & 1.5 {[}1, 2{]} \\" in made
    assert r"\begin{tabular}{lr}" in made
    assert r"left out: c\_d" in made


@pytest.mark.long
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, which is not installed")
def test_tables_are_set_by_latex(tmp_path):
    """A document with the tables of the recorded benchmark is set without an error."""
    rows = read_rows(DOCS / "bench.csv")
    (tmp_path / "tables.tex").write_text(latex(markdown(compared(rows, "uniform"), growth(rows))), encoding="utf-8")
    head = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{tables.tex}\end{document}"
    (tmp_path / "main.tex").write_text(head, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "main.pdf").stat().st_size > 10_000
