"""The report's page: its data is the record's, names are never markup, and it does in a browser as it says."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.learning_curve import LearningCurve
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.studies.report.html import report_html, write_report
from ganprune.studies.report.page_data import PAGE_CURVE_BYTES, page_data
from ganprune.studies.results.outcome import outcome_of

from ...browser import browsed, inside, words
from ...browser_tab import Tab
from ...records_by_hand import record, trial
from ...tiny_study import made

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&"
TRIALS = (
    trial(0, 400, 10.0, origin="ladder:0"),
    trial(1, 200, 20.0, origin="ladder:1"),
    trial(2, 300, 25.0, "widths"),
    trial(3, 250, 12.0, "widths"),
    trial(4, 900, 1.0, "widths"),
)


def with_widths(one, **widths):
    return replace(one, outcome=replace(one.outcome, widths=widths))


def test_data_are_those_of_the_record():
    """Front, costs, intervals, seconds, widths and rungs of each trial are as recorded, metrics named once for all."""
    found = page_data(outcome_of(record(*(with_widths(one, first=3, last=one.number + 1) for one in TRIALS))))
    assert [t.number for t in found.trials if t.front] == [0, 1, 3]
    assert (found.trials[3].quality, found.trials[3].low, found.trials[3].high) == (12.0, 11.0, 13.0)
    assert found.trials[3].costs == {"macs": 250, "params": 7.0}
    assert (found.groups, found.sizes, found.trials[3].widths) == (("first", "last"), (3, 5), (3, 4))
    assert found.trials[3].seconds == {"prune": 1.0, "finetune": 2.0}
    assert not found.trials[4].scored
    assert [metric.name for metric in found.metrics] == ["fd[shapes,n=9]", "l1", "params"]
    assert [cost.name for cost in found.costs] == ["macs", "macs_published", "params", "bytes"]
    assert (found.costs[0].dense, found.costs[0].limit) == (1000.0, 400.0)


def test_curves_are_thinned_for_the_page():
    """However many trials there are, their losses together take the page's share of bytes."""
    long = LearningCurve.of([(step, {"a term": 1.2345, "another": 2.3456}) for step in range(1, 101)])
    outcome = replace(TRIALS[3].outcome, curves={"finetune": long})
    many = [replace(TRIALS[3], number=number, outcome=outcome) for number in range(300)]
    found = page_data(outcome_of(record(*many)))
    assert sum(curve.json_bytes for one in found.trials for curve in one.curves.values()) <= PAGE_CURVE_BYTES
    assert found.trials[0].curves["finetune"].steps[-1] == 100


def test_names_are_never_markup():
    """Study, method, settings, reason and notes that look like markup end no element and start none."""
    new = NewTrial(Proposal(HOSTILE, {HOSTILE: HOSTILE}, 90.0, "macs"), {}, {}, HOSTILE)
    bad = TrialRecord(5, "FAIL", new, 1, stopped=HOSTILE, outcome=TrialOutcome("FAIL", stopped=HOSTILE))
    study = record(*TRIALS, bad, keep=[HOSTILE])
    text = report_html(replace(study, attributes=study.attributes | {"ganprune.version": HOSTILE}), Path("/nowhere"))
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "<img" not in text


def test_only_the_pages_own_script_may_run():
    """The policy has the hash of the one script, and lets nothing be loaded."""
    text = report_html(record(*TRIALS), Path("/nowhere"), pictures=False)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy


@pytest.mark.long
def test_hostile_names_are_text_in_a_browser(tmp_path):
    """The browser shows them as they are and runs none of them."""
    new = NewTrial(Proposal(HOSTILE, {"lr": HOSTILE}, 90.0, "macs"), {}, {}, HOSTILE)
    quality = replace(TRIALS[3], number=5, new=new)
    path = tmp_path / "page.html"
    path.write_text(report_html(record(*TRIALS, quality), Path("/nowhere"), pictures=False))
    document = browsed(path, "trial=5", script="document.body.dataset.name = document.title")
    assert 'data-name="ganprune: by_hand"' in document
    assert "<img" not in document
    assert HOSTILE.replace("  ", " ") in words(inside(document, "panel"))


@pytest.mark.long
def test_the_address_says_the_view(tmp_path):
    """A trial is pinned with its command, the cost is switched, and the budget says which trial to take."""
    path = tmp_path / "page.html"
    path.write_text(report_html(record(*TRIALS), Path("/nowhere"), pictures=False, storage="sqlite:///a b.db"))
    document = browsed(path, "trial=3&cost=macs&under=260&find=widths&sort=quality")
    assert 'data-ready="yes"' in document
    panel = words(inside(document, "panel"))
    assert "Trial 3: widths" in panel
    assert "ganprune export by_hand --trial 3 --out by_hand-3 --storage 'sqlite:///a b.db'" in panel
    assert "finetune 2 s" in panel
    assert "take trial 3 (widths, fd[shapes,n=9] 12 [11, 13] at 250 MACs)" in words(inside(document, "under-text"))
    body = words(inside(document, "trials-body"))
    assert [int(n) for n in re.findall(r"(\d+)\*? widths", body)] == [4, 3, 2]
    other = browsed(path, "cost=params")
    assert "take trial 0 (uniform, fd[shapes,n=9] 10 [9, 11] at 7 parameters)" in words(inside(other, "under-text"))


