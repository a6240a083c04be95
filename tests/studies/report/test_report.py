"""A report shows of a study what its record holds: tables, hypervolume, plot, pictures, report."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.studies.report.html import facts_of, report_html, write_report
from ganprune.studies.report.image_grid import Column, draw_grid, picture_grid
from ganprune.studies.results.outcome import Outcome, outcome_of
from ganprune.studies.results.plots import plot_front, write_plot
from ganprune.studies.results.tables import (
    columns,
    csv_text,
    frame,
    front_rows,
    hypervolume_line,
    rich_table,
    rows_json,
    trial_rows,
)
from PIL import Image
from rich.console import Console

from ...records_by_hand import record, trial
from ...tiny_study import made


def by_hand(*trials, **config) -> Outcome:
    return outcome_of(record(*trials, **config))


LADDER = (trial(0, 400, 10.0, origin="ladder:0"), trial(1, 200, 20.0, origin="ladder:1"))
FAILED = TrialRecord(
    7,
    "FAIL",
    NewTrial(Proposal("widths", {}, 90.0, "macs"), {}, {}, "tpe"),
    1,
    stopped="diverged <script>alert(1)</script>",
)


def test_front_is_what_nothing_dominates():
    """The front holds complete trials inside the budget that none dominates, by rising cost; equal ones once."""
    outcome = by_hand(
        *LADDER,
        trial(2, 300, 25.0, "widths"),  # dominated
        trial(3, 250, 12.0, "widths"),
        trial(4, 900, 1.0, "widths"),  # over the budget
        trial(5, 100, 1.0, "widths", state="PRUNED"),
        trial(6, 250, 12.0, "magnitude"),  # as good as 3
        FAILED,
    )
    assert [t.number for t in outcome.front] == [1, 3, 0]
    assert [row.trial for row in front_rows(outcome)] == [None, 1, 3, 0]


def test_rows_say_everything(tmp_path):
    """A row names cost, unit, share, the metric as recorded, interval, L1, parameters, seconds and the reason."""
    outcome = by_hand(*LADDER, trial(4, 900, 1.0, "widths"), FAILED)
    rows = trial_rows(outcome)
    assert [row.trial for row in rows] == [None, 1, 0, 4, 7]
    teacher, cheap, _, over, fail = rows
    assert (teacher.method, teacher.cost, teacher.share, teacher.quality) == ("dense teacher", 1000.0, 1.0, 2.0)
    assert (cheap.cost, cheap.unit, cheap.cost_name, cheap.share) == (200, "MACs", "macs", 0.2)
    assert (cheap.metric, cheap.quality, cheap.low, cheap.high) == ("fd[shapes,n=9]", 20.0, 19.0, 21.0)
    assert (cheap.params, cheap.seconds, cheap.chosen_by, cheap.front) == (7.0, 3.0, "ladder:1", True)
    assert {name: m.value for name, m in cheap.metrics.items()} == {"l1": 0.25}
    assert over.reason == "over the budget by 125 %"
    assert not over.front
    assert (fail.state, fail.cost, fail.quality) == ("FAIL", None, None)
    assert fail.reason.startswith("diverged")


@pytest.mark.parametrize(
    ("ms", "config", "remark"),
    [
        (3.101, {"budgets": ["3ms"]}, "measured 3.101 ms, over 3ms by 3.37 %"),
        (3.101, {"budgets": ["40%", "3ms", "2.5ms", "4ms"]}, "measured 3.101 ms, over 3ms by 3.37 % and 2.5ms by 24 %"),
        (3.0, {"budgets": ["3ms"]}, ""),
        (None, {"budgets": ["3ms"]}, "latency not measured: the machine was busy"),
        (500.0, {"budgets": ["40%"]}, ""),
        (  # both generators are measured one after the other, and 400 ms is what both may take
            500.0,
            {
                "budgets": ["AtoB=150ms", "BtoA=250ms"],
                "data": "builtin:stripes",
                "task": "unpaired",
                "prune_network": "both",
            },
            "measured 500 ms, over 400 ms of both generators by 25 %",
        ),
    ],
)
def test_a_measured_latency_over_a_budget_is_remarked(ms, config, remark):
    """Each budget in ms is compared with what was measured; what was not measured is not compared."""
    name, how = "latency_ms[measured,device=d,threads=1,batch=1]", {"value": ms, "unit": "ms"}
    study = record(*LADDER, **config)
    why = {} if ms else {"reason": "the machine was busy, in each of 5 attempts"}
    study = replace(study, attributes=study.attributes | {"ganprune.finalists": {"1": {"name": name} | how | why}})
    assert [row.reason for row in front_rows(outcome_of(study))] == ["", remark, ""]


def test_metric_is_never_renamed():
    """Tables call the quality what the record calls it; a row under another protocol says its own."""
    outcome = by_hand(*LADDER, trial(2, 100, 30.0, name="fd[shapes,n=5]"))
    console = Console(file=io.StringIO(), width=200)
    console.print(rich_table(trial_rows(outcome), outcome, "all"))
    text = console.file.getvalue()
    assert "fd[shapes,n=9] [90 %]" in text
    assert "30 [29, 31] fd[shapes,n=5]" in text
    assert "fid" not in text.lower()
    inception = by_hand(trial(0, 400, 10.0, name="fid[inception,n=9]"), metric="fid[inception,n=9]")
    assert front_rows(inception)[1].metric == "fid[inception,n=9]"


def test_csv_and_json_come_back():
    """CSV and JSON hold the same rows, with full digits and without NaN."""
    third = 1 / 3
    rows = trial_rows(by_hand(*LADDER, trial(2, 100, 30 + third), FAILED))
    back = pd.read_csv(io.StringIO(csv_text(rows)))
    assert list(back["method"]) == [row.method for row in rows]
    assert back["quality"][1] == 30 + third
    assert list(back["trial"].dropna()) == [2, 1, 0, 7]
    plain = json.loads(json.dumps(rows_json(rows), allow_nan=False))
    assert [row["trial"] for row in plain] == [None, 2, 1, 0, 7]
    assert plain[-1]["cost"] is None
    assert len(frame(rows)) == 5


def with_metrics(study_trial, **values):
    """A trial with further measurements: name -> (value, unit)."""
    more = tuple(Measurement(name, value, unit) for name, (value, unit) in values.items())
    outcome = study_trial.outcome
    return replace(study_trial, outcome=replace(outcome, measurements=outcome.measurements + more))


def test_columns_are_what_the_records_have():
    """Every metric of any record is a column, in the records' order, with its unit; a trial without it is blank."""
    other = with_metrics(LADDER[1], **{"psnr": (21.5, "dB"), "edge_error": (0.125, "1"), "kd[shapes,n=9]": (0.5, "1")})
    outcome = by_hand(LADDER[0], other)
    rows = trial_rows(outcome)
    keys = list(rows_json(rows)[0])
    assert keys[-3:] == ["psnr", "edge_error", "kd[shapes,n=9]"]
    assert keys.count("l1") == 1
    assert [row["edge_error"] for row in rows_json(rows)] == [None, 0.125, None]
    assert list(pd.read_csv(io.StringIO(csv_text(rows)))["psnr"].dropna()) == [21.5]
    heads = [column.head for column in columns(rows, outcome)]
    assert heads[4:8] == ["fd[shapes,n=9] [90 %] ↓", "l1 (of [-1, 1])", "psnr (dB)", "edge_error"]
    assert "kd[shapes,n=9]" not in heads  # on a screen the distances beside the quality are left out
    page = report_html(outcome.study, Path("/nowhere"), pictures=False)
    metrics = {metric["name"]: metric["column"] for metric in data_in(page)["metrics"]}
    assert metrics["kd[shapes,n=9]"]  # the page's table of trials has a column of it
    assert not metrics["params"]
    assert "0.1250" in page


