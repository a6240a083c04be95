"""Studies that are killed again and again, and what must be true of each when it has ended after all."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ganprune.studies.database.reader import read_study
from ganprune.studies.results.outcome import TESTED_KEY

from .kills import DRIVER, ROOT, Nursery, alive, descendants, sigkill, wait_for

TRIALS = 10


@dataclass
class Torn:
    """One study under torture."""

    url: str = ""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ganprune-torn-")))

    def __post_init__(self) -> None:
        self.url = self.url or f"sqlite:///{self.folder}/s.db"

    @property
    def ended(self) -> bool:
        return (self.folder / "ended").exists()

    @property
    def files(self) -> Path:
        return self.folder / "a" / "s"

    def table(self) -> list[tuple]:
        """All that a study is, to the weights' last bit, without times, attempts and places.

        Of stopped trials without weights and measurements: Ray ends them at their rung, where a trial in the
        driver's own process still writes its result.
        """
        rows, study = [], read_study(self.url, "s")
        tested = study.attributes.get(TESTED_KEY) or {}
        for t in study.trials:
            kept = t.outcome if t.state == "COMPLETE" else None
            rows.append(
                (t.number, t.state, t.new.method, t.new.params, t.new.origin, t.new.target, t.quality, t.cost, t.rungs,
                 t.constraints, t.stopped, t.widths, t.outcome and t.outcome.architecture,
                 kept and kept.artifact, [m.value for m in kept.measurements] if kept else [],
                 tested.get(str(t.number)))
            )  # fmt: skip
        return rows

    def faults(self, calm: "Torn") -> list[str]:
        """Faults of a study: lost, repeated, left over, or different from the uninterrupted study."""
        table, expected = self.table(), calm.table()
        found = [f"trial {row[0]} is {row[1]}" for row in table if row[1] not in ("COMPLETE", "PRUNED")]
        if [row[0] for row in table] != [row[0] for row in expected]:
            found.append(f"{len(table)} trials instead of {len(expected)}")
        if not any(row[-1] for row in table):
            found.append("no trial was measured on the test split")
        found += [f"trial {a[0]} differs: {a} instead of {b}" for a, b in zip(table, expected, strict=False) if a != b]
        for row in table:
            found += repeated(self.files / str(row[0]))
        return found

    def examined(self, calm: "Torn") -> list[str]:
        """Its faults; the files of a study without any are removed."""
        found = self.faults(calm)
        if not found:
            shutil.rmtree(self.folder, ignore_errors=True)
        return found


def repeated(folder: Path) -> list[str]:
    """Steps of a trial that were trained although a checkpoint after them was on disk already."""
    saved, wrong = {"prune": 0, "finetune": 0}, []
    for line in (folder / "steps.log").read_text().splitlines():
        what, *rest = line.split()
        if what == "saved":
            saved[rest[0]] = max(saved[rest[0]], int(rest[1]))
        elif what == "step" and int(rest[1]) < saved[rest[0]]:
            wrong.append(f"trial {folder.name}: {line} after checkpoint {saved[rest[0]]}")
    return wrong


def until_ended(torn: Torn, start, patience_s: float = 900) -> None:
    """Lets a study come to its end, undisturbed."""
    deadline = time.monotonic() + patience_s
    while not torn.ended:
        pid = start(torn)
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert time.monotonic() < deadline, "the study does not come to its end"


def calm_study(nursery: Nursery, trials: int = TRIALS) -> Torn:
    calm = Torn()
    until_ended(calm, lambda torn: nursery.driver(torn.folder, torn.url, trials))
    assert not calm.faults(calm)
    return calm


def drivers(nursery, calm, kills, dice, trials=TRIALS, aims=("random", "checkpoint", "manifest", "tell"), new=Torn):
    """Drivers that train in their own process are killed; a study that ends too early is followed by another one."""
    done, studies = Counter(), []

    def start(torn):
        return nursery.driver(torn.folder, torn.url, trials)

    while done.total() < kills:
        assert len(studies) < kills + 20, f"studies end before {aims[done.total() % len(aims)]!r} is seen"
        studies.append(torn := new())
        while not torn.ended and done.total() < kills:
            pid = start(torn)
            moment = wait_for(aims[done.total() % len(aims)], torn.files, pid, dice)
            done[moment] += sigkill(pid)
    for torn in studies:
        until_ended(torn, start)
    return done, [fault for torn in studies for fault in torn.examined(calm)]


def servers(nursery, calm, kills, dice, server, trials=TRIALS):
    """The PostgreSQL server is killed and comes back; the driver waits for it and never ends for that reason."""
    done, studies, died = Counter(), [], []
    while done.total() < kills:
        studies.append(torn := Torn(server.new_database()))
        pid = nursery.driver(torn.folder, torn.url, trials)
        while not torn.files.joinpath("0").exists() and alive(pid):
            time.sleep(0.05)
        while not torn.ended and done.total() < kills:
            time.sleep(dice.uniform(0.2, 2.0))
            how = signal.SIGQUIT if done.total() % 2 else signal.SIGKILL
            server.restart(how, away_s=dice.uniform(0.0, 1.5))
            done["server " + how.name] += not torn.ended
        while alive(pid):
            time.sleep(0.05)
        if not torn.ended:
            why = torn.folder / "died.log"
            last = why.read_text().strip().splitlines()[-1] if why.exists() else "killed"
            died.append(f"a driver did not survive its server ({torn.folder}): {last}")
            until_ended(torn, lambda torn: nursery.driver(torn.folder, torn.url, trials))
    return done, died + [fault for torn in studies for fault in torn.examined(calm)]


def on_ray(calm, workers, raylets, ray_drivers, dice, trials=TRIALS):
    """On a local Ray cluster: workers are killed under a driver that goes on; raylets and drivers take all with them."""
    done, studies, running, hung = Counter(), [], [], []
    plan = ["raylet"] * raylets + ["driver on ray"] * ray_drivers
    dice.shuffle(plan)

    def start(torn):
        with open(torn.folder / "driver.log", "a") as log:
            command = [sys.executable, "-m", DRIVER, torn.folder, torn.url, "ray", str(trials)]
            running.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))
        return running[-1].pid

    def lives(pid):
        running[-1].poll()
        return alive(pid)

    def kill(kind, pid):
        trainers = descendants(pid, "ray::ImplicitFunc")
        if not trainers:  # nothing is trained yet, or nothing any more
            return False
        raylets = descendants(pid, "raylet")
        victim = {"worker": dice.choice(trainers), "raylet": (raylets or [pid])[0], "driver on ray": pid}[kind]
        return sigkill(victim)

    while done["worker"] < workers or plan:
        studies.append(torn := Torn())
        while not torn.ended and (done["worker"] < workers or plan):
            pid, left = start(torn), ["worker"] * min(2, workers - done["worker"]) + plan[-1:]
            while left and lives(pid) and not torn.ended:
                time.sleep(dice.uniform(0.5, 3.0))
                if kill(left[0], pid):
                    done[kind := left.pop(0)] += 1
                    if kind != "worker":
                        plan.pop()
            deadline = time.monotonic() + 900
            while lives(pid) and time.monotonic() < deadline:  # a driver whose raylet is gone ends by itself
                time.sleep(0.1)
            if sigkill(pid):
                hung.append(f"a driver hangs ({torn.folder})")
    for torn in studies:
        until_ended(torn, start)
    running[-1].wait()
    return done, hung + [fault for torn in studies for fault in torn.examined(calm)]
