"""Access to the database of studies by its URL: safe SQLite, PostgreSQL, errors without passwords."""

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

# SQLite's locks are broken or missing on these, which silently corrupts databases.
NETWORK_FILE_SYSTEMS = (
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "fuse.sshfs", "afs", "ceph", "fuse.ceph",
    "glusterfs", "fuse.glusterfs", "lustre", "gpfs", "beegfs", "fuse.s3fs", "fuse.gcsfuse",
)  # fmt: skip
BUSY_SECONDS = 60
# The server must notice the loss of a driver's machine within a minute: until then it holds the study's lock.
POSTGRES = {
    "connect_timeout": 10,
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
}


class StorageError(WorkFailed):
    """An error: the database cannot be used. The one line names it without its password, and says what to do."""


class WrongStorage(StorageError, UserError):
    """An error in the input: the URL names no usable database."""


def parse_url(url: str) -> URL:
    """Return the URL of a database for studies, with SQLite's path made absolute.

    Args:
        url: `sqlite:///file.db`, `sqlite:////absolute/file.db` or `postgresql+psycopg://user:password@host/name`.

    Raises:
        WrongStorage: It is not such a URL, or names an in-memory SQLite database.
    """
    try:
        parsed = sqlalchemy.make_url(url)
        kind = parsed.get_backend_name()
        if kind in ("sqlite", "postgresql"):
            parsed.get_dialect()  # raises an error for an unknown driver, as in postgresql+psycopgg://
    except (ArgumentError, ValueError):
        raise WrongStorage(
            f"{_without_password(url)!r} is not a database URL; give sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
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
    """Return a database's URL for printing, with the password replaced by ***."""
    return (parse_url(url) if isinstance(url, str) else url).render_as_string(hide_password=True)


def _without_password(text: str) -> str:
    return re.sub(r"(://[^/@:\s]*):\S*@", r"\1:***@", text)


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of file system of `path`, by the text of /proc/mounts; empty if unknown."""
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
    """Raise WrongStorage if `path` is on a network file system (on Linux; elsewhere it is unknown)."""
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
    """Acquire SQLite's write lock when a transaction begins.

    Optuna reads, then writes. By default, SQLite locks at the write, and two processes that read the same row could
    both claim it.
    """

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    def checkin(connection: sqlite3.Connection | None, record: object) -> None:
        # after a Ctrl-C during a commit, SQLAlchemy considers the transaction finished
        if connection is not None and connection.in_transaction:
            connection.rollback()


def open_storage(url: str, *, write: bool) -> RDBStorage:
    """Return the storage of a URL.

    Args:
        url: URL, as for `parse_url`.
        write: True to create missing tables. False to change nothing and need no lock.

    Raises:
        WrongStorage: The URL, its folder or its file is unusable for studies, or on a network file system.
        StorageError: It cannot be reached or read.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Optuna prints on stderr what ganprune shows itself
    parsed = parse_url(url)
    name = shown(parsed)
    options: dict[str, Any] = {"pool_pre_ping": True, "pool_recycle": 1800}
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite:
        check_file(parsed, write=write)
        # isolation_level None: Python's sqlite3 must not begin transactions without SQLAlchemy
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
    """Raise WrongStorage if SQLite's file is unusable: no such folder, no file to read, ..."""
    path, name = Path(url.database or ""), shown(url)
    if path.is_dir():
        raise WrongStorage(f"cannot open {name}: {path} is a folder; give a file")
    if not path.parent.is_dir():
        raise WrongStorage(f"cannot open {name}: the folder {path.parent} does not exist; make it first")
    if not write and not path.exists():
        raise WrongStorage(f"no database at {path}; `ganprune search` makes one, --storage names another")
    refuse_network_file_system(path.parent)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, without passwords; the cause's message if the error only wraps it."""
    cause = getattr(error, "orig", None) or error.__cause__
    text = str(getattr(cause, "orig", None) or cause or error) or type(error).__name__
    return _without_password(" ".join(text.split()))[:300]
