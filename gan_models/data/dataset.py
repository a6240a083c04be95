"""Data of a run: datasets from a `DataSpec`, and batches whose order is a pure function of (seed, step)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
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
    """One access to an `ImageSet`: which entry, and the random number that decides its augmentation."""

    entry: int
    number: int


Item = Callable[["ImageSet", int, "int | None"], dict[str, Tensor]]


class ImageSet(Dataset[dict[str, Tensor]]):
    """Images of one split as float32 (C, H, W) in [-1, 1], each in the form that its task asks for.

    What an item holds is the task's (`item`). An integer index gives the entry as it is (resized; the crop, if any,
    from the center); a `Draw` gives it augmented.

    Args:
        spec: What it was opened with.
        sources: Where images come from, by a name of the task's.
        item: Makes the item of (this set, index, number); the number decides its augmentation, None gives it as it is.
        skipped: `path: reason` of each file left out.
        left_out: Reason -> how many other files below the data's folder belong to no split.
        notes: What a user should know of how files are read.
        independent: Entries of different sources never belong together. Else those of sources of equal length do.
        classes: Names of the entries' classes, by label, if they have any.
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
        """Return the set of some entries of each source, numbered anew.

        Args:
            entries: Source -> numbers of the entries.
        """
        sources = {name: PartOf(pictures, entries[name]) for name, pictures in self._sources.items()}
        return ImageSet(
            self.spec, sources, self._item, self.skipped, self.left_out, self.notes, self.independent, self.classes
        )

    def count(self, source: str) -> int:
        """Return how many entries a source has: of unpaired data A and B may differ."""
        return len(self._sources[source])

    def entry(self, source: str, index: int) -> int:
        """Return the number of an entry in the whole source, for tasks that keep something beside it by number."""
        pictures = self._sources[source]
        return pictures.entries[index] if isinstance(pictures, PartOf) else index

    @property
    def total(self) -> int:
        """The number of entries of all sources."""
        return sum(map(len, self._sources.values()))

    def __getitem__(self, key: int | Draw) -> dict[str, Tensor]:
        index, number = (key.entry, key.number) if isinstance(key, Draw) else (key, None)
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} is not in 0 .. {len(self) - 1}")
        return self._item(self, index, number)

    def parts(self, source: str, index: int, number: int | None) -> tuple[Tensor, ...]:
        """Return what a source has of an entry, neither cropped nor mirrored; arguments as of `read`."""
        return read_drawn(self._sources[source], index, number)

    def read(self, source: str, index: int, number: int | None, *forms: PictureForm) -> tuple[Tensor, ...]:
        """Return the images of one entry of a source, all cropped and mirrored alike.

        Sizes of one entry may stand in a fixed ratio, as those of super-resolution do: crops then begin at the same
        place of the scene.

        Args:
            source: Its name.
            index: The entry.
            number: Decides crop and mirroring; None: the middle, not mirrored.
            forms: Of each image: the size that it is cropped to. Without any, the spec's output is the form of all.

        Returns:
            Float32 (C, H, W) in [-1, 1] each; then labels, if the source has them, as they are.

        Raises:
            ValueError: An image is smaller than its form.
        """
        parts = self.parts(source, index, number)
        images = tuple(part for part in parts if part.dim() > 2)  # labels, which come last, have nothing to crop
        wanted = [form.size for form in forms or (self.spec.output,) * len(images)]
        mirrored = number is not None and self.spec.flip and bool(mixed(number, 4) % 2)
        if mirrored:
            images = tuple(image.flip(-1) for image in images)
        draws = (None, None) if number is None else (mixed(number, 2), mixed(number, 3))
        tops, lefts = (
            _starts([image.shape[axis] for image in images], [size[axis] for size in wanted], draw)
            for axis, draw in zip((-2, -1), draws, strict=True)
        )
        # A copy: an image of float32 is the one that is remembered.
        cropped = tuple(
            image[:, top : top + height, left : left + width]
            .to(torch.float32, copy=True).div_(127.5).sub_(1.0).contiguous()
            for image, top, left, (height, width) in zip(images, tops, lefts, wanted, strict=True)
        )  # fmt: skip
        return (*cropped, *parts[len(images) :])


def _starts(lengths: Sequence[int], wanted: Sequence[int], number: int | None) -> list[int]:
    """Return where crops of an entry's images start along one axis, in pixels of each.

    Args:
        lengths: Of the images.
        wanted: Of the crops. Starts stand in their ratio.
        number: Decides the place; None: the middle.
    """
    ratio = math.gcd(*wanted)
    steps = [length // ratio for length in wanted]
    rooms = [(length - crop) // step for length, crop, step in zip(lengths, wanted, steps, strict=True)]
    room = min(rooms)
    if room < 0:
        raise ValueError(f"images of {list(lengths)} pixels along an axis are smaller than {list(wanted)}")
    start = room // 2 if number is None else number % (room + 1)
    return [start * step for step in steps]


class DataNote(UserWarning):
    """A note about data that somebody opened: a study's are told when it is resolved."""


def notes_of(*splits: ImageSet) -> list[str]:
    """Return what a user should know of splits: what was left out, by reason, and how files are read."""
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


def files_fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Return the sha256 (hex) of files' names below `root` and of their bytes, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        name = path.name if path == root else path.relative_to(root).as_posix()
        digest.update(f"{name}\0{remembered_sha256(path)}\n".encode())
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
    for step in count(start_step):
        try:
            batch = next(source)
        except UserError as error:
            raise _of_process(error) from error
        batch["step"] = torch.tensor(step)
        yield batch


def _of_process(error: UserError) -> UserError:
    """Return an error of a process that reads ahead as it was raised there: torch sends the traceback as its text."""
    text = str(error)
    if not text.startswith("Caught "):
        return error
    found = UserError(text.strip().rpartition("\n")[2].partition(": ")[2])
    found.traceback = text
    return found


def in_order(dataset: Any, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
    """The entries once each, in order and not augmented: for measuring. The last batch may be smaller.

    Args:
        dataset: as for `batches`.
        batch_size: entries a batch.
        limit: at most so many entries.
    """
    entries = len(dataset) if limit is None else min(limit, len(dataset))
    for step, start in enumerate(range(0, entries, batch_size)):
        batch = default_collate([dataset[i] for i in range(start, min(start + batch_size, entries))])
        batch["step"] = torch.tensor(step)
        yield batch
