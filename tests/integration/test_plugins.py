"""Rows of another package, found by entry points alone, through the whole command line."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.quality.catalog import METRICS
from ganprune.gan_models.costs.catalog import COSTS
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.files import open_table
from ganprune.gan_models.networks.catalog import NETWORKS
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.search.preparations.catalog import PREPARATIONS
from ganprune.studies.api import Study
from ganprune.studies.bundles.bundle import load_bundle, read_architecture
from PIL import Image

from ..command_line import QUICK, call, refused

PACKAGE = "ganprune-example-plugins"
TABLES = {"inpainter": NETWORKS, "inpainting": TASKS, "geometric_median": METHODS, "edge_error": METRICS,
          "feature_values": COSTS, "energy_mj": COSTS, "energy_table": PREPARATIONS, "weight_distances": PREPARATIONS,
          "archive": EXPORTERS, "torch-export": RUNTIMES}  # fmt: skip
MODEL = ["--model", "inpainter", "--model-args", "width=6,blocks=1", "--image-size", 16]
SIDE = 24


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with photos and masks, each split with its own."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for split in ("train", "test"):
        for part in ("photo", "mask"):
            (tmp_path / "data" / f"{split}{part}").mkdir(parents=True)
        for i in range(8):
            pixels = draw.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / f"{split}photo" / f"{i}.png")
            hole = np.zeros((SIDE, SIDE), np.uint8)
            hole[4 : 8 + i, 6:18] = 255
            Image.fromarray(hole).save(tmp_path / "data" / f"{split}mask" / f"{i}.png")
    return tmp_path


def searched(trials: int, methods: str, *options: object) -> list[object]:
    """The arguments of a search that reads the folder, whose task is not said."""
    quick = [*QUICK[:-1], methods]
    return ["search", "--study", "s", "--data", "data", *MODEL, "--trials", trials, "--reduction", 0, *quick, *options]


def shown(monkeypatch, capsys, *arguments: object) -> str:
    capsys.readouterr()
    assert call(monkeypatch, *arguments) == 0
    return capsys.readouterr().out


def trials_of(monkeypatch, capsys) -> list[dict]:
    """The trials that `show` lists, without the teacher."""
    rows = json.loads(shown(monkeypatch, capsys, "show", "s", "--json"))["trials"]
    return [row for row in rows if row["trial"] is not None]


def test_each_row_is_one_file_and_one_entry_point():
    """Every table has the package's rows by name alone: one entry point each, in files of their own.

    A profiled cost and the preparation that makes its profile share a file.
    """
    points = [point for point in distribution(PACKAGE).entry_points if point.group.startswith("ganprune.")]
    assert {point.name: point.group for point in points} == {name: table.group for name, table in TABLES.items()}
    costs = {point.module for point in points if point.group == COSTS.group}
    profiles = [point for point in points if point.group == PREPARATIONS.group and point.module in costs]
    assert len({point.module for point in points}) == len(points) - len(profiles)
    for name, table in TABLES.items():
        assert name in table
        assert name not in table.own
        assert isinstance(table[name], table.row_type)


def test_a_study_of_another_packages_rows_goes_the_whole_way(place, monkeypatch, capsys):
    """Network, task, method, metric, cost and format of the package serve every command; its task knows its folder."""
    budgets = ["--budget", "5.2kvalues", "--budget", "60%", "--also-measure", "edge_error"]
    assert call(monkeypatch, *searched(4, "geometric_median,uniform", *budgets)) == 0
    assert call(monkeypatch, "resume", "s", "--trials", 5) == 0
    pruned = trials_of(monkeypatch, capsys)
    assert len(pruned) == 5
    assert {trial["method"] for trial in pruned} == {"geometric_median", "uniform"}
    trials = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db").trials
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert all(trial.values[1] <= 5200 for trial in trials)
    study = Study.open("s")
    assert {trial.new.method for trial in study.trials if trial.outcome.method_record.get("prepared")} == {
        "geometric_median"
    }
    (file,) = study.record.attributes["ganprune.preparations"]["weight_distances"]["files"]
    assert (study.folder.path / file).is_file()

    files = ["--csv", "f.csv", "--plot", "f.png", "--pictures", "p.png"]
    assert "kvalues" in shown(monkeypatch, capsys, "pareto", "s", *files)
    rows = list(csv.DictReader((place / "f.csv").open()))
    assert {row["cost_name"] for row in rows} == {"feature_values"}
    assert all(float(row["edge_error"]) > 0 for row in rows)
    assert call(monkeypatch, "report", "s", "--out", "r.html") == 0
    html = (place / "r.html").read_text()
    assert "edge_error" in html
    assert "geometric_median" in html
    assert "feature_values" in html

    best = max(pruned, key=lambda trial: trial["method"] == "geometric_median")["trial"]
    assert call(monkeypatch, "export", "s", "--trial", best, "--formats", "onnx,archive", "--out", "bundle") == 0
    assert {"generator.onnx", "generator.pt2"} <= {path.name for path in (place / "bundle").iterdir()}
    verified = shown(monkeypatch, capsys, "verify", "bundle")
    assert "generator.pt2 in torch.export" in verified
    assert "feature_values" in verified
    card = json.loads((place / "bundle" / "card.json").read_text())
    assert card["versions"][PACKAGE] == "1.0"
    assert any(PACKAGE in note for note in card["notes"])

    inputs = read_architecture(Path("bundle")).inputs
    assert inputs.names == ("photo", "mask")
    with torch.no_grad():
        expected = load_bundle("bundle")(*inputs.examples(3))
    found = torch.export.load("bundle/generator.pt2").module()(*inputs.examples(3))
    assert torch.allclose(found, expected, atol=1e-4)

    for part in ("photo", "mask"):
        (place / "in").mkdir(exist_ok=True)
        (place / "data" / f"test{part}").rename(place / "in" / part)
    for path in (place / "in").rglob("*.png"):  # an exported program runs at the size that it was exported with alone
        Image.open(path).resize((16, 16), Image.Resampling.NEAREST).save(path)
    for out, options in (("a", []), ("b", ["--format", "archive"])):
        assert call(monkeypatch, "run", "bundle", "--input", "in", "--out", out, *options) == 0
    one, other = (np.asarray(Image.open(place / out / "3.png"), dtype=int) for out in ("a", "b"))
    assert abs(one - other).max() <= 1


@pytest.mark.long
def test_a_profiled_cost_of_another_package_is_objective_all_the_way(place, monkeypatch, capsys):
    """A budget in mJ is predicted from the package's table, which the study keeps; finalists are measured again."""
    given = searched(3, "geometric_median,uniform", "--budget", "20mJ", "--budget", "20kB")
    assert call(monkeypatch, *given) == 0
    assert "energy is predicted by a table of 7 layers" in capsys.readouterr().err
    (kept,) = (place / "ganprune-artifacts" / "s" / "source").glob("energy-*.json")
    assert len(json.loads(kept.read_text())["mj_per_value"]) == 7
    assert call(monkeypatch, "resume", "s", "--trials", 5, "--executor", "local") == 0
    pruned = trials_of(monkeypatch, capsys)
    assert [trial["state"] for trial in pruned] == ["COMPLETE"] * 5
    trials = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db").trials
    assert all(8.4 < trial.values[1] <= 20 for trial in trials)
    for trial in pruned:
        assert (trial["cost_name"], trial["unit"]) == ("energy_mj", "mJ")
        assert 0 < trial["bytes"] <= 20_000
        assert trial["front"] == (trial["measured_energy_mj"] is not None)
        assert not trial["front"] or trial["measured_energy_mj"] == pytest.approx(1.05 * trial["cost"])
    over = [trial for trial in pruned if trial["front"] and 1.05 * trial["cost"] > 20]
    assert over
    assert all("mJ, over 20mJ by" in trial["reason"] for trial in over)

    monkeypatch.setenv("COLUMNS", "250")
    files = ["--csv", "f.csv", "--plot", "f.png"]
    table = shown(monkeypatch, capsys, "pareto", "s", *files)
    assert "mJ (predicted)" in table
    assert "mJ (measured)" in table
    rows = list(csv.DictReader((place / "f.csv").open()))
    assert float(rows[-1]["measured_energy_mj"]) > float(rows[-1]["cost"]) > 0
    assert call(monkeypatch, "report", "s", "--out", "r.html") == 0
    assert "energy_mj[measured]" in (place / "r.html").read_text()
    best = next(trial["trial"] for trial in pruned if trial["front"])
    assert call(monkeypatch, "export", "s", "--trial", best, "--formats", "onnx", "--out", "bundle") == 0
    assert "energy_mj[measured]" in (place / "bundle" / "card.md").read_text()

    kept.write_text(kept.read_text().replace("0.007", "0.008"))
    message = refused(monkeypatch, capsys, "resume", "s", "--trials", 6)
    assert "is not the profile for mJ of this study: got another file" in message


