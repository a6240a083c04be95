"""A generator that ganprune has never seen goes from a file or package to a bundle that runs elsewhere."""

import json
import os
import shutil
from pathlib import Path

import optuna
import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_weights
from ganprune.studies.bundles.bundle import BundleError, load_bundle
from ganprune.studies.bundles.verify import verify_bundle
from PIL import Image

from ..command_line import QUICK, call, refused

SOURCES = Path(__file__).parents[1] / "gan_models"
IMAGES, LATENTS = SOURCES / "foreign_images.py", SOURCES / "foreign_latents.py"
OWN = {
    "johnson": (IMAGES, "width=8,blocks=1", "3,32,32", "paired"),
    "srresnet": (IMAGES, "width=8,blocks=1,scale_steps=0", "3,16,16", "paired"),
    "dcgan": (LATENTS, "width=8,latent=12", "latent:12", "unconditional"),
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", OWN)
def test_a_generator_from_a_file_goes_the_whole_way(name, place, monkeypatch, capsys):
    """Searched, resumed without its file, exported, verified, run, and reloaded from the bundle alone."""
    source, arguments, shape, task = OWN[name]
    (place / "mine").mkdir()
    own = Path(shutil.copy(source, place / "mine" / "generator.py"))
    model = ["--model", f"mine/generator.py:{name}", "--model-args", arguments, "--input-shape", shape]
    budget = ["--data", "builtin:shapes", "--task", task, "--budget", "40%", "--trials", 2, "--study", "s"]
    assert call(monkeypatch, "search", *model, *budget, *QUICK) == 0
    own.unlink()  # the study has its copy
    assert call(monkeypatch, "resume", "s", "--trials", 3, "--executor", "local") == 0
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    config = study.user_attrs["ganprune.config"]
    assert config["task_settings"].get("latent") == (12 if task == "unconditional" else None)
    assert config["image_size"] == (16 if name == "srresnet" else 32)

    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "bundle") == 0
    weights = load_weights("ganprune-artifacts/s/0/generator.safetensors")
    shutil.rmtree(place / "ganprune-artifacts")
    (place / "ganprune.db").unlink()
    assert (place / "bundle" / "source.py").read_bytes() == source.read_bytes()
    assert call(monkeypatch, "verify", "bundle") == 0
    reloaded = load_bundle("bundle").state_dict()
    assert weights.keys() == reloaded.keys()
    assert all(torch.equal(weights[key], reloaded[key]) for key in weights)
    if task == "paired":
        (place / "inputs").mkdir()
        Image.new("RGB", (40, 40), "teal").save(place / "inputs" / "a.png")
        assert call(monkeypatch, "run", "bundle", "--input", "inputs", "--out", "made") == 0
    else:
        assert call(monkeypatch, "run", "bundle", "--samples", 2, "--out", "made") == 0
    pictures = sorted((place / "made").iterdir())
    made = 40 if task == "paired" else config["image_size"]  # an image keeps its own size
    assert {Image.open(path).size[0] for path in pictures} == {made}
    assert "is not in the catalog" in refused(monkeypatch, capsys, "run", "bundle", "--no-code", "--out", "again")
    with pytest.raises(BundleError, match="would run its own code"):
        load_bundle("bundle", catalog_only=True)


@pytest.mark.long
def test_a_study_of_an_own_generator_may_be_moved(place, monkeypatch):
    """After database and artifacts moved, the study is resumed and its old and new trials are exported."""
    first, second = place / "first", place / "second"
    first.mkdir()
    monkeypatch.chdir(first)
    model = ["--model", f"{IMAGES}:johnson", "--model-args", "width=8,blocks=1", "--input-shape", "3,16,16"]
    data = ["--data", "builtin:shapes", "--budget", "40%", "--study", "s"]
    assert call(monkeypatch, "search", *model, *data, *QUICK, "--trials", 1) == 0
    first.rename(second)
    monkeypatch.chdir(second)
    assert call(monkeypatch, "resume", "s", "--trials", 2, "--executor", "local") == 0
    for trial in (0, 1):
        assert call(monkeypatch, "export", "s", "--trial", trial, "--out", f"b{trial}") == 0
        assert all(check.passed for check in verify_bundle(second / f"b{trial}"))


