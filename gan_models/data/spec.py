"""The data that a run reads, as a value: `DataSpec`. Imports no torch, so that configurations may hold one."""

from __future__ import annotations

from dataclasses import dataclass

from ..files.errors import UserError

SPLITS = ("train", "val", "test")  # as sets lie on the disk; what a study reads: `tasks.task_data.Splits`
SHAPES, STRIPES = "builtin:shapes", "builtin:stripes"
BUILTIN = (SHAPES, STRIPES)
DIRECTIONS = ("AtoB", "BtoA")


@dataclass(frozen=True)
class DataSpec:
    """The images of a run: their source, size and task.

    Args:
        source: `builtin:shapes`, `builtin:stripes`, a folder in the layout of the task, or CIFAR-10's binary archive
            (.tar.gz or its extracted folder).
        task: The task that reads it; see `gan_models.tasks.catalog`.
        image_size: Pixels per side of what a network sees.
        direction: Which half of an aligned picture is the input (paired only).
        load_size: Pixels per side that training images are resized to before a random crop of `image_size` (upstream's
            286 for 256); None: resized to `image_size`, no crop.
        flip: Mirror training images left-right with probability 1/2, both pictures of a pair alike.
        seed: Content of the built-in sets; the held-out tenth of folders that come without a split.
        n_train: Size of a built-in training split.
        n_test: Size of a built-in validation or test split.
        strict: Fail on an image that cannot be read instead of leaving it out.
        selects: Images to choose generators by are kept apart: the training split is without them.

    Raises:
        UserError: A field outside what is allowed.
    """

    source: str
    task: str
    image_size: int
    direction: str = "AtoB"
    load_size: int | None = None
    flip: bool = True
    seed: int = 0
    n_train: int = 2000
    n_test: int = 500
    strict: bool = False
    selects: bool = False

    def __post_init__(self) -> None:
        """Check the fields."""
        if not self.source:
            raise UserError(f"no data given; use {', '.join(BUILTIN)} or a folder")
        if self.direction not in DIRECTIONS:
            raise UserError(f"direction {self.direction!r} is unknown; use AtoB or BtoA")
        if not 8 <= self.image_size <= 4096:
            raise UserError(f"image size {self.image_size} is not possible; use 8 to 4096 pixels")
        if self.load_size is not None and not self.image_size <= self.load_size <= 8192:
            raise UserError(
                f"load size {self.load_size} is not possible; use {self.image_size} (the image size) to 8192"
            )
        if self.n_train < 1 or self.n_test < 1:
            raise UserError(f"n_train={self.n_train}, n_test={self.n_test}: both must be at least 1")
        if self.source.startswith("builtin:") and self.source not in BUILTIN:
            raise UserError(f"data {self.source!r} is unknown; built in are {', '.join(BUILTIN)}")
