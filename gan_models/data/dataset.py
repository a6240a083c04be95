"""Data of a run: datasets from a `DataSpec`, and batches whose order is a pure function of (seed, step)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from ..files.errors import UserError
from ..files.hashes import file_sha256
from ..files.seeds import mixed
from .image_readers import FilePictures, Pictures, cifar_pictures, good_files, rendered
from .layouts import detect_task, existing, files_of, is_cifar
from .spec import SPLITS, DataSpec
from .synthetic import render_shapes, render_stripes

__all__ = ["DataSpec", "Draw", "ImageSet", "batches", "detect_task", "fingerprint", "in_order", "open_split"]

_BUILTIN_VERSION = 1  # raise when the built-in scenes change


class Draw(NamedTuple):
    """One access to an `ImageSet`: which entry, and the random number that decides its augmentation."""

    entry: int
    number: int


class ImageSet(Dataset[dict[str, Tensor]]):
    """Images of one split as float32 (3, H, W) in [-1, 1], H = W = `spec.image_size`.

    Items: paired {"input", "target"}; unpaired {"A", "B"}; unconditional {"target"}. An integer index gives
    the entry as it is (resized; the crop, if any, from the centre); a `Draw` gives it augmented.

    Attributes:
        skipped: `path: reason` of each file left out.
        spec: what it was opened with.
    """

    def __init__(self, spec: DataSpec, pictures: Sequence[Pictures], skipped: Sequence[str] = ()) -> None:
        self.spec = spec
        self.skipped = tuple(skipped)
        self._pictures = tuple(pictures)

    def __len__(self) -> int:
        return max(len(pictures) for pictures in self._pictures)

    def count(self, name: str) -> int:
        """How many different images stand under this name of the entries: of unpaired data A and B may differ."""
        return len(self._pictures["AB".index(name)]) if self.spec.task == "unpaired" else len(self)

    def __getitem__(self, key: int | Draw) -> dict[str, Tensor]:
        index, number = (key.entry, key.number) if isinstance(key, Draw) else (key, None)
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} is not in 0 .. {len(self) - 1}")
        if self.spec.task != "unpaired":
            images = self._pictures[0].read(index)
            names = ("input", "target") if len(images) == 2 else ("target",)
            return {name: self._prepared(image, number) for name, image in zip(names, images, strict=True)}
        a, b = self._pictures
        # As upstream: A in order, B at random, so that no fixed pairs form; each with its own crop and flip.
        number_b = None if number is None else mixed(number, 1)
        index_b = index % len(b) if number_b is None else number_b % len(b)
        return {
            "A": self._prepared(a.read(index % len(a))[0], number),
            "B": self._prepared(b.read(index_b)[0], number_b),
        }

    def _prepared(self, image: Tensor, number: int | None) -> Tensor:
        size, room = self.spec.image_size, image.shape[-1] - self.spec.image_size
        top = left = room // 2
        if number is not None:
            if room:
                top, left = mixed(number, 2) % (room + 1), mixed(number, 3) % (room + 1)
            if self.spec.flip and mixed(number, 4) % 2:
                image = image.flip(-1)
        cropped = image[:, top : top + size, left : left + size]
        return cropped.to(torch.float32).div_(127.5).sub_(1.0).contiguous()


def open_split(spec: DataSpec, split: str) -> ImageSet:
    """Open one split of the data.

    Training images are read at `spec.load_size`, others at `spec.image_size`. Where a set has only one of
    validation and test, it stands for both; a folder without a split holds out a tenth.

    Args:
        spec: which data.
        split: "train", "val" or "test".

    Raises:
        ValueError: unknown split; a source that is missing, empty or in another layout (the message shows the
            layouts); a bad image with `spec.strict`. Without it bad images are named in a warning and in
            `ImageSet.skipped`.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; use one of {', '.join(SPLITS)}")
    size = (spec.load_size or spec.image_size) if split == "train" else spec.image_size
    if spec.source.startswith("builtin:"):
        return ImageSet(spec, _builtin(spec, split, size))
    root = existing(spec.source)
    if is_cifar(root):
        if spec.task != "unconditional":
            raise UserError(f"{spec.source} serves the task unconditional, not {spec.task}; change --task or --data")
        return ImageSet(spec, (cifar_pictures(root, split, size),))
    halves = spec.task == "paired"
    pictures, skipped = [], []
    for files in files_of(spec, split):
        good, bad = good_files(files, spec.strict, halves)
        pictures.append(FilePictures(good, size, halves, swapped=halves and spec.direction == "BtoA"))
        skipped += bad
    return ImageSet(spec, pictures, skipped)