def test_a_profiled_cost_of_another_package_is_a_constraint_beside_others(place, monkeypatch, capsys):
    """Every plan meets mJ beside MACs and the package's exact cost; each has a column; without the package as well."""
    budgets = ["--budget", "80%", "--budget", "18mJ", "--budget", "6kvalues"]
    assert call(monkeypatch, *searched(4, "uniform,magnitude,widths", *budgets)) == 0
    pruned = trials_of(monkeypatch, capsys)
    assert all(0 < trial["energy_mj"] <= 18 and 0 < trial["feature_values"] <= 6000 for trial in pruned)
    monkeypatch.setenv("COLUMNS", "250")
    table = shown(monkeypatch, capsys, "show", "s")
    assert "mJ (predicted)" in table
    assert "feature_values" in table
    whole = json.loads(shown(monkeypatch, capsys, "show", "s", "--json"))
    assert whole["trials"][0]["energy_mj"] > 18
    hide_package(monkeypatch)
    assert json.loads(shown(monkeypatch, capsys, "show", "s", "--json"))["trials"] == whole["trials"]


def test_profiled_costs_of_two_generators_add_up(place, monkeypatch, capsys):
    """If both directions are pruned, each meets its own budget in mJ, and a trial costs their sum."""
    model = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--data", "builtin:stripes"]
    budgets = ["--budget", "AtoB=14mJ", "--budget", "BtoA=16mJ", "--prune-direction", "both"]
    assert call(monkeypatch, "search", "--study", "s", *model, "--trials", 1, "--reduction", 0, *QUICK, *budgets) == 0
    (trial,) = trials_of(monkeypatch, capsys)
    assert trial["measured_energy_mj"] == pytest.approx(1.05 * trial["cost"])
    assert 17 < trial["cost"] <= 30