def test_keys_of_earlier_versions_stay():
    """The keys that JSON and CSV always had come first, in their order, `l1` among them though nothing has it."""
    ended = LADDER[0].outcome
    bare = replace(LADDER[0], outcome=replace(ended, measurements=ended.measurements[:1]))
    first = [
        "trial",
        "method",
        "state",
        "front",
        "cost_name",
        "cost",
        "unit",
        "share",
        "metric",
        "quality",
        "low",
        "high",
        "l1",
        "params",
        "bits",
        "predicted_ms",
        "measured_ms",
        "target",
        "seconds",
        "chosen_by",
        "reason",
    ]
    for trials in ((bare,), LADDER, (with_metrics(LADDER[0], psnr=(20.0, "dB")),)):
        rows = trial_rows(by_hand(*trials))
        assert list(rows_json(rows)[0])[: len(first)] == first
        assert csv_text(rows).partition("\n")[0].split(",")[: len(first)] == first
    assert rows_json(trial_rows(by_hand(bare)))[1]["l1"] is None
    tested = ["split", "test_quality", "test_low", "test_high", "test_n", "gap", "gap_intervals"]
    later = ["zero-shot[error]", "zero-shot[error,features]", "macs", "macs_published", "bytes"]
    assert list(frame(())) == [*first, *tested, *later, "seed", "settings", "widths", "phases"]


