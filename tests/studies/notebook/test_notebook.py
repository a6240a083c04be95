"""Studies in a notebook: one line, a front, frames and figures that say what the record says, and the example runs."""

import ast
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.search.records.events import (
    Noted,
    SearchEnded,
    SearchStarted,
    TrialFinished,
    TrialReported,
)
from ganprune.search.records.learning_curve import LearningCurve
from ganprune.studies.api import Study
from ganprune.studies.notebook.figures import curves_figure, front_figure, widths_figure
from ganprune.studies.notebook.frames import curve_frame, trial_frame
from ganprune.studies.notebook.progress_bar import SearchBar, both
from ganprune.studies.notebook.summary import MAX_LINE_CHARACTERS, html_of, line_of
from ganprune.studies.results.outcome import outcome_of
from PIL import Image

from ...records_by_hand import record, trial

CURVES = {"finetune": LearningCurve((1, 3), {"l1": (0.5, 0.25), "adversarial": (None, 2.0)})}
FIRST = trial(0, 400, 10.0, origin="ladder:0")
FIRST = replace(FIRST, rungs={2: 30.0, 4: 10.0}, outcome=replace(FIRST.outcome, widths={"a": 3, "b": 5}, curves=CURVES))
TRIALS = (FIRST, trial(1, 200, 20.0, origin="ladder:1"), trial(2, 300, 90.0, state="PRUNED"))
EXAMPLE = Path(__file__).parents[3] / "examples" / "search.ipynb"


def test_a_study_is_one_line():
    """However many trials and however odd its names, `repr` is a line of bounded length."""
    study = Study(record(*TRIALS), "sqlite:///x.db", Path("/nowhere"))
    assert repr(study) == (
        "Study('by_hand': resnet on builtin:shapes, budget 400MACs; 3 trials (2 COMPLETE, 1 PRUNED); 2 on the front)"
    )
    assert repr(study.record) == "StudyRecord('by_hand', 3 trials)"
    long = line_of(record(*TRIALS, model="a\nname " * 200))
    assert "\n" not in long
    assert len(long) == MAX_LINE_CHARACTERS


def test_a_study_shows_its_front():
    """The HTML has plot and table, and names that look like markup are text."""
    shown = html_of(outcome_of(record(*TRIALS, trial(3, 100, 30.0, "<b>bad</b>"))))
    assert 'src="data:image/png;base64,' in shown
    assert "<td>1*</td>" in shown
    assert "<td>&lt;b&gt;bad&lt;/b&gt;</td>" in shown
    assert "no complete trial" in html_of(outcome_of(record()))


def test_trials_are_a_frame():
    """A row per trial by number, with seed and widths; all metrics and curves if asked for."""
    outcome = outcome_of(record(*reversed(TRIALS)))
    plain = trial_frame(outcome)
    assert list(plain["trial"]) == [0, 1, 2]
    assert plain["seed"].nunique() == 3
    assert plain["widths"][0] == {"a": 3, "b": 5}
    assert "psnr" not in plain
    assert list(plain["quality"]) == [10.0, 20.0, 90.0]
    whole = trial_frame(outcome, metrics=True, curves=True)
    assert whole["rungs"][0] == {2: 30.0, 4: 10.0}
    assert whole["losses"][0] == {"finetune": {"l1": {1: 0.5, 3: 0.25}, "adversarial": {3: 2.0}}}


def test_curves_are_a_long_frame():
    """A row per point of rungs and losses; a term that had no part in a step has no row."""
    table = curve_frame(outcome_of(record(*TRIALS)))
    assert len(table) == 2 + 3
    rung = table[table["phase"] == "rung"]
    assert list(zip(rung["step"], rung["value"], strict=True)) == [(2, 30.0), (4, 10.0)]
    assert list(table[table["name"] == "adversarial"]["step"]) == [3]


