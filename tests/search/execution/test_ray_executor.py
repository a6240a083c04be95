"""Failures that only Ray has: dying workers, threads, its own files, Ctrl-C."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.search.execution.executor import Asked
from ganprune.search.execution.ray_cluster import RayOptions, environment, no_passwords, places
from ganprune.search.execution.ray_executor import RayExecutor
from ganprune.studies.database.reader import read_study

ROOT = Path(__file__).parents[3]
RAY = RayOptions(num_cpus=2)


def test_workers_run_side_by_side_and_die_alone(ray_running, search, store, tmp_path, monkeypatch):
    """Two trials run at once, on the CPUs given; a killed worker's runs again in place; Ray's files are gone."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    ended, events = search(RayExecutor(RAY), trials=4, faults={"0": "meet 1", "1": "meet 0", "2": "die"})
    records = store.records()
    assert ended.complete == 4
    assert {r.outcome.worker.split()[-1] for r in records} == {"1"}
    assert [r.attempt for r in records] == [1, 1, 2, 1]
    back = [(event.number, event.reason) for event in events if type(event).__name__ == "TrialPutBack"]
    assert back == [(2, "the worker's process died while it ran (out of memory, killed, or its machine gone)")]
    assert not list(scratch.iterdir())
    assert sorted(p.name for p in store.folder.path.iterdir()) == ["0", "1", "2", "3", "study.json"]


def test_a_trial_too_large_is_refused(ray_running):
    """A trial that fits on no machine is an error, not a search that waits for ever."""
    with pytest.raises(RuntimeError, match=r"no trial fits on the cluster: .* expected 99"):
        places(RayOptions(cpus_per_trial=99))


@pytest.mark.parametrize("options", [{"cpus_per_trial": 0}, {"gpus_per_trial": -1.0}, {"gpus_per_trial": 1.5}])
def test_options_are_checked(options):
    """A trial without a CPU, or with less than no GPU, or one and a half, is refused."""
    with pytest.raises(ValueError, match="got"):
        RayOptions(**options)


@pytest.mark.parametrize(
    ("gpus_per_trial", "fit"), [(0.5, 4), (1, 2), (2, 1), (0.3, 6), (0, 12), (None, 2)], ids=lambda value: str(value)
)
def test_parts_of_a_gpu_are_parts_of_one_gpu(monkeypatch, gpus_per_trial, fit):
    """Two machines, one with two GPUs: a half each is four trials there; 0 fills the CPUs; the default is one GPU."""
    nodes = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0}]
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": True, "Resources": node} for node in nodes])
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 12.0, "GPU": 2.0})
    assert places(RayOptions(gpus_per_trial=gpus_per_trial)) == fit


