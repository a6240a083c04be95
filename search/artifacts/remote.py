"""Artifacts behind an fsspec URL (`s3://bucket/folder`, `file:///mnt/x`, ...): copied to a local folder and back.

Driver and workers use files of their own machine. What says that others are complete (a checkpoint's `state.json`, a
trial's `result.json`, `teacher.json`) is written last, in one piece: it is the commit, as a rename is on a disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import fsspec

from ...gan_models.files.atomic_files import written_beside
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.kept_copies import SOURCE, look_in
from ..records.messages import TrialRequest

SHARED = "teacher/shared"  # what trials make for all others
COMMITS = ("state.json", "result.json", "teacher.json")
PUSH_EVERY_S = 5.0
TRIES = 10


class WrongUrl(WorkFailed, UserError):
    """A URL of an unknown kind, or one that cannot be read: the input is at fault."""


def is_url(text: str | Path) -> bool:
    """Return if artifacts are behind an fsspec URL instead of in a folder."""
    return "://" in str(text)


def cache_of(url: str) -> Path:
    """Return the driver's local copy of the folder behind a URL."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "ganprune" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


@dataclass
class RemoteFolder:
    """One folder behind a URL, and what of a local folder is there already.

    Args:
        url: The folder.

    Raises:
        WrongUrl: The kind of URL is unknown.
        WorkFailed: The package for such a URL is not installed.
    """

    url: str
    sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the file system."""
        try:
            system, self._path = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            kind = WrongUrl if isinstance(error, ValueError) else WorkFailed
            raise kind(f"artifacts at {self.url!r}: {' '.join(str(error).split())[:200]}") from None
        self._system: Any = system

    def push(self, local: Path) -> None:
        """Make the remote folder equal to the local one: commits are written last, and missing files removed.

        Raises:
            RuntimeError: The local folder never stood still.
        """
        for _ in range(TRIES):
            commits = {path: path.read_bytes() for path in _files(local) if path.name in COMMITS}
            try:
                for path in _files(local):
                    if path not in commits:
                        self._send(local, path)
            except FileNotFoundError:  # a newer checkpoint took its place while this one was sent
                continue
            for path, content in commits.items():
                name = path.relative_to(local).as_posix()
                mark = (len(content), int.from_bytes(hashlib.sha256(content).digest()[:6], "big"))
                if self.sent.get(name) != mark:
                    self.write(name, content)
                    self.sent[name] = mark
            for name in [name for name in self.sent if not (local / name).exists()]:
                with contextlib.suppress(FileNotFoundError):
                    self._system.rm_file(self._at(name))
                del self.sent[name]
            return
        raise WorkFailed(f"{local} changes faster than it can be copied to {self.url}")

    def _send(self, local: Path, path: Path) -> None:
        name, stat = path.relative_to(local).as_posix(), path.stat()
        mark = (stat.st_size, stat.st_mtime_ns)
        if self.sent.get(name) != mark:
            self._system.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self._system.put_file(str(path), self._at(name))
            self.sent[name] = mark

    def add(self, local: Path) -> None:
        """Make the remote folder hold what of the local one it lacked when this was asked first; nothing is removed."""
        if not self.sent and any(local.rglob("*")):
            self.sent = dict.fromkeys(self._names(), (0, 0))
        for path in _files(local):
            if path.relative_to(local).as_posix() not in self.sent:
                self._send(local, path)

    def _names(self) -> list[str]:
        """Return the names of the files that are there."""
        self._system.invalidate_cache()
        root = self._path.rstrip("/") + "/"
        try:
            return [remote.removeprefix(root) for remote in self._system.find(self._path)]
        except FileNotFoundError:
            return []

    def pull(self, local: Path, without: tuple[str, ...] = ()) -> None:
        """Copy files that are missing here or differ in size; commits always, folders named in `without` never."""
        self._system.invalidate_cache()
        try:
            found = self._system.find(self._path, detail=True)
        except FileNotFoundError:
            return
        root = self._path.rstrip("/") + "/"
        for remote, entry in found.items():
            name = remote.removeprefix(root)
            if name == remote or set(Path(name).parts[:-1]) & set(without):
                continue
            here = local / name
            if not here.is_file() or here.stat().st_size != entry["size"] or here.name in COMMITS:
                with written_beside(here) as beside:
                    self._system.get_file(remote, str(beside))

    def read(self, name: str) -> bytes | None:
        """One file's content; None if there is none."""
        try:
            return self._system.cat_file(self._at(name))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write one file atomically."""
        self._system.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
        self._system.pipe_file(self._at(name), content)

    def size(self, name: str) -> int:
        """Bytes of a file or folder; 0 if there is none."""
        try:
            return int(self._system.du(self._at(name), total=True))
        except FileNotFoundError:
            return 0

    def remove(self, name: str = "") -> None:
        """Remove a file or folder, or all; nothing happens if there is none."""
        with contextlib.suppress(FileNotFoundError):
            self._system.rm(self._at(name) if name else self._path, recursive=True)

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"


def _files(local: Path) -> list[Path]:
    """Files to be sent: not those that are just being written, whose names begin with a dot."""
    return [path for path in sorted(local.rglob("*")) if path.is_file() and not path.name.startswith(".")]


@contextlib.contextmanager
def at_hand(request: TrialRequest) -> Iterator[TrialRequest]:
    """Yield the request with its files in local folders, copied back as they change and when the block ends.

    A request whose workspace is a folder keeps it. Behind a URL the trial's folder is new for each attempt, so that a
    worker that outlives its driver removes no file of another. Copies of the user's code are found from here on.
    """
    if not is_url(request.workspace):
        look_in(Path(request.workspace).parent / SOURCE)
        yield replace(request)  # settings of a method of the user's own are read now that its file is found
        return
    remote, scratch = RemoteFolder(request.workspace), Path(tempfile.mkdtemp(prefix="ganprune-trial-"))
    stop = threading.Event()

    shared = RemoteFolder(f"{request.workspace.rpartition('/')[0]}/{SHARED}")

    def copy_back() -> None:
        while not stop.wait(PUSH_EVERY_S):
            with contextlib.suppress(Exception):  # the last push, in the trial's own thread, says what is wrong
                shared.add(_cache(request) / SHARED)
                remote.push(scratch)

    copier = threading.Thread(target=copy_back, daemon=True)
    try:
        remote.pull(scratch)
        copier.start()
        try:
            yield replace(request, workspace=str(scratch), **_study_at_hand(request))
        finally:
            stop.set()
            copier.join()
            shared.add(_cache(request) / SHARED)
            remote.push(scratch)
    finally:
        stop.set()
        shutil.rmtree(scratch, ignore_errors=True)


def _cache(request: TrialRequest) -> Path:
    """Return this machine's copy of a study's folder, for a request whose workspace is behind a URL."""
    url = request.workspace.rpartition("/")[0]
    return cache_of(url.rpartition("/")[0]) / url.rpartition("/")[2]


def _study_at_hand(request: TrialRequest) -> dict[str, Any]:
    """Return what of a request differs here: what is prepared is in this machine's copy, made once per machine."""
    url, cache = request.workspace.rpartition("/")[0], _cache(request)
    changed: dict[str, Any] = {}
    if request.prepared.folder:
        RemoteFolder(f"{url}/teacher").pull(cache / "teacher", without=("checkpoint",))
        changed["prepared"] = replace(request.prepared, folder=str(cache))
    for artifact in request.prepared.artifacts.values():
        for name in artifact.changed(cache):
            if name.startswith(f"{SOURCE}/"):  # of the same size as the study's, or it would be pulled anyway
                (cache / name).unlink(missing_ok=True)
    RemoteFolder(f"{url}/{SOURCE}").pull(cache / SOURCE)
    look_in(cache / SOURCE)
    return changed
