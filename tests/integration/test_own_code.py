"""A study whose method, encoder, metric and sampler are a user's own keeps their code and goes on without the file."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.studies.database.reader import read_study

from ..command_line import QUICK

CODE = '''
import numpy as np
import optuna
import torch
from dataclasses import dataclass
from ganprune.evaluators.features.shapes_encoder import load_shapes
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.method import Pruned
from ganprune.gan_models.pruning.ranking import plan_within_target
from ganprune.gan_models.pruning.settings import setting


@dataclass(frozen=True)
class Chosen:
    slope: float = setting(1.0, low=0.5, high=2.0, log=True)
    offset: float = setting(0.0, low=-1.0, high=1.0, searched=False)


class Positions:
    """Ranks channels by their position."""

    settings = Chosen

    def prune(self, job):
        scores = {name: np.arange(size, dtype=float) for name, size in job.groups.sizes.items()}
        plan = plan_within_target(job.groups.form, scores, job.target)
        return Pruned(cut(job.model, job.groups, plan), plan, record={"offset": job.proposal.settings.offset})


def encoder(weights=None):
    own = load_shapes()
    own.name = "mine"
    return own


class Brightness:
    better = "higher"

    def prepare(self, real): ...

    def reset(self, full):
        self.sums = []

    def update(self, outputs, references):
        self.sums.append(float(outputs.mean()))

    def compute(self):
        return [Measurement("brightness", sum(self.sums) / len(self.sums), "1")]


def draws(seed):
    return optuna.samplers.RandomSampler(seed)
'''
NAMED = [
    "--methods", "mine.py:Positions", "--setting", "mine.py:Positions.offset=0.5", "--metric", "mine.py:encoder",
    "--also-measure", "mine.py:Brightness", "--sampler", "mine.py:draws",
]  # fmt: skip
MODEL = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "builtin:shapes", "--image-size", 16]


def ganprune(place: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Run a command in a process of its own, which has loaded nobody's file yet."""
    code = "import sys; from ganprune.studies.cli.main import main; main()"
    given = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(given, cwd=place, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def moved(tmp_path_factory) -> Path:
    """A study of two trials whose file is gone, in a folder that was moved."""
    place = tmp_path_factory.mktemp("own") / "first"
    place.mkdir()
    (place / "mine.py").write_text(CODE)
    options = [*QUICK, *NAMED, "--budget", "60%", "--trials", 2, "--study", "s"]
    done = ganprune(place, "search", *MODEL, *options)
    assert done.returncode == 0, done.stderr
    (place / "mine.py").unlink()
    return place.rename(place.with_name("second"))


def test_the_record_names_copies_and_their_hashes(moved):
    """The configuration names one copy without its folder; the record has its sha256; tables show the short name."""
    study = read_study(f"sqlite:///{moved}/ganprune.db", "s")
    (copy,) = (moved / "ganprune-artifacts" / "s" / "source").iterdir()
    config = study.attributes["ganprune.config"]
    assert config["methods"] == [f"{copy.name}:Positions"]
    assert (config["metric"], config["sampler"]) == (f"{copy.name}:encoder", f"{copy.name}:draws")
    assert config["also_measure"] == [f"{copy.name}:Brightness"]
    assert config["method_settings"] == {f"{copy.name}:Positions.offset": 0.5}
    assert study.attributes["ganprune.preparations"]["own_code"]["files"] == {f"source/{copy.name}": file_sha256(copy)}
    assert "Positions" in study.attributes["ganprune.made_with"]["code"]
    assert study.attributes["ganprune.own_files"] == {copy.name: str(moved.with_name("first") / "mine.py")}
    assert [trial.new.method for trial in study.trials] == [f"{copy.name}:Positions"] * 2


@pytest.mark.long
def test_it_is_shown_and_resumed_without_the_file(moved, tmp_path):
    """Old and new trials are of one method with its fixed settings, measured in one encoder, and one can be exported.

    The file at its old place was edited since: that is a note.
    """
    place = shutil.copytree(moved, tmp_path / "third")
    edited = moved.with_name("first") / "mine.py"
    edited.parent.mkdir(exist_ok=True)
    edited.write_text(f"{CODE}# edited\n")
    shown = ganprune(place, "show", "s", "--json")
    assert shown.returncode == 0, shown.stderr
    done = ganprune(place, "resume", "s", "--trials", 3, "--executor", "local")
    assert done.returncode == 0, done.stderr
    assert f"note: {edited} was edited since this study began" in done.stderr + done.stdout
    study = read_study(f"sqlite:///{place}/ganprune.db", "s")
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 3
    assert len({trial.new.method for trial in study.trials}) == 1
    assert [trial.outcome.method_record for trial in study.trials] == [{"offset": 0.5}] * 3
    names = [{m.name for m in trial.outcome.measurements} for trial in study.trials]
    assert [sorted({"fd[mine,n=8]", "brightness"} - each) for each in names] == [[]] * 3, names
    assert json.loads(json.dumps(dict(study.attributes)))  # JSON throughout
    done = ganprune(place, "export", "s", "--trial", 2, "--out", "bundle")
    assert done.returncode == 0, done.stderr


def test_tables_are_read_without_any_copy(moved, tmp_path):
    """A record alone is enough to look at."""
    shutil.copy(moved / "ganprune.db", tmp_path / "ganprune.db")
    shown = ganprune(tmp_path, "show", "s", "--json")
    assert shown.returncode == 0, shown.stderr
    assert "Positions" in shown.stdout


def test_a_changed_copy_is_refused_by_name(moved, tmp_path):
    """Code that changes what a trial is does not go on unseen."""
    place = shutil.copytree(moved, tmp_path / "third")
    (copy,) = (place / "ganprune-artifacts" / "s" / "source").iterdir()
    copy.write_text(copy.read_text().replace("np.arange(size", "-np.arange(size"))
    done = ganprune(place, "resume", "s", "--trials", 3, "--executor", "local")
    assert done.returncode == 2
    assert re.search(
        r"another code \(recorded encoder .*Positions [0-9a-f]{12}.*found .*Positions [0-9a-f]{12}", done.stderr
    )
    assert f"another own_code's {copy.name}" in done.stderr
