"""`ganprune new`: what it writes works as it is, passes its own tests, and is searched."""

import os
import sys

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import load_object
from ganprune.studies.api import Study
from ganprune.studies.starters.catalog import STARTERS
from ganprune.studies.starters.new_files import write_new
from PIL import Image
from safetensors.torch import save_file

from ...command_line import QUICK, call, refused


@pytest.mark.parametrize("kind", STARTERS)
def test_each_file_passes_its_own_test(kind, tmp_path):
    """The test that is written with it runs, and nothing of it fails."""
    name = f"starter_{kind}"
    made = write_new(kind, name, tmp_path)
    assert [path.name for path in (made.code, made.test)] == [f"{name}.py", f"test_{name}.py"]
    ended = pytest.main(["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), str(made.test)])
    sys.path[:] = [place for place in sys.path if place != str(tmp_path)]
    sys.modules.pop(name, None)
    assert ended == pytest.ExitCode.OK


def test_the_new_command_says_what_to_do_next(tmp_path, monkeypatch, capsys):
    """It names both files, and a search that uses the object."""
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "new", "method", "lottery_ticket") == 0
    told = capsys.readouterr().out
    assert "pytest test_lottery_ticket.py" in told
    assert "--methods lottery_ticket.py:LotteryTicket,uniform" in told


@pytest.mark.long
def test_network_method_metric_training_and_data_are_searched_together(tmp_path, monkeypatch, capsys):
    """One study of the five files as they are written; trials are ranked by the metric, higher is better."""
    monkeypatch.chdir(tmp_path)
    own = {kind: write_new(kind, f"own_{kind}", tmp_path).reference for kind in STARTERS}
    save_file(load_object(own["network"], "model")(width=6, blocks=1).state_dict(), tmp_path / "teacher.safetensors")
    given = ["--model", own["network"], "--model-args", "width=6,blocks=1", "--input-shape", "3,64,64", "--teacher",
             "teacher.safetensors", "--train", own["training"], "--metric", own["metric"], "--data", own["data"],
             "--methods", f"{own['method']},uniform", "--budget", "60%", "--trials", 3, "--ladder", 1]  # fmt: skip
    quick = [*QUICK[2 : QUICK.index("--batch-size")], "--executor", "local"]
    assert call(monkeypatch, "search", "--study", "s", *given, *quick) == 0, capsys.readouterr().err
    study = Study.open("s")
    assert {trial.state for trial in study.trials} <= {"COMPLETE", "PRUNED"}, [t.stopped for t in study.trials]
    assert len({trial.new.method for trial in study.trials}) == 2
    assert study.config.maximizes


@pytest.mark.long
def test_the_task_is_searched(tmp_path, monkeypatch, capsys):
    """A study of a folder of images by the task as it is written."""
    monkeypatch.chdir(tmp_path)
    for split, n in (("train", 8), ("test", 8)):
        (tmp_path / "images" / split).mkdir(parents=True)
        for i in range(n):
            pixels = np.random.default_rng(i).integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / split / f"{i}.png")
    task = write_new("task", "without_noise", tmp_path).reference
    given = ["--task", task, "--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "images"]
    given += ["--image-size", 16, "--budget", "60%", "--trials", 1]
    assert call(monkeypatch, "search", "--study", "s", *given, *QUICK) == 0, capsys.readouterr().err
    assert [trial.state for trial in Study.open("s").trials] == ["COMPLETE"]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("metrik", "x", "kind 'metrik' is unknown: got metrik; expected one of .* Try ganprune new metric NAME"),
        ("metric", "MyScore", "name is not possible: got 'MyScore'; expected lower-case letters.* Try my_score$"),
        ("metric", "my-score.py", "Try my_score$"),
        ("metric", "../score", "Try score$"),
        ("metric", "class", "Try my_class$"),
        ("metric", "test_score", "Try score$"),
        ("metric", "", "Try my_own$"),
        ("metric", "s" * 61, "at most 60"),
        ("metric", "json", "name 'json' would hide an installed module: .* Try my_json$"),
        ("training", "range", "name 'range' is used in the file itself: got range; .* Try my_range$"),
        ("method", "pruned", "name 'pruned' is used in the file itself: got Pruned"),
        ("training", "error", "name 'error' is used in the file itself"),
        ("metric", "taken", "file taken.py exists: got the name taken; .* Try taken2$"),
        ("metric", "tested", "file test_tested.py exists: got the name tested; .* Try tested2$"),
    ],
)
def test_a_bad_name_is_refused_in_one_line_and_nothing_is_written(tmp_path, kind, name, message):
    """Files that exist stay as they are."""
    (tmp_path / "taken.py").write_text("mine")
    (tmp_path / "test_tested.py").write_text("mine")
    with pytest.raises(UserError, match=message) as raised:
        write_new(kind, name, tmp_path)
    assert "\n" not in str(raised.value)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "taken.py": "mine",
        "test_tested.py": "mine",
    }


def test_a_file_that_exists_ends_the_command_with_one_line(tmp_path, monkeypatch, capsys):
    """Exit code 2, and the test that would belong to it is not written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "score.py").touch()
    assert "file score.py exists" in refused(monkeypatch, capsys, "new", "metric", "score")
    assert not (tmp_path / "test_score.py").exists()
