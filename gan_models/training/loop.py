"""The training loop: seeded, resumable at any checkpoint, with rungs at which the caller may measure and stop.

`run_phase` is the only loop. Its `Phase` makes a step and contains all that the next step depends on. Fine-tuning and
the teacher (`train`) use it, and so do methods that train before they cut. On a CPU, a resumed run has bit-identical
weights to an uninterrupted one. Weights, optimizers, image pools and maps are in the checkpoint; data order,
augmentation, dropout and latents are pure functions of (seed, step).

Lightning Fabric and accelerate store random state and optimizers as pickles, and do not guarantee bit-exact resume. The
step of generators, discriminators and hypernetworks would still be written here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..checkpoints.checkpoint import latest_state, save_state
from ..data.dataset import batches
from ..distillation.term import FeatureMaps
from ..files.errors import UserError, WorkFailed
from ..files.plain_values import JSON, to_json
from ..files.seeds import mixed
from ..tasks.task import Batch, Task
from .compute import RunCompute, uncounted
from .recipe import Recipe, TrainRecord
from .step import Networks, Trainer

__all__ = ["Networks", "Phase", "Recipe", "TrainRecord", "TrainingDiverged", "best_device", "run_phase", "train"]

OnRung = Callable[[int, Mapping[str, nn.Module]], bool]
OnStep = Callable[[int, Mapping[str, float]], None]
OnCurve = Callable[[Sequence[tuple[int, Mapping[str, float]]]], None]

CHECKPOINT_FORMAT = 2  # version 1: before phases and fine-tuning shared one loop

NORM_BATCHES = 16  # number of batches for the statistics of norms with averaged weights

_CURVE_POINTS = 100
_CUDA_LOOK_EVERY = 10  # reading a loss waits for the GPU


class Phase(Protocol):
    """A training procedure by steps, with all state that the next step depends on."""

    @property
    def batches_per_step(self) -> int:
        """Number of batches per step."""
        ...

    def step(self, step: int, batch_at: Callable[[], Batch]) -> Mapping[str, float | Tensor]:
        """Make one generator step, counted from 0. Return the scalars to record, without gradient."""
        ...

    def kind_of_step(self, step: int) -> Hashable:
        """Return a key of the step's kind: steps of equal kind have the same passes of the networks."""
        ...

    def finished(self, done: int) -> bool:
        """Return True to end before all steps are used."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that the next step depends on: tensors, and plain JSON."""
        ...

    def load_state(self, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
        """Restore the result of `state`. Raises RuntimeError, KeyError or ValueError if it does not fit."""
        ...


class TrainingDiverged(WorkFailed):
    """An error: a loss is not finite; `step` is the first such step, counted from 1."""

    def __init__(self, step: int) -> None:
        super().__init__(f"training diverged: a loss at step {step} is not finite. Try a lower learning rate")
        self.step = step

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return type(self), (self.step,)


def best_device(wanted: str = "auto") -> torch.device:
    """Return the device of this name; "auto" is CUDA if available, else the CPU.

    Raises:
        ValueError: There is no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UserError(f"unknown device: got {wanted!r}; expected auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {wanted!r} is not available: torch finds no CUDA GPU. Try cpu or auto")
    return device


def train(
    task: Task,
    networks: Networks,
    data: Any,
    recipe: Recipe,
    *,
    steps: int,
    seed: int,
    device: torch.device | str = "cpu",
    teacher: Mapping[str, nn.Module] | None = None,
    teacher_judges: Mapping[str, nn.Module] | None = None,
    feature_maps: FeatureMaps | None = None,
    checkpoint_dir: Path | None = None,
    checkpoint_every: int = 0,
    rungs: Sequence[int] = (),
    on_rung: OnRung | None = None,
    on_step: OnStep | None = None,
    on_curve: OnCurve | None = None,
    workers: int = 0,
) -> TrainRecord:
    """Train in place; resume from the checkpoint in `checkpoint_dir` if there is one.

    Torch's global random numbers are restored. The caller sets threads. Networks without a trainable parameter are not
    changed: with frozen generators this warms up discriminators. If the recipe averages weights, rungs use the averaged
    ones, and so do the generators at the end.

    Args:
        task: The task with its losses.
        networks: Generators and discriminators by the task's names; left in eval mode.
        data: An `ImageSet`, or any sequence of dictionaries of tensors.
        recipe: The training recipe.
        steps: Total number of generator steps.
        seed: Seed of data order, augmentation and dropout; not of existing weights.
        device: Device of the training.
        teacher: Generators to distill from, by name; needed if the recipe distills.
        teacher_judges: The teacher's discriminators, by generator name, for terms that read their features.
        feature_maps: An encoder's maps of the generators' outputs, for terms that read them.
        checkpoint_dir: Folder of the newest checkpoint; None: none is read or written.
        checkpoint_every: Steps between checkpoints; 0: at rungs and at the end only.
        rungs: Step counts after which `on_rung` is called.
        on_rung: Called with the step count and the generators in eval mode; False stops the training. After an
            interruption a rung may be called again, with the same weights.
        on_step: Called with the step count and the losses: after each step on a CPU, each tenth on CUDA.
        on_curve: Called before each rung with the points of the losses' curve so far.
        workers: Processes that read data ahead.

    Returns:
        The record: number of steps, stop by a rung, the losses' curve, seconds.

    Raises:
        TrainingDiverged: A loss is not finite.
        ValueError: There are no steps, a rung is outside 1 .. steps, a checkpoint belongs to another run, or recipe and
            teacher do not fit.
        KeyError: A network that the task names is missing.
    """
    _check(steps, rungs)
    device = torch.device(device)
    with _own_random_numbers(device):
        data_seed = mixed(seed, 42)
        example = next(batches(data, recipe.batch_size, data_seed))
        trainer = Trainer(
            task,
            networks,
            recipe,
            steps=steps,
            seed=seed,
            device=device,
            teacher=teacher,
            example=example,
            teacher_judges=teacher_judges,
            feature_maps=feature_maps,
        )

    def sample() -> Iterator[Batch]:
        """Yield the batches for statistics of norms, the same each time."""
        source = batches(data, recipe.batch_size, mixed(seed, 43))
        try:
            yield from islice(source, NORM_BATCHES)
        finally:
            source.close()

    def at_rung(step: int) -> bool:
        trainer.set_mode(training=False)
        with trainer.measured(sample()):
            goes_on = on_rung is None or on_rung(step, trainer.generators) is not False
        trainer.set_mode(training=True)
        return goes_on

    identity = {
        "task": task.name,
        "settings": task.settings_json(),
        "recipe": to_json(recipe),
        "seed": seed,
        "steps": steps,
        "images": len(data),
    }
    try:
        record = run_phase(
            trainer, data, batch_size=recipe.batch_size, steps=steps, seed=data_seed, identity=identity, device=device,
            checkpoint_dir=checkpoint_dir, checkpoint_every=checkpoint_every, rungs=rungs, on_rung=at_rung,
            on_step=on_step, on_curve=on_curve, workers=workers,
        )  # fmt: skip
    finally:
        trainer.set_mode(training=False)
    trainer.keep_measured(sample())
    return record


def checkpoint_cadence(steps: int) -> int:
    """Return the steps between checkpoints of a run of `steps`: ten in all, but at least 200 steps apart."""
    return max(200, steps // 10)


def run_phase(
    phase: Phase,
    data: Any,
    *,
    batch_size: int,
    steps: int,
    seed: int,
    identity: Mapping[str, JSON],
    device: torch.device,
    checkpoint_dir: Path | None = None,
    checkpoint_every: int = 0,
    rungs: Sequence[int] = (),
    on_rung: Callable[[int], bool] | None = None,
    on_step: OnStep | None = None,
    on_curve: OnCurve | None = None,
    workers: int = 0,
) -> TrainRecord:
    """Train a phase for at most `steps` generator steps; resume from the checkpoint in `checkpoint_dir`.

    Torch's global random numbers are restored.

    Args:
        phase: The training procedure.
        data: An `ImageSet`, or any sequence of dictionaries of tensors; batches are on the CPU.
        batch_size: Images per batch.
        steps: Total number of generator steps.
        seed: Seed of the data's order and augmentation, and of torch's random numbers at each step.
        identity: Values that a checkpoint must match, as plain JSON.
        device: Device of the training, which determines random numbers and how often values are read.
        checkpoint_dir: Folder of the newest checkpoint; None: none is read or written.
        checkpoint_every: Steps between checkpoints; 0: at rungs and at the end only.
        rungs: Step counts after which `on_rung` is called.
        on_rung: Called with the step count; False stops the training.
        on_step: Called with the step count and the values: after each step on a CPU, each tenth on CUDA.
        on_curve: Called before each rung with the points of the values' curve so far.
        workers: Processes that read data ahead.

    Raises:
        TrainingDiverged: A value is not finite.
        UserError: There are no steps, a rung is outside 1 .. steps, or a checkpoint belongs to another run.
    """
    _check(steps, rungs)
    with _own_random_numbers(device):
        run = _Run(phase, identity, checkpoint_dir)
        source = batches(data, batch_size, seed, run.done * phase.batches_per_step, workers)
        try:
            reading, listeners = _reading(source), (on_rung, on_step, on_curve)
            _steps(run, steps, seed, reading, device, checkpoint_every, frozenset(rungs), *listeners)
        finally:
            source.close()
    return TrainRecord(run.done, run.stopped, tuple(run.curve), run.seconds, run.compute.macs)


def _reading(source: Iterator[Batch]) -> Callable[[], Batch]:
    """Return a function that reads the next batch, whose work does not count as compute of the step."""

    def batch() -> Batch:
        with uncounted():
            return next(source)

    return batch


def _check(steps: int, rungs: Sequence[int]) -> None:
    if steps < 1:
        raise UserError(f"too few training steps: got steps={steps}; expected 1 or more")
    if any(not 1 <= rung <= steps for rung in rungs):
        raise UserError(f"rungs are out of range: got {list(rungs)}; expected 1 to {steps} steps")


def _own_random_numbers(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which torch's random numbers may be seeded; they are restored afterwards."""
    gpus = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=gpus)


