import multiprocessing
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from ganprune.search.records.messages import TrialOutcome
from ganprune.studies.database.lock import FileLock, StudyLocked, lock_study, this_process
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.storage import (
    StorageError,
    file_system_of,
    open_storage,
    parse_url,
    refuse_network_file_system,
    shown,
)
from sqlalchemy import event

SECRET = "s3cret"


def test_writers_are_as_safe_as_sqlite_gets(url):
    """A writer's connection has the write-ahead log, full synchronization, and takes its lock when it begins."""
    storage = open_storage(url, write=True)
    seen = []
    with storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        raw = connection.connection.driver_connection
        raw.set_trace_callback(seen.append)
        connection.rollback()
        with connection.begin():
            connection.exec_driver_sql("SELECT 1")
    assert seen[1] == "BEGIN IMMEDIATE"


def test_a_reader_reads_while_somebody_writes(url):
    """A reader sees the state before an open transaction, at once, and makes no table and no file."""
    writer = open_storage(url, write=True)
    writer.create_new_study([optuna.study.StudyDirection.MINIMIZE] * 2, "x")
    with writer.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE studies SET study_name = 'y'")
        reader = open_storage(url, write=False)
        assert [study.study_name for study in reader.get_all_studies()] == ["x"]


def claim(url, barrier, queue):
    storage = open_storage(url, write=True)
    barrier.wait()
    got = [
        trial_id
        for trial_id in range(1, 31)
        if storage.set_trial_state_values(trial_id, optuna.trial.TrialState.RUNNING)
    ]
    queue.put(got)


def test_no_queued_trial_is_handed_out_twice(url):
    """Three processes that claim the same 30 queued trials get each of them once (BEGIN IMMEDIATE at work)."""
    storage = open_storage(url, write=True)
    study = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE] * 2, "x")
    for _ in range(30):
        storage.create_new_trial(study, optuna.trial.create_trial(state=optuna.trial.TrialState.WAITING))
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(3), context.Queue()
    storage.engine.dispose()
    workers = [context.Process(target=claim, args=(url, barrier, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    claimed = [trial for _ in workers for trial in queue.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert sorted(claimed) == list(range(1, 31))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("sqlite://", "give a file: sqlite:///FILE"),
        ("sqlite:///:memory:", "give a file: sqlite:///FILE"),
        ("studies.db", "is not a database URL"),
        (f"mysql://u:{SECRET}@h/x", "'mysql' databases are not supported"),
        (f"postgresql://u:{SECRET}@:a:/x", "is not a database URL"),
        (
            f"postgresql://u:{SECRET}@127.0.0.1:1/x",
            r"cannot open postgresql\+psycopg://u:\*\*\*@127.0.0.1:1/x: .*refused",
        ),
        ("sqlite:////no/such/folder/x.db", "the folder /no/such/folder does not exist"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_line(given, message):
    """An unusable URL gives one line that says what to do, and never the password."""
    with pytest.raises(StorageError, match=message) as caught:
        open_storage(given, write=True)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_files_that_are_no_database(tmp_path):
    """No file, a folder, another program's file: each is named for what it is, and left as it was."""
    (tmp_path / "text.db").write_text("hello" * 1000)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.commit()
    (tmp_path / "folder").mkdir()
    for name, message in [
        ("none.db", "no database at .*none.db"),
        ("folder", "is a folder"),
        ("text.db", "not a database"),
        ("other.db", "no studies in it"),
    ]:
        with pytest.raises(StorageError, match=message):
            open_storage(f"sqlite:///{tmp_path}/{name}", write=False)
    assert not (tmp_path / "none.db").exists()
    tables = sqlite3.connect(tmp_path / "other.db").execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("t",)]


def test_passwords_are_not_shown():
    """A URL is shown with *** for its password, and plain postgresql means psycopg."""
    assert shown(f"postgresql://u:{SECRET}@h/x") == "postgresql+psycopg://u:***@h/x"
    assert parse_url("sqlite:///x.db").database == str(Path("x.db").absolute())


MOUNTS = "/dev/sda / ext4 rw 0 0\nserver:/x /mnt/my\\040data nfs4 rw 0 0\ntmpfs /mnt/my\\040data/fast tmpfs rw 0 0\n"


@pytest.mark.parametrize(
    ("path", "kind"), [("/home", "ext4"), ("/mnt/my data/a", "nfs4"), ("/mnt/my data/fast", "tmpfs"), ("/mnt", "ext4")]
)
def test_file_systems_by_mount(path, kind):
    """The longest mount point that holds the path decides."""
    assert file_system_of(Path(path), MOUNTS) == kind


def test_network_file_systems_are_refused_by_name():
    """SQLite on NFS is refused; the message names the kind and the way out."""
    with pytest.raises(StorageError, match=r"network file system \(nfs4\).*postgresql"):
        refuse_network_file_system(Path("/mnt/my data"), MOUNTS)
    refuse_network_file_system(Path("/home"), MOUNTS)


def test_the_second_driver_is_told_who_holds_the_lock(url, tmp_path):
    """A held study's lock is refused with host and process; another study's is free; after release it is too."""
    first = lock_study(url, "s")
    with pytest.raises(StudyLocked, match=f"study 's' is being run by {this_process()};"):
        lock_study(url, "s")
    lock_study(url, "t").release()
    first.release()
    first.release()
    with pytest.raises(StorageError, match="was released"):
        first.ensure()
    lock_study(url, "s").release()


def test_the_lock_dies_with_its_process(url):
    """A process that ends without releasing leaves the lock free."""
    script = (
        f"import os; from ganprune.studies.database.lock import lock_study; x = lock_study({url!r}, 's'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    lock_study(url, "s").release()


def test_forked_children_do_not_keep_the_lock(tmp_path):
    """A data loader's process that outlives its driver does not hold the study."""
    lock = FileLock(tmp_path / "x.db", "s")
    reading, writing = os.pipe()
    born, bear = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.write(bear, b"x")
        os.read(reading, 1)  # lives until the parent closes its end
        os._exit(0)
    os.close(reading)
    os.read(born, 1)
    try:
        lock.release()
        FileLock(tmp_path / "x.db", "s").release()
    finally:
        os.close(writing)
        os.waitpid(child, 0)


def test_a_crash_while_creating_leaves_nothing(store, new, url):
    """A death (or Ctrl-C) at the commit leaves no part of a trial, and no lock that blocks the next one."""
    engine = store._storage.engine

    def die(connection):
        raise KeyboardInterrupt

    event.listen(engine, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        store.create_trial(new())
    event.remove(engine, "commit", die)
    sqlite3.connect(store._storage.engine.url.database, timeout=0).execute("BEGIN IMMEDIATE").connection.rollback()
    assert read_study(url, "s").trials == ()
    assert store.create_trial(new()).number == 0


def test_a_full_disk_is_one_line(store, new):
    """If the database cannot be written, the error is one line, and the trial can be recorded later."""
    store.create_trial(new())
    engine, limit = store._storage.engine, [1]  # pages: the file cannot grow beyond what it has
    event.listen(engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {limit[0]}"))
    big = TrialOutcome("COMPLETE", 5.0, 1.0, method_record={"x": "y" * 5_000_000})
    with pytest.raises(StorageError, match=r"cannot write to sqlite.*full") as caught:
        store.finish(0, big)
    assert "\n" not in str(caught.value)
    limit[0] = 1_000_000
    assert store.finish(0, TrialOutcome("COMPLETE", 5.0, 1.0)).state == "COMPLETE"
