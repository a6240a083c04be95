"""`ganprune inspect --sensitivity`: which groups cost quality, which cost MACs, and what more MACs would buy."""

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.studies.cli.main import app
from ganprune.studies.cli.plans.sensitivity import Sensitivity, draw_sensitivity, sensitivities
from PIL import Image
from typer.testing import CliRunner

from ....tiny_study import SMALL


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> str:
    """The weights of a small generator."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "g.safetensors"
    save_weights(build(SMALL["model"], SMALL["model_args"]).state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def found(teacher) -> Sensitivity:
    """Its sensitivity on eight images of a built-in set."""
    names = ("model", "model_args", "data", "image_size", "n_test", "task_settings")
    (one,) = sensitivities({**{n: SMALL[n] for n in names}, "n_train": 16, "teacher": teacher}, 8)
    return one


def test_every_group_has_what_it_saves_and_what_it_costs(found):
    """MACs that go are between 0 and 1, errors are above 0, and one more percent of MACs never buys less than nothing."""
    assert len(found.groups) > 2
    assert all(0 < row.macs < 1 and row.loss > 0 and row.error >= 0 for row in found.groups)
    assert max(row.error for row in found.groups) > 0
    assert [one.share for one in found.budgets] == sorted((one.share for one in found.budgets), reverse=True)
    assert all(one.bought >= -1e-9 for one in found.budgets)
    assert all(b.error >= a.error for a, b in zip(found.budgets, found.budgets[1:], strict=False))


def test_the_picture_is_one_file(found, tmp_path):
    """It opens as a PNG that is wider than a thousand pixels."""
    with Image.open(draw_sensitivity([found], tmp_path / "s.png")) as image:
        assert image.format == "PNG"
        assert image.width > 1000


def test_the_command_prints_both_tables_and_writes_the_picture(teacher, tmp_path):
    """It names the picture, the group and what one more percent of MACs buys."""
    options = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", "16", "--no-layers"]
    given = ["--sensitivity", "--teacher", teacher, "--data", "builtin:shapes", "--calibration-images", "8"]
    done = CliRunner().invoke(app, ["inspect", *options, *given, "--out", str(tmp_path / "s.png")])
    assert done.exit_code == 0, done.output
    assert "1 % of MACs more" in done.output
    assert "model.1" in done.output
    assert (tmp_path / "s.png").is_file()


@pytest.mark.parametrize("missing", ["teacher", "data"])
def test_without_a_teacher_or_inputs_one_line_says_so(missing: str):
    """It names what is missing."""
    options = {"model": "resnet", "teacher": "g.safetensors", "data": "builtin:shapes"} | {missing: ""}
    with pytest.raises(UserError, match=f"got no --{missing}; expected both"):
        sensitivities(options)
