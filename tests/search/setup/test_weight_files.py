"""A teacher's weights are taken from the files that people have, and the record says from which and from where in it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_weights
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.tasks.task import make_task
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.preparations.prepared_study import PreparedStudy
from ganprune.search.setup.open_choices import decided
from ganprune.search.setup.weight_files import check_weights, files_by_network, named_files

from ...tiny_study import SMALL


def test_keys_are_taken_of_every_file(tmp_path):
    """Both generators and both discriminators from one file by `FILE::key`: checked before, loaded, on record."""
    settings = SMALL | {"name": "t", "task": "unpaired", "prune_network": "AtoB", "data": "builtin:stripes"}
    config, *_ = decided(StudyConfig(**settings))
    judges = make_task(config.task, config.task_settings, 3).make_discriminators(3)
    states = {"A": build(config.model, config.model_args), "B": build(config.model, config.model_args)} | dict(judges)
    path = tmp_path / "both.ckpt"
    torch.save({"epoch": 7, "nets": {name: network.state_dict() for name, network in states.items()}}, path)
    judged = ",".join(f"{name}={path}::nets.{name}" for name in judges)
    given = {"teacher": f"AtoB={path}::nets.A,BtoA={path}::nets.B", "teacher_discriminator": judged}
    config, *_ = decided(StudyConfig(**settings, **given))
    check_weights(config)
    made = make_teacher(PreparedStudy(config), tmp_path)
    assert made.origin["BtoA"] == {"file": "both.ckpt::nets.B", "sha256": file_sha256(path)}
    copied = load_weights(tmp_path / "teacher" / "generator-BtoA.safetensors")
    assert all(torch.equal(copied[name], value) for name, value in states["B"].state_dict().items())
    wrong, *_ = decided(StudyConfig(**settings, **given | {"teacher": f"AtoB={path},BtoA={path}::nets.B"}))
    with pytest.raises(ValueError, match=r"expected a choice of one, FILE::nets.A, nets.B$"):
        check_weights(wrong)


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("epoch=12-step=3400.ckpt", ("G",), {"": "epoch=12-step=3400.ckpt"}),
        ("G=epoch=12-step=3400.ckpt", ("G",), {"G": "epoch=12-step=3400.ckpt"}),
        ("run,1/g.pth", ("G",), {"": "run,1/g.pth"}),
        ("AtoB=a,1=2.pth,BtoA=b=3.pth", ("AtoB", "BtoA"), {"AtoB": "a,1=2.pth", "BtoA": "b=3.pth"}),
        ("AtoB=a.pth", ("AtoB", "BtoA"), {"AtoB": "a.pth"}),
        ("AtoB=a.pt::nets.A, BtoA=a.pt::nets.B", ("AtoB", "BtoA"), {"AtoB": "a.pt::nets.A", "BtoA": "a.pt::nets.B"}),
        ("", ("G",), {}),
    ],
)
def test_a_path_may_hold_commas_and_equals_signs(text, names, expected):
    """Only the name of a generator begins a part; everything else belongs to the path."""
    assert {name: str(path) for name, path in named_files(text, names).items()} == expected


def test_a_file_that_begins_like_a_name_is_one_file(tmp_path, monkeypatch):
    """A file that exists on the disk is the one that was meant."""
    monkeypatch.chdir(tmp_path)
    Path("G=1.pth").touch()
    assert files_by_network("G=1.pth", ("G",), "--teacher") == {"G": Path("G=1.pth")}


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("C=g.pth", ("AtoB", "BtoA"), ("C=g.pth is not a file, nor AtoB=FILE,BtoA=FILE", "AtoB, BtoA")),
        ("epoch=1.ckpt", ("G",), ("epoch=1.ckpt is not a file, nor G=FILE", "the task has G")),
        ("AtoB=gone.pth,BtoA=gone.pth", ("AtoB", "BtoA"), ("gone.pth is not a file",)),
    ],
)
def test_what_is_not_there_is_named_with_the_form(text, names, words):
    """The message names the file, the form, and the task's generators."""
    with pytest.raises(UserError) as refused:
        files_by_network(text, names, "--teacher")
    assert all(word in str(refused.value) for word in words)


def test_the_one_generator_that_is_named_is_the_one_that_is_pruned(tmp_path):
    """`--teacher BtoA=FILE` distills BtoA, though AtoB comes first."""
    path = tmp_path / "b=1,2.pth"
    config = StudyConfig(**SMALL | {"name": "t", "task": "unpaired", "data": "builtin:stripes"})
    torch.save(build(config.model, config.model_args).state_dict(), path)
    config, notes, _ = decided(replace(config, teacher=f"BtoA={path}"))
    check_weights(config)
    assert config.prune_network == "BtoA"
    assert any("BtoA is distilled" in note for note in notes)


def test_a_generator_has_one_file():
    """The second of two files of one generator does not replace the first in silence."""
    with pytest.raises(UserError, match="AtoB more than once"):
        named_files("AtoB=1.pth,BtoA=2.pth,AtoB=3.pth", ("AtoB", "BtoA"))
