"""`--preset NAME`: the published recipes in files, below what is given, and against a folder of their layout."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import NETWORKS
from ganprune.search.config import StudyConfig
from ganprune.search.configuration.presets.catalog import PRESETS
from ganprune.search.configuration.presets.with_preset import with_preset
from ganprune.search.preflight.checks import published_images
from ganprune.search.preflight.launch import Launch, Placement
from ganprune.studies.api import Search
from ganprune.studies.cli.search import SEARCH_FLAGS, options_given
from PIL import Image

from ....command_line import call, refused
from ....tiny_study import opened

# Preset -> the folder's splits, and width and height of their pictures: pairs are side by side.
LAYOUTS = {
    "horse2zebra": (("trainA", "trainB", "testA", "testB"), (16, 16)),
    "summer2winter": (("trainA", "trainB", "testA", "testB"), (16, 16)),
    "edges2shoes": (("train", "val"), (32, 16)),
    "cityscapes": (("train", "val"), (32, 16)),
    "cifar10-sngan": (("train", "test"), (32, 32)),
}
SMALL = [
    "--set",
    "training.batch_size=2",
    "--metric",
    "shapes",
    "--trials",
    2,
    "--methods",
    "uniform",
    "--device",
    "cpu",
]
SEGMENTER = "def net(images):\n    return (images[:, 0] > 0).long()\nnet.classes = 2\n"


def folder(root: Path, preset: str, count: int = 8) -> Path:
    """A folder of the preset's layout with a few small pictures of noise."""
    splits, (width, height) = LAYOUTS[preset]
    noise = np.random.default_rng(0)
    for split in splits:
        (root / split).mkdir(parents=True)
        for i in range(count):
            pixels = noise.integers(0, 255, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / split / f"{i}.png")
    return root


@pytest.mark.parametrize("name", PRESETS.own)
def test_a_preset_is_a_whole_study(name):
    """With data and a name it is a checked configuration of a network of the catalog; both recipes are equal."""
    given = {"name": "s", "preset": name, "data": "images"}
    config = StudyConfig.from_json(with_preset(given)).checked()
    assert config.preset == name
    assert config.model in NETWORKS.own
    assert config.teacher_steps == config.finetune_steps > 10_000
    assert (config.recipe.batch_size, config.recipe.betas) == (
        config.teacher_recipe.batch_size, config.teacher_recipe.betas,
    )  # fmt: skip
    assert PRESETS.own[name].path.is_file()


@pytest.mark.parametrize("name", PRESETS.own)
def test_a_preset_passes_a_dry_run_on_its_layout(name, tmp_path, monkeypatch, capsys):
    """On a folder of its layout every check passes but one: the images are not as many as the published ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seg.py").write_text(SEGMENTER)
    images = folder(tmp_path / "images", name)
    small = [*SMALL, "--model-args", "ngf=8", "--budget", "60%", "--task-setting", "discriminator.ndf=4"]
    small += ["--image-size", 32] if name == "cifar10-sngan" else ["--image-size", 16, "--load-size", 16]
    small += ["--weights", "segmenter=seg.py:net"] if name == "cityscapes" else []
    monkeypatch.setattr("ganprune.search.preflight.preflight.estimate_of", lambda launch: None)
    code = call(monkeypatch, "search", "--preset", name, "--data", images, *small, "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    assert code == 0, lines
    (warned,) = [line for line in lines if line.startswith("warn")]
    assert f"images are not those of {PRESETS.own[name].data}" in warned
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "seg.py"]


def test_given_options_win_and_tables_are_merged():
    """A given budget, a given setting of the discriminator and an empty list of rungs replace the preset's."""
    given = {"preset": "horse2zebra", "data": "d", "budgets": ["25%"], "rungs": [], "recipe": {"lr": 1e-3}}
    values = with_preset(given | {"task_settings": {"discriminator": {"ndf": 4}}})
    assert (values["budgets"], values["rungs"]) == (["25%"], [])
    assert (values["recipe"]["lr"], values["recipe"]["batch_size"]) == (1e-3, 1)
    assert values["task_settings"]["discriminator"] == {"model": "basic", "ndf": 4}
    assert values["task_settings"]["weight_cycle"] == 10.0
    assert with_preset(values) == values
    assert given["recipe"] == {"lr": 1e-3}


