"""A step of a user's own task before a search starts: what raises or gives another thing is said in one line."""

from pathlib import Path

import pytest
from ganprune.gan_models.files.user_code import load_object
from ganprune.search.preflight import preflight
from ganprune.studies.api import Search

DATA = """
import torch

def make():
    images = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return {split: [{"input": x, "target": -x} for x in images[a:b]] for split, a, b in
            (("train", 0, 8), ("val", 8, 10), ("test", 10, 12))}

def build(width=4):
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(width, 3, 1))
"""
TASK = """
import torch
from ganprune.gan_models.tasks.single_generator import SingleGenerator

class Task(SingleGenerator):
    name, has_reference = "mine", True

    def make_discriminators(self, seed):
        return torch.nn.ModuleDict({"G": torch.nn.Conv2d(3, 1, 1)})

    def inputs(self, batch, name):
        return (batch["input"],)

    def generator_losses(self, generators, discriminators, batch):
        outputs = self.generate(generators, batch)
        return {"mean": (outputs["G"] - batch["target"]).abs().mean()}, outputs

    def discriminator_loss(self, outputs, discriminators, batch):
        return discriminators["G"](outputs["G"]).square().mean()
"""


def examined(place: Path, old: str = "", new: str = ""):
    """Return the preflight of a search with the task, a part of which is another one."""
    assert old in TASK
    (place / "my_task.py").write_text(TASK.replace(old, new) if old else TASK)
    (place / "my_data.py").write_text(DATA)
    options = {
        "task": f"{place / 'my_task.py'}:Task", "input_shape": "3,8,8", "metric": "shapes", "methods": ["uniform"],
        "calibration_images": 0,
    }  # fmt: skip
    model, data = (f"{place / 'my_data.py'}:{name}" for name in ("build", "make"))
    storage = f"sqlite:///{place}/s.db"
    search = Search(model, data, "70%", "s", options, storage=storage, artifacts=place / "artifacts")
    return search, search.preflight(hours=False)


def test_a_task_that_works_passes(tmp_path):
    """Its losses are named."""
    _, found = examined(tmp_path)
    assert found.passes, str(found)
    assert "a step of the task mine: mean" in str(found)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('return (batch["input"],)', 'return (batch["photo"],)', r"raised KeyError: 'photo' \(my_task.py, line 12\)"),
        ('return (batch["input"],)', 'return batch["input"]', "does not return inputs of G: got 2x3x8x8; expected a tuple of"),
        ('.abs().mean()}', '.abs()}', "does not return the term mean of generator_losses: got 2x3x8x8"),
        (").square().mean()", ").square().mean() / 0", "does not return discriminator_loss: got inf; expected a finite number"),
        ("square()", "square_root()", r"raised AttributeError: .* \(my_task.py, line 19\)"),
    ],
)  # fmt: skip
def test_one_that_does_not_is_refused_with_its_line(tmp_path, old, new, message):
    """The traceback is in the log of the study's folder, and the line names it."""
    search, found = examined(tmp_path, old, new)
    (error,) = found.of_kind("error")
    with pytest.raises(ValueError, match=message) as raised:
        search.study_of(found)
    log = tmp_path / "artifacts" / "s" / "errors.log"
    assert log.is_file() == ("raised" in message)
    if "raised" in message:
        assert str(raised.value).endswith(f"; its traceback is in {log}")
        assert "my_task.py" in log.read_text()
        assert "Traceback" in log.read_text()
    assert "\n" not in error.line


def test_code_that_raises_while_steps_are_timed_is_a_mistake_of_the_input(tmp_path, monkeypatch):
    """A network's training mode may run for the first time there."""
    search, _ = examined(tmp_path)
    (tmp_path / "late.py").write_text("def late(launch):\n    raise RuntimeError('too thin')\n")
    monkeypatch.setattr(preflight, "estimate_of", load_object(f"{tmp_path / 'late.py'}:late", "model"))
    (error,) = search.preflight(hours=True).of_kind("error")
    assert error.line == "your own code raised RuntimeError: too thin (late.py, line 2)"
    assert "Traceback" in error.traceback