POINT = """
const chart = document.getElementById("front-chart"), box = chart.getBoundingClientRect();
const mark = [...chart.querySelectorAll("path.mark.strong")].pop().getBoundingClientRect();
const at = { clientX: mark.x + mark.width / 2, clientY: mark.y + mark.height / 2, bubbles: true };
chart.dispatchEvent(new PointerEvent("pointermove", at));
document.body.dataset.tip = document.getElementById("tip").innerText;
chart.dispatchEvent(new MouseEvent("click", at));
document.body.dataset.hash = location.hash;
chart.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
chart.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true }));
document.body.dataset.said = document.getElementById("said").textContent;
chart.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
document.body.dataset.pinned = location.hash;
URL.createObjectURL = (blob) => { blob.text().then((text) => { document.body.dataset.csv = text; }); return "blob:none"; };
document.getElementById("csv").click();
"""


@pytest.mark.long
def test_pointer_and_keys_find_trials(tmp_path):
    """Hover shows a trial's numbers, a click pins it, arrow keys and Enter do the same, and the CSV has all of them."""
    path = tmp_path / "page.html"
    path.write_text(report_html(record(*TRIALS), Path("/nowhere"), pictures=False))
    document = browsed(path, script=POINT)
    said = dict(re.findall(r'data-(tip|hash|said|pinned|csv)="([^"]*)"', document))
    assert "trial 3 widths, on the front" in " ".join(said["tip"].split())
    assert "12 [11, 13]" in said["tip"]
    assert "trial=3" in said["hash"]
    assert said["said"].startswith("trial 1, uniform")
    assert "trial=1" in said["pinned"]
    lines = said["csv"].strip().splitlines()
    assert lines[0].startswith("study,trial,method,state,front,metric,quality,low,high")
    assert len(lines) == 1 + len(TRIALS)


@pytest.mark.long
def test_keys_alone_are_enough(tmp_path):
    """Focus goes in the page's order, stays on what was pressed, and the link to the chart keeps the pinned trial."""
    path = tmp_path / "page.html"
    path.write_text(report_html(record(*TRIALS), Path("/nowhere"), pictures=False))
    focus = "document.activeElement.id || document.activeElement.dataset.key || document.activeElement.textContent"
    with Tab() as tab:
        tab.open(path, "document.documentElement.dataset.ready === 'yes'")
        order = []
        for _ in range(6):
            tab.press("Tab")
            order.append(tab.value(focus))
        assert order == ["skip", "theme", "cost", "under", "take trial 0", "front-chart"]
        tab.press("ArrowRight", "ArrowRight", "Enter")
        assert tab.value("location.hash") == "#b=3&trial=3"  # the budget that nobody moved is not in the address
        tab.value("document.querySelector('#trials-body tr:last-child button').focus()")
        tab.press("Enter")
        assert tab.value(focus) == "trial 4"
        assert "Trial 4: widths" in tab.text("panel")
        assert tab.value("document.querySelector('#trials-body [aria-current]').innerText").startswith("4")
        tab.value("document.querySelector('#trials-head button').focus()")
        tab.press("Enter")
        assert tab.value(focus) == "trial"
        tab.value("document.getElementById('skip').focus()")
        tab.press("Enter")
        assert tab.value(focus) == "front-chart"
        assert "Trial 4: widths" in tab.text("panel")
        named = {"button", "slider", "combobox", "searchbox", "application", "region", "image", "img"}
        assert not [(role, name) for role, name in tab.roles() if role in named and not name]
        assert not tab.errors


@pytest.mark.long
@pytest.mark.parametrize("size", ["1200,900", "390,844"])
def test_a_real_study_fits_its_window(tmp_path, size):
    """Nothing is wider than the window, pictures are there, and side by side both are drawn pixel by pixel."""
    study = made()
    path = write_report(study.record, study.root, tmp_path / "page.html")
    assert path.stat().st_size < 2_000_000
    script = """setTimeout(() => { const canvas = document.getElementById("ab-canvas");
    document.body.dataset.wide = document.documentElement.scrollWidth - window.innerWidth;
    const pen = canvas.getContext("2d"), z = canvas.width / 16, at = (x) => [...pen.getImageData(x, 2, 1, 1).data].join();
    document.body.dataset.sharp = at(0) === at(z - 1) && canvas.width % 16 === 0; }, 1500);"""
    document = browsed(path, "trial=0&left=teacher&right=0&split=90", script, size)
    assert int(re.search(r'data-wide="(-?\d+)"', document)[1]) <= 0
    assert 'data-sharp="true"' in document
    assert "left of the line: teacher; right of it: trial 0: uniform" in words(document)
    data = json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.S)[1])
    assert {strip["step"] for strip in data["strips"] if strip["subject"] == "0"} == {0, 1}