def test_figures_show_themselves():
    """Front, widths and curves are figures with a PNG; bars are as long as the widths."""
    outcome = outcome_of(record(*TRIALS))
    for figure in (front_figure(outcome), widths_figure(outcome, [0]), curves_figure(outcome, [0])):
        image = np.asarray(Image.open(io.BytesIO(figure._repr_png_())).convert("L"))
        assert (image < 100).mean() > 0.001
    (axes,) = widths_figure(outcome, [0]).axes
    assert [bar.get_width() for bar in axes.patches][-2:] == [3, 5]
    titles = {axes.get_title() for axes in curves_figure(outcome, [0]).axes if axes.get_visible()}
    assert titles == {"fd[shapes,n=9] at rungs", "l1", "adversarial"}


@pytest.mark.parametrize("draw", [widths_figure, curves_figure])
def test_a_trial_that_is_not_there_is_refused(draw):
    """One line names the trial and those there are."""
    with pytest.raises(UserError, match=r"has no trial 9: got \[9\]; expected numbers below 3"):
        draw(outcome_of(record(*TRIALS)), [9])
    with pytest.raises(UserError, match="no trial"):
        draw(outcome_of(record()))


class Bar:
    """A bar that remembers."""

    def __init__(self, **given):
        self.given, self.n, self.said, self.closed = given, given.get("initial", 0), [], 0

    def update(self, more):
        self.n += more

    def set_postfix_str(self, text):
        self.said.append(text)

    def close(self):
        self.closed += 1


def test_a_bar_follows_a_search():
    """Teacher steps, then trials: failed ones do not count, and the best quality has its own sign."""
    bars, heard = [], []
    bar = SearchBar(-1.0, make=lambda **given: bars.append(Bar(**given)) or bars[-1])
    listen = both(bar.event, heard.append)
    for step in (1, 5, 10):
        bar.teacher(step, 10, {})
    events = [
        Noted("a note"),
        SearchStarted(4, 1),
        TrialReported(1, 5, -20.0, 1.0, True),
        TrialFinished(1, "uniform", "COMPLETE", -30.0, 1.0, True, None),
        TrialFinished(2, "uniform", "FAIL", None, None, True, "broken"),
        SearchEnded("trials", 2, 0, 1, 0),
    ]
    for event in events:
        listen(event)
    teacher, trials = bars
    assert (teacher.n, teacher.closed) == (10, 2)
    assert (trials.given["total"], trials.n, trials.closed) == (4, 2, 1)
    assert trials.said[-1] == "best 30, trial 2 FAIL"
    assert heard == events


@pytest.mark.long
def test_the_example_runs(tmp_path, monkeypatch, capsys):
    """Each cell of the notebook runs, and what it shows is there: a front, frames, figures, pictures, a parity."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ, "OMP_NUM_THREADS": "1"})
    cells = [cell for cell in json.loads(EXAMPLE.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in cells)
    names, shown = {}, []
    for cell in cells:
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(tree.body[:-1], []), str(EXAMPLE), "exec"), names)
            shown.append(eval(compile(ast.Expression(last.value), str(EXAMPLE), "eval"), names))
        else:
            exec(compile(tree, str(EXAMPLE), "exec"), names)
    assert "Study('notebook'" in capsys.readouterr().out
    study, table, losses, *figures, parity = shown
    assert "<table>" in study._repr_html_()
    assert len(table) == 3
    assert (losses["count"] > 0).all()
    assert all(picture._repr_png_().startswith(b"\x89PNG") for picture in figures)
    assert len(figures) == 4
    assert parity.reload == 0


@pytest.mark.long
def test_the_example_runs_in_jupyter(tmp_path, monkeypatch):
    """A kernel of its own runs the file as it is: a bar, the front with its table, and figures are in the outputs."""
    needed = "needs nbclient and ipykernel, which are not installed"
    nbclient = pytest.importorskip("nbclient", reason=needed)
    nbformat = pytest.importorskip("nbformat", reason=needed)
    pytest.importorskip("ipykernel", reason=needed)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.data for output in outputs if "data" in output]
    assert sum("image/png" in data for data in shown) == 4
    assert any("<table>" in data.get("text/html", "") for data in shown)
    bars = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    bars += [data["text/plain"] for data in shown if "application/vnd.jupyter.widget-view+json" in data]
    assert "trials" in " ".join(bars)
    if (kept := os.environ.get("GANPRUNE_EXECUTED_NOTEBOOK")) is not None:  # to be looked at
        nbformat.write(notebook, kept)
