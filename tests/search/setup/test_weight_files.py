"""A teacher's weights are taken from the files that people have, and the record says from which and from where in it."""

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_weights
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.tasks.task import make_task
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.preparations.prepared_study import PreparedStudy
from ganprune.search.setup.open_choices import decided
from ganprune.search.setup.weight_files import check_weights

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
    with pytest.raises(ValueError, match=r"choose one, FILE::nets.A, nets.B$"):
        check_weights(wrong)
