"""A search on a Ray cluster of several nodes, with its record in PostgreSQL: a node dies, no password is seen."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ganprune.studies.database.reader import read_study

from ..postgres import PASSWORD

HERE = Path(__file__).parent
pytestmark = pytest.mark.alone


@pytest.fixture
def start():
    """Starts a cluster; answers (its process, its address, the folder of all that Ray writes)."""
    running, folders = [], []

    def cluster(nodes: int, **environment: str):
        folder = tempfile.mkdtemp(prefix="gp", dir="/tmp")  # Ray's sockets must have short names
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # workers install the wheel with pip
        process = subprocess.Popen(
            [sys.executable, HERE / "cluster.py", folder, str(nodes)],
            env={**os.environ, "PATH": path, "PYTHONPATH": "", "RAY_worker_niceness": "0", **environment}, **pipes,
        )  # fmt: skip
        running.append(process)
        folders.append(folder)
        while ":" not in (line := process.stdout.readline()):
            assert process.poll() is None
        return process, line.strip(), Path(folder)

    yield cluster
    for process in running:
        process.stdin.close()
        process.wait(60)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def launch(url, artifacts, address, **environment):
    # Not in the checkout: workers search the driver's folder first, and would find its `ganprune` before the wheel's.
    elsewhere = Path(f"{artifacts}-driver")
    elsewhere.mkdir(exist_ok=True)
    if not (elsewhere / "tests").exists():
        (elsewhere / "tests").symlink_to(HERE.parent)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.cluster_driver", url, artifacts, address], cwd=elsewhere,
        env={**os.environ, "DATABASE_URL": url, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def told(process, order: str) -> str:
    process.stdin.write(f"{order}\n")
    process.stdin.flush()
    return process.stdout.readline()


def with_password(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and PASSWORD.encode() in path.read_bytes():
            found.append(str(path))
    return found


def test_a_node_dies_in_mid_trial_and_no_password_leaves_the_driver(start, postgres, tmp_path):
    """Its trial is run again elsewhere, in place; workers know no database, nor do Ray's files and tables."""
    url = postgres.new_database()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t" * 64}
    cluster, address, folder = start(2, **token)
    driver = launch(url, tmp_path, address, **token)
    deadline = time.monotonic() + 300
    while not all((tmp_path / "s" / name / "starts.txt").exists() for name in "01"):
        assert driver.poll() is None, driver.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert told(cluster, "kill") == "killed\n"
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0, output

    trials = read_study(url, "s").trials
    assert [trial.state for trial in trials] == ["COMPLETE"] * 6
    assert sorted(trial.attempt for trial in trials) == [1] * 5 + [2]
    assert "machine gone" in output
    for trial in trials:
        assert trial.outcome.method_record["secrets"] == []
    jobs = told(cluster, "jobs")
    assert "cluster_driver" in jobs
    assert json.loads(jobs)
    assert PASSWORD not in jobs + output
    assert with_password(folder) == with_password(tmp_path) == []


def test_an_open_cluster_is_refused_without_insecure_and_workers_get_the_wheel(start, tmp_path):
    """One line says why and what to do, and no trial is made; with it, workers run this very ganprune from its wheel."""
    url = f"sqlite:///{tmp_path}/s.db"
    _, address, _ = start(1, RAY_AUTH_MODE="disabled")
    driver = launch(url, tmp_path, address)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 1
    assert f"the Ray cluster at {address} requires no token" in output
    assert "--insecure" in output
    assert read_study(url, "s").trials == ()
    driver = launch(url, tmp_path, address, INSECURE="1")
    assert driver.communicate(timeout=300)[0].endswith("failed=0, waiting=0)\n")
    for trial in read_study(url, "s").trials:
        assert "py_modules_files" in trial.outcome.method_record["ganprune"]
