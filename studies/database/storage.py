"""Open the database of studies from its URL: SQLite as safe as it gets, PostgreSQL, errors without passwords."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ...gan_models.files.errors import UserError, WorkFailed

# SQLite's locks are broken or missing on these; a database on them gets corrupted without a word.
NETWORK_FILE_SYSTEMS = (
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "fuse.sshfs", "afs", "ceph", "fuse.ceph",
    "glusterfs", "fuse.glusterfs", "lustre", "gpfs", "beegfs", "fuse.s3fs", "fuse.gcsfuse",
)  # fmt: skip
BUSY_SECONDS = 60
# The server must notice within a minute that a driver's machine is gone: till then it keeps the study's lock.
POSTGRES = {
    "connect_timeout": 10,
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
}


class StorageError(WorkFailed):
    """The database cannot be used; the message is one line, names it without its password, and says what to do."""


class WrongStorage(StorageError, UserError):
    """What was given names no database that can be used: the input is at fault, not the database."""


def parse_url(url: str) -> URL:
    """The URL of a database that studies can live in, SQLite's path made absolute.

    Args:
        url: `sqlite:///file.db`, `sqlite:////absolute/file.db` or `postgresql+psycopg://user:password@host/name`.

    Raises:
        WrongStorage: it is no such URL, or names a SQLite database in memory.
    """
    try:
        parsed = sqlalchemy.make_url(url)
        kind = parsed.get_backend_name()
        if kind in ("sqlite", "postgresql"):
            parsed.get_dialect()  # raises for a driver that nobody knows, as in postgresql+psycopgg://
    except (ArgumentError, ValueError):
        raise WrongStorage(
            f"{_without_password(url)!r} is no database URL; give sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    if kind == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise WrongStorage("a study must outlive its process; give a file: sqlite:///FILE")
        return parsed.set(database=str(Path(parsed.database).expanduser().absolute()))
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg") if "+" not in parsed.drivername else parsed
    raise WrongStorage(
        f"{kind!r} databases are not supported; give sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
    )


def shown(url: str | URL) -> str:
    """A database's URL as it may be printed: the password replaced by ***."""
    return (parse_url(url) if isinstance(url, str) else url).render_as_string(hide_password=True)


def _without_password(text: str) -> str:
    return re.sub(r"(://[^/@:\s]*):\S*@", r"\1:***@", text)


def file_system_of(path: Path, mounts: str) -> str:
    """The kind of file system that holds `path`, by the text of /proc/mounts; empty where that does not say."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = fields[1].replace("\\040", " ")
        if path.is_relative_to(mount) and len(mount) >= best:
            best, kind = len(mount), fields[2]
    return kind


def refuse_network_file_system(path: Path, mounts: str | None = None) -> None:
    """Raise WrongStorage where `path` lies on a network file system (Linux; elsewhere nothing is known)."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
    kind = file_system_of(path.resolve(), mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise WrongStorage(
            f"{path} lies on a network file system ({kind}), where SQLite gets corrupted; "
            "put it on a local disk or use postgresql+psycopg://..."
        )


class SafeConnection(sqlite3.Connection):
    """A SQLite connection of a writer: write-ahead log, every commit on disk before it returns."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")


def _begin_immediate(engine: Engine) -> None:
    """Take SQLite's write lock when a transaction begins.

    Optuna reads, then writes. With SQLite's default the lock comes with the write, and two processes that read
    the same row both believe that it is theirs.
    """

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    def checkin(connection: sqlite3.Connection | None, record: object) -> None:
        # a Ctrl-C in the middle of a commit lets SQLAlchemy believe that the transaction is over
        if connection is not None and connection.in_transaction:
            connection.rollback()


def open_storage(url: str, *, write: bool) -> RDBStorage:
    """The storage behind a URL.

    Args:
        url: As `parse_url` takes it.
        write: A writer makes the tables where they are missing. A reader changes nothing and needs no lock.

    Raises:
        WrongStorage: the URL, its folder or its file is none for studies, or lies on a network file system.
        StorageError: it cannot be reached, or be read.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Optuna says on stderr what we show ourselves
    parsed = parse_url(url)
    name = shown(parsed)
    options: dict[str, Any] = {"pool_pre_ping": True, "pool_recycle": 1800}
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite:
        check_file(parsed, write=write)
        # isolation_level None: Python's sqlite3 must not begin transactions behind SQLAlchemy's back
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS, "isolation_level": None}
        options = {"connect_args": arguments | ({"factory": SafeConnection} if write else {})}
    else:
        options["connect_args"] = POSTGRES
    try:
        storage = RDBStorage(
            parsed.render_as_string(hide_password=False), engine_kwargs=options, skip_table_creation=not write
        )
    except ImportError:
        raise StorageError(f"cannot open {name}: its driver is missing; pip install 'ganprune[postgresql]'") from None
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError, AssertionError) as error:
        reason = one_line(error)
        if "no such table" in reason or 'relation "version_info"' in reason:
            raise WrongStorage(f"cannot open {name}: there are no studies in it") from None
        raise StorageError(f"cannot open {name}: {reason}") from None
    if sqlite and write:
        _begin_immediate(storage.engine)
    return storage


def check_file(url: URL, *, write: bool) -> None:
    """Raise WrongStorage where SQLite's file cannot be what is asked for: no such folder, no file to read, ..."""
    path, name = Path(url.database or ""), shown(url)
    if path.is_dir():
        raise WrongStorage(f"cannot open {name}: {path} is a folder; give a file")
    if not path.parent.is_dir():
        raise WrongStorage(f"cannot open {name}: the folder {path.parent} does not exist; make it first")
    if not write and not path.exists():
        raise WrongStorage(f"no database at {path}; `ganprune search` makes one, --storage names another")
    refuse_network_file_system(path.parent)


def one_line(error: BaseException) -> str:
    """An error's own words, in one line, without passwords: the cause's where the error only wraps it."""
    cause = getattr(error, "orig", None) or error.__cause__
    text = str(getattr(cause, "orig", None) or cause or error) or type(error).__name__
    return _without_password(" ".join(text.split()))[:300]