def test_options_of_another_task_are_left_out():
    """With another task the preset's settings of CycleGAN mean nothing; the rest of the recipe stays."""
    values = with_preset({"preset": "horse2zebra", "data": "d", "task": "paired"})
    assert "task_settings" not in values
    assert "load_size" not in values
    assert values["teacher_steps"] == 266_800


def test_a_preset_is_given_as_a_flag_in_a_file_and_in_python(tmp_path):
    """All three are the same configuration."""
    (tmp_path / "c.toml").write_text('preset = "edges2shoes"\n[search]\ntrials = 3\n')
    of_file = options_given(SEARCH_FLAGS, {}, tmp_path / "c.toml", None)
    of_flags = options_given(SEARCH_FLAGS, {"preset": "edges2shoes", "trials": 3}, None, None)
    assert of_file == of_flags == {"preset": "edges2shoes", "trials": 3}
    whole = StudyConfig.from_json(with_preset({**of_flags, "name": "s", "data": "d"}))
    assert Search("", "d", "", "s", {"preset": "edges2shoes", "trials": 3}).config() == whole


def test_mistakes_around_presets_are_named(monkeypatch, capsys):
    """An unknown name is refused with a near one; missing data name the folder that the preset reads."""
    said = refused(monkeypatch, capsys, "search", "--preset", "horse2zebras", "--data", "d")
    assert "unknown preset 'horse2zebras'" in said
    assert "Did you mean horse2zebra?" in said
    said = refused(monkeypatch, capsys, "search", "--preset", "horse2zebra")
    assert "--data is missing" in said
    assert "the folder of horse2zebra: trainA/ trainB/ testA/ testB/ (1,334 train, 140 test images)" in said


def test_a_preset_may_be_a_users_own_file_alone(tmp_path, monkeypatch):
    """A preset that names a preset is refused; nothing recurses."""
    (tmp_path / "p.toml").write_text('preset = "horse2zebra"\n')
    text = f"from pathlib import Path\nfrom {PRESETS.row_type.__module__} import Preset\n"
    (tmp_path / "mine.py").write_text(text + f'ROW = Preset(Path(r"{tmp_path}/p.toml"), "n", "d", "l")\n')
    with pytest.raises(UserError, match="names a preset itself"):
        with_preset({"preset": f"{tmp_path}/mine.py:ROW"})


def test_the_record_of_a_study_without_a_preset_is_unchanged():
    """The fingerprint, by which a resume knows a study, does not see the new field."""
    small = {"name": "s", "model": "resnet", "data": "builtin:shapes", "budgets": ["50%"]}
    assert StudyConfig.from_json(small).fingerprint() == StudyConfig.from_json({**small, "preset": ""}).fingerprint()


def test_as_many_images_as_published_pass(tmp_path, monkeypatch):
    """The check compares training images, those held out for selection included, and test images."""
    images = folder(tmp_path / "images", "horse2zebra", 24)
    given = {"name": "s", "data": str(images), "image_size": 16, "model_args": {"ngf": 4}, "load_size": 16}
    given |= {"metric": "shapes", "preset": "horse2zebra", "methods": ["uniform"], "budgets": ["60%"], "select_on": ""}
    study = opened(StudyConfig.from_json(with_preset(given)))
    launch = Launch(study.config, Placement(), str(tmp_path), study)
    (wrong,) = published_images(launch)
    assert "got 24 train and 24 test; expected 1,334 train and 140 test" in wrong.line
    row = replace(PRESETS.own["horse2zebra"], images={"train": 24, "test": 24})
    monkeypatch.setitem(PRESETS.own, "horse2zebra", row)
    (found,) = published_images(launch)
    assert (found.kind, "24 train and 24 test" in found.what) == ("passed", True)
