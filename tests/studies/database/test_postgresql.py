"""Studies in a PostgreSQL server that is locked, killed and started again."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from ganprune.search.records.messages import TrialOutcome
from ganprune.studies.database.lock import StudyLocked, lock_study, this_process
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.store import Store

HOLDER = "import sys, time; from ganprune.studies.database.lock import lock_study; x = lock_study(sys.argv[1], 's'); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def url(postgres):
    return postgres.new_database()


def test_the_second_driver_is_told_who_holds_the_advisory_lock(url):
    """Host and process of the holder; another study's lock is free; after release this one is too."""
    first = lock_study(url, "s")
    with pytest.raises(StudyLocked, match=f"study 's' is being run by {this_process()};"):
        lock_study(url, "s")
    lock_study(url, "t").release()
    first.release()
    lock_study(url, "s").release()


def test_the_advisory_lock_dies_with_a_killed_process(url):
    """SIGKILL of the holder frees the study at once, without a clock or a heartbeat of ours."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StudyLocked, match=f":{holder.pid};"):
        lock_study(url, "s")
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    lock_study(url, "s").release()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGKILL], ids=["at once", "like a power switch"])
def test_a_server_that_goes_away_between_two_writes_is_waited_for(postgres, url, tmp_path, new, how):
    """The write that meets the gap waits and is done once; the lock is held again, and a second driver is refused."""
    with Store.create(url, "s", tmp_path, {}) as store:
        store.create_trial(new())
        postgres.end(how)
        back = threading.Timer(1.5, postgres.start)
        back.start()
        store.create_trial(new())
        store.finish(1, TrialOutcome("COMPLETE", 5.0, 1.0))
        back.join()
        with pytest.raises(StudyLocked):
            Store.open(url, "s", tmp_path)
        assert [trial.state for trial in read_study(url, "s").trials] == ["RUNNING", "COMPLETE"]


def test_a_driver_that_lost_its_lock_meanwhile_writes_nothing_more(postgres, url, tmp_path, new):
    """The server was away, and another driver was quicker: the first one stops instead of writing beside it."""
    with Store.create(url, "s", tmp_path, {}) as store:
        store.create_trial(new())
        store._lock._drop()  # as the server's restart does
        other = lock_study(url, "s")
        with pytest.raises(StudyLocked):
            store.create_trial(new())
        other.release()
        assert len(read_study(url, "s").trials) == 1
