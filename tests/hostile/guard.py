"""An audit hook that forbids what reading a file must not do: run code, start processes, unpickle objects, write elsewhere.

The hook sees what Python does, not what libraries do below it; `strangers` compares the folders around a case afterwards.
"""

import os
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

MARK = "hostile_mark"  # in every piece of code and of markup that a case contains
# Modules of the standard library that nothing imports: a name in a file that leads to one of them was followed.
BAIT = ("antigravity", "this", "turtledemo", "idlelib", "lib2to3", "pydoc_data", "xdrlib", "nntplib")

ROOT = Path(__file__).parents[2]
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PROCESSES = (
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn",
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request",
    "ftplib.connect", "http.client.connect", "smtplib.connect", "webbrowser.open",
)  # fmt: skip
_CHANGES = (
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "shutil.rmtree",
)  # fmt: skip
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/shm", "/proc/self")


class Forbidden(BaseException):
    """Something that no reader may do; not an `Exception`, so that no reader swallows it."""


def _trusted() -> tuple[str, ...]:
    """Return the folders whose code may run: the standard library, installed packages, ganprune and these tests."""
    places = [ROOT, sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]
    places += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return tuple({os.path.realpath(place) for place in places})


class Guard:
    """The hook and what it saw; a hook cannot be removed, so that it only acts within `watching`.

    Attributes:
        seen: What was forbidden, one line each.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.trusted = _trusted()
        self._inputs = self._writable = self._outside = ""
        self._watches = False
        sys.addaudithook(self._hook)

    @contextmanager
    def watching(self, inputs: Path, writable: Path, outside: Path):
        """Forbid everything within the block that is not reading `inputs` or writing to `writable`."""
        self.seen = []
        self._inputs, self._writable = (os.path.realpath(path) for path in (inputs, writable))
        self._outside = os.path.realpath(outside)
        temporary, tempfile.tempdir = tempfile.tempdir, self._writable
        self._watches = True
        try:
            yield
        finally:
            self._watches = False
            tempfile.tempdir = temporary

    def _hook(self, event: str, arguments: tuple) -> None:
        if not self._watches:
            return
        why = self._fault(event, arguments)
        if why:
            self.seen.append(why)
            raise Forbidden(why)

    def _fault(self, event: str, arguments: tuple) -> str:
        if event == "open":
            return self._opened(*arguments)
        if event == "exec":
            return self._run(arguments[0], sys._getframe(2))
        if event == "compile":
            return self._compiled(*arguments)
        if event == "import":
            return self._imported(arguments[0], arguments[1])
        if event == "pickle.find_class":
            return f"unpickled {arguments[0]}.{arguments[1]}"
        if event in _PROCESSES:
            return f"{event} {str(arguments)[:200]}"
        if event in _CHANGES:
            outside = [path for path in self._paths(arguments) if not self._may_write(path)]
            return f"{event} of {outside[0]}" if outside else ""
        if event == "sqlite3.connect" and not self._within(arguments[0], self._inputs, self._writable):
            return f"opened the database {arguments[0]}"
        return ""

    def _opened(self, path: object, mode: object, flags: object) -> str:
        if not isinstance(path, str | bytes | os.PathLike):
            return ""
        writes = isinstance(flags, int) and bool(flags & _WRITES)
        writes = writes or (isinstance(mode, str) and any(letter in mode for letter in "wax+"))
        if writes and not self._may_write(path):
            return f"wrote {os.fsdecode(path)}"
        return f"read {os.fsdecode(path)}, outside of its input" if self._within(path, self._outside) else ""

    def _run(self, code: CodeType, caller: FrameType | None) -> str:
        place = code.co_filename
        if MARK in place or _mentions(code):
            return f"ran code of the input: {place}"
        if os.path.isabs(place):
            return "" if self._within(place, *self.trusted) else f"ran {place}"
        if place.startswith("<frozen"):
            return ""
        caller_file = caller.f_code.co_filename if caller is not None else ""
        known = caller_file.startswith("<") or self._within(caller_file, *self.trusted)
        return "" if known else f"ran {place}, asked by {caller_file}"

    def _compiled(self, source: object, name: object) -> str:
        text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
        place = os.fsdecode(name) if isinstance(name, str | bytes) else ""
        if place == "<unknown>":  # of `ast`: read, not run
            return ""
        if isinstance(text, str) and MARK in text:
            return f"compiled {text[:80]!r} as {place}"
        return f"compiled {place}" if os.path.isabs(place) and not self._within(place, *self.trusted) else ""

    def _imported(self, module: object, file: object) -> str:
        name = str(module)
        if name.split(".")[0] in BAIT or MARK in name:
            return f"imported {name}"
        return f"imported {file}" if file and not self._within(file, *self.trusted) else ""

    def _may_write(self, path: object) -> bool:
        return self._within(path, self._writable) or os.fsdecode(os.fspath(path)).startswith(_HARMLESS)  # pyright: ignore

    @staticmethod
    def _paths(arguments: tuple) -> list[str | bytes | os.PathLike]:
        return [one for one in arguments if isinstance(one, str | bytes | os.PathLike)]

    @staticmethod
    def _within(path: object, *folders: str) -> bool:
        try:
            real = os.path.realpath(os.fsdecode(os.fspath(path)))  # pyright: ignore[reportArgumentType]
        except (ValueError, TypeError):
            return False  # no path of a file: a zero byte, or a number
        return any(real == folder or real.startswith(folder + os.sep) for folder in folders)


def _mentions(code: CodeType) -> bool:
    """Return True if the mark is in a name or a constant of a code object, or of one inside."""
    if any(MARK in name for name in (*code.co_names, *code.co_varnames)):
        return True
    for constant in code.co_consts:
        if isinstance(constant, str) and MARK in constant:
            return True
        if isinstance(constant, CodeType) and _mentions(constant):
            return True
    return False


def listing(folder: Path) -> set[str]:
    """Return the names directly in a folder and in its `outside`, with sizes and times of files."""
    found = set()
    for place in (folder, folder / "outside"):
        for entry in os.scandir(place):
            stat = entry.stat(follow_symlinks=False)
            found.add(f"{entry.path} {stat.st_size}" if entry.is_file() else entry.path)
    return found
