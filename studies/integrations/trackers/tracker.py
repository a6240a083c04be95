"""A tracker: what shows the progress of trainings, and what it is given of a study. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ....gan_models.files.packages import Package, check_installed
from ....gan_models.files.user_code import load_named

if TYPE_CHECKING:
    import numpy as np

NOTE = "note"  # name of a run's note among the names of its curves


def plain_name(name: str) -> str:
    """Return a name that every tracker takes: letters, digits, `_`, `.`, `-` and `/`.

    `result/fd[shapes,n=8]` becomes `result/fd_shapes_n_8`.
    """
    return "/".join(re.sub(r"[^A-Za-z0-9_.-]+", "_", part).strip("_") for part in name.split("/"))


@dataclass(frozen=True)
class Experiment:
    """A study, as trackers name it.

    Attributes:
        name: The study's name.
        identity: Its identity in the record; two studies of one name have different ones.
        folder: The study's files; a tracker may keep its own below it.
        facts: Facts for people, by name: network, data, budgets, metric.
    """

    name: str
    identity: str
    folder: Path
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackedPicture:
    """Pictures of one generator at one step, below each other.

    Attributes:
        name: `pictures/G`.
        step: Steps that were done.
        path: A WebP file.
    """

    name: str
    step: int
    path: Path

    def pixels(self) -> np.ndarray:
        """Return the pixels, uint8 [height, width, 3]."""
        import numpy as np
        from PIL import Image

        return np.asarray(Image.open(self.path).convert("RGB"))


@dataclass(frozen=True)
class TrackedRun:
    """One trial, or the teacher, as the record has it.

    Attributes:
        name: `trial-0007` or `teacher`; the same in each run of the search.
        state: WAITING, RUNNING, COMPLETE, PRUNED or FAIL.
        step: Steps that it is known to have done.
        params: What was chosen: method, settings, target, bits, seed.
        curves: Step and value at rising steps, by name: losses, qualities at rungs, and results at the last step.
        pictures: By step.
        note: Markdown: widths, costs, quality with its interval, lineage; empty until it ended.
    """

    name: str
    state: str
    step: int = 0
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    pictures: tuple[TrackedPicture, ...] = ()
    note: str = ""

    @property
    def ended(self) -> bool:
        """True if nothing more is trained."""
        return self.state not in ("WAITING", "RUNNING")

    def beyond(self, known: Mapping[str, int]) -> TrackedRun:
        """Return the run without what a tracker has already.

        Args:
            known: Last step by name of curve, of picture, and of `note`.
        """
        curves = {
            name: points
            for name, every in self.curves.items()
            if (points := tuple(point for point in every if point[0] > known.get(name, -1)))
        }
        pictures = tuple(one for one in self.pictures if one.step > known.get(one.name, -1))
        return replace(
            self, curves=curves, pictures=pictures, note=self.note if self.step > known.get(NOTE, -1) else ""
        )

    def last_steps(self) -> dict[str, int]:
        """Return the last step of each curve and picture that it holds, and of its note."""
        steps = {name: points[-1][0] for name, points in self.curves.items()}
        steps |= {one.name: one.step for one in sorted(self.pictures, key=lambda one: one.step)}
        return steps | ({NOTE: self.step} if self.note else {})


class Tracker(Protocol):
    """An opened tracker of one study. Its methods are called by one thread, and may raise anything.

    Attributes:
        where: One line that says how to look at it: a command or an address.
    """

    where: str

    def known(self, run: TrackedRun) -> Mapping[str, int]:
        """Return what the tracker has of a run: last step by name of curve and picture, and of `note`."""
        ...

    def write(self, run: TrackedRun) -> None:
        """Add everything of `run` to what there is; it holds nothing that is known already."""
        ...

    def close(self) -> None:
        """End: everything is written."""
        ...


@dataclass(frozen=True)
class TrackerSpec:
    """A row of the table of trackers.

    Attributes:
        opener: A function `open(experiment) -> Tracker`, or its name, `package.module:function`.
        title: Its name for people.
        needs: Packages that it needs.
    """

    opener: str | Callable[[Experiment], Tracker]
    title: str
    needs: tuple[Package, ...] = ()

    def check(self) -> None:
        """Raise PackageMissing unless everything that it needs is installed; nothing is imported."""
        check_installed(f"tracker {self.title}", self.needs)

    def open(self, experiment: Experiment) -> Tracker:
        """Return the tracker of a study."""
        return load_named(self.opener, "tracker")(experiment)
