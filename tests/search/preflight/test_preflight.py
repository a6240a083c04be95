"""A preflight: all findings of a search at once, its hours, and nothing written."""

import json
import os
from collections import namedtuple

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.files.errors import UserErrors, errors_of
from ganprune.gan_models.networks.catalog import build
from ganprune.search.preflight import checks
from ganprune.search.preflight.finding import Finding
from ganprune.search.preflight.preflight import examined
from ganprune.studies.api import Search
from ganprune.studies.run_options import RunOptions

from ...tiny_study import SMALL, made

OPTIONS = {k: v for k, v in SMALL.items() if k not in ("model", "data", "budgets")} | {"trials": 4}
Usage = namedtuple("Usage", ["total", "used", "free"])


def search(folder, run=None, budget="60%", **changes) -> Search:
    url = f"sqlite:///{folder}/s.db"
    return Search(
        "resnet", "builtin:shapes", budget, "pre", OPTIONS | changes, url, None, run or RunOptions(executor="local")
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The preflight of a search in order, and the folder that it left."""
    folder = tmp_path_factory.mktemp("pre")
    return search(folder).preflight(), folder


def test_a_search_in_order_passes_with_its_hours(sound):
    """Each check is named, the study is resolved, and the hours have their parts."""
    found, _ = sound
    assert found.passes
    text = str(found)
    for part in (
        "images: 8 train",
        "cut equals gated, cost equals the counter: 3 random plans",
        "GB free",
        "hours  about",
    ):
        assert part in text
    assert found.study().config.name == "pre"
    assert 0 < found.estimate.hours < 1
    assert {"teacher", "fine-tuning", "measuring", "starting"} <= {part.name for part in found.estimate.parts}


def test_nothing_is_written(sound):
    """Neither database nor folder of artifacts is made, so no name is taken."""
    assert os.listdir(sound[1]) == []


def test_it_is_plain_json(sound):
    """Findings and estimate go through JSON."""
    told = json.loads(json.dumps(sound[0].to_json(), allow_nan=False))
    assert {one["kind"] for one in told["findings"]} <= {"error", "warning", "note", "passed"}
    assert told["estimate"]["hours"] == sound[0].estimate.hours


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU that is asked for")
def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    """Refusals of resolving, and what the table's checks find: one line each, and no estimate."""
    run = RunOptions(gpus_per_trial=1, cpus_per_trial=10**6)
    found = search(tmp_path, run, device="cuda", metric="inception", n_test=1, teacher="gone.pt").preflight()
    lines = [finding.line for finding in found.of_kind("error")]
    for part in (
        "'cuda' is not",
        "nception",
        "a distance needs 2",
        "gone.pt is",
        "--cpus-per-trial",
        "--gpus-per-trial",
    ):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert found.estimate is None
    with pytest.raises(UserErrors) as told:
        found.study()
    assert list(map(str, errors_of(told.value))) == lines


def test_options_that_cannot_be_read_are_told_beside_the_rest(tmp_path):
    """Numbers out of range do not hide what is wrong with the data, and leave no hours to estimate."""
    found = search(tmp_path, seed=-1, trials=0, value_range="x", n_test=1, recipe={"lr": -1}).preflight()
    lines = [finding.line for finding in found.of_kind("error")]
    for part in ("got -1", "trials is 0", "value range", "a distance needs 2", "lr=-1"):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert found.estimate is None


def test_a_name_that_cannot_be_hides_no_other_mistake(tmp_path):
    """Ten mistakes of all kinds are ten lines."""
    wrong = {"seed": -1, "trials": 0, "rungs": [0.5, 0.2], "bits": [16], "sampler": "tpee", "methods": ["magnetude"]}
    options = OPTIONS | wrong | {"n_test": 1, "teacher": "gone.pt", "metric": "incption"}
    found = Search(
        "resnet", "builtin:shapes", ["150%", "3GBananas"], "a/b", options, f"sqlite:///{tmp_path}/s.db"
    ).preflight()
    lines = [finding.line for finding in found.of_kind("error")]
    for part in (
        "'a/b'", "got -1", "trials is 0", "rising shares", "bits are 32", "'tpee'", "'magnetude'", "'incption'", "150%",
        "3GBananas",
    ):  # fmt: skip
        assert sum(part in line for line in lines) == 1, (part, lines)


def test_a_search_that_names_no_network_is_a_finding(tmp_path):
    """Without what a configuration needs there is nothing else to look at."""
    found = Search("own.py:net", "builtin:shapes", "60%", "pre", {}, f"sqlite:///{tmp_path}/s.db").preflight()
    assert [finding.kind for finding in found.findings] == ["error"]


def test_a_name_that_is_taken_is_told_before_anything_is_trained():
    """A study of the name exists: the finding says how to go on with it."""
    there = made()
    url = f"sqlite:///{there.root.parent}/study.db"
    (line,) = [
        f.line for f in Search("resnet", "builtin:shapes", "60%", "tiny", OPTIONS, url).preflight().of_kind("error")
    ]
    assert "ganprune resume tiny" in line


def test_a_disk_that_is_too_small_is_told(tmp_path, monkeypatch):
    """No room for one trial is an error; room for some of them is a warning that names the quota."""
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: Usage(1, 1, 0))
    assert "--artifacts" in "".join(f.line for f in search(tmp_path).preflight(hours=False).of_kind("error"))
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: Usage(1, 1, 300_000))
    found = search(tmp_path, trials=1000).preflight(hours=False)
    assert found.passes
    assert "--disk-quota" in "".join(f.line for f in found.of_kind("warning"))


def test_a_teacher_that_contradicts_its_value_range_is_told_before_the_search(tmp_path):
    """Weights are looked at before anything is trained: outputs of [-1, 1] are no [0, 255]."""
    save_weights(build("resnet", SMALL["model_args"]), tmp_path / "t.safetensors")
    given = {"teacher": str(tmp_path / "t.safetensors"), "value_range": "0,255"}
    assert "value range" in "".join(f.line for f in search(tmp_path, **given).preflight(hours=False).of_kind("warning"))


def test_errors_come_first_and_each_finding_once():
    """Whatever the order in which they were found."""
    one, two = Finding("note", "a"), Finding("error", "b", "c", "d")
    found = examined(None, [one, two, one])
    assert found.findings == (two, one)
    assert two.line == "b; expected c. Try d"


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_every_check_stands_a_study_that_could_not_be_resolved(check, tmp_path):
    """A row of the table looks at what there is: without a study it finds no more than what needs none."""
    from ganprune.search.config import StudyConfig
    from ganprune.search.preflight.launch import Launch, Placement

    launch = Launch(StudyConfig(name="r", **SMALL), Placement(), str(tmp_path / "none" / "there"))
    assert all(isinstance(found, Finding) for found in check(launch))
