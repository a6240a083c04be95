"""The training loop: seeded, resumable at any checkpoint, with rungs at which a caller may measure and stop.

On a CPU an interrupted and resumed run gives bit for bit the weights of an uninterrupted one: weights,
optimisers, image pools and maps are in the checkpoint; data order, augmentation, dropout and latents are pure
functions of (seed, step).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints.checkpoint import latest_state, save_state
from ..data.dataset import batches
from ..files.errors import UserError, WorkFailed
from ..files.plain_values import to_json
from ..files.seeds import mixed
from ..tasks.task import Task
from .recipe import Recipe, TrainRecord
from .step import Networks, Trainer

__all__ = ["Networks", "Recipe", "TrainRecord", "TrainingDiverged", "best_device", "train"]

OnRung = Callable[[int, Mapping[str, nn.Module]], bool]
OnStep = Callable[[int, dict[str, float]], None]

_CURVE_POINTS = 100
_CUDA_LOOK_EVERY = 10  # reading a loss waits for the GPU


class TrainingDiverged(WorkFailed):
    """A loss was not finite; `step` is the first such step, counted from 1."""

    def __init__(self, step: int) -> None:
        super().__init__(f"training diverged: a loss at step {step} is not finite; lower the learning rate")
        self.step = step

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return type(self), (self.step,)


def best_device(wanted: str = "auto") -> torch.device:
    """The device of this name; "auto" is CUDA where there is one, else the CPU.

    Raises:
        ValueError: no such device here.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UserError(f"device {wanted!r} is unknown; use auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {wanted!r} is not there: torch sees no CUDA GPU; use cpu or auto")
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
    checkpoint_dir: Path | None = None,
    checkpoint_every: int = 0,
    rungs: Sequence[int] = (),
    on_rung: OnRung | None = None,
    on_step: OnStep | None = None,
    workers: int = 0,
) -> TrainRecord:
    """Train in place; go on from the checkpoint in `checkpoint_dir` if there is one.

    Torch's global random numbers are as before when this returns. Threads are set by the caller. Networks
    all of whose parameters need no gradient stay as they are: with frozen generators this warms up
    discriminators.

    Args:
        task: the losses.
        networks: generators and discriminators by the task's names; left in eval mode.
        data: an `ImageSet`, or any sequence of dictionaries of tensors.
        recipe: how to train.
        steps: generator steps in all.
        seed: of data order, augmentation and dropout; not of weights that exist already.
        device: where.
        teacher: generators to distil from, by name; needed if the recipe distils.
        checkpoint_dir: folder of the one newest checkpoint; None: none is read or written.
        checkpoint_every: steps between checkpoints; 0: at rungs and at the end only.
        rungs: step counts after which `on_rung` is called.
        on_rung: called with the step count and the generators in eval mode; False stops the training. After
            an interruption a rung may be called again, with the same weights.
        on_step: called with the step count and the losses: after each step on a CPU, each tenth on CUDA.
        workers: processes that read data ahead.

    Returns:
        Steps done, whether a rung stopped it, the losses' curve, seconds.

    Raises:
        TrainingDiverged: a loss is not finite.
        ValueError: no steps; a rung outside 1 .. steps; a checkpoint of another run; recipe and teacher do
            not fit.
        KeyError: a network that the task names is missing.
    """
    if steps < 1:
        raise UserError(f"steps={steps} is no training; use 1 or more")
    if any(not 1 <= rung <= steps for rung in rungs):
        raise UserError(f"rungs {list(rungs)} must lie in 1 .. {steps} steps")
    device = torch.device(device)
    gpus = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        data_seed = mixed(seed, 42)
        example = next(batches(data, recipe.batch_size, data_seed))
        trainer = Trainer(
            task, networks, recipe, steps=steps, seed=seed, device=device, teacher=teacher, example=example
        )
        identity = {
            "task": task.name,
            "settings": task.settings_json(),
            "recipe": to_json(recipe),
            "seed": seed,
            "steps": steps,
            "images": len(data),
        }
        run = _Run(trainer, identity, checkpoint_dir)
        source = batches(data, recipe.batch_size, data_seed, run.done * recipe.d_steps, workers)
        try:
            _steps(run, source, checkpoint_every, frozenset(rungs), on_rung, on_step)
        finally:
            source.close()
            trainer.set_mode(training=False)
    return TrainRecord(run.done, run.stopped, tuple(run.curve), run.seconds)