@pytest.mark.long
def test_a_two_input_generator_is_pruned_by_every_method_under_a_budget_of_the_package(place, monkeypatch, capsys):
    """Every method of every package completes a trial of the generator under a constraint in the package's unit."""
    methods = [*METHODS]
    options = ["--budget", "60%", "--budget", "6kvalues", "--prune-steps", 2]
    assert call(monkeypatch, *searched(2 * len(methods), ",".join(methods), *options)) == 0
    trials = trials_of(monkeypatch, capsys)
    assert {trial["method"] for trial in trials if trial["state"] == "COMPLETE"} == set(methods)
    assert all(0 < trial["feature_values"] <= 6000 for trial in trials)


def test_a_preparation_of_the_package_that_changed_is_refused_by_name(place, monkeypatch, capsys):
    """A resume names its file, and goes on when it is put back."""
    assert call(monkeypatch, *searched(1, "geometric_median", "--budget", "5.2kvalues")) == 0
    (path,) = place.glob("ganprune-artifacts/s/teacher/weight-distances.safetensors")
    whole = path.read_bytes()
    path.write_bytes(b"another")
    assert "another weight_distances's weight-distances.safetensors" in refused(
        monkeypatch, capsys, "resume", "s", "--trials", 2, "--executor", "local"
    )
    path.write_bytes(whole)
    assert call(monkeypatch, "resume", "s", "--trials", 2, "--executor", "local") == 0


@pytest.mark.long
def test_a_killed_study_resumes(place):
    """After SIGKILL the study goes on from its database, every trial once, with the package's rows."""
    command = [str(Path(sys.executable).with_name("ganprune"))]
    given = searched(4, "geometric_median", "--budget", "5.2kvalues", "--also-measure", "edge_error")
    with subprocess.Popen([*command, *map(str, given)], cwd=place, stdout=subprocess.DEVNULL) as driver:
        until = time.monotonic() + 200
        while _complete(place) < 1 and time.monotonic() < until and driver.poll() is None:
            time.sleep(0.05)
        os.kill(driver.pid, signal.SIGKILL)
    assert 1 <= _complete(place) < 4
    subprocess.run([*command, "resume", "s", "--executor", "local"], cwd=place, check=True, capture_output=True)
    assert _complete(place) == 4


def _complete(place: Path) -> int:
    """Return the number of complete trials in the database."""
    if not (place / "ganprune.db").exists():
        return 0
    with sqlite3.connect(place / "ganprune.db") as connection:
        try:
            return connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


@pytest.mark.alone
def test_workers_of_ray_find_the_packages_rows(place, monkeypatch, capsys):
    """With Ray's workers in the place of the local executor, the study is the same."""
    given = searched(2, "geometric_median", "--budget", "5.2kvalues", "--also-measure", "edge_error")
    given[given.index("local")] = "ray"
    assert call(monkeypatch, *given) == 0
    trials = trials_of(monkeypatch, capsys)
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 2


