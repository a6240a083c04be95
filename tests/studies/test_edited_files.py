"""The note of a resume on files of the user's own that were edited after the study copied them."""

from dataclasses import replace

import pytest
from ganprune.gan_models.files import kept_copies
from ganprune.search.config import StudyConfig
from ganprune.search.setup.kept_files import copied_from, with_own_files
from ganprune.studies.edited_files import MAX_NAMED_FILES, edited_note

from ..tiny_study import SMALL

FILES = {
    "net.py": "from blocks import width\nfrom torch import nn\ndef net(): return nn.Conv2d(3, width, 1)\n",
    "blocks.py": "width = 3\n",
    "data.py": "data = {'train': [], 'test': []}\n",
    "task.py": "from ganprune.gan_models.tasks.single_generator import SingleGenerator\nclass Own(SingleGenerator): ...\n",
    "measure.py": "def score(images): return images.mean((1, 2, 3))\nscore.better = 'higher'\n",
    "fit.py": "def fit(generator, report): ...\n",
    "method.py": "class Mine:\n    def prune(self, job): ...\n",
    "sampler.py": "def draw(seed): ...\n",
    "encoder.py": "def encoder(): ...\n",
    "segmenter.py": "def segment(images): ...\n",
    "fog.py": "def fog(pixels, scale, random): return pixels\n",
    "judge.py": "def judge(): ...\n",
}


@pytest.fixture
def config(tmp_path, monkeypatch) -> StudyConfig:
    """A configuration that names an object of the user's own wherever it may, in files of a project."""
    monkeypatch.setattr(kept_copies, "_folders", [])
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    def at(name: str) -> str:
        return str(tmp_path / name)

    return replace(
        StudyConfig(name="k", **SMALL), model=at("net.py:net"), input_shape="3,16,16", model_args={}, data=at("data.py:data"),
        task=at("task.py:Own"),
        metric=at("encoder.py:encoder"), objective=at("measure.py:score"), own_training=at("fit.py:fit"),
        sampler=at("sampler.py:draw"), methods=("uniform", at("method.py:Mine")),
        weights={"segmenter": at("segmenter.py:segment")},
        task_settings={"degrade": at("fog.py:fog"), "discriminator": {"model": at("judge.py:judge")}},
    )  # fmt: skip


def test_each_kind_of_file_is_named_once_it_was_edited(config, tmp_path):
    """Also a file that was copied because another one imports it; nothing is said of files as they were."""
    copies, origins = tmp_path / "source", copied_from(config)
    with_own_files(config, copies)
    assert sorted(origins.values()) == sorted(str(tmp_path / name) for name in FILES)
    assert edited_note("k", origins, copies) == ""
    for name in FILES:
        file = tmp_path / name
        before = file.read_text()
        file.write_text(f"{before}# edited\n")
        note = edited_note("k", origins, copies)
        assert note.startswith(f"{name} was edited since this study began, which continues with its copy"), name
        assert note.endswith("--study k-2")
        assert "\n" not in note
        file.write_text(before)


def test_many_edited_files_stay_one_line(config, tmp_path):
    """The first ones are named, the others are counted."""
    copies, origins = tmp_path / "source", copied_from(config)
    with_own_files(config, copies)
    for name in FILES:
        (tmp_path / name).write_text("edited")
    note = edited_note("k", origins, copies)
    assert note.startswith("blocks.py, data.py, ")
    assert f" and {len(FILES) - MAX_NAMED_FILES} others were edited" in note


def test_nothing_is_said_of_files_that_are_gone_nor_by_records_without_origins(config, tmp_path):
    """A study goes on when its project was moved away, and one of an earlier version has no origins."""
    copies, origins = tmp_path / "source", copied_from(config)
    kept = with_own_files(config, copies)
    assert copied_from(kept) == {}
    assert edited_note("k", {}, copies) == ""
    for name in FILES:
        (tmp_path / name).unlink()
    (tmp_path / "net.py").mkdir()
    assert edited_note("k", origins, copies) == ""
