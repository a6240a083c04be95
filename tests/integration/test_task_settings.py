"""The settings of a task are carried by the bundle: what is measured of it later is measured as in the study."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.studies.bundles.bundle import read_card
from ganprune.studies.comparison import image_sources

from ..command_line import QUICK, call

TASK = '''
from dataclasses import dataclass

from ganprune.gan_models.files.plain_values import from_json
from ganprune.gan_models.tasks.paired import PairedSettings, PairedTask


@dataclass(frozen=True)
class DimmedSettings(PairedSettings):
    gain: float = 1.0


class Dimmed(PairedTask):
    """Pairs whose targets are darker by a setting."""

    name = "dimmed"

    @classmethod
    def from_json(cls, settings, seed):
        return cls(from_json(DimmedSettings, dict(settings), "task_settings"))

    def reals(self, batch, name):
        return batch["target"] * self.settings.gain

    def reference(self, batch, name):
        return batch["target"] * self.settings.gain
'''


def test_a_bundles_quality_is_measured_with_its_tasks_settings(tmp_path, monkeypatch, capsys):
    """`fid` of the bundle finds its quality on the test split again, which the task's default settings do not give."""
    monkeypatch.chdir(tmp_path)
    Path("tasks.py").write_text(TASK)
    model = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--budget", "50%"]
    task = ["--data", "builtin:shapes", "--task", "tasks.py:Dimmed", "--task-setting", "gain=0.25", "--trials", 1]
    assert call(monkeypatch, "search", *model, *task, *QUICK) == 0
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "bundle") == 0
    card = read_card(Path("bundle"))
    assert card.lineage["task_settings"]["gain"] == 0.25

    def measured() -> float:
        capsys.readouterr()
        assert call(monkeypatch, "fid", "bundle", "builtin:shapes", "--metric", "shapes", "--json") == 0
        return json.loads(capsys.readouterr().out)["measurements"][0]["value"]

    again = measured()
    assert again == pytest.approx(card.tested[0].value, rel=1e-4)
    monkeypatch.setattr(image_sources, "read_card", lambda folder: without_settings(card))
    assert abs(measured() - again) > 1


def without_settings(card):
    """Return the card as earlier versions wrote it."""
    return replace(card, lineage={name: value for name, value in card.lineage.items() if name != "task_settings"})
