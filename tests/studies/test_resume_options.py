"""Options that a resume may change, and those that it may not."""

from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.search.config import StudyConfig
from ganprune.studies.resume_options import RESUMABLE, resumed

RECORDED = StudyConfig(
    name="s",
    model="kept-1a2b.py:Net",
    input_shape="3,32,32",
    data="builtin:shapes",
    budgets=("25%",),
    task="paired",
    metric="shapes",
    hours=1.0,
    task_settings={"weight_l1": 50.0, "discriminator": {"ndf": 16}},
    method_settings={"coronet.embedding": 1},
)


def test_what_a_resume_may_change_changes():
    """Total, time limit, device and readers are taken; without a new time limit there is none."""
    given = {"trials": 30, "hours": 2.0, "device": "cpu", "data_workers": 3, "data": "builtin:shapes"}
    assert set(given) == set(RESUMABLE)
    found = resumed(RECORDED, given)
    assert [getattr(found, name) for name in given] == list(given.values())
    assert resumed(RECORDED, {}).hours is None
    assert found.fingerprint() == RECORDED.fingerprint()


def test_the_file_of_the_search_serves_its_resume():
    """Options that say what the study has are accepted, in part, in nested tables, and with the own file's old place."""
    same = {
        "name": "s",
        "model": "somewhere/mine.py:Net",
        "budgets": ["25%"],
        "metric": "auto",
        "task_settings": {"discriminator": {"ndf": 16}},
        "method_settings": {"coronet": {"embedding": 1}},
        "weights": {"vgg": "w.pth"},
        "trials": 30,
    }
    assert resumed(RECORDED, same).trials == 30


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"budgets": ["30%"]}, r"budgets of study 's' cannot change: got \['30%'\]; it has \['25%'\]"),
        ({"recipe": {"lr": 1.0}}, "recipe of study 's' cannot change"),
        ({"task_settings": {"weight_l1": 1}}, "task_settings of study 's' cannot change"),
        ({"name": "t"}, "name of study 's' cannot change: got 't'; it has 's'"),
        ({"model": "resnet", "input_shape": ""}, "model of study 's' cannot change"),
        ({"seed": 1}, "may change trials, hours, device, data_workers, data and where and how it runs"),
    ],
)
def test_what_a_resume_may_not_change_is_named(given, says):
    """Another value than the study has is refused with both, and with what may change."""
    with pytest.raises(UserError, match=says):
        resumed(RECORDED, given)


def test_a_file_that_is_given_again_with_other_code_is_refused(tmp_path):
    """The study's copy would be run: an edit that has no effect is told by name."""
    copy = tmp_path / "study" / "mine-1a2b.py"
    copy.parent.mkdir()
    copy.write_text("def Net(): ...\n")
    recorded = replace(RECORDED, model=f"{copy}:Net", methods=("uniform", f"{copy}:Net"))
    (tmp_path / "mine.py").write_text("def Net(): ...\n")
    given = {"model": f"{tmp_path / 'mine.py'}:Net", "methods": ["uniform", f"{tmp_path / 'mine.py'}:Net"]}
    assert resumed(recorded, given).model == recorded.model
    (tmp_path / "mine.py").write_text("def Net(): pass\n")
    for name, value in given.items():
        with pytest.raises(UserError, match=f"{name} of study 's' cannot change: got .*mine.py:Net with other code"):
            resumed(recorded, {name: value})
