import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ganprune.gan_models.files.errors import WorkFailed
from ganprune.gan_models.files.user_code import UserCodeFailed
from ganprune.search.artifacts.reported_losses import ReportedLosses
from ganprune.search.trial import fine_tuning
from ganprune.search.trial.fine_tuning import OwnTraining
from torch import nn

GOOD = """
import torch

def fit(generator, teacher, steps, folder, report, data):
    saved = folder / "step.txt"
    first = int(saved.read_text()) if saved.exists() else 0
    for step in range(first, steps):
        with torch.no_grad():
            generator[0].bias.add_(1.0)
        saved.write_text(str(step + 1))
        if not report(step + 1):
            return
"""


def training(tmp_path, text: str, goes_on: bool = True, monkeypatch=None):
    """A training by a file, and the rungs that were measured."""
    (tmp_path / "fit.py").write_text(text)
    config = SimpleNamespace(own_training=f"{tmp_path / 'fit.py'}:fit", rungs=(0.25, 0.5), finetune_steps=8)
    networks = {"G": nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1))}
    nn.init.zeros_(networks["G"][0].bias)
    study = SimpleNamespace(
        config=config, names=("G",), device=torch.device("cpu"), generators={"G": nn.BatchNorm2d(1)}, train_data=[]
    )
    work = SimpleNamespace(
        study=study, generators=networks, finetune_steps=8, spare_steps=0, workspace=tmp_path / "trial", curve={}, losses=(),
        request=SimpleNamespace(seed=0), clock=SimpleNamespace(lap=lambda stage: None), step_of_trial=lambda step: step,
    )  # fmt: skip
    measured = []
    monkeypatch.setattr(fine_tuning, "_measured_at", lambda work, at, generators: measured.append(at) or goes_on)
    return OwnTraining(work), networks["G"], measured


def test_a_function_trains_in_place_and_is_measured_at_rungs(tmp_path, monkeypatch):
    """Nothing of ours trains: the weights are those that the function left, and rungs are measured once."""
    own, generator, measured = training(tmp_path, GOOD, monkeypatch=monkeypatch)
    done = own.train()
    assert generator[0].bias.tolist() == [8.0, 8.0]
    assert measured == [2, 4]
    assert (done.stopped, generator.training) == (False, False)


def test_a_trial_that_is_stopped_at_a_rung_is_told_so(tmp_path, monkeypatch):
    """The report of a rung that ends the trial is False."""
    own, generator, measured = training(tmp_path, GOOD, goes_on=False, monkeypatch=monkeypatch)
    assert own.train().stopped
    assert measured == [2]
    assert generator[0].bias.tolist() == [2.0, 2.0]


def test_a_training_goes_on_in_its_folder(tmp_path, monkeypatch):
    """The folder of an attempt that was killed is the folder of the next one."""
    (tmp_path / "trial" / "training").mkdir(parents=True)
    (tmp_path / "trial" / "training" / "step.txt").write_text("6")
    own, generator, _ = training(tmp_path, GOOD, monkeypatch=monkeypatch)
    own.train()
    assert generator[0].bias.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pass", "never reported: got no call of report"),
        ("report(1); return 3", "returned another object: got int; expected None"),
        ("report(1); generator.append(__import__('torch').nn.ReLU())", "changed the network: got module 2 as ReLU"),
        ("report('one')", "reports an invalid step: got 'one' after 0"),
        ("report(2); report(2)", "reports an invalid step: got 2 after 2"),
        ("report(2); report(1)", "reports an invalid step: got 1 after 2"),
        ("report(float('nan'))", "reports an invalid step: got nan after 0"),
        ("report(True)", "reports an invalid step: got True after 0"),
        ("report(9)", "reports too many steps: got 9; expected at most 8"),
        ("report(1)", "ended early: got a last report of step 1; expected 8"),
        ("generator.half(); report(3)", "changed the network: got 0.bias as 2 of float16; expected 2 of float32"),
        ("generator[0] = generator[1]; report(3)", "changed the network: got 0.bias as 1 of float32; expected 2 of"),
        ("return __import__('copy').deepcopy(generator)", "returned another object: got Sequential; expected None"),
        ("raise OSError('no disk')", r"raised OSError: no disk \(fit.py, line 2\)"),
    ],
)
def test_a_function_that_breaks_its_contract_is_named(tmp_path, monkeypatch, body, message):
    """One line with the function's name, and file and line if it raises."""
    own, _, _ = training(tmp_path, f"def fit(generator, report):\n    {body}\n", monkeypatch=monkeypatch)
    with pytest.raises(UserCodeFailed, match=message) as raised:
        own.train()
    assert "\n" not in str(raised.value)


def test_a_divergence_is_found_at_the_next_rung(tmp_path, monkeypatch):
    """The trial fails where a weight is not finite, instead of being measured with it."""
    body = "generator[0].bias.data.fill_(float('nan'))\n    [report(step + 1) for step in range(steps)]"
    own, _, measured = training(tmp_path, f"def fit(generator, report, steps):\n    {body}\n", monkeypatch=monkeypatch)
    with pytest.raises(WorkFailed, match=r"diverged: got 0\.bias with values that are not finite after step 2"):
        own.train()
    assert measured == []


