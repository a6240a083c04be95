"""A search that is about to start, as the input of the checks of a preflight."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from ..config import StudyConfig
from ..preparations.opened_study import OpenedStudy


@dataclass(frozen=True)
class Placement:
    """The placement of a search's trials: machine, resources and concurrency.

    Attributes:
        here: True if they run on this machine; False on a cluster that was joined.
        in_turn: True if they run one after the other, in this process.
        cpus_per_trial: CPUs of one trial.
        gpus_per_trial: Requested GPUs of one trial; None: one, if there is any.
        most: Requested maximum number of trials at once; None: as many as fit.
    """

    here: bool = True
    in_turn: bool = False
    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    most: int | None = None

    def at_once(self, device: torch.device) -> int:
        """Return the number of trials that run at once on this machine's CPUs and GPUs."""
        if self.in_turn:
            return 1
        fits = max(1, cpus_here() // self.cpus_per_trial)
        gpus = 1.0 if self.gpus_per_trial is None else self.gpus_per_trial
        if device.type == "cuda" and gpus:
            fits = min(fits, max(1, int(torch.cuda.device_count() / gpus)))
        return min(fits, self.most or fits)


def cpus_here() -> int:
    """Return the CPUs of this machine, as Ray counts them."""
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Launch:
    """A search that is about to start.

    Attributes:
        config: The configuration as given, or resolved if possible.
        placement: Placement of the trials.
        folder: The folder of artifacts, or its URL.
        study: The study; None if it cannot be resolved.
    """

    config: StudyConfig
    placement: Placement
    folder: str
    study: OpenedStudy | None = None