class _Run:
    """How far a training run has come, and its checkpoint."""

    def __init__(self, trainer: Trainer, identity: dict[str, Any], folder: Path | None) -> None:
        self.trainer, self.identity, self.folder = trainer, identity, folder
        self.done, self.stopped, self.seconds = 0, False, 0.0
        self.curve: list[tuple[int, dict[str, float]]] = []
        if folder is not None and (saved := latest_state(folder)) is not None:
            self._resume(folder, *saved)

    def _resume(self, folder: Path, tensors: dict[str, Tensor], info: dict[str, Any]) -> None:
        theirs = info.get("identity", {})
        other = [key for key, value in self.identity.items() if theirs.get(key) != value]
        if other:
            raise UserError(
                f"the checkpoint in {folder} is of another run ({', '.join(other)} differ); "
                "use the same settings, or another folder"
            )
        try:
            self.trainer.load_state(tensors, info["scales"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise UserError(
                f"the checkpoint in {folder} is of networks of another shape; use another folder"
            ) from error
        self.done, self.stopped, self.seconds = info["done"], info["stopped"], info["seconds"]
        self.curve = [(step, terms) for step, terms in info["curve"]]

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.folder is None:
            return
        tensors, scales = self.trainer.state()
        info = {
            "identity": self.identity,
            "scales": scales,
            "done": self.done,
            "stopped": self.stopped,
            "seconds": self.seconds,
            "curve": self.curve,
        }
        save_state(self.folder, tensors, info)


class _Losses:
    """Terms of the newest step; the first step with one that is not finite is kept on the device."""

    def __init__(self, device: torch.device) -> None:
        self.terms: dict[str, Tensor] = {}
        self._first_bad = torch.full((), math.inf, device=device)

    def add(self, step: int, terms: dict[str, Tensor]) -> None:
        self.terms = terms
        finite = torch.stack([term.float() for term in terms.values()]).isfinite().all()
        now = torch.where(finite, math.inf, float(step))
        self._first_bad = torch.minimum(self._first_bad, now)

    def values(self) -> dict[str, float]:
        """The newest terms as numbers; raises TrainingDiverged if any step so far was not finite."""
        first_bad = float(self._first_bad)
        if math.isfinite(first_bad):
            raise TrainingDiverged(int(first_bad))
        values = torch.stack([term.float() for term in self.terms.values()]).tolist()
        return dict(zip(self.terms, values, strict=True))


def _steps(
    run: _Run,
    source: Generator[dict[str, Tensor], None, None],
    checkpoint_every: int,
    rungs: frozenset[int],
    on_rung: OnRung | None,
    on_step: OnStep | None,
) -> None:
    trainer, steps = run.trainer, run.trainer.steps
    losses = _Losses(trainer.device)
    look_every = _CUDA_LOOK_EVERY if trainer.device.type == "cuda" else 1
    note_every = max(1, steps // _CURVE_POINTS)
    started = time.perf_counter()
    while run.done < steps and not run.stopped:
        terms = trainer.step(run.done, lambda: next(source))
        run.done += 1
        losses.add(run.done, terms)
        at_rung = run.done in rungs
        save_now = at_rung or run.done == steps or (checkpoint_every > 0 and run.done % checkpoint_every == 0)
        note_now = run.done % note_every == 0 or run.done == steps
        if save_now or note_now or run.done % look_every == 0:
            values = losses.values()
            if note_now:
                run.curve.append((run.done, values))
            if on_step is not None:
                on_step(run.done, values)
        if save_now:
            run.seconds += time.perf_counter() - started
            if at_rung and on_rung is not None:
                trainer.set_mode(training=False)
                run.stopped = on_rung(run.done, trainer.generators) is False
                trainer.set_mode(training=True)
            # After the rung: were it saved before, an interruption between them would lose the rung.
            run.save()
            started = time.perf_counter()
