"""The command line on PostgreSQL: nothing else changes, and its password is seen nowhere."""

import optuna
from ganprune.search.engine import engine
from ganprune.studies.database.lock import lock_study

from ..command_line import QUICK, call
from ..postgres import PASSWORD


def test_a_search_in_postgresql_from_launch_to_bundle_shows_no_password(postgres, tmp_path, monkeypatch, capsys):
    """search, resume, show, export, report, a refusal and a wrong password: no file and no line holds it."""
    monkeypatch.chdir(tmp_path)
    url = postgres.new_database()
    here = ["--storage", url]
    shape = ["--model", "resnet", "--model-args", "ngf=8,n_blocks=1", "--image-size", 16, "--data", "builtin:shapes"]
    assert call(monkeypatch, "search", *shape, *QUICK, *here, "--budget", "60%", "--trials", 2, "--study", "s") == 0
    assert call(monkeypatch, "resume", "s", "--trials", 3, "--executor", "local", *here) == 0
    assert len(optuna.load_study(study_name="s", storage=url).trials) == 3
    assert call(monkeypatch, "show", "s", *here) == 0
    assert call(monkeypatch, "export", "s", "--front", "--out", "bundles", *here) == 0
    assert call(monkeypatch, "report", "s", "--out", "r.html", *here) == 0
    lock = lock_study(url, "s")
    assert call(monkeypatch, "resume", "s", "--trials", 4, "--executor", "local", *here) == 1  # somebody drives it
    lock.release()
    assert call(monkeypatch, "show", "other", *here) == 2
    assert call(monkeypatch, "show", "s", "--storage", url.replace(PASSWORD, PASSWORD + "x")) == 1
    seen = capsys.readouterr()
    assert "is being run by" in seen.err
    assert "password authentication failed" in seen.err
    assert PASSWORD not in seen.out + seen.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"card.md", "manifest.json", "r.html", "result.json", "teacher.json"} <= {path.name for path in files}
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_the_server_may_restart_in_mid_search(postgres, tmp_path, monkeypatch):
    """The search waits for its database and ends as if nothing had happened."""
    monkeypatch.chdir(tmp_path)
    url = postgres.new_database()
    real, restarts = engine.Engine.report, []

    def report(self, number, told):
        if number == 1 and not restarts:
            restarts.append(postgres.restart())
        return real(self, number, told)

    monkeypatch.setattr(engine.Engine, "report", report)
    shape = ["--model", "resnet", "--model-args", "ngf=8,n_blocks=1", "--image-size", 16, "--data", "builtin:shapes"]
    arguments = [*shape, *QUICK, "--storage", url, "--budget", "60%", "--trials", 3]
    assert call(monkeypatch, "search", *arguments) == 0
    assert len(restarts) == 1
    trials = optuna.load_study(study_name="search", storage=url).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
