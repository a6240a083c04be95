"""One trial by its name `STUDY:NUMBER`: shown, trained again, and its generator run on one image."""

import csv
import json
from dataclasses import replace

import numpy as np
from PIL import Image

from ...command_line import call, refused

SEARCH = [
    "--model", "resnet", "--model-args", "ngf=8,n_blocks=1", "--image-size", 16, "--teacher-steps", 2,
    "--finetune-steps", 2, "--rungs", 0.5, "--batch-size", 2, "--ndf", 4, "--metric", "shapes", "--executor", "local",
    "--data", "builtin:shapes", "--n-train", 8, "--n-test", 8, "--budget", "60%", "--methods", "uniform",
    "--trials", 1, "--study", "s", "--reduction", 0,
]  # fmt: skip


def test_a_trial_is_shown_trained_again_and_run_on_one_image(tmp_path, monkeypatch, capsys):
    """`show s:0` has everything of a trial, `rerun s:0` repeats it to the last bit, `run` takes a single file."""
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "search", *SEARCH) == 0
    capsys.readouterr()
    assert call(monkeypatch, "show", "s:0", "--json") == 0
    page = json.loads(capsys.readouterr().out)
    assert {m["name"] for m in page["measurements"]} >= {"macs", "macs_published", "params", "bytes", "l1"}
    assert page["seconds"].keys() >= {"prune", "finetune", "measure", "total"}
    assert all(0 < width["kept"] < width["dense"] for width in page["widths"].values())
    assert page["environment"][0].keys() >= {"python", "torch", "ganprune", "commit", "system", "cpus", "gpu"}
    assert call(monkeypatch, "show", "s:0") == 0
    shown = capsys.readouterr().out
    assert "trial 0 of s: uniform, COMPLETE" in shown
    assert f"seed {page['seed']}" in shown

    assert call(monkeypatch, "pareto", "s", "--csv", "f.csv") == 0
    with open("f.csv", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["trial"] == "0"]
    assert json.loads(row["widths"]) == {name: width["kept"] for name, width in page["widths"].items()}
    assert json.loads(row["settings"]) == page["settings"]
    assert (int(row["seed"]), float(row["macs"])) == (page["seed"], page["cost"])
    assert 0 < float(row["macs"]) < float(row["macs_published"])

    capsys.readouterr()
    assert call(monkeypatch, "rerun", "s:0", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["equal"]
    assert len(again["numbers"]) > 5
    monkeypatch.setattr("ganprune.studies.rerun._by_name", _moved((0.0, 0.5)))
    assert call(monkeypatch, "rerun", "s:0") == 1
    told = capsys.readouterr().out
    print(told)
    assert "1 of " in told
    assert "l1: recorded " in told
    assert ", +0.5 (" in told

    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "b", "--formats", "onnx") == 0
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save("one.png")
    assert call(monkeypatch, "run", "b", "--input", "one.png", "--out", "made") == 0
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["one.png"]
    assert "nothing of this name" in refused(monkeypatch, capsys, "run", "b", "--input", "two.png")

    for reference, says in (
        ("s:9", "study s has no trial 9: got 9; expected 0 to 0. Try s:0"),
        ("s:x", "s:x names no trial: got 'x'; expected a number"),
        ("t:0", "no study 't'"),
    ):
        assert says in refused(monkeypatch, capsys, "show", reference)
        assert says in refused(monkeypatch, capsys, "rerun", reference)
    assert "names no trial: got a study alone" in refused(monkeypatch, capsys, "rerun", "s")


def _moved(by):
    """Return a function that gives measurements by name, L1 moved by the next of these distances at each call."""
    left = iter(by)

    def read(measured):
        found = {m.name: m for m in measured}
        return found | {"l1": replace(found["l1"], value=found["l1"].value + next(left))}

    return read
