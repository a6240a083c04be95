"""The monitoring of a trial's networks during training: collapse indicators, and the reason to abort the trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ...evaluators.features.encoders import NonFiniteImages
from ...evaluators.health.collapse import Health, HealthLimits
from ...evaluators.health.diversity import accuracy_of, diversity_of, duplicates_of
from ...gan_models.data.dataset import in_order
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.plain_values import from_json
from ...gan_models.tasks.task import Network
from ..preparations.opened_study import OpenedStudy

FILE = "health.json"
IMAGES = 16
# Threshold at which a discriminator's raw score means "real", by adversarial loss.
BOUNDARIES = {"lsgan": 0.5, "hinge": 0.0, "vanilla": 0.0}


class HealthWatch:
    """A monitor of one trial's training, on a fixed batch of training images.

    Every check is written to the trial's folder before it counts, so that an interrupted trial keeps its record and the
    reason for its end. The training's state is not changed.

    Args:
        bench: The study.
        limits: Limits that end a trial.
        workspace: The trial's folder.
        first: Number of steps before which no trial is ended.
    """

    def __init__(self, bench: OpenedStudy, limits: HealthLimits, workspace: Path, first: int) -> None:
        self.bench, self.limits, self.first = bench, limits, first
        self._path = workspace / FILE
        kept = read_json(self._path) or {}
        self.entries = list(from_json(tuple[Health, ...], kept.get("entries", [])))
        self.reason: str | None = kept.get("reason")
        self._batch: dict[str, Tensor] | None = None
        self._teacher: dict[str, tuple[float, float]] = {}

    def look(
        self, step: int, generators: Mapping[str, nn.Module], discriminators: Mapping[str, nn.Module]
    ) -> str | None:
        """Record a step; return the reason to end the trial there, or None.

        Args:
            step: Number of completed steps, including pruning.
            generators: All generators of the task, in eval mode.
            discriminators: All discriminators of the task, in eval mode.

        Raises:
            NonFiniteImages: An output contains NaN or infinity.
        """
        self.entries, self.reason = [entry for entry in self.entries if entry.step < step], None
        batch, task = self._images(), self.bench.task()
        heard = {name: _Listening(discriminators[name]) for name in task.generator_names}
        with torch.no_grad():
            outputs = task.generate(generators, batch)
            for name, images in outputs.items():
                if not bool(torch.isfinite(images).all()):
                    raise NonFiniteImages(f"output of {name} not finite (NaN or infinity) at step {step}")
            task.discriminator_loss(outputs, heard, batch)
        boundary = BOUNDARIES[task.adversarial]
        for name in self.bench.names:
            real, generated, *_ = heard[name].scores
            found = Health(
                step,
                name,
                accuracy_of(real, True, boundary),
                accuracy_of(generated, False, boundary),
                diversity_of(outputs[name]),
                self._teacher[name][0],
                duplicates_of(outputs[name]),
                self._teacher[name][1],
            )
            self.entries.append(found)
            if self.reason is None and step >= self.first:
                self.reason = self.limits.verdict(found)
        write_json(self._path, {"entries": self.entries, "reason": self.reason})
        return self.reason

    def _images(self) -> dict[str, Tensor]:
        """Return the fixed batch on the networks' device; the first call also checks the teacher's outputs for it."""
        if self._batch is None:
            batch = next(iter(in_order(self.bench.train_data, IMAGES, IMAGES)))
            device = self.bench.device
            self._batch = {name: value.to(device) if value.dim() else value for name, value in batch.items()}
            teacher = {name: model.to(device) for name, model in self.bench.generators.items()}
            with torch.no_grad():
                outputs = self.bench.task().generate(teacher, self._batch)
            self._teacher = {name: (diversity_of(images), duplicates_of(images)) for name, images in outputs.items()}
        return self._batch


class _Listening:
    """A discriminator that records its scores: of real images first, then of generated ones, then of others."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.scores: list[Tensor] = []

    def __call__(self, *judged: Tensor) -> Tensor:
        self.scores.append(self.network(*judged))
        return self.scores[-1]
