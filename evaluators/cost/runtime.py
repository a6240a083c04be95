"""A runtime: what executes a generator on a device. One way to open it, for parity, for `run` and for latency alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.packages import Package, check_installed
from ...gan_models.files.user_code import load_named

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from .fallbacks import Fallbacks

Arrays: TypeAlias = "tuple[np.ndarray, ...]"
LONGEST_REASON = 300


class RuntimeUnavailable(WorkFailed):
    """A runtime does not work here, or not with this network; the message says what to use instead."""


@contextmanager
def one_line_errors(title: str, path: str | Path) -> Iterator[None]:
    """Make any error of a runtime one line that names it and the file.

    Raises:
        RuntimeUnavailable: For any error.
    """
    try:
        yield
    except RuntimeUnavailable:
        raise
    except Exception as error:  # other packages raise many kinds
        message = " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
        raise RuntimeUnavailable(f"{title} cannot run {path}: {message}") from error


class Session(Protocol):
    """A generator opened in a runtime. Any callable of arrays is one.

    The optional attribute `batch` is the only batch size that it takes; None or a missing attribute means any size.
    """

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return the outputs (N, ...) for one batch of inputs, each (N, ...), all float32 unless the file says else.

        Raises:
            RuntimeUnavailable: The runtime cannot compute it, or not for inputs of these sizes.
        """
        ...


Open = Callable[..., Session]


@dataclass(frozen=True)
class Runtime:
    """One row of the runtimes.

    Attributes:
        opener: A function `open(source, dtype, threads, device) -> Session`, or `package.module:function`, loaded when
            it is first called. A session may have a method `bind(*arrays)` that returns a call without arguments: the
            inputs are then placed once and not timed. `source` is what `takes` says.
        title: Its name for people.
        takes: `file` for what an exporter writes, `network` for a PyTorch module.
        needs: Packages; the version of the first one is recorded with every latency.
        gpu: Whether it runs on the GPU if the device is one.
        usage: Lines of Python that run the file `{file}` of a folder `bundle` on the tuple of tensors `inputs` without
            ganprune and leave its first output in `z`; for the card. Empty for none.
        only_on: The one `sys.platform` that it runs on; empty for all. Its files are written elsewhere, too.
        operators_of: A function (or its name) that gives operator -> number of nodes that are really run of a file.
        fallbacks_of: A function (or its name) `fallbacks(path, dtype, arrays) -> Fallbacks` that runs a file once and
            reads from the runtime's own profile or plan what ran on a slower unit; None if it has neither.
        unpickles: True if opening a file may run code that is in it; such files are not opened without trust.
        dtypes: Data types in which it computes float32 networks and files. Those that a file has of itself, as of 8
            bits, belong to its format.
    """

    opener: str | Open
    title: str
    takes: Literal["file", "network"] = "file"
    needs: tuple[Package, ...] = ()
    gpu: bool = False
    usage: str = ""
    only_on: str = ""
    operators_of: str | Callable[[Path], Mapping[str, int]] | None = None
    fallbacks_of: str | Callable[[Path, str, Arrays], Fallbacks] | None = None
    unpickles: bool = False
    dtypes: tuple[str, ...] = ("float32",)

    @property
    def system(self) -> str:
        """The name of the one system that it runs on; empty for all."""
        return {"darwin": "macOS", "win32": "Windows", "linux": "Linux"}.get(self.only_on, self.only_on)

    @property
    def runs_here(self) -> bool:
        """True if it runs on this kind of system."""
        return self.only_on in ("", sys.platform)

    def open(
        self, source: nn.Module | str | Path, dtype: str = "float32", threads: int = 1, device: str = "cpu"
    ) -> Session:
        """Return a generator, ready to run.

        Args:
            source: A file, or a network if the runtime takes one.
            dtype: Data type of the arithmetic: `float32`, `float16`, `int8`.
            threads: Threads that it may use on the CPU.
            device: `cpu`, `cuda`; a runtime without a GPU ignores it.

        Raises:
            PackageMissing: Something it needs is not installed.
            RuntimeUnavailable: The file cannot be opened, or not on this system.
        """
        if not self.runs_here:
            raise RuntimeUnavailable(
                f"{self.title} does not run here: got {sys.platform}; expected {self.system}. Try the file on such a "
                "machine"
            )
        check_installed(f"runtime {self.title}", self.needs)
        return cast(Open, load_named(self.opener, "runtime"))(source, dtype, threads, device)

    def operators(self, path: Path) -> Mapping[str, int]:
        """Return operator -> nodes that are run of a file after the runtime's own optimizations; empty if not known.

        Raises:
            RuntimeUnavailable: The file cannot be opened.
        """
        return cast(Any, load_named(self.operators_of, "runtime"))(path) if self.operators_of else {}

    def fallbacks(self, path: Path, dtype: str, arrays: Arrays) -> Fallbacks | None:
        """Return what it runs on a slower unit of a file; None if it has no profile.

        Args:
            path: The file.
            dtype: Data type of the file's arithmetic.
            arrays: One batch of each input.

        Raises:
            RuntimeUnavailable: The file cannot be run.
        """
        return cast(Any, load_named(self.fallbacks_of, "runtime"))(path, dtype, arrays) if self.fallbacks_of else None

    def version(self) -> str:
        """Return the version of its package; empty if it has none."""
        return self.needs[0].version() if self.needs else ""


@dataclass(frozen=True)
class FileOpener:
    """A runtime as an exporter is given it that examines its own file.

    Attributes:
        runtime: The runtime.
        dtype: Data type of the arithmetic.
        threads: Threads on the CPU.
    """

    runtime: Runtime
    dtype: str = "float32"
    threads: int = 1

    def open(self, path: Path) -> Session:
        """Return the file, ready to run."""
        return self.runtime.open(path, self.dtype, self.threads)

    def operators(self, path: Path) -> Mapping[str, int]:
        """Return operator -> nodes that the runtime runs of the file."""
        return self.runtime.operators(path)


def bound(session: Session, *arrays: np.ndarray) -> Callable[[], object]:
    """Return a call of a session on these inputs: what a latency is measured of."""
    bind = getattr(session, "bind", None)
    return bind(*arrays) if bind is not None else lambda: session(*arrays)
