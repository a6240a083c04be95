"""A dry run is the real search but for the training, and says so wherever it is shown."""

import json

import pytest
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.search.simulation import step_times
from ganprune.studies.api import Search, Study
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.store import make_way
from ganprune.studies.report.html import report_html
from ganprune.studies.results.outcome import SIMULATED_NOTE
from ganprune.studies.run_options import RunOptions
from ganprune.studies.simulate import estimate, simulate

from ..command_line import call, refused
from ..tiny_study import SMALL

OPTIONS = {k: v for k, v in SMALL.items() if k not in ("model", "data", "budgets")}
OPTIONS |= {"trials": 14, "prune_steps": 50, "finetune_steps": 100, "rungs": (0.25, 0.5), "teacher_steps": 50}


def search(folder, **changes):
    options = {**OPTIONS, **changes}
    return Search("resnet", "builtin:shapes", "60%", "sim", options, f"sqlite:///{folder}/s.db")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return simulate(search(tmp_path_factory.mktemp("sim")), seconds_per_step=2.0)


def test_nothing_is_trained_and_everything_is_recorded(simulated):
    """Trials have plans inside the budget, curves and qualities; there are no weights, and no step was timed."""
    record = simulated.record
    assert len(record.trials) == 14
    assert {t.state for t in record.trials} == {"COMPLETE", "PRUNED"}
    assert {t.new.method for t in record.trials} == {"uniform", "reconstruct", "coronet"}  # as a real search
    for trial in record.trials:
        assert trial.cost <= trial.new.target
        assert trial.widths
        assert trial.outcome.artifact is None
    assert simulated.front()
    assert all(m.name != "fd[shapes]" for t in record.trials for m in t.outcome.measurements)


def test_the_same_study_is_simulated_the_same(simulated, tmp_path):
    """The study's seed decides everything; another seed is another study."""
    again, other = simulate(search(tmp_path), seconds_per_step=2.0), None
    (tmp_path / "o").mkdir()
    other = simulate(search(tmp_path / "o", seed=1), seconds_per_step=2.0)
    points = [[(t.state, t.quality, t.cost) for t in study.trials] for study in (simulated, again, other)]
    assert points[0] == points[1] != points[2]


def test_the_estimate_counts_the_steps_that_trials_take(simulated):
    """Hours are seconds a step times the steps of whole and stopped trials, shared by those that run at once."""
    found = estimate(simulated.record, RunOptions(max_concurrent=1))
    steps = sum(150 if t.state == "COMPLETE" else max(t.rungs) for t in simulated.trials)
    assert found.trial_hours == pytest.approx(2.0 * steps / 3600)
    assert found.teacher_hours == pytest.approx(2.0 * 50 / 3600)
    assert found.hours == pytest.approx(found.teacher_hours + found.trial_hours)


def test_it_is_marked_wherever_it_is_shown(simulated, tmp_path, monkeypatch, capsys):
    """Table, JSON and page say that nothing was trained, and the quality's name does."""
    storage = ["--storage", simulated.storage]
    for command in (["show", "sim", *storage], ["pareto", "sim", *storage]):
        assert call(monkeypatch, *command) == 0
        shown = capsys.readouterr().out
        assert SIMULATED_NOTE in shown
        assert "fd[simulated]" in shown
        assert "rank correlation of rungs with the end: step 75:" in shown
        assert call(monkeypatch, *command, "--json") == 0
        assert json.loads(capsys.readouterr().out)["simulated"] == SIMULATED_NOTE
    assert SIMULATED_NOTE.replace("'", "&#39;") in report_html(simulated.record, tmp_path, pictures=False)


def test_it_is_neither_exported_nor_resumed(simulated, tmp_path):
    """There is nothing to export, and a dry run is made anew rather than resumed."""
    with pytest.raises(ValueError, match="simulated: nothing was trained"):
        simulated.export(simulated.front()[0].number, tmp_path / "b")
    with pytest.raises(ValueError, match="simulated and is not resumed"):
        Study.open("sim", simulated.storage).resume(trials=20)


def test_one_given_direction_is_timed_as_it_is_trained(tmp_path, monkeypatch, capsys):
    """A given generator is frozen while its discriminator is trained, so its steps are timed without a teacher."""
    monkeypatch.setattr(step_times, "MAX_TIMED_STEPS", 2)
    save_weights(build("resnet", {"ngf": 4, "n_blocks": 1}), tmp_path / "b.safetensors")
    model = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "builtin:stripes", "--budget", "60%"]
    small = ["--image-size", 16, "--n-train", 8, "--n-test", 8, "--trials", 3, "--batch-size", 2, "--ndf", 4]
    given = ["--teacher", str(tmp_path / "b.safetensors"), "--direction", "BtoA", "--simulate"]
    storage = f"sqlite:///{tmp_path}/s.db"
    assert call(monkeypatch, "search", "--study", "sim", *model, *small, *given, "--storage", storage) == 0
    assert "BtoA is distilled" in "".join(capsys.readouterr())


def test_steps_are_timed_where_no_seconds_are_given(tmp_path, monkeypatch, capsys):
    """From the command line: a few real steps of the dense and of a small network, then the estimate."""
    monkeypatch.setattr(step_times, "MAX_TIMED_STEPS", 2)
    arguments = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "builtin:shapes", "--budget", "60%"]
    sizes = [
        "--image-size",
        "16",
        "--n-train",
        "8",
        "--n-test",
        "8",
        "--trials",
        "3",
        "--batch-size",
        "2",
        "--ndf",
        "4",
    ]
    storage = f"sqlite:///{tmp_path}/s.db"
    assert call(monkeypatch, "search", "--study", "sim", *arguments, *sizes, "--simulate", "--storage", storage) == 0
    assert "estimate:" in "".join(capsys.readouterr())
    times = read_study(storage, "sim").attributes["ganprune.teacher"]["times"]
    assert min(times["teacher"], times["dense"], times["small"]) > 0
    assert 0 < times["share"] < 0.6
    assert "--simulate" in refused(monkeypatch, capsys, "search", *arguments, *sizes, "--seconds-per-step", "1")


def test_a_simulated_study_gives_way(tmp_path):
    """It takes no name: the search that was simulated is simulated anew, or launched, under the same one."""
    wanted = search(tmp_path, trials=2)
    first, again = (simulate(wanted, seconds_per_step=1.0) for _ in range(2))
    assert [t.quality for t in first.trials] == [t.quality for t in again.trials]
    assert wanted.preflight(hours=False).passes
    make_way(wanted.storage, "sim", wanted.artifacts_root())
    with pytest.raises(UserError, match="sim"):
        Study.open("sim", wanted.storage)
