"""A PostgreSQL server of the tests' own: an ordinary user's, on a loopback port of its own, killed and restarted at will."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

USER, PASSWORD = "ganprune", "pw-that-must-not-be-seen"


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: Debian's, or where PATH leads; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[-3]))
    found = debian[-1:] or [Path(os.path.realpath(p)) for p in (shutil.which("postgres"),) if p]
    return found[0].parent if found and (found[0].parent / "initdb").is_file() else None


def ordinary_user() -> dict[str, object]:
    """Return the arguments by which `subprocess` becomes an ordinary user: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": next(name for name in ("postgres", "nobody") if name in names), "extra_groups": []}


class Server:
    """One server with its data in a temporary folder."""

    def __init__(self) -> None:
        found = binaries()
        if found is None:
            raise RuntimeError("no PostgreSQL binaries: apt-get install postgresql")
        self.bin, self.identity = found, ordinary_user()
        self.folder = Path(tempfile.mkdtemp(prefix="ganprune-pg-", dir="/tmp"))
        (self.folder / "password").write_text(PASSWORD)
        if self.identity:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, self.identity["user"])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        subprocess.run(
            [self.bin / "initdb", "-D", self.folder / "data", "-U", USER, "--auth=scram-sha-256", "--no-sync",
             f"--pwfile={self.folder}/password", "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, cwd="/tmp", **self.identity,
        )  # fmt: skip
        self.process: subprocess.Popen | None = None
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        # fsync off: what a killed process wrote stays in the system's cache, and only a power loss would take it
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 40,
        }
        with open(self.folder / "log.txt", "a") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
                + [part for name, value in options.items() for part in ("-c", f"{name}={value}")],
                stdout=log, stderr=log, cwd="/tmp", **self.identity,
            )  # fmt: skip
        self.execute("SELECT 1", patience_s=60)

    def execute(self, statement: str, patience_s: float = 5) -> None:
        import psycopg

        deadline = time.monotonic() + patience_s
        while True:
            try:
                place = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD}
                with psycopg.connect(dbname="postgres", autocommit=True, connect_timeout=5, **place) as connection:
                    connection.execute(statement)
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.1)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it in order, SIGQUIT at once, SIGKILL like a power switch."""
        self.process.send_signal(how)
        self.process.wait(60)

    def restart(self, how: signal.Signals = signal.SIGQUIT, away_s: float = 0.0) -> None:
        self.end(how)
        time.sleep(away_s)
        deadline = time.monotonic() + 60
        while True:  # after a SIGKILL the backends take a moment to notice
            try:
                return self.start()
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