def test_commands_that_look_at_the_machine_and_at_networks_know_the_rows(monkeypatch, capsys):
    """`doctor` and `inspect` name them."""
    call(monkeypatch, "doctor")
    found = capsys.readouterr().out
    assert "format archive" in found
    assert "runtime torch-export" in found
    (line,) = [line for line in found.splitlines() if f"package {PACKAGE}: 1.0, adds " in line]
    assert all(name in line for name in TABLES)
    inspected = json.loads(shown(monkeypatch, capsys, "inspect", *MODEL, "--method", "geometric_median", "--json"))
    assert inspected["dense"]["feature_values"] > inspected["cheapest"]["feature_values"] > 0
    assert inspected["input_shape"] == "photo=image:3,16,16;mask=mask:1,16,16"


def hide_package(monkeypatch) -> None:
    """Leave the tables with our own rows alone, as if the package was not installed."""
    monkeypatch.setattr(open_table, "_entry_points", lambda group: {})
    for table in TABLES.values():
        monkeypatch.setattr(table, "_loaded", {})


def test_without_the_package_it_is_named_as_what_is_missing(place, monkeypatch, capsys):
    """A resume, an export and a bundle are refused, and each line says so."""
    assert call(monkeypatch, *searched(1, "geometric_median", "--budget", "5.2kvalues")) == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--formats", "archive", "--out", "bundle") == 0
    (place / "in").mkdir()
    hide_package(monkeypatch)
    assert call(monkeypatch, "resume", "s", "--trials", 2) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors, "nothing is said of what is missing"
    near = "Did you mean inpaint?"  # a task of ours has nearly the name of the package's
    assert all("install the package that adds the" in line or near in line for line in errors)
    exported = refused(monkeypatch, capsys, "export", "s", "--trial", 0, "--formats", "onnx", "--out", "other")
    assert "unknown task 'inpainting'" in exported
    assert near in exported
    assert not (place / "other").exists()
    capsys.readouterr()
    assert call(monkeypatch, "run", "bundle", "--input", "in", "--out", "a") != 0
    assert "install the package that adds the" in capsys.readouterr().err
    assert call(monkeypatch, "verify", "bundle") == 1
    assert "'inpainter' is not known" in capsys.readouterr().out


def test_without_the_package_its_studies_are_read_as_with_it(place, monkeypatch, capsys):
    """Lists, tables, front, plot and report say without the package what they said with it."""
    budgets = ["--budget", "5.2kvalues", "--budget", "60%", "--also-measure", "edge_error"]
    assert call(monkeypatch, *searched(3, "geometric_median,uniform", *budgets)) == 0
    commands = [("studies",), ("show", "s"), ("pareto", "s")]

    def read() -> list:
        return [json.loads(shown(monkeypatch, capsys, *command, "--json")) for command in commands]

    def as_csv(name: str) -> str:
        assert call(monkeypatch, "pareto", "s", "--csv", name, "--plot", f"{name}.png") == 0
        return (place / name).read_text()

    whole, table = read(), as_csv("a.csv")
    hide_package(monkeypatch)
    assert read() == whole
    assert as_csv("b.csv") == table
    assert (place / "b.csv.png").stat().st_size > 10_000
    assert "geometric_median" in shown(monkeypatch, capsys, "show", "s")
    assert call(monkeypatch, "report", "s", "--out", "r.html") == 0
    html = (place / "r.html").read_text()
    assert "edge_error" in html
    assert "feature_values" in html


def test_without_the_package_a_network_of_ours_is_exported(place, monkeypatch, capsys):
    """A trial cut by the package's method under its cost, of a network of ours, becomes a bundle that passes."""
    model = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--data", "builtin:shapes"]
    rows = ["--budget", "60%", "--budget", "4kvalues", "--also-measure", "edge_error"]
    given = ["search", "--study", "s", *model, "--trials", 1, "--reduction", 0, *QUICK[:-1], "geometric_median", *rows]
    assert call(monkeypatch, *given) == 0
    hide_package(monkeypatch)
    assert call(monkeypatch, "export", "s", "--trial", 0, "--formats", "onnx", "--out", "bundle") == 0
    card = json.loads((place / "bundle" / "card.json").read_text())
    assert card["lineage"]["method"] == "geometric_median"
    assert "ok   costs:" in shown(monkeypatch, capsys, "verify", "bundle")
