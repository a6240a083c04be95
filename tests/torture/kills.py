"""Victims and moments of kills: moments are found by watching a victim's files, never by help from inside it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DRIVER = "tests.torture.driver"
# What appears on disk while a write is under way: a new file beside the old one, renamed at its end.
AIMS = {
    "checkpoint": ("*/checkpoint/.tensors-*", "*/checkpoint/tensors-*", "*/prune/G/.tensors-*"),
    "manifest": ("*/.result-*.json",),
    "tell": ("*/result.json",),  # the manifest is there, the database not yet written
}


def stat_of(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name: state, parent, ...; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def alive(pid: int) -> bool:
    return (stat_of(pid) or ["X"])[0] not in "XZ"


def descendants(pid: int, name: str) -> list[int]:
    """Processes below `pid` whose command line begins with, or holds as its program, `name`."""
    parents = {int(p.name): stat_of(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()}
    found, below = [], {pid}
    while more := {child for child, stat in parents.items() if stat and int(stat[1]) in below} - below:
        below |= more
    for child in below - {pid}:
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].decode(errors="replace").startswith(name) or Path(os.fsdecode(words[0])).name == name:
            found.append(child)
    return sorted(found)


class Nursery:
    """Forks drivers that have everything loaded."""

    def __init__(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        pipes["stderr"] = subprocess.DEVNULL
        self.process = subprocess.Popen([sys.executable, "-m", DRIVER], cwd=ROOT, **pipes)
        assert self.process.stdout.readline() == "ready\n"

    def driver(self, folder: Path, url: str, trials: int) -> int:
        self.process.stdin.write(f"{folder} {url} local {trials}\n")
        self.process.stdin.flush()
        while not (line := self.process.stdout.readline()).strip().isdigit():
            assert line, "the nursery is gone"
        return int(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


def wait_for(moment: str, study: Path, pid: int, dice: random.Random, patience_s: float = 20.0) -> str:
    """Returns when `moment` has come in a study's folder; what it was really: `random` where it did not come in time."""
    if moment == "random":
        time.sleep(dice.uniform(0.05, 2.0))
        return moment
    before = {path for pattern in AIMS[moment] for path in study.glob(pattern)}
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and alive(pid):
        if any(path not in before for pattern in AIMS[moment] for path in study.glob(pattern)):
            return moment
        time.sleep(0.001)
    return "random"


def sigkill(pid: int) -> bool:
    """Kills a process; whether it was alive."""
    if not alive(pid):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    return True
