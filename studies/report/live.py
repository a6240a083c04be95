"""The report served on this machine while a search runs, refreshed from the database."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.plain_values import to_json
from ..database.reader import StudyRecord
from .html import report_html
from .page_data import LiveView

LOOPBACK_HOST = "127.0.0.1"  # loopback alone: a study's pictures and settings are nobody else's
PORT, HIGHEST_PORT = 8765, 65535
POLL_S = 5.0  # seconds between a page's questions
CACHE_S = 2.0  # seconds for which the database is not read again, however many pages ask


class LivePage:
    """The page of a study as it stands, made again if the database has changed.

    Args:
        read: Reads the study's record.
        artifacts_root: Folder of all studies' artifacts.
        storage: The database as commands take it; empty for the default.
    """

    def __init__(self, read: Callable[[], StudyRecord], artifacts_root: Path, storage: str = "") -> None:
        self._read, self._root, self._storage = read, artifacts_root, storage
        self._lock, self._read_at = threading.Lock(), -CACHE_S
        self._mark, self._page = "", b""

    def now(self) -> tuple[str, bytes]:
        """Return the mark of the study's state, and the page."""
        with self._lock:
            if time.monotonic() - self._read_at >= CACHE_S:
                record = self._read()
                mark = f'"{_mark(record)}"'
                if mark != self._mark:
                    page = report_html(record, self._root, storage=self._storage, live=LiveView(mark, POLL_S))
                    self._mark, self._page = mark, page.encode()
                self._read_at = time.monotonic()
            return self._mark, self._page


def _mark(record: StudyRecord) -> str:
    """Return a hash of all that a page shows of a record."""
    trials = [
        [trial.number, trial.state, trial.attempt, trial.quality, trial.cost, to_json(trial.rungs), trial.stopped]
        for trial in record.trials
    ]
    return hashlib.sha256(json_sha256(to_json([record.attributes, trials])).encode()).hexdigest()[:32]


class _Handler(BaseHTTPRequestHandler):
    """Answers GET / with the page, and nothing else; names of other machines in the request are refused."""

    server: LiveServer  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version, sys_version = "ganprune", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the page, or that it has not changed."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without the page."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        if self.headers.get("Host") not in self.server.own_names:  # a page of another name must not read this one
            self._send(HTTPStatus.FORBIDDEN, b"ask for this page by its own address\n")
            return
        if self.path.partition("?")[0] != "/":
            self._send(HTTPStatus.NOT_FOUND, b"there is one page, at /\n")
            return
        try:
            mark, page = self.server.page.now()
        except Exception as error:  # the database may be away for a moment: the page asks again
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode())
            return
        if self.headers.get("If-None-Match") == mark:
            self._send(HTTPStatus.NOT_MODIFIED, b"", mark)
        else:
            self._send(HTTPStatus.OK, page if body else b"", mark, "text/html; charset=utf-8", len(page))

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        mark: str = "",
        kind: str = "text/plain; charset=utf-8",
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        if mark:
            self.send_header("ETag", mark)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of a request."""


class LiveServer(ThreadingHTTPServer):
    """The server of one study's page.

    Args:
        page: The page.
        port: 0 takes one that is free.

    Raises:
        UserError: The port is not a port, or taken, or not allowed.
    """

    daemon_threads = True

    def __init__(self, page: LivePage, port: int = PORT) -> None:
        if not 0 <= port <= HIGHEST_PORT:
            raise UserError(f"--port is not a port: got {port}; expected 0 to {HIGHEST_PORT}. Try --port {PORT}")
        self.page = page
        try:
            super().__init__((LOOPBACK_HOST, port), _Handler)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"--port {port} cannot be used: got {reason}; expected a free one. Try --port 0") from None
        own = self.server_address[1]
        self.own_names = (f"{LOOPBACK_HOST}:{own}", f"localhost:{own}")

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{self.own_names[0]}/"


def serve(page: LivePage, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve a page until Ctrl-C.

    Args:
        page: The page; made once before anything is served, so that an error in the study is reported at once.
        port: 0 takes one that is free.
        on_ready: Called with the address.
    """
    with LiveServer(page, port) as server:
        page.now()
        on_ready(server.address)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return
