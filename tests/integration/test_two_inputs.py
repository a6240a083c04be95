"""A generator of two inputs, an image and a latent, with a task of its own, goes the whole way."""

import json
import shutil
from pathlib import Path

import onnxruntime
import optuna
import pytest
import torch
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.bundle import load_bundle, read_architecture
from PIL import Image

from ..command_line import QUICK, call, refused

SOURCE = Path(__file__).parents[1] / "gan_models" / "two_inputs.py"
METHODS = ("uniform", "magnitude", "coronet", "mggc", "slimming", "widths")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SOURCE, tmp_path / "own.py")
    return tmp_path


def test_a_generator_of_two_inputs_is_pruned_by_every_method_exported_verified_and_run(place, monkeypatch, capsys):
    """Every method's trial is complete; network and ONNX file take both inputs by name and give the same image."""
    shape = "photo=3,16,16;style=latent:4"
    model = ["--model", "own.py:styled", "--input-shape", shape, "--task", "own.py:StyledTask"]
    quick = [*QUICK[:-1], ",".join(METHODS), "--prune-steps", 3]
    given = [*model, "--data", "builtin:shapes", "--budget", "50%", "--trials", 12, "--reduction", 0, *quick]
    assert call(monkeypatch, "search", "--study", "s", *given) == 0
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    (place / "own.py").unlink()  # the study has copies of generator and task
    capsys.readouterr()
    assert call(monkeypatch, "show", "s", "--json") == 0
    shown = json.loads(capsys.readouterr().out)["trials"]
    assert {trial["method"] for trial in shown} >= set(METHODS)
    assert call(monkeypatch, "pareto", "s", "--pictures", "p.png") == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--int8", "--out", "bundle") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    assert read_architecture(Path("bundle")).inputs == InputSpec.parse(shape)
    assert str(place) not in (place / "bundle" / "architecture.json").read_text()

    photo, style = InputSpec.parse(shape).examples(3)
    with torch.no_grad():
        expected = load_bundle("bundle")(photo, style)
    session = onnxruntime.InferenceSession("bundle/generator.onnx")
    (found,) = session.run(None, {"photo": photo.numpy(), "style": style.numpy()})
    assert torch.allclose(torch.from_numpy(found), expected, atol=1e-4)

    (place / "in").mkdir()
    for i in range(3):
        Image.new("RGB", (20, 20), (80 * i, 10, 200)).save(place / "in" / f"{i}.png")
    outputs = []
    for out, batch in (("a", 1), ("b", 3)):
        assert call(monkeypatch, "run", "bundle", "--input", "in", "--out", out, "--batch-size", batch) == 0
        outputs.append([(place / out / f"{i}.png").read_bytes() for i in range(3)])
    assert outputs[0] == outputs[1]  # the style of an image does not depend on the batch size
    assert "give their folder with --input" in refused(monkeypatch, capsys, "run", "bundle", "--out", "c")


def test_tasks_that_lack_an_input_refuse_a_generator_of_two(place, monkeypatch, capsys):
    """One line before anything is trained, with the way out: unpaired images have no styles, shapes have no masks."""
    given = ["--model", "own.py:styled", "--budget", "50%", "--study", "s", *QUICK]
    shape = ["--input-shape", "photo=3,16,16;style=latent:4"]
    line = refused(monkeypatch, capsys, "search", *given, *shape, "--data", "builtin:stripes")
    assert "--task file.py:Name" in line
    shape = ["--input-shape", "photo=3,16,16;style=vector:4"]
    line = refused(monkeypatch, capsys, "search", *given, *shape, "--data", "builtin:shapes")
    assert "builtin:shapes has pairs of images" in line
    assert "its forward takes photo, style: got 1 input" in refused(
        monkeypatch, capsys, "search", *given, "--data", "builtin:shapes", "--input-shape", "3,16,16"
    )


def test_a_latent_beside_the_image_of_a_pair_is_drawn_by_the_task_itself(place, monkeypatch):
    """No task of one's own is needed: the paired task draws a style per example."""
    given = ["--model", "own.py:styled", "--input-shape", "photo=3,16,16;style=latent:4", "--budget", "50%"]
    assert call(monkeypatch, "search", *given, "--data", "builtin:shapes", "--study", "s", "--trials", 1, *QUICK) == 0