def test_screen_marks_front_and_keeps_brackets():
    """The table on screen stars the front and prints reasons in brackets as they are."""
    bad = replace(FAILED, stopped="shape [3, 4] is wrong")
    outcome = by_hand(*LADDER, trial(2, 300, 25.0), bad)
    console = Console(file=io.StringIO(), width=200)
    console.print(rich_table(trial_rows(outcome), outcome))
    text = console.file.getvalue()
    assert re.search(r"^ *1\* +uniform +200 MACs +20\.0 %", text, re.M)
    assert re.search(r"^ *2 +uniform", text, re.M)
    assert "FAIL: shape [3, 4] is wrong" in text


def test_hypervolume_in_closed_form():
    """With the ladder (10, 400), (20, 200) and a plan (12, 250), the reference is (22, 440); areas are sums of boxes."""
    outcome = by_hand(*LADDER, trial(2, 250, 12.0, "widths"))
    volume = outcome.hypervolume()
    assert (volume.quality, volume.cost) == (pytest.approx(22.0), pytest.approx(440.0))
    whole = 22.0 * 440.0
    ladder = (22 - 20) * (440 - 200) + (20 - 10) * (440 - 400)
    front = (22 - 20) * (440 - 200) + (20 - 12) * (440 - 250) + (12 - 10) * (440 - 400)
    assert volume.ladder == pytest.approx(ladder / whole)
    assert volume.front == pytest.approx(front / whole)
    assert volume.gain == pytest.approx((front - ladder) / whole)
    line = hypervolume_line(outcome)
    assert f"{volume.gain:+.4f}" in line
    assert "fd[shapes,n=9] = 22" in line
    assert "440 MACs" in line


def test_a_ladder_without_uniform_plans_is_not_called_so():
    """In a study of other methods the first trials are what the search is compared with, in line and report."""
    first = [trial(n, 400 - 200 * n, 10.0 + 10 * n, "mggc", origin=f"ladder:{n}") for n in (0, 1)]
    study = record(*first, trial(2, 250, 12.0, "slimming"))
    facts = " ".join(fact.name for fact in facts_of(outcome_of(study)))
    for text in (hypervolume_line(outcome_of(study)), facts):
        assert "first trials" in text
        assert "uniform" not in text
    assert "uniform ladder alone" in hypervolume_line(by_hand(*LADDER))


