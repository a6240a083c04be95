"""A search without any result is an error, in Python and on the command line."""

import pytest
from ganprune.gan_models.files.errors import WorkFailed
from ganprune.search.trial import trial as training
from ganprune.studies.api import Search, Study
from ganprune.studies.results.failed_trials import EveryTrialFailed, check_failures
from ganprune.studies.run_options import RunOptions

from ...tiny_study import SMALL, made

OPTIONS = {k: v for k, v in SMALL.items() if k not in ("model", "data", "budgets")} | {
    "trials": 2,
    "methods": ["uniform"],
}


def test_a_search_whose_trials_all_fail_raises(tmp_path, monkeypatch):
    """`Search.run` names the commonest reason and where its traceback is; the study itself is kept."""

    def run(request, report):
        raise ValueError("cannot be cut" if request.number else "another reason")

    monkeypatch.setattr(training, "run", run)
    url = f"sqlite:///{tmp_path}/s.db"
    search = Search("resnet", "builtin:shapes", "60%", "f", OPTIONS, url, run_options=RunOptions(executor="local"))
    with pytest.raises(EveryTrialFailed, match=r"every trial of study 'f' failed: .*cannot be cut") as told:
        search.run()
    assert isinstance(told.value, WorkFailed)  # exit code 1: what failed is the work, not the input
    text = str(told.value)
    assert "\n" not in text
    assert "another reason" not in text
    study = Study.open("f", url)
    assert str(study.folder.path / "1") in text
    assert "trials[1].outcome.traceback" in text
    assert "cannot be cut" in study.trials[1].outcome.traceback
    assert {record.state for record in study.trials} == {"FAIL"}
    with pytest.raises(EveryTrialFailed):
        study.resume(run_options=RunOptions(executor="local"))


def test_one_result_is_enough(tmp_path):
    """A study with failed and complete trials is no error, nor is one without a trial."""
    record = made().record
    assert {"FAIL", "COMPLETE"} <= {trial.state for trial in record.trials}
    check_failures(record, tmp_path)