def test_what_holds_a_password_is_kept_from_ray(monkeypatch):
    """Variables with a password are gone while Ray starts and back afterwards: its processes keep what they inherit."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/x")
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("HTTP_PAGE", "https://h/x@y")
    with no_passwords():
        assert not {"DATABASE_URL", "PGPASSWORD"} & set(os.environ)
        assert os.environ["HTTP_PAGE"] == "https://h/x@y"
    assert os.environ["PGPASSWORD"] == "secret"


@pytest.mark.parametrize("address", ["auto", "ray://h:10001", "https://h:80", "h"])
def test_a_remote_cluster_is_named_by_host_and_port(address):
    """Nothing is joined by accident: an address is HOST:PORT, or `local`."""
    with pytest.raises(ValueError, match="expected local, or HOST:PORT"):
        RayOptions(address=address)


def test_environment_is_put_back(monkeypatch):
    """Variables set for Ray are as before afterwards."""
    monkeypatch.setenv("A_B", "1")
    with environment({"A_B": "2", "A_C": "3"}):
        assert (os.environ["A_B"], os.environ["A_C"]) == ("2", "3")
    assert os.environ["A_B"] == "1"
    assert "A_C" not in os.environ


class Recorded:
    """An engine that notes what it is told."""

    def __init__(self):
        self.told = []

    def ask(self):
        return Asked.DONE

    def lost(self, number, reason):
        self.told.append((number, reason))


def test_a_worker_that_dies_while_starting_is_told_so():
    """Ray reports an error before the trial began: the engine hears that it never ran."""
    from ganprune.search.execution.ray_hooks import LedgerSearcher

    engine = Recorded()
    searcher = LedgerSearcher(engine)
    searcher.numbers["x"] = 7
    searcher.on_trial_complete("x", error=True)
    assert engine.told == [
        (7, "the worker's process died before it began (out of memory, killed, or its machine gone)")
    ]
    assert searcher.suggest("y") == "FINISHED"
    assert searcher.__getstate__() == {}
    with pytest.raises(RuntimeError, match="resume it from its database"):
        searcher.restore("anything")


def test_a_cluster_that_is_gone_ends_the_search(monkeypatch):
    """No machine alive: the search stops with a line that says so, instead of waiting for ever."""
    from ganprune.search.execution.ray_hooks import LedgerSearcher, Lifecycle, Stopped

    engine = Recorded()
    engine.out_of_time = lambda: False
    searcher = LedgerSearcher(engine)
    hook = Lifecycle(searcher)
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": False}, {"Alive": True}])
    hook.on_step_end(1, [])
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": False}])
    hook.looked = 0.0
    with pytest.raises(Stopped):
        hook.on_step_end(2, [])
    assert "no machine of the Ray cluster is left. Run `ganprune resume`" in str(searcher.halted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_ctrl_c_and_sigterm_hand_trials_back(tmp_path, number):
    """Each ends a search on Ray at once: KeyboardInterrupt, nothing RUNNING, attempts given back, no traceback."""
    script = textwrap.dedent(f"""
        import os, signal, sys
        os.environ["RAY_ADDRESS"] = "192.0.2.1:6379"  # a stray one is not joined
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell runs in the background
        from tests.fakes.fake_proposals import FakeProposals
        from tests.fakes.fake_study import fake_study
        from ganprune.search.engine.engine import Engine
        from ganprune.search.engine.settings import EngineSettings
        from ganprune.search.execution.ray_cluster import RayOptions
        from ganprune.search.execution.ray_executor import RayExecutor
        from ganprune.studies.database.store import Store
        with Store.create("sqlite:///{tmp_path}/s.db", "s", "{tmp_path}/a", {{}}) as store:
            engine = Engine(store, FakeProposals(), EngineSettings(trials=99), store.folder, fake_study(seconds=2), None,
                            on_event=lambda event: print(type(event).__name__, flush=True))
            try:
                engine.run(RayExecutor(RayOptions(num_cpus=2)), "tests.fakes.fake_trials:run")
            except KeyboardInterrupt:
                sys.exit(130)
    """)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    driver = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, **pipes)
    while driver.stdout.readline().strip() != "TrialStarted":
        assert driver.poll() is None
    time.sleep(0.5)
    driver.send_signal(number)
    rest, errors = driver.communicate(timeout=240)
    assert driver.returncode == 130
    assert rest.strip().endswith("SearchEnded")
    assert "Traceback" not in errors
    trials = read_study(f"sqlite:///{tmp_path}/s.db", "s").trials
    assert {t.state for t in trials} == {"WAITING"}
    assert {t.attempt for t in trials} == {0}


def test_what_runs_alone_takes_every_cpu(ray_running):
    """A function on JSON runs in a task of its own that holds all CPUs; what it raises keeps its class."""
    executor = RayExecutor(RAY)
    assert executor.alone("tests.fakes.fake_trials:resources", {"x": 3}) == {
        "x": 3,
        "free_cpus": 0.0,
        "own_process": True,
    }
    with pytest.raises(ValueError, match=r"cannot load the run function 'tests\.fakes\.fake_trials:nosuch'") as raised:
        executor.alone("tests.fakes.fake_trials:nosuch", {})
    assert not isinstance(raised.value, WorkFailed | UserError)  # a fault of ours
    with pytest.raises(UserError, match="no such thing"):
        executor.alone("tests.fakes.fake_trials:refuses", {"why": "no such thing"})
    with pytest.raises(WorkFailed, match="died"):
        executor.alone("tests.fakes.fake_trials:dies_alone", {})
