"""A generator, a task, a method, a metric and a discriminator of one project whose files import their neighbors, the whole way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_into
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.networks.catalog import build
from ganprune.studies.database.reader import read_study

from ..command_line import QUICK

PROJECT = {
    "requirements.txt": "torch\n",
    "sizes.py": "WIDTH = 6\n",
    "models/__init__.py": "from .layers import Block\n",
    "models/layers.py": """
from torch import nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
    def forward(self, x):
        return x + self.conv(x).relu()
""",
    "models/generator.py": """
from torch import nn
from . import Block
import sizes

def generator(width=sizes.WIDTH):
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), Block(width), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())
""",
    "judging/judge.py": """
from torch import nn
from layers import down

def judge(input_channels=6):
    return nn.Sequential(down(input_channels, 4), nn.Conv2d(4, 1, 3, padding=1))
""",
    "judging/layers.py": """
from torch import nn

def down(n_in, n_out):
    return nn.Sequential(nn.Conv2d(n_in, n_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
""",
    "search/method.py": """
from .ranks import ranks
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.method import Pruned
from ganprune.gan_models.pruning.ranking import plan_within_target

class Positions:
    "Ranks channels by their position."
    def prune(self, job):
        plan = plan_within_target(job.groups.form, ranks(job.groups.sizes), job.target)
        return Pruned(cut(job.model, job.groups, plan), plan)
""",
    "search/ranks.py": """
import numpy as np

def ranks(sizes):
    return {name: np.arange(size, dtype=float) for name, size in sizes.items()}
""",
    "measures/brightness.py": """
from ganprune.evaluators.quality.reference_based import MeanOverImages
from sizes import WIDTH
from .layers import mean

class Brightness(MeanOverImages):
    name, unit, needs_references, better = "brightness", f"of {WIDTH}", False, "higher"
    def values(self, outputs, references):
        return mean(outputs)
""",
    "tasks/mine.py": """
from ganprune.gan_models.tasks.paired import PairedTask
from .names import NAME

class Mine(PairedTask):
    "Pairs under another name."
    name = NAME
""",
    "tasks/names.py": "NAME = 'mine'\n",
    "measures/layers.py": "def mean(images):\n    return images.mean(dim=(1, 2, 3))\n",
}
NAMED = [
    "--model", "proj/models/generator.py:generator", "--input-shape", "3,16,16",
    "--methods", "proj/search/method.py:Positions", "--also-measure", "proj/measures/brightness.py:Brightness",
    "--task-setting", "discriminator.model=proj/judging/judge.py:judge",
]  # fmt: skip


def ganprune(place: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Run a command in a process of its own, which has loaded nobody's file yet."""
    code = "import sys; from ganprune.studies.cli.main import main; main()"
    given = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(given, cwd=place, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def moved(tmp_path_factory) -> Path:
    """A study whose project is gone, in a folder that was moved."""
    place = tmp_path_factory.mktemp("project") / "first"
    for name, text in PROJECT.items():
        (place / "proj" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "proj" / name).write_text(text)
    data = [
        "--data",
        "builtin:shapes",
        "--task",
        "proj/tasks/mine.py:Mine",
        "--budget",
        "60%",
        "--trials",
        1,
        "--study",
        "s",
    ]
    done = ganprune(place, "search", *QUICK, *NAMED, *data)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(place / "proj")
    return place.rename(place.with_name("second"))


def test_the_record_names_every_file_that_was_copied(moved):
    """Each file lies in the study's folder with its neighbors; the record has the sha256 of all, and of nothing else."""
    study = read_study(f"sqlite:///{moved}/ganprune.db", "s")
    source = moved / "ganprune-artifacts" / "s" / "source"
    files = study.attributes["ganprune.preparations"]["own_code"]["files"]
    there = {
        path.relative_to(source.parent).as_posix(): file_sha256(path) for path in source.rglob("*") if path.is_file()
    }
    assert files == there
    assert sorted(Path(*Path(name).parts[2:]).as_posix() for name in files if name.count("/") > 1) == sorted([
        *["modules.json"] * 5, "layers.py", "measures/layers.py", "models/__init__.py", "models/layers.py", "search/ranks.py", "sizes.py", "sizes.py", "tasks/names.py",
    ])  # fmt: skip
    assert all("proj/" not in name for name in study.attributes["ganprune.config"]["methods"])


@pytest.mark.long
def test_it_is_resumed_exported_and_loaded_elsewhere(moved, tmp_path):
    """Without the project, a new process goes on; a bundle alone holds the small package, loads, and passes its checks."""
    place = shutil.copytree(moved, tmp_path / "third")
    done = ganprune(place, "resume", "s", "--trials", 2, "--executor", "local")
    assert done.returncode == 0, done.stderr
    study = read_study(f"sqlite:///{place}/ganprune.db", "s")
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    assert all("brightness" in {m.name for m in trial.outcome.measurements} for trial in study.trials)
    done = ganprune(place, "export", "s", "--trial", 1, "--out", "bundle")
    assert done.returncode == 0, done.stderr
    alone = tmp_path / "alone"
    shutil.move(place / "bundle", alone / "bundle")
    shutil.rmtree(place)
    assert (alone / "bundle/source/models/layers.py").read_text() == PROJECT["models/layers.py"]
    assert "the 3 files that it imports" in (alone / "bundle/card.md").read_text()
    (alone / "sizes.py").write_text("raise RuntimeError('not the copy')\n")
    done = ganprune(alone, "verify", "bundle")
    assert done.returncode == 0, done.stdout + done.stderr
    code = "import sys; from ganprune.studies.bundles.bundle import load_bundle; load_bundle('bundle'); print('layers' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=alone, capture_output=True, text=True)
    assert loaded.stdout == "False\n", loaded.stderr
    done = ganprune(alone, "verify", "bundle", "--no-code")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skip" in done.stdout
    with (alone / "bundle/source/models/layers.py").open("a") as file:
        file.write("# more\n")
    done = ganprune(alone, "verify", "bundle")
    assert done.returncode != 0
    assert "source/models/layers.py is not the file that was exported" in done.stdout + done.stderr
    manifest = json.loads((alone / "bundle/manifest.json").read_text())
    del manifest["files"]["source/models/layers.py"]
    (alone / "bundle/manifest.json").write_text(json.dumps(manifest))
    done = ganprune(alone, "verify", "bundle")
    assert "the manifest lacks source/models/layers.py" in done.stdout + done.stderr


def test_a_changed_neighbor_is_refused_by_name(moved, tmp_path):
    """A resume names the file that another file imports, and does not go on."""
    place = shutil.copytree(moved, tmp_path / "third")
    (copy,) = (place / "ganprune-artifacts/s/source").glob("method-*/search/ranks.py")
    copy.write_text(copy.read_text().replace("np.arange", "-np.arange"))
    done = ganprune(place, "resume", "s", "--trials", 2, "--executor", "local")
    assert done.returncode == 2
    assert "ranks.py" in done.stderr
    assert "own_code" in done.stderr


def test_weights_of_a_project_fit_with_and_without_its_prefixes(tmp_path):
    """A network of a project that wraps its layers loads files that lack its prefix, or have another one."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "models/wrapped.py").write_text(
        "from torch import nn\nfrom .generator import generator\nclass Wrapped(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.net = generator()\n"
        "    def forward(self, x):\n        return self.net(x)\n"
    )
    torch.manual_seed(0)
    source = build(f"{tmp_path}/models/wrapped.py:Wrapped").state_dict()
    for prefix in ("net.", "", "module.net.", "netG."):
        torch.save({f"{prefix}{n.removeprefix('net.')}": x for n, x in source.items()}, tmp_path / "weights.pth")
        for place in ("wrapped.py:Wrapped", "generator.py:generator"):
            network = build(f"{tmp_path}/models/{place}")
            load_into(network, tmp_path / "weights.pth")
            loaded = {n.removeprefix("net."): x for n, x in network.state_dict().items()}
            assert all(torch.equal(loaded[n.removeprefix("net.")], x) for n, x in source.items())