def test_hypervolume_stays_comparable():
    """Whatever the search adds, the reference stays, the ladder's share stays, and the front's never falls."""
    random, trials, before = np.random.default_rng(0), list(LADDER), None
    for number in range(2, 30):
        trials.append(trial(number, float(random.uniform(50, 400)), float(random.uniform(1, 60)), "widths"))
        volume = by_hand(*trials).hypervolume()
        if before is not None:
            assert (volume.quality, volume.cost, volume.ladder) == (before.quality, before.cost, before.ladder)
            assert volume.front >= before.front
        before = volume
    assert by_hand(trial(0, 100, 5.0)).hypervolume() is None
    assert "not known" in hypervolume_line(by_hand(FAILED))


def test_dense_costs_come_from_the_record_alone(monkeypatch):
    """A study that does not list them says them as it was resolved; without both, shares stay empty: nothing is traced.

    So neither the generator's file nor torch is needed to read a table.
    """
    study = made().record
    monkeypatch.setattr("ganprune.gan_models.groups.discovery.walk_graph", None)
    attributes = {key: value for key, value in study.attributes.items() if key != "ganprune.dense"}
    config = {**attributes["ganprune.config"], "model": "gone.py:f", "input_shape": [3, 8, 8]}
    known = outcome_of(replace(study, attributes={**attributes, "ganprune.config": config}))
    assert known.dense == study.attributes["ganprune.dense"]
    assert trial_rows(known)[0].share == trial_rows(outcome_of(study))[0].share
    older = {key: value for key, value in attributes.items() if key != "ganprune.resolved"}
    unknown = outcome_of(replace(study, attributes={**older, "ganprune.config": config}))
    assert unknown.dense == {}
    assert trial_rows(unknown)[0].share is None
    with pytest.raises(ValueError, match="no configuration"):
        outcome_of(replace(study, attributes={}))


def test_tables_need_no_torch():
    """Looking at a study imports no torch: a table on screen is there at once."""
    code = "import sys; import ganprune.studies.results.tables, ganprune.studies.results.plots; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def drawn(outcome, monkeypatch):
    """The axes that `plot_front` draws."""
    from matplotlib.figure import Figure

    figures = []
    real = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), real(self, *a, **k)))
    png = plot_front(outcome)
    assert Image.open(io.BytesIO(png)).size[0] > 800
    return figures[0].axes[0], figures[0].legends[0]


def test_plot_says_units_metric_and_references(monkeypatch, tmp_path):
    """The plot's labels name unit, convention and metric; front, ladder, budget and teacher are in the legend."""
    outcome = by_hand(*LADDER, trial(2, 250, 12.0, "widths"), trial(4, 900, 1.0, "widths"), FAILED)
    axes, legend = drawn(outcome, monkeypatch)
    assert "MACs (exact convention)" in axes.get_xlabel()
    assert "fd[shapes,n=9]" in axes.get_ylabel()
    assert "by_hand" in axes.get_title()
    assert "n = 9 images" in axes.get_title()
    shown = {text.get_text() for text in legend.get_texts()}
    assert {"uniform (2)", "widths (2)", "uniform ladder", "front", "budget 400MACs", "dense teacher"} <= shown
    steps = next(line for line in axes.get_lines() if line.get_label() == "front")
    assert list(steps.get_xdata()) == [200, 250, 400]
    assert steps.get_drawstyle() == "steps-post"  # a plan is the best there is until the next dearer one
    assert list(steps.get_ydata()) == [20, 12, 10]
    assert any(list(line.get_xdata()) == [400, 400] for line in axes.get_lines())  # the budget
    assert write_plot(outcome, tmp_path / "deep" / "front.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("budget", "label"), [("40%", "MACs"), ("20params", "parameters"), ("80B", "bytes"), ("1kMACs", "published")]
)
def test_plot_of_every_cost(monkeypatch, budget, label):
    """Each cost has its own axis label."""
    convention = "published" if label == "published" else "exact"
    axes, _ = drawn(by_hand(*LADDER, budgets=[budget], convention=convention), monkeypatch)
    assert label in axes.get_xlabel()


def test_plot_without_trials():
    """A study without a complete trial has no plot, and says so."""
    with pytest.raises(ValueError, match="no complete trial"):
        plot_front(by_hand(FAILED))


