"""The parts that tasks of one generator and one discriminator share: a class to start a new task from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ..data.dataset import ImageSet
from ..data.image_readers import sizes_of
from ..data.layouts import existing
from ..data.spec import SPLITS, DataSpec
from ..files.errors import UserError
from ..files.plain_values import JSON, from_json, to_json
from ..networks.specs import InputSpec, OutputSpec
from .task import Batch, Network
from .task_parts import TaskDefaults


class SingleGenerator(TaskDefaults):
    """A task of the generator "G" and its discriminator, stateless, whose real images are each batch's `real_key`.

    A subclass has at least `name`, `inputs`, `make_discriminators`, `generator_losses` and `discriminator_loss`. One
    that reads folders has `open` and `split_files`, too; else its data are a user's own, whose items are its batches.

    Attributes:
        settings_type: Frozen dataclass of its settings; None: it has none.

    Args:
        settings: Its settings.
        seed: Of what it draws.
    """

    generator_names: tuple[str, ...] = ("G",)
    has_reference = False
    adversarial = "lsgan"
    real_key: ClassVar[str] = "target"
    source: ClassVar[str] = "target"  # of the `ImageSet`, whose entries are the batches' entries
    settings_type: ClassVar[type | None] = None

    def __init__(self, settings: Any = None, seed: int = 0) -> None:
        self.settings, self.seed = settings, seed

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> Self:
        """Return the task with these settings.

        Raises:
            UserError: A setting that it does not have.
        """
        if cls.settings_type is not None:
            return cls(from_json(cls.settings_type, dict(settings), "task_settings"), seed)
        if settings:
            raise UserError(
                f"the task {cls.__name__} has no settings: got {', '.join(settings)}; expected none. Try a dataclass "
                "of them as its settings_type"
            )
        return cls(None, seed)

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON."""
        return {} if self.settings is None else to_json(self.settings)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return False: no folder identifies the task."""
        return False

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Raise UserError: the task reads no folders."""
        raise UserError(
            f"the task {cls.__name__} reads no folders: got {spec.source}; expected data of your own. Try --data "
            "my_data.py:make"
        )

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings as they are: any generator is taken."""
        return dict(settings)

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the files of one split."""
        raise NotImplementedError

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return heights and widths of the first training pictures that the generator takes, or that are real ones."""
        return sizes_of(cls.split_files(spec, "train")[:most])

    @classmethod
    def files(cls, spec: DataSpec) -> list[Path]:
        """Return the files of all splits."""
        return [path for split in SPLITS for path in cls.split_files(spec, split)]

    @classmethod
    def root(cls, spec: DataSpec) -> Path:
        """Return the source's folder. Raises UserError if there is none."""
        return existing(spec.source)

    @classmethod
    def complete(cls, settings: Mapping[str, Any], output: OutputSpec) -> dict[str, Any]:
        """Return the settings as they are."""
        return dict(settings)

    @classmethod
    def alone(cls, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return the settings as they are: the generator is alone."""
        return dict(settings)

    def n_inputs(self, data: ImageSet, name: str) -> int:
        """Return the number of entries: each one gives an input."""
        return data.count(self.source)

    def n_reals(self, data: ImageSet, name: str) -> int:
        """Return the number of entries: each one has a real image."""
        return data.count(self.source)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return what the generator takes for this batch."""
        raise NotImplementedError

    def reference(self, batch: Batch, name: str) -> Tensor | None:
        """Return the real images if each is what its input should become, else None."""
        return batch[self.real_key] if self.has_reference else None

    def reals(self, batch: Batch, name: str) -> Tensor:
        """Return the batch's real images."""
        return batch[self.real_key]

    def with_reals(self, batch: Batch, name: str, images: Tensor) -> dict[str, Tensor]:
        """Return the batch with other real images."""
        return {**batch, self.real_key: images}

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return each input that is an image, and the reference if there is one."""
        pictures = [x for x in self.inputs(batch, name) if x.dim() == 4]
        shown = {"input" if i == 0 else f"input {i + 1}": x for i, x in enumerate(pictures)}
        reference = self.reference(batch, name)
        return shown if reference is None else {**shown, "target": reference}

    def generate(self, generators: Mapping[str, Network], batch: Batch) -> dict[str, Tensor]:
        """Return the generator's output."""
        return {"G": generators["G"](*self.inputs(batch, "G"))}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return the images alone."""
        return images

    def state(self) -> dict[str, Tensor]:
        """Return nothing: the task has no state."""
        return {}

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Do nothing: there is nothing to put back."""
