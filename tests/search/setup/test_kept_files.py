"""Users' own code that a configuration names: copied, and named by the copies."""

from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.gan_models.files import kept_copies
from ganprune.gan_models.files.errors import UserError
from ganprune.search.config import StudyConfig
from ganprune.search.setup.kept_files import own_files, references, sources, with_own_files, with_references

from ...tiny_study import SMALL


@pytest.fixture
def config(tmp_path, monkeypatch) -> StudyConfig:
    """A configuration that names a method, its setting and share, a metric and a sampler in two files."""
    monkeypatch.setattr(kept_copies, "_folders", [])
    (tmp_path / "mine.py").write_text("class Mine: ...\nclass Measure: ...\n")
    (tmp_path / "draw.py").write_text("def draw(seed): ...\n")
    mine = f"{tmp_path / 'mine.py'}:Mine"
    return StudyConfig(
        name="k", **SMALL, methods=("uniform", mine), method_settings={f"{mine}.depth": 3, "coronet.embedding": 2},
        shares={mine: 2.0}, also_measure=(f"{tmp_path / 'mine.py'}:Measure",), sampler=f"{tmp_path / 'draw.py'}:draw",
    )  # fmt: skip


def test_every_name_by_path_becomes_its_copys_and_the_others_stay(config, tmp_path):
    """Methods, their settings and shares, metrics and the sampler follow; names of tables are as they were."""
    kept = with_own_files(config, tmp_path / "source")
    mine, draw = sorted(path.name for path in (tmp_path / "source").iterdir())[::-1]
    assert kept.methods == ("uniform", f"{mine}:Mine")
    assert kept.method_settings == {f"{mine}:Mine.depth": 3, "coronet.embedding": 2}
    assert kept.shares == {f"{mine}:Mine": 2.0}
    assert (kept.also_measure, kept.sampler) == ((f"{mine}:Measure",), f"{draw}:draw")
    assert kept.model == config.model


def test_the_copies_serve_when_the_originals_are_gone(config, tmp_path):
    """Each file is listed once; hashes of the sources are those of the originals."""
    before = sources(config)
    kept = with_own_files(config, tmp_path / "source")
    for name in ("mine.py", "draw.py"):
        (tmp_path / name).unlink()
    assert sources(kept) == before
    assert [path.parent for path in own_files(kept)] == [tmp_path / "source"] * 2
    with pytest.raises(UserError, match=r"sampler file is missing|method file is missing"):
        with_own_files(config, tmp_path / "other")


def test_a_degradation_is_copied_with_its_file(config, tmp_path):
    """It stands in the task's settings; the others of these stay."""
    (tmp_path / "fog.py").write_text("def fog(pixels, scale, random): return pixels\n")
    fog = replace(config, task_settings={"degrade": f"{tmp_path / 'fog.py'}:fog", "weight_l1": 3})
    kept = with_own_files(fog, tmp_path / "source")
    assert kept.task_settings["degrade"].endswith(":fog")
    assert (tmp_path / "source" / kept.task_settings["degrade"].partition(":")[0]).is_file()
    assert kept.task_settings["weight_l1"] == 3
    assert ("degradation", fog.task_settings["degrade"]) in list(references(fog))
    assert with_own_files(replace(config, task_settings={"degrade": "noise"}), tmp_path / "source").task_settings == {
        "degrade": "noise"
    }


def test_kinds_go_with_the_names(config):
    """An object's role follows its name, for messages."""
    assert [kind for kind, _ in references(config)] == ["sampler", "method", "metric"]
    named = with_references(config, lambda kind, name: f"{kind}.py:{name.rpartition(':')[2]}")
    assert (named.methods[1], named.also_measure[0], named.sampler) == (
        "method.py:Mine", "metric.py:Measure", "sampler.py:draw",
    )  # fmt: skip
    assert Path(named.sampler.partition(":")[0]) == Path("sampler.py")