def test_a_teacher_that_was_trained_is_named_and_put_back(tmp_path, monkeypatch):
    """Other trials of the process have the same teacher."""
    body = "teacher.weight.data.add_(1)\n    report(8)"
    own, _, _ = training(tmp_path, f"def fit(generator, teacher, report):\n    {body}\n", monkeypatch=monkeypatch)
    with pytest.raises(
        UserCodeFailed, match="changed the teacher: got other values of weight; expected an unchanged teacher"
    ):
        own.train()
    assert own.work.study.generators["G"].weight.tolist() == [1.0]


def test_a_training_that_was_killed_after_its_last_step_need_not_report_again(tmp_path, monkeypatch):
    """Its function finds all steps in its folder and has nothing to do; the trial is measured at its end."""
    training(tmp_path, GOOD, monkeypatch=monkeypatch)[0].train()
    own, _, measured = training(tmp_path, GOOD, monkeypatch=monkeypatch)
    assert own.train().stopped is False
    assert measured == []


def test_rungs_behind_a_checkpoint_are_not_measured_again(tmp_path, monkeypatch):
    """The second attempt begins at step 3: the rung at step 2 was measured by the first one, the one at 4 was not."""
    (tmp_path / "trial" / "training").mkdir(parents=True)
    (tmp_path / "trial" / "training" / "step.txt").write_text("2")
    own, _, measured = training(tmp_path, GOOD, monkeypatch=monkeypatch)
    own.measured = {2}
    own.train()
    assert measured == [4]


def test_the_pages_function_trains(tmp_path, monkeypatch):
    """The example of docs/own-training.md brings the generator nearer to its teacher, and goes on from its checkpoint."""
    page = (Path(__file__).parents[3] / "docs" / "own-training.md").read_text(encoding="utf-8")
    text = re.search(r"^```python\n# my_training.py\n(.*?)^```", page, flags=re.S | re.M)[1]
    own, generator, measured = training(tmp_path, text, monkeypatch=monkeypatch)
    own.work.study.train_data = [{"input": torch.ones(1, 4, 4)}]
    before = float((generator(torch.ones(1, 1, 4, 4)) - 1).abs().mean().detach())
    own.train()
    assert float((generator(torch.ones(1, 1, 4, 4)) - 1).abs().mean().detach()) < before
    assert measured == [2, 4]
    assert (tmp_path / "trial" / "training" / "mine.pt").is_file()


LOSSES = """
def fit(generator, steps, folder, report):
    saved = folder / "step.txt"
    first = int(saved.read_text()) if saved.exists() else 0
    for step in range(first + 1, steps + 1):
        if step == 6 and not saved.exists():
            saved.write_text("3")
            raise KeyboardInterrupt
        report(step, losses={"l1": 1 / step, "odd": float("nan") if step % 2 else 0.5})
"""


def test_losses_of_a_users_function_are_its_curve_also_after_a_kill(tmp_path, monkeypatch):
    """A step that is run again is noted once, and values that are not finite are left out of their step."""
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path, LOSSES, monkeypatch=monkeypatch)[0].train()
    with (tmp_path / "trial" / "losses.jsonl").open("a") as file:
        file.write('[6, {"l1')
    done = training(tmp_path, LOSSES, monkeypatch=monkeypatch)[0].train()
    assert [step for step, _ in done.curve] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert done.curve[3] == (4, {"l1": 0.25, "odd": 0.5})
    assert done.curve[4] == (5, {"l1": 0.2})


def test_losses_are_noted_about_a_hundred_times(tmp_path):
    """The points of a long training are even; the last step is among them."""
    losses = ReportedLosses(tmp_path, 5000)
    for step in range(1, 5001):
        losses.note(step, {"l1": 1.0})
    steps = [step for step, _ in losses.all()]
    assert len(steps) == 100
    assert (steps[0], steps[-1]) == (50, 5000)
    assert ReportedLosses(tmp_path, 5000).all() == losses.all()


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ("[1.0]", "got a list; expected a mapping"),
        ("{'a': 'much'}", "got a as a str; expected one number"),
        ("{'': 1.0}", "got the name ''"),
        ("{1: 1.0}", "got the name 1"),
        ("dict.fromkeys(map(str, range(21)), 1.0)", "got 21 terms; expected at most 20"),
    ],
)
def test_losses_that_are_none_are_refused(tmp_path, monkeypatch, losses, message):
    """In one line with an example."""
    text = f"def fit(generator, steps, report):\n    report(steps, losses={losses})\n"
    own, _, _ = training(tmp_path, text, monkeypatch=monkeypatch)
    with pytest.raises(UserCodeFailed, match=re.escape(message)):
        own.train()