@pytest.mark.long
def test_a_generator_from_a_package(place, monkeypatch):
    """`package.module:function` is searched and exported; the card says that the bundle needs the package."""
    (place / "my_gans").mkdir()
    (place / "my_gans" / "__init__.py").write_text("")
    shutil.copy(LATENTS, place / "my_gans" / "latents.py")
    monkeypatch.syspath_prepend(place)
    model = ["--model", "my_gans.latents:style_generator", "--model-args", "width=4", "--input-shape", "latent:24"]
    data = ["--task", "unconditional", "--data", "builtin:shapes", "--budget", "40%", "--trials", 1]
    assert call(monkeypatch, "search", *model, *data, *QUICK) == 0
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "bundle") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    assert "needs the package of my_gans.latents" in " ".join(json.loads(Path("bundle/card.json").read_text())["notes"])


REFUSED = {
    "wrong channels": (f"{IMAGES}:johnson", "5,32,32", "paired", "the input shape must be the one that it takes"),
    "latent, paired": (f"{LATENTS}:dcgan", "latent:24", "paired", "starts from a latent of 24: give --task uncond"),
    "image, unconditional": (f"{IMAGES}:johnson", "3,32,32", "unconditional", "give a generator of latents"),
    "wrong latent": (f"{LATENTS}:dcgan", "latent:25", "unconditional", "the input shape must be the one that it takes"),
    "untraceable": (f"{IMAGES}:branching", "3,32,32", "paired", "nothing of it was pruned, at "),
    "no such function": (f"{IMAGES}:jonson", "3,32,32", "paired", "it defines StyleConv, "),
    "no file": ("nowhere.py:g", "3,32,32", "paired", "cannot be read: No such file"),
    "no package": ("no_such_package.m:g", "3,32,32", "paired", "put its folder on PYTHONPATH"),
    "a discriminator": ("basic", "3,32,32", "paired", "model 'basic' is not known: use one of resnet"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(case, place, monkeypatch, capsys):
    """A generator that fits neither task nor data is refused before anything is trained or written."""
    model, shape, task, says = REFUSED[case]
    given = ["--model", model, "--input-shape", shape, "--task", task, "--data", "builtin:shapes", "--budget", "40%"]
    assert says in refused(monkeypatch, capsys, "search", *given, *QUICK)
    assert list(place.iterdir()) == []


def test_an_image_size_that_the_generator_does_not_make(place, monkeypatch, capsys):
    """A generator of latents decides the images' size: another one is refused, none given is filled in."""
    given = ["--model", "sngan_32", "--task", "unconditional", "--data", "builtin:shapes", "--budget", "40%"]
    line = refused(monkeypatch, capsys, "search", *given, *QUICK, "--image-size", 64)
    assert "--image-size 64 does not fit sngan_32, which gives 3x32x32 in [-1, 1]: got images of 32 pixels" in line


def test_ray_workers_find_an_own_generator(place, monkeypatch):
    """A worker process on Ray builds the generator from the study's copy of its file."""
    own = shutil.copy(IMAGES, place / "generator.py")
    model = ["--model", "generator.py:johnson", "--model-args", "width=8,blocks=1", "--input-shape", "3,16,16"]
    data = ["--data", "builtin:shapes", "--budget", "40%", "--study", "s", "--trials", 1]
    assert call(monkeypatch, "search", *model, *data, *QUICK) == 0
    os.unlink(own)
    assert call(monkeypatch, "resume", "s", "--trials", 2, "--executor", "ray", "--max-concurrent", 1) == 0
    trials = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 2
    here, there = (trial.user_attrs["worker"].partition(" ")[0] for trial in trials)
    assert here.endswith(f":{os.getpid()}")
    assert not there.endswith(f":{os.getpid()}")
