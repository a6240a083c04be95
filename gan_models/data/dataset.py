"""The data of a run: datasets from a `DataSpec`, and batches whose order is a pure function of (seed, step)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from ..files.errors import UserError
from ..files.hashes import remembered_sha256
from ..files.seeds import mixed
from ..files.texts.number_text import counted
from .image_readers import PartOf, Pictures, read_drawn, some_of
from .spec import DataSpec, PictureForm


class Draw(NamedTuple):
    """An access to an `ImageSet`: the entry, and the random number that determines its augmentation."""

    entry: int
    number: int


Item = Callable[["ImageSet", int, "int | None"], dict[str, Tensor]]


class ImageSet(Dataset[dict[str, Tensor]]):
    """The images of one split as float32 (C, H, W) in [-1, 1], each in the form that its task requires.

    What an item holds is the task's (`item`). An integer index gives the entry as it is (resized; the crop, if any,
    from the center); a `Draw` gives it augmented.

    Args:
        spec: The data that it was opened with.
        sources: Sources of images, by the task's names.
        item: Function that returns the item of (this set, index, number); the number determines its augmentation, None:
            none.
        skipped: `path: reason` of each file left out.
        left_out: Reason -> number of other files below the data's folder that belong to no split.
        notes: Notes for the user on the way that files are read.
        independent: True if entries of different sources never belong together. Otherwise those of sources of equal
            length do.
        classes: Names of the entries' classes, by label; empty if there are none.
    """

    def __init__(
        self,
        spec: DataSpec,
        sources: Mapping[str, Pictures],
        item: Item,
        skipped: Sequence[str] = (),
        left_out: Mapping[str, int] | None = None,
        notes: Sequence[str] = (),
        independent: bool = False,
        classes: Sequence[str] = (),
    ) -> None:
        self.spec = spec
        self.classes = tuple(classes)
        self.independent = independent
        self.skipped = tuple(skipped)
        self.left_out = dict(left_out or {})
        self.notes = tuple(notes)
        self._sources = dict(sources)
        self._item = item

    def __len__(self) -> int:
        return max(len(pictures) for pictures in self._sources.values())

    @property
    def sources(self) -> Mapping[str, Pictures]:
        """The sources of its images, by name."""
        return self._sources

    def part(self, entries: Mapping[str, Sequence[int]]) -> ImageSet:
        """Return the set of some entries of each source, renumbered.

        Args:
            entries: Source -> numbers of the entries.
        """
        sources = {name: PartOf(pictures, entries[name]) for name, pictures in self._sources.items()}
        return ImageSet(
            self.spec, sources, self._item, self.skipped, self.left_out, self.notes, self.independent, self.classes
        )

    def count(self, source: str) -> int:
        """Return the number of entries of a source; A and B may differ for unpaired data."""
        return len(self._sources[source])

    def entry(self, source: str, index: int) -> int:
        """Return the index of an entry in the whole source, for tasks that store values by index."""
        pictures = self._sources[source]
        return pictures.entries[index] if isinstance(pictures, PartOf) else index

    @property
    def total(self) -> int:
        """Number of entries of all sources."""
        return sum(map(len, self._sources.values()))

    def __getitem__(self, key: int | Draw) -> dict[str, Tensor]:
        index, number = (key.entry, key.number) if isinstance(key, Draw) else (key, None)
        if not 0 <= index < len(self):
            raise IndexError(f"the image does not exist: got index {index}; expected 0 to {len(self) - 1}")
        return self._item(self, index, number)

    def parts(self, source: str, index: int, number: int | None) -> tuple[Tensor, ...]:
        """Return an entry of a source, neither cropped nor mirrored; arguments as for `read`."""
        return read_drawn(self._sources[source], index, number)

    def read(self, source: str, index: int, number: int | None, *forms: PictureForm) -> tuple[Tensor, ...]:
        """Return the images of one entry of a source, all cropped and mirrored in the same way.

        Sizes of one entry may have a fixed ratio, as in super-resolution: crops then start at the same place of the
        scene.

        Args:
            source: Name of the source.
            index: Index of the entry.
            number: Random number of crop and mirroring; None: the center, not mirrored.
            forms: Form of each image, with the size of the crop. If omitted, the spec's output is the form of all.

        Returns:
            Float32 (C, H, W) in [-1, 1] each; then labels without changes, if the source has them.

        Raises:
            ValueError: An image is smaller than its form.
        """
        parts = self.parts(source, index, number)
        images = tuple(part for part in parts if part.dim() > 2)  # labels, which come last, are not cropped
        wanted = [form.size for form in forms or (self.spec.output,) * len(images)]
        mirrored = number is not None and self.spec.flip and bool(mixed(number, 4) % 2)
        if mirrored:
            images = tuple(image.flip(-1) for image in images)
        draws = (None, None) if number is None else (mixed(number, 2), mixed(number, 3))
        tops, lefts = (
            _starts([image.shape[axis] for image in images], [size[axis] for size in wanted], draw)
            for axis, draw in zip((-2, -1), draws, strict=True)
        )
        # Copied, because an image of float32 is the cached one.
        cropped = tuple(
            image[:, top : top + height, left : left + width]
            .to(torch.float32, copy=True).div_(127.5).sub_(1.0).contiguous()
            for image, top, left, (height, width) in zip(images, tops, lefts, wanted, strict=True)
        )  # fmt: skip
        return (*cropped, *parts[len(images) :])


def _starts(lengths: Sequence[int], wanted: Sequence[int], number: int | None) -> list[int]:
    """Return the start of the crop of each of an entry's images along one axis, in its pixels.

    Args:
        lengths: Lengths of the images.
        wanted: Lengths of the crops; starts have the same ratio.
        number: Random number of the place; None: the center.
    """
    ratio = math.gcd(*wanted)
    steps = [length // ratio for length in wanted]
    rooms = [(length - crop) // step for length, crop, step in zip(lengths, wanted, steps, strict=True)]
    room = min(rooms)
    if room < 0:
        raise ValueError(
            f"images are smaller than their crops: got {list(lengths)} pixels along an axis; expected at least "
            f"{list(wanted)}"
        )
    start = room // 2 if number is None else number % (room + 1)
    return [start * step for step in steps]


class DataNote(UserWarning):
    """A note about opened data; a study's notes are given when it is resolved."""