def test_grid_shows_the_pictures_themselves():
    """Each picture stands in its row and column, enlarged by a whole factor, unchanged."""
    import torch

    random = torch.Generator().manual_seed(0)
    columns = [Column(f"c{i}", tuple(torch.rand(2, 3, 16, 16, generator=random) * 2 - 1)) for i in range(3)]
    grid = np.asarray(Image.open(io.BytesIO(draw_grid(columns))))
    for i, column in enumerate(columns):
        for row, image in enumerate(column.images):
            left, top = 6 + i * (144 + 6), 44 + row * (144 + 6)
            tile = grid[top : top + 144 : 9, left : left + 144 : 9]
            expected = ((image + 1) * 127.5).round().numpy().transpose(1, 2, 0)
            np.testing.assert_array_equal(tile, expected)
    with pytest.raises(ValueError, match="equally many"):
        draw_grid([columns[0], Column("short", columns[0].images[:1])])


def test_grid_of_a_study(monkeypatch):
    """The grid has input, target, teacher and the trials asked for, labeled with method, quality and cost share."""
    from ganprune.studies.report import image_grid as pictures

    seen = []
    real = pictures.draw_grid
    monkeypatch.setattr(pictures, "draw_grid", lambda columns, titles: (seen.append(columns), real(columns, titles))[1])
    study = made()
    picture_grid(study.record, study.root, trials=[0, 2], rows=3)
    labels = [column.label for column in seen[0]]
    assert labels[:2] == ["input", "target"]
    assert labels[2].startswith("dense teacher\nfd ")
    assert re.fullmatch(r"0: uniform\nfd [\d.]+, 59\.7 % macs", labels[3])
    assert labels[4].startswith("2: magnitude\n")
    assert {len(column.images) for column in seen[0]} == {3}
    made_by = [column.images[0] for column in seen[0][2:]]
    assert not any(bool((a == b).all()) for a, b in [made_by[:2], made_by[1:], made_by[::2]])
    with pytest.raises(ValueError, match="FAIL"):
        picture_grid(study.record, study.root, trials=[3])


def data_in(text):
    """The data that the page's script is given."""
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


class Page(HTMLParser):
    """Checks that tags are closed, and collects text and addresses."""

    VOID = {"meta", "img", "input", "!doctype"}

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.addresses, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "srcset", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_report_is_one_file_that_needs_no_network(tmp_path):
    """The report has data and pictures inside, every section, every failure's reason, and no address outside."""
    study = made()
    path = write_report(study.record, study.root, tmp_path / "deep" / "r.html")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.addresses == ["#front-chart"]
    assert not {"link", "iframe", "img"} & set(page.tags)
    assert set(re.findall('https?://[^"]*', text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    strips = data_in(text)["strips"]
    assert {strip["subject"] for strip in strips} >= {"input", "target", "teacher", "0", "1", "2"}
    assert all(strip["src"].startswith("data:image/webp;base64,") for strip in strips)
    words = " ".join(page.words)
    for expected in (
        "fd[shapes,n=8]", "training diverged", "stopped at step 1", "dense teacher", "test-vs-test", "over the budget",
        "hypervolume", "trained for 2 steps", "teacher_steps", "resnet",
    ):  # fmt: skip
        assert expected in words


def test_report_escapes_what_others_wrote():
    """A reason or a name with markup is shown as text, in tables and in the data of the script."""
    text = report_html(record(*LADDER, FAILED, keep=["<b>*"]), Path("/nowhere"))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "\\u003cscript\\u003ealert(1)" in text
    assert "<b>*" not in text


def test_report_without_files_says_so():
    """If weights or data are gone, the report is made all the same and names what is missing."""
    words = " ".join(Page(report_html(record(*LADDER), Path("/nowhere"))).words)
    assert "No pictures:" in words
    empty = " ".join(Page(report_html(record(), Path("/nowhere"), pictures=False)).words)
    assert "no complete trial" in empty
    assert "no trial yet" in empty
