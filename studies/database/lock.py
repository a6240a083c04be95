"""The lock of a study: one driver per study, by an exclusive lock that ends with its process, without a heartbeat."""

import contextlib
import hashlib
import os
import socket
import time
import weakref
from pathlib import Path
from typing import Protocol

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...gan_models.files.errors import WorkFailed
from .storage import POSTGRES, StorageError, check_file, one_line, parse_url, shown

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


LOCK_RELEASE_S = 1.0  # seconds until a server notices a killed client, and releases its lock


class StudyLocked(WorkFailed):
    """An error: another process drives the study."""

    def __init__(self, study: str, holder: str):
        super().__init__(
            f"study {study!r} is being run by {holder or 'another process'}; wait for it, or stop it first "
            "(reading a running study is always possible)"
        )


class StudyLock(Protocol):
    """An exclusive right to write to a study."""

    def ensure(self) -> None:
        """Check that the lock is still held. Raises StudyLocked or StorageError if it is not."""
        ...

    def release(self) -> None:
        """Release the lock, idempotently."""
        ...


def this_process() -> str:
    """Return `host:pid`, for messages."""
    return f"{socket.gethostname()}:{os.getpid()}"


class FileLock:
    """A lock by flock on `<database>.<study>.lock`; the file names its holder.

    Unlike in the package `filelock`, a refused driver learns the holder, and a forked child (a data loader) releases
    the lock at once, so that the lock ends with the driver.

    Raises:
        StudyLocked: Another process holds it.
    """

    def __init__(self, database: Path, study: str):
        if fcntl is None:
            raise StorageError("studies in SQLite are written on Linux and macOS only; use postgresql+psycopg://...")
        self.study = study
        self.path = database.with_name(f"{database.name}.{study}.lock")
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            raise StudyLocked(study, holder) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, this_process().encode(), 0)
        self._descriptor: int | None = descriptor
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: (lock := this()) and lock.release())

    def ensure(self) -> None:
        """Do nothing: the lock is held as long as the file is open."""
        if self._descriptor is None:
            raise StorageError(f"the lock on study {self.study!r} was released; open the study again")

    def release(self) -> None:
        """Close the file, without deleting it: otherwise two processes could lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class PostgresLock:
    """A session's advisory lock on its own connection; the server releases it when the process dies.

    Raises:
        StudyLocked: Another process holds it.
        StorageError: The server cannot be reached.
    """

    def __init__(self, url: URL, study: str):
        self.study = study
        self.name = shown(url)
        digest = hashlib.sha256(f"ganprune:{study}".encode()).digest()
        self.key = int.from_bytes(digest[:8], "big", signed=True)
        self._engine = sqlalchemy.create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={**POSTGRES, "application_name": f"ganprune {this_process()}"[:63]},
        )
        self._connection: sqlalchemy.Connection | None = None
        self._acquire()

    def _acquire(self) -> None:
        try:
            self._connection = self._engine.connect()
            query = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)")
            deadline = time.monotonic() + LOCK_RELEASE_S
            while not (got := self._connection.execute(query, {"key": self.key}).scalar()):
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.1)
            holder = "" if got else self._holder(self._connection)
        except SQLAlchemyError as error:
            self._drop()
            raise StorageError(f"cannot reach {self.name}: {one_line(error)}") from None
        if not got:
            self._drop()
            raise StudyLocked(self.study, holder)

    def _holder(self, connection: sqlalchemy.Connection) -> str:
        # a 64-bit key is stored in two halves
        query = sqlalchemy.text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
            "AND ((l.classid::bigint << 32) | l.objid::bigint) = :key"
        )
        name = connection.execute(query, {"key": self.key}).scalar() or ""
        return str(name).removeprefix("ganprune ")

    def ensure(self) -> None:
        """Check with the server; after a lost connection (a restarted server), connect and lock again."""
        try:
            if self._connection is not None:
                self._connection.execute(sqlalchemy.text("SELECT 1"))
                return
        except SQLAlchemyError:
            self._drop()
        self._acquire()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):  # an unreachable server has released the lock already
                connection.close()

    def release(self) -> None:
        """Close the connection, and with it the lock."""
        self._drop()
        self._engine.dispose()


def lock_study(url: str, study: str) -> StudyLock:
    """Take the exclusive lock on a study.

    Raises:
        StudyLocked: Another process drives it; the message names it.
        StorageError: The storage cannot be reached.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        check_file(parsed, write=True)
        return FileLock(Path(parsed.database or ""), study)
    return PostgresLock(parsed, study)