class _Run:
    """The progress of a phase, and its checkpoint."""

    def __init__(self, phase: Phase, identity: Mapping[str, JSON], folder: Path | None) -> None:
        self.phase, self.identity, self.folder = phase, dict(identity), folder
        self.done, self.stopped, self.seconds = 0, False, 0.0
        self.curve: list[tuple[int, dict[str, float]]] = []
        self.compute = RunCompute()
        if folder is not None and (saved := latest_state(folder)) is not None:
            self._resume(folder, *saved)

    def _resume(self, folder: Path, tensors: dict[str, Tensor], info: dict[str, Any]) -> None:
        if info.get("format") != CHECKPOINT_FORMAT:
            return  # a checkpoint of an earlier version: this run starts from the beginning
        theirs = info.get("identity", {})
        other = [key for key, value in self.identity.items() if theirs.get(key) != value]
        if other:
            raise UserError(
                f"the checkpoint in {folder} belongs to another run: {', '.join(other)} differ. Try the same "
                f"settings, or another folder"
            )
        try:
            self.phase.load_state(tensors, info["phase"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise UserError(
                f"the checkpoint in {folder} belongs to networks of another shape. Try another folder"
            ) from error
        self.done, self.stopped, self.seconds = info["done"], info["stopped"], info["seconds"]
        self.curve = [(step, values) for step, values in info["curve"]]
        self.compute = RunCompute(info.get("macs", 0), 0 if "macs" in info else self.done)

    def finished(self, steps: int) -> bool:
        """Return True if no step is left."""
        return self.stopped or self.done >= steps or (self.done > 0 and self.phase.finished(self.done))

    def save(self) -> None:
        """Write the checkpoint, if there is a folder for it."""
        if self.folder is None:
            return
        tensors, phase = self.phase.state()
        info = {
            "format": CHECKPOINT_FORMAT,
            "identity": self.identity,
            "phase": phase,
            "done": self.done,
            "stopped": self.stopped,
            "seconds": self.seconds,
            "curve": self.curve,
            "macs": self.compute.macs,
        }
        save_state(self.folder, tensors, info)


class _Values:
    """The values of the newest step; the first step with a value that is not finite is stored on the device."""

    def __init__(self, device: torch.device) -> None:
        self._newest: Mapping[str, float | Tensor] = {}
        self._device, self._first_bad = device, torch.full((), math.inf, device=device)

    def add(self, step: int, values: Mapping[str, float | Tensor]) -> None:
        self._newest = values
        finite = self._stacked().isfinite().all()
        self._first_bad = torch.minimum(self._first_bad, torch.where(finite, math.inf, float(step)))

    def numbers(self) -> dict[str, float]:
        """Return the newest values as numbers. Raises TrainingDiverged if any value so far was not finite."""
        first_bad = float(self._first_bad)
        if math.isfinite(first_bad):
            raise TrainingDiverged(int(first_bad))
        return dict(zip(self._newest, self._stacked().tolist(), strict=True))

    def _stacked(self) -> Tensor:
        """Return all values as float64, the precision of Python's numbers."""
        parts = [torch.as_tensor(value, dtype=torch.float64, device=self._device) for value in self._newest.values()]
        return torch.stack(parts) if parts else torch.zeros(0, dtype=torch.float64, device=self._device)


def _steps(
    run: _Run,
    steps: int,
    seed: int,
    batch_at: Callable[[], Batch],
    device: torch.device,
    checkpoint_every: int,
    rungs: frozenset[int],
    on_rung: Callable[[int], bool] | None,
    on_step: OnStep | None,
    on_curve: OnCurve | None,
) -> None:
    values = _Values(device)
    look_every = _CUDA_LOOK_EVERY if device.type == "cuda" else 1
    note_every = max(1, steps // _CURVE_POINTS)
    started = time.perf_counter()
    finished = run.finished(steps)
    while not finished:
        torch.manual_seed(mixed(seed, run.done))
        with run.compute.step(run.phase.kind_of_step(run.done)):
            made = run.phase.step(run.done, batch_at)
        values.add(run.done + 1, made)
        run.done += 1
        finished = run.finished(steps)
        at_rung = run.done in rungs
        save_now = at_rung or finished or (checkpoint_every > 0 and run.done % checkpoint_every == 0)
        note_now = run.done % note_every == 0 or finished
        if save_now or note_now or run.done % look_every == 0:
            numbers = values.numbers()
            if note_now:
                run.curve.append((run.done, numbers))
            if on_step is not None:
                on_step(run.done, numbers)
        if save_now:
            run.seconds += time.perf_counter() - started
            if at_rung and on_curve is not None:
                on_curve(tuple(run.curve))
            if at_rung and on_rung is not None:
                run.stopped = on_rung(run.done) is False
                finished = finished or run.stopped
            # Saved after the rung, because an interruption between an earlier save and the rung would lose the rung.
            run.save()
            started = time.perf_counter()
