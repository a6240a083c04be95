"""The page of a benchmark: it has the tables' numbers, runs no script, and fits its window."""

from pathlib import Path

import pytest
from ganprune.studies.bench.page.bench_page import bench_page
from ganprune.studies.bench.page.svg_charts import IntervalRow, StepLine, interval_chart, step_chart
from ganprune.studies.bench.results.comparisons import compared
from ganprune.studies.bench.results.fronts import growth
from ganprune.studies.bench.results.rows import read_rows

from ....browser_tab import Tab
from ....command_line import call, refused
from ..results.bench_rows import row

DOCS = Path(__file__).parents[4] / "docs"
HOSTILE = "</title><script>alert(1)</script><b>\"'&"


def page(rows, name="bench", against=""):
    return bench_page(rows, compared(rows, against), growth(rows), name)


def test_the_page_has_all_tables_and_charts():
    """Each task of the recorded benchmark has its attainment and standings; verdicts are those of the tables."""
    rows = read_rows(DOCS / "bench.csv")
    text = page(rows, against="uniform")
    tasks = {one.task for one in rows}
    assert text.count('aria-label="attainment on ') == len(tasks) == 4
    assert 'class=" better">better' in text
    for one in compared(rows, "uniform").overall:
        assert f"{one.iqm.value:.2f} [{one.iqm.low:.2f}, {one.iqm.high:.2f}]" in text
    runs = {one.pair for one in rows if one.contender == "reconstruct" and one.task == "demo"}
    assert f"reconstruct ({len(runs)} runs): " in text
    assert "default-src 'none'" in text
    assert "<script" not in text


def test_names_are_never_markup():
    """Names of a benchmark, a task and a contender that look like markup stay texts."""
    rows = [
        row(name, quality, seed, task=HOSTILE) for name in ("a", HOSTILE) for seed, quality in enumerate((3.0, 4.0))
    ]
    text = page(rows, HOSTILE)
    assert "<script" not in text
    assert text.count("<b>") == 1  # the page's own


def test_a_benchmark_without_pairs_or_costs_has_a_page():
    """One contender, no cost and no front: the table alone, and cells without a result are listed."""
    rows = [row("a", 3.0, macs=None, compute_macs=None), row("a", None, 1, state="FAIL", failed="diverged")]
    text = page(rows)
    assert "Attainment" not in text
    assert "Standings" in text
    assert "diverged" in text


def test_charts_of_nothing_are_empty():
    """Without rows, and with values that are all infinite, there is no chart; one point is drawn."""
    assert interval_chart([], "label", "title") == ""
    assert step_chart([StepLine("a", 0, ((0.1, float("inf")),))], "label", "x", "y", percent=True) == ""
    assert "circle" in step_chart([StepLine("a", 0, ((0.1, 2.0),))], "label", "x", "y", percent=True)
    nan = float("nan")
    assert "nan" not in interval_chart([IntervalRow("a", 1.0, nan, nan, "")], "label", "title").partition("</title>")[2]


def test_the_command_writes_it(tmp_path, monkeypatch, capsys):
    """From a CSV the page is written and nothing is printed; a plan has none."""
    assert call(monkeypatch, "bench", "--from-csv", DOCS / "bench.csv", "--page", tmp_path / "b.html") == 0
    assert capsys.readouterr().out == ""
    assert "ganprune bench: bench" in (tmp_path / "b.html").read_text()
    assert "--page; expected none. Try --table" in refused(monkeypatch, capsys, "bench", "--plan", "--page", "b.html")


@pytest.mark.long
@pytest.mark.parametrize("size", [(1200, 900), (390, 844)])
def test_the_page_fits_its_window(tmp_path, size):
    """Nothing is wider than the window, in a browser of a desktop and of a phone."""
    path = tmp_path / "bench.html"
    path.write_text(page(read_rows(DOCS / "bench.csv"), against="uniform"))
    with Tab(*size, phone=size[0] < 600) as tab:
        tab.open(path)
        assert tab.value("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert not tab.errors