def notes_of(*splits: ImageSet) -> list[str]:
    """Return notes for the user on splits: skipped files, by reason, and the way that files are read."""
    notes = list(dict.fromkeys(note for images in splits for note in images.notes))
    skipped = list(dict.fromkeys(line for images in splits for line in images.skipped))
    if skipped:
        total = len(skipped) + sum(images.total for images in splits)
        notes.append(f"left out {len(skipped)} of {counted(total, 'image')}: {some_of(skipped)}")
    counts = {reason: n for images in splits for reason, n in images.left_out.items()}
    if counts:
        parts = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))
        notes.append(f"left out {counted(sum(counts.values()), 'file')} below {splits[0].spec.source}: {parts}")
    return notes


def files_fingerprint(root: Path, files: Collection[Path]) -> str:
    """Return the sha256 (hex) of files' names below `root` and of their bytes, in the order of their paths.

    Files outside `root`, such as masks in a folder of their own, come last, with their names alone.
    """
    digest = hashlib.sha256()
    inside = {path for path in files if path.is_relative_to(root)}
    for path in [*sorted(inside), *sorted(set(files) - inside)]:
        name = path.relative_to(root).as_posix() if path in inside and path != root else path.name
        digest.update(f"{name}\0{remembered_sha256(path)}\n".encode())
    return digest.hexdigest()


class _Order:
    """The infinite sequence of batches' keys from a step on; epochs are concatenated."""

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
    """Yield batches without end; batch `step` is a pure function of (dataset, batch size, seed, step).

    Each entry occurs once per epoch; a batch may span two epochs. Augmentation is also independent of the number of
    workers.

    Args:
        dataset: An `ImageSet`, or any sequence of dictionaries of tensors (then without augmentation).
        batch_size: Number of entries per batch.
        seed: Seed of order and augmentation.
        start_step: Step of the first batch.
        workers: Processes that read ahead; 0 reads in this one.

    Yields:
        Dictionaries of tensors (batch, ...), with `step` (int64, shape ()).

    Raises:
        ValueError: The dataset is empty or the batch size below 1.
    """
    if len(dataset) < 1 or batch_size < 1:
        raise ValueError(
            f"batches cannot be made: got {len(dataset)} images in batches of {batch_size}; expected at least 1 of each"
        )
    order = _Order(len(dataset), batch_size, seed, start_step, isinstance(dataset, ImageSet))
    if workers:
        # Its own generator: a DataLoader without one uses torch's global random numbers.
        loader = DataLoader(
            dataset,
            batch_sampler=order,
            num_workers=workers,
            generator=torch.Generator().manual_seed(seed % 2**63),
        )
        source = iter(loader)
    else:
        source = (default_collate([dataset[key] for key in keys]) for keys in order)
    for step in count(start_step):
        try:
            batch = next(source)
        except UserError as error:
            raise _of_process(error) from error
        batch["step"] = torch.tensor(step)
        yield batch


def _of_process(error: UserError) -> UserError:
    """Return the original error of a process that reads ahead: torch sends its traceback as text."""
    text = str(error.args[0]) if error.args else ""  # with its line breaks
    if not text.startswith("Caught "):
        return error
    found = UserError(text.strip().rpartition("\n")[2].partition(": ")[2])
    found.traceback = text
    return found


def in_order(dataset: Any, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
    """Yield the entries once each, in order and without augmentation, for measuring. The last batch may be smaller.

    Args:
        dataset: As for `batches`.
        batch_size: Number of entries per batch.
        limit: Maximum number of entries.
    """
    entries = len(dataset) if limit is None else min(limit, len(dataset))
    for step, start in enumerate(range(0, entries, batch_size)):
        batch = default_collate([dataset[i] for i in range(start, min(start + batch_size, entries))])
        batch["step"] = torch.tensor(step)
        yield batch
