"""A driver that dies at any moment: nothing lost, nothing twice, nothing left running, the same study in the end."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ganprune.studies.database.durable_writes import RowWriter
from ganprune.studies.database.lock import StudyLocked
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.store import Store

from ...fakes.drive import drive, open_or_create

ROOT = Path(__file__).parents[3]


def table(folder: Path) -> list[tuple]:
    """All that a study is, without times, attempts and places."""
    trials = read_study(f"sqlite:///{folder}/s.db", "s").trials
    return [
        (t.number, t.state, t.new.method, t.new.params, t.new.origin, t.quality, t.cost, t.rungs, t.constraints,
         t.stopped, t.widths, t.outcome and t.outcome.artifact)
        for t in trials
    ]  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The study as it comes out when nothing happens."""
    folder = tmp_path_factory.mktemp("calm")
    drive(folder, trials=8, faults={"1": "nan"})
    result = table(folder)
    assert {"COMPLETE", "PRUNED", "FAIL"} == {row[1] for row in result}
    return result


class Killed(BaseException):
    """Stands for SIGKILL: after it, this process writes nothing more."""


@pytest.mark.parametrize("after", sorted(random.Random(0).sample(range(85), 8)))
def test_death_at_any_write(tmp_path, monkeypatch, uninterrupted, after):
    """Whatever the write after which the driver dies, the study ends as if nothing had happened."""
    store = open_or_create(tmp_path)
    left, real = [after], RowWriter.durably

    def durably(self, write):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(self, write)

    with monkeypatch.context() as patched:
        patched.setattr(RowWriter, "durably", durably)
        with pytest.raises(Killed):
            drive(tmp_path, store=store, trials=8, faults={"1": "nan"})
    drive(tmp_path, trials=8, faults={"1": "nan"})
    assert table(tmp_path) == uninterrupted


def test_sigkill_of_a_real_driver(tmp_path):
    """Three SIGKILLs at random moments: 0 lost, 0 repeated, 0 left RUNNING, the uninterrupted study's table."""
    calm, torn = tmp_path / "calm", tmp_path / "torn"
    calm.mkdir()
    torn.mkdir()
    moments = random.Random(1)
    for _ in range(3):
        command = [sys.executable, "-m", "tests.fakes.drive", str(torn), "0.3"]
        driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert driver.stdout.readline() == "go\n"
        time.sleep(moments.uniform(0.1, 0.8))  # ten trials take 3 s or more: it is never done by then
        with pytest.raises(StudyLocked, match=f":{driver.pid};"):
            Store.open(f"sqlite:///{torn}/s.db", "s", torn / "a")
        read_study(f"sqlite:///{torn}/s.db", "s")  # reading is always possible
        os.kill(driver.pid, signal.SIGKILL)
        driver.communicate()
    drive(torn)
    drive(calm)
    assert table(torn) == table(calm)
    for number, state, *_ in table(torn):
        starts = (torn / "a" / "s" / str(number) / "starts.txt").read_text().split()
        assert len(starts) <= int(starts[-1]) <= 4, (number, state)  # an attempt counts before it begins


def test_a_result_on_disk_is_not_trained_again(tmp_path, monkeypatch):
    """The driver dies between a trial's result and its record: the study is told from disk, no second training."""
    real = RowWriter.set_state

    def set_state(self, number, state, values=None):
        if state == "COMPLETE" and number == 1:
            raise Killed
        return real(self, number, state, values)

    with monkeypatch.context() as patched:
        patched.setattr(RowWriter, "set_state", set_state)
        patched.setattr(Store, "release", lambda self: 0)
        with pytest.raises(Killed):
            drive(tmp_path, trials=3)
    assert [row[1] for row in table(tmp_path)] == ["COMPLETE", "RUNNING"]
    with open_or_create(tmp_path) as store:
        assert [r.state for r in store.records()] == ["COMPLETE", "COMPLETE"]
    drive(tmp_path, trials=3)
    assert (tmp_path / "a" / "s" / "1" / "starts.txt").read_text() == "1\n"
