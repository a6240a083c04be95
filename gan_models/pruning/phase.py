"""A method's own training: seeded, resumable at its checkpoints, its path recorded.

As in `training.loop`, an interrupted and resumed phase gives bit for bit the result of an uninterrupted one on a
CPU: data order and random numbers are pure functions of (seed, step), all else is in the phase's `state`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..checkpoints.checkpoint import latest_state, save_state
from ..data.dataset import batches
from ..files.errors import UserError
from ..files.plain_values import JSON, from_json, to_json
from ..files.seeds import mixed
from ..tasks.task import Batch
from ..training.loop import TrainingDiverged
from ..training.recipe import Recipe
from .method import PruneJob

CURVE_POINTS = 100


class Phase(Protocol):
    """Training that a method does before the cut."""

    @property
    def batches_per_step(self) -> int:
        """How often `step` asks for a batch, always."""
        ...

    def step(self, step: int, batch_at: Callable[[], Batch]) -> Mapping[str, float | Tensor]:
        """One generator step, from 0. Returns what is worth recording: scalars, no gradient."""
        ...

    def finished(self, done: int) -> bool:
        """Whether to end before all steps are spent; what is left goes to fine-tuning."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, JSON]]:
        """All that the next step depends on."""
        ...

    def load_state(self, tensors: Mapping[str, Tensor], info: Mapping[str, JSON]) -> None:
        """Puts back what `state` gave; RuntimeError, KeyError or ValueError where it does not fit."""
        ...


@dataclass(frozen=True)
class PhaseRecord:
    """What came of a phase, interruptions included.

    Attributes:
        steps: Generator steps done.
        curve: (step, values) at about a hundred steps and the last one.
        seconds: Time in steps and reading data.
    """

    steps: int
    curve: tuple[tuple[int, Mapping[str, float]], ...]
    seconds: float

    def path(self, value: str) -> list[list[float]]:
        """[[step, value], ...] of one recorded value, for the trial's record."""
        return [[step, values[value]] for step, values in self.curve if value in values]


def run_phase(phase: Phase, job: PruneJob, steps: int) -> PhaseRecord:
    """Trains a phase for at most `steps` generator steps; goes on from the checkpoint in `job.workspace`.

    Torch's global random numbers are as before when this returns.

    Raises:
        TrainingDiverged: A recorded value is not finite.
        ValueError: The job has no data or device, no steps, or the checkpoint is of another job.
    """
    if job.data is None or job.device is None or steps < 1:
        raise ValueError(f"training needs data, a device and at least one step, got {steps} steps")
    recipe = from_json(Recipe, job.recipe)
    device, seed = job.device, mixed(job.seed, 50)
    gpus = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    identity: dict[str, JSON] = {
        "name": job.name,
        "cost": job.target.cost,
        "target": job.target.value,
        "settings": to_json(job.settings),
        "recipe": dict(job.recipe),
        "seed": job.seed,
        "steps": steps,
    }
    done, seconds = 0, 0.0
    curve: list[tuple[int, dict[str, float]]] = []
    if job.workspace is not None and (saved := latest_state(job.workspace)) is not None:
        tensors, info = saved
        other = [key for key, value in identity.items() if info.get("identity", {}).get(key) != value]
        if other:
            raise UserError(f"the checkpoint in {job.workspace} is of another job ({', '.join(other)} differ)")
        phase.load_state(tensors, info["phase"])
        done, seconds = info["done"], info["seconds"]
        curve = [(step, values) for step, values in info["curve"]]
    every, note_every = max(200, steps // 10), max(1, steps // CURVE_POINTS)
    with torch.random.fork_rng(devices=gpus):
        source = batches(job.data, recipe.batch_size, seed, done * phase.batches_per_step)
        started = time.perf_counter()
        try:
            while done < steps and not (done and phase.finished(done)):
                torch.manual_seed(mixed(seed, done))
                values = phase.step(done, lambda: {name: value.to(device) for name, value in next(source).items()})
                done += 1
                last = done == steps or phase.finished(done)
                if done % note_every == 0 or last:
                    curve.append((done, _checked(done, values)))
                    if job.on_step is not None:
                        job.on_step(*curve[-1])
                if job.workspace is not None and (done % every == 0 or last):
                    seconds, started = seconds + time.perf_counter() - started, time.perf_counter()
                    tensors, info = phase.state()
                    saved = {"identity": identity, "phase": info, "done": done, "seconds": seconds, "curve": curve}
                    save_state(job.workspace, tensors, saved)
        finally:
            source.close()
    return PhaseRecord(done, tuple(curve), seconds + time.perf_counter() - started)


def _checked(step: int, values: Mapping[str, float | Tensor]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in values.items()}
    if not all(math.isfinite(number) for number in numbers.values()):
        raise TrainingDiverged(step)
    return numbers