def _builtin(spec: DataSpec, split: str, size: int) -> tuple[Pictures, ...]:
    count = spec.n_train if split == "train" else spec.n_test
    if spec.task == "unpaired":
        return tuple(
            rendered(lambda i, domain=domain: (render_stripes(spec.seed, split, domain, i, size),), count, size, 1)
            for domain in ("A", "B")
        )

    def shapes(indices: range) -> tuple[Tensor, ...]:
        drawing, painting = render_shapes(spec.seed, split, indices, size)
        if spec.task == "unconditional":
            return (painting,)
        return (painting, drawing) if spec.direction == "BtoA" else (drawing, painting)

    return (rendered(shapes, count, size, 1 if spec.task == "unconditional" else 2),)


def fingerprint(spec: DataSpec) -> str:
    """sha256 (hex) of what the data holds: names and bytes of every file, or a built-in set's parameters.

    Direction, sizes and augmentation are not part of it: they are the spec's, not the data's.

    Raises:
        ValueError: the source is missing or has another layout.
    """
    digest = hashlib.sha256()
    if spec.source.startswith("builtin:"):
        parts = [spec.source, _BUILTIN_VERSION, spec.seed, spec.n_train, spec.n_test]
        digest.update(json.dumps(parts).encode())
        return digest.hexdigest()
    root = existing(spec.source)
    if is_cifar(root):
        files = [root] if root.is_file() else sorted(root.rglob("*.bin"))
    else:
        files_of(spec, "train")
        files = sorted({path for split in SPLITS for group in files_of(spec, split) for path in group})
    for path in files:
        name = path.name if path == root else path.relative_to(root).as_posix()
        digest.update(f"{name}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


class _Order:
    """The infinite sequence of batches' keys from a step on; epochs follow each other without a gap."""

    def __init__(self, n_items: int, batch_size: int, seed: int, start_step: int, draws: bool) -> None:
        self.n_items, self.batch_size, self.seed = n_items, batch_size, seed
        self.start_step, self.draws = start_step, draws

    def __iter__(self) -> Iterator[list[Any]]:
        epoch, order, step = -1, [], self.start_step
        while True:
            keys = []
            for position in range(step * self.batch_size, (step + 1) * self.batch_size):
                if position // self.n_items != epoch:
                    epoch = position // self.n_items
                    shuffle = torch.Generator().manual_seed(mixed(self.seed, epoch))
                    order = torch.randperm(self.n_items, generator=shuffle).tolist()
                index = order[position % self.n_items]
                keys.append(Draw(index, mixed(self.seed, position, 1)) if self.draws else index)
            yield keys
            step += 1


def batches(
    dataset: Any, batch_size: int, seed: int, start_step: int = 0, workers: int = 0
) -> Generator[dict[str, Tensor], None, None]:
    """Batches without end; batch `step` is a pure function of (dataset, batch size, seed, step).

    Each entry is seen once an epoch; a batch may end one epoch and begin the next. Augmentation follows the
    same rule, whatever the number of workers.

    Args:
        dataset: an `ImageSet`, or any sequence of dictionaries of tensors (then without augmentation).
        batch_size: entries a batch.
        seed: of order and augmentation.
        start_step: the first batch's step.
        workers: processes that read ahead; 0 reads in this one.

    Yields:
        Dictionaries of tensors (batch, ...), with `step` (int64, shape ()) beside them.

    Raises:
        ValueError: an empty dataset or a batch size below 1.
    """
    if len(dataset) < 1 or batch_size < 1:
        raise ValueError(f"{len(dataset)} images in batches of {batch_size}: both must be at least 1")
    order = _Order(len(dataset), batch_size, seed, start_step, isinstance(dataset, ImageSet))
    if workers:
        # A generator of its own: a DataLoader without one draws from torch's global random numbers.
        loader = DataLoader(
            dataset,
            batch_sampler=order,
            num_workers=workers,
            generator=torch.Generator().manual_seed(seed % 2**63),
        )
        source = iter(loader)
    else:
        source = (default_collate([dataset[key] for key in keys]) for keys in order)
    for step, batch in enumerate(source, start_step):
        batch["step"] = torch.tensor(step)
        yield batch


def in_order(dataset: Any, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
    """The entries once each, in order and not augmented: for measuring. The last batch may be smaller.

    Args:
        dataset: as for `batches`.
        batch_size: entries a batch.
        limit: at most so many entries.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    for step, start in enumerate(range(0, count, batch_size)):
        batch = default_collate([dataset[i] for i in range(start, min(start + batch_size, count))])
        batch["step"] = torch.tensor(step)
        yield batch
