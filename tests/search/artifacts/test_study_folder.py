import json
import os

import pytest
from ganprune.gan_models.files.atomic_files import read_json, write_json
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.study_folder import StudyFolder, read_result, write_result
from ganprune.search.records.messages import TrialOutcome, TrialRequest
from ganprune.search.study_name import check_study_name


def request(folder, number=4):
    return TrialRequest(number, 1, Proposal("m", {}, 1.0, "macs"), 0, str(folder))


def test_a_result_is_found_where_it_was_put(tmp_path):
    """StudyFolder.result finds the file that write_result writes, in <root>/<study>/<number>/result.json."""
    folder = StudyFolder(tmp_path, "s")
    result = TrialOutcome("COMPLETE", 1.0, 2.0, rungs={1: 3.0})
    write_result(request(folder.trial(4)), result)
    assert (tmp_path / "s" / "4" / "result.json").exists()
    assert folder.result(4) == result
    assert folder.result(5) is None


def test_another_trials_result_is_not_taken(tmp_path):
    """A result whose number is another's (a copied folder) is not this trial's."""
    write_result(request(tmp_path, 4), TrialOutcome("COMPLETE", 1.0, 2.0))
    assert read_result(tmp_path, 5) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"number": 4}', '{"number": 4, "result": {"state": "?"}}'])
def test_a_broken_result_is_none(tmp_path, text):
    """A file that is no whole result is no result."""
    (tmp_path / "result.json").write_text(text)
    assert read_result(tmp_path, 4) is None


def test_a_crash_while_writing_keeps_the_old_file(tmp_path, monkeypatch):
    """If the rename never comes, the old content is complete and no other file is left."""
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def crash(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="no"):
        write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_json_is_strict(tmp_path):
    """Files hold no NaN literal, which other programs cannot read."""
    write_json(tmp_path / "x.json", {"a": float("nan")})
    assert json.loads((tmp_path / "x.json").read_text(), parse_constant=pytest.fail) == {"a": "nan"}


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101])
def test_study_names_are_folder_names(name):
    """A name that could leave its folder, or is no file name somewhere, is refused."""
    with pytest.raises(ValueError, match="invalid name of a study"):
        check_study_name(name)
