"""A benchmark that runs: cells end once, go on after an interruption, and a failure is said and not filled."""

import json
from pathlib import Path

import pytest
from ganprune.search.config import StudyConfig
from ganprune.search.records.events import TrialStarted
from ganprune.studies.bench.bench import Bench
from ganprune.studies.bench.cells import RunsElsewhere, run_cell, state_of
from ganprune.studies.bench.results.fronts import growth
from ganprune.studies.bench.teachers import made_teacher
from ganprune.studies.database.store import Store
from ganprune.studies.run_options import RunOptions, engine_settings

from ...command_line import call, refused

TINY = {
    "model": "resnet",
    "model_args": {"ngf": 4, "n_blocks": 1},
    "data": "builtin:shapes",
    "image_size": 16,
    "n_train": 8,
    "n_test": 8,
    "task_settings": {"discriminator": {"model": "n_layers", "ndf": 4, "n_layers": 1}},
    "teacher_steps": 2,
    "teacher_recipe": {"batch_size": 2},
    "recipe": {"batch_size": 2},
    "prune_steps": 0,
    "finetune_steps": 1,
    "metric": "shapes",
    "device": "cpu",
}
TOML = """\
[model]
model = "resnet"
model_args = {ngf = 4, n_blocks = 1}
[data]
data = "builtin:shapes"
image_size = 16
n_train = 8
n_test = 8
[training]
teacher_steps = 2
prune_steps = 0
finetune_steps = 1
recipe = {batch_size = 2}
teacher_recipe = {batch_size = 2}
task_settings = {discriminator = {model = "n_layers", ndf = 4, n_layers = 1}}
[quality]
metric = "shapes"
"""


def tiny(folder, contenders=("uniform", "magnitude"), **values) -> Bench:
    """A benchmark of seconds, kept in a folder."""
    usual = {"budgets": ("60%",), "seeds": 1, "storage": f"sqlite:///{folder}/bench.db", "artifacts": folder / "art"}
    return Bench(**{"tasks": {"tiny": TINY}, "contenders": contenders, **usual, **values})


def test_a_cell_goes_on_after_an_interruption_and_ends_once(tmp_path):
    """A study that was interrupted is begun, then finished; nobody else runs it meanwhile, and nobody runs it again."""
    bench = tiny(tmp_path)
    cell, place = bench.design.cells()[0], bench.place
    teacher = made_teacher(place.root, cell.teacher)

    def interrupt(event: object) -> None:
        if isinstance(event, TrialStarted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, teacher, place, interrupt)
    assert bench.plan(hours=False).cells == {"begun": 1, "missing": 1}
    with Store.open(place.storage, cell.study, place.root), pytest.raises(RunsElsewhere):
        run_cell(cell, teacher, place)
    record = run_cell(cell, teacher, place)
    assert state_of(cell, record) == "finished"
    assert run_cell(cell, teacher, place) == record
    assert list(bench.compared().missing) == ["tiny 60% magnitude teacher 0 seed 0: missing"]
    (row,) = bench.rows()
    assert (row.state, row.budget, row.steps, row.metric) == ("COMPLETE", "60%", 1, "fd[shapes,n=8]")
    assert row.cost_over_target <= 1
    assert row.worst > 0
    assert growth([row])[0].runs == 1
    assert (row.macs_exact, row.settings) == (row.macs, '{"ranking": "auto", "refit": true}')
    assert min(row.macs_published, row.params, row.bytes) > 0
    metrics = json.loads(row.metrics)
    assert metrics[row.metric] == row.quality
    assert {"l1", "psnr", "ssim"} <= set(metrics)


def test_seeds_of_trials_leave_images_and_teacher_as_they_are():
    """Cells of two seeds have the same data and another seed of what is chosen and trained."""
    configs = [
        StudyConfig.from_json({**cell.options, "name": "cell"})
        for cell in tiny(Path("unused"), ("uniform",), seeds=(3, 4)).design.cells()
    ]
    assert [engine_settings(config, RunOptions()).choice.seed for config in configs] == [3, 4]
    assert {config.seed for config in configs} == {0}
    assert (
        engine_settings(
            StudyConfig.from_json({**TINY, "name": "a", "budgets": ["60%"], "seed": 7}), RunOptions()
        ).choice.seed
        == 7
    )


def test_the_command_runs_a_benchmark_and_its_tables_follow_from_the_csv(tmp_path, monkeypatch, capsys):
    """Two contenders run in a process of their own; the plan then has nothing left, and the CSV gives the same tables."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TOML)
    (tmp_path / "cut.toml").write_text('[search]\nmethods = ["uniform"]\n[training]\ncalibration_images = 0\n')
    asked = ["bench", "--config", "tiny.toml", "--contender", "uniform", "--contender", "cut.toml", "--budget", "60%"]
    assert call(monkeypatch, *asked, "--seeds", 1, "--csv", "rows.csv", "--markdown", "tables.md") == 0
    told = capsys.readouterr().err
    assert "[2/2] tiny 60% cut teacher 0 seed 0: fd[shapes,n=8]" in told
    assert call(monkeypatch, *asked, "--seeds", 1, "--plan") == 0
    assert "2 cells: 2 finished" in capsys.readouterr().out
    assert call(monkeypatch, *asked, "--seeds", 1, "--table", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["variant"] for one in found["trials"]] == ["uniform", "cut"]
    assert call(monkeypatch, "bench", "--from-csv", "rows.csv") == 0
    assert capsys.readouterr().out.startswith((tmp_path / "tables.md").read_text()[:200])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--model is missing"),
        (["--model", "resnet", "--data", "nowhere", "--budget", "25%", "--contender", "uniform"], "does not exist"),
        (["--model", "resnet", "--data", "builtin:shapes", "--contender", "uniform"], "--budget is missing"),
        (["--model", "resnet", "--data", "builtin:shapes", "--budget", "25%"], "--contender is missing"),
        (["--plan", "--table"], "expected one"),
        (["--plan", "--csv", "a.csv"], "no results"),
        (["--table", "--retry-failed"], "--retry-failed runs cells"),
        (["--from-csv", "nothing.csv"], "cannot be read"),
        (["--from-csv", "nothing.csv", "--budget", "25%"], "--from-csv reads finished cells"),
        (["--config", "nothing.toml"], "cannot read the configuration"),
    ],
)
def test_bad_input_of_the_command_is_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    """Exit code 2 and one line, before anything is made."""
    monkeypatch.chdir(tmp_path)
    assert said in refused(monkeypatch, capsys, "bench", *arguments)
    assert list(tmp_path.iterdir()) == []
