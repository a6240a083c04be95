"""One case: made from its number and the seed, read under the guard, and judged."""

import faulthandler
import os
import random
import resource
import shutil
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

from ganprune.gan_models.files.errors import UserError, WorkFailed

from .catalog import KINDS
from .guard import Forbidden, Guard, listing

MOST_CHARACTERS = 1000  # of one line of a message
MOST_LINES = 30  # of a message that collects several errors
MEMORY_BYTES = 6 * 2**30  # above that of a worker that has read nothing


@dataclass(frozen=True)
class Verdict:
    """The outcome of a case.

    Attributes:
        number: The case.
        kind: Name of its kind.
        outcome: `read`, `refused` or `fault`.
        told: The refusal, or what is wrong.
        trace: The traceback of a fault.
    """

    number: int
    kind: str
    outcome: str
    told: str = ""
    trace: str = ""

    @property
    def cause(self) -> str:
        """The kind of a fault: the exception and the line of ganprune that it left, or the first words of what is wrong."""
        places = [line.strip() for line in self.trace.splitlines() if line.strip().startswith("File ")]
        own = [
            place
            for place in places
            if "/tests/" not in place and "site-packages" not in place and "/lib/python3" not in place
        ]
        return f"{self.told[:60]!r} at {own[-1] if own else 'no line of ganprune'}"


def kind_of(number: int) -> str:
    """Return the kind of a case: each in turn."""
    return list(KINDS)[number % len(KINDS)]


def write_seeds(root: Path) -> None:
    """Write the good files that mutations start from."""
    for name, kind in KINDS.items():
        (root / "seeds" / name).mkdir(parents=True)
        kind.seeds(root / "seeds" / name)
    (root / "outside").mkdir()
    (root / "outside" / "secret").write_text("secret")
    (root / "cases").mkdir()
    (root / "logs").mkdir()


def limit_memory() -> None:
    """Bound this process's memory, so that a huge allocation is an exception and not the machine's end."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    bound = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()


class Performer:
    """Cases performed in this process, one after another.

    Args:
        root: The folder of `write_seeds`.
        seed: Of all cases.
        keep: Keep the folders of cases.
    """

    def __init__(self, root: Path, seed: int, keep: bool = False) -> None:
        self.root, self.seed, self.keep, self.guard = root, seed, keep, Guard()
        warnings.simplefilter("ignore")
        sys.dont_write_bytecode = True

    def prepare(self, number: int) -> None:
        """Write a case."""
        case = self.root / "cases" / str(number)
        shutil.rmtree(case, ignore_errors=True)
        (case / "input").mkdir(parents=True)
        (case / "results").mkdir()
        name = kind_of(number)
        KINDS[name].make(random.Random(f"{self.seed} {number}"), self.root / "seeds" / name, case / "input")

    def perform(self, number: int) -> Verdict:
        """Read a case that was written, and judge what happened."""
        name, case = kind_of(number), self.root / "cases" / str(number)
        kind, before = KINDS[name], listing(self.root)
        os.chdir(case / "results")
        outcome, told, trace = "read", "", ""
        try:
            with self.guard.watching(case / "input", case / "results", self.root / "outside"):
                kind.read(case / "input", case / "results")
        except (UserError, WorkFailed, *kind.refusals) as error:
            outcome, told = "refused", str(error)
            if wrong := wrong_message(told):
                outcome, told, trace = "fault", wrong, traceback.format_exc()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome, told, trace = "fault", f"{type(error).__name__}: {str(error)[:300]!r}", _shortened(error)
        if self.guard.seen and not (outcome == "fault" and "Forbidden" in told):
            outcome, told = "fault", f"{Forbidden.__name__}, and swallowed: {self.guard.seen[0]}"
        if after := listing(self.root) - before:
            outcome, told = "fault", f"a file outside: {sorted(after)[0]}"
        os.chdir(self.root)
        if not self.keep:
            shutil.rmtree(case, ignore_errors=True)
        return Verdict(number, name, outcome, told, trace)


def wrong_message(text: str) -> str:
    """Return what is wrong with the text of a refusal; empty if it is a few lines that a terminal can show."""
    lines = text.split("\n")
    if not text.strip():
        return "a refusal without a message"
    if len(lines) > MOST_LINES:
        return f"a refusal of {len(lines)} lines: {lines[0][:100]!r}"
    if longest := max(lines, key=len)[MOST_CHARACTERS:]:
        return f"a refusal of {MOST_CHARACTERS + len(longest)} characters: {text[:100]!r}"
    if odd := next((c for c in text if c != "\n" and not c.isprintable()), ""):
        return f"a refusal with the control character {odd!r}: {text[:100]!r}"
    return ""


def _shortened(error: BaseException) -> str:
    """The traceback; of a deep recursion its ends."""
    lines = traceback.format_exception(error)
    return "".join(lines if len(lines) < 80 else [*lines[:30], "  ...\n", *lines[-30:]])[-6000:]
