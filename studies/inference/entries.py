"""Runs of a generator that takes more than pictures of one size: label maps, vectors or sound, a folder per input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...gan_models.data.inputs.part_files import PictureParts, ValueParts, sound_length
from ...gan_models.data.inputs.role_folders import is_read
from ...gan_models.data.picture_tree import PictureTree
from ...gan_models.data.spec import PictureForm
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.pictures.picture_reader import picture_fault, picture_size
from ...gan_models.networks.specs import RANGES, Input, InputSpec
from .output_pictures import write_output
from .placements import Placement, at_own_size
from .sizes import LARGEST_DENOMINATOR, SizeRule, find_size_rule, follows, sized, trained_size
from .translation import DRAWN_KINDS, OpenedGenerator, Translated, drawn_inputs

SHAPE_ERRORS = (RuntimeError, ValueError, IndexError, AssertionError)  # of networks at a length they are not made for


def takes_entries(inputs: InputSpec) -> bool:
    """Return whether a generator takes label maps, vectors or sound, which have a file each."""
    return any(one.is_map or one.kind in ("vector", "audio") for one in inputs.inputs)


@dataclass(frozen=True)
class EntryRun:
    """One run over a folder with a subfolder per input; files of one entry have one name, regardless of their suffixes.

    Attributes:
        generator: The generator.
        folder: Holds a subfolder per input that is neither a latent nor a class.
        out: Where PNGs of the first input's names go, at the size of the entry's pictures times the generator's scale
            if it runs at their size, else at the size that it gives.
        batch_size: Most entries at once.
        seed: Of latents.
        label: The class of all entries; None: each class in turn.
    """

    generator: OpenedGenerator
    folder: Path
    out: Path
    batch_size: int
    seed: int = 0
    label: int | None = None

    def run(self) -> Translated:
        """Run all entries; one that lacks a file is left out by name.

        Raises:
            UserError: No entries, or a file that is not what its input takes.
        """
        skipped: list[str] = []
        entries = list(self._entries(skipped))
        if not entries:
            raise UserError(
                f"input {self.folder} holds no entries of this generator: {'; '.join(skipped[:3]) or 'no files'}; put "
                f"files of one name into {', '.join(f'{one.name}/' for one in self._read)}"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        drawn = drawn_inputs(self.generator.inputs, len(entries), self.seed, self.label)
        by_size: dict[tuple[Placement | None, int], list[int]] = defaultdict(list)
        for place, (name, paths) in enumerate(entries):
            try:
                by_size[self._placement(paths), self._samples(paths)].append(place)
            except WorkFailed as error:
                skipped.append(f"{name}: {error}")
        written: dict[int, str] = {}
        for (placement, samples), places in by_size.items():
            for start in range(0, len(places), self.batch_size):
                given: dict[int, list[Tensor]] = {}
                for place in places[start : start + self.batch_size]:
                    try:
                        given[place] = self._values(entries[place][1], placement, samples)
                    except WorkFailed as error:
                        skipped.append(f"{entries[place][0]}: {error}")
                if given:
                    batch = {one.name: torch.stack([v[i] for v in given.values()]) for i, one in enumerate(self._read)}
                    batch |= {name: values[[*given]] for name, values in drawn.items()}
                    images = self.generator.generate(*(batch[name] for name in self.generator.inputs.names))
                    for place, image in zip(given, images, strict=True):
                        written[place] = self._write(entries[place][0], image.detach().float().cpu(), placement)
        return Translated(self.out, tuple(written[i] for i in sorted(written)), tuple(skipped), self._notes)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        """Return the first entries, a batch of each input at the trained sizes; the generator is not run.

        Args:
            count: Most entries.

        Raises:
            UserError: No entry can be read.
        """
        skipped: list[str] = []
        samples = sum(one.shape[1] for one in self._read if one.kind == "audio")
        read: list[list[Tensor]] = []
        for name, paths in list(self._entries(skipped))[:count]:
            try:
                read.append(self._values(paths, None, samples))
            except WorkFailed as error:
                skipped.append(f"{name}: {error}")
        if not read:
            raise UserError(f"no entry in {self.folder} can be read: {'; '.join(skipped[:3]) or 'no files'}")
        given = {one.name: torch.stack([x[i] for x in read]) for i, one in enumerate(self._read)}
        given |= drawn_inputs(self.generator.inputs, len(read), self.seed, self.label)
        return tuple(given[name] for name in self.generator.inputs.names)

    @cached_property
    def _rule(self) -> SizeRule:
        """The sizes that the generator runs at; found by trial runs, so only if an entry has another size."""
        return find_size_rule(self.generator.generate, self.generator.inputs)

    @cached_property
    def _lengths(self) -> dict[int, bool]:
        """Samples of sounds of other lengths -> whether the generator runs at them."""
        return {}

    @cached_property
    def _resized(self) -> set[str]:
        """Kinds of what is brought to the trained size."""
        return set()

    @property
    def _notes(self) -> tuple[str, ...]:
        trained = f"this generator runs at its trained size alone ({self.generator.inputs})"
        return (f"{trained}: {' and '.join(sorted(self._resized))} are brought to it",) if self._resized else ()

    def _placement(self, paths: Sequence[Path]) -> Placement | None:
        """Return the place of an entry's pictures in the generator's input; None: they are resized to the trained size.

        Raises:
            WorkFailed: The first picture cannot be read.
        """
        trained = trained_size(self.generator.inputs)
        firsts = [path for one, path in zip(self._read, paths, strict=True) if follows(one, self.generator.inputs)]
        if trained is None or not firsts:
            return None
        size = picture_size(firsts[0])
        if size is None:
            raise WorkFailed(f"image {firsts[0]} cannot be read ({picture_fault(firsts[0])}); repair or remove it")
        height, width = size[::-1]
        if (height, width) == trained:
            return None
        if self._rule.fixed:
            self._resized.add("pictures of other sizes")
            return None
        return at_own_size(height, width, self._rule)

    def _samples(self, paths: Sequence[Path]) -> int:
        """Return the sound's length in samples if the generator runs at it, else the trained one; 0 without sound."""
        sounds = [(one, path) for one, path in zip(self._read, paths, strict=True) if one.kind == "audio"]
        if len(sounds) != 1:
            return sum(one.shape[1] for one, _ in sounds)
        one, length = sounds[0][0], sound_length(sounds[0][1])
        if length == one.shape[1]:
            return length
        if length not in self._lengths:
            self._lengths[length] = self._runs_at(length)
        if not self._lengths[length]:
            self._resized.add("sounds of other lengths")
        return length if self._lengths[length] else one.shape[1]

    def _runs_at(self, samples: int) -> bool:
        try:
            self.generator.generate(*self._sized(None, samples).examples(1))
        except torch.OutOfMemoryError:
            raise
        except SHAPE_ERRORS:
            return False
        return True

    def _sized(self, placement: Placement | None, samples: int) -> InputSpec:
        """Return the input specification at an entry's sizes."""
        inputs = self.generator.inputs
        inputs = inputs if placement is None else sized(inputs, *placement.size)
        sounds = len(inputs.of_kind("audio")) == 1
        return InputSpec(
            tuple(
                replace(one, shape=(one.shape[0], samples)) if sounds and one.kind == "audio" else one
                for one in inputs.inputs
            )
        )

    def _write(self, name: str, image: Tensor, placement: Placement | None) -> str:
        """Write one output, of a placement the part that is the picture's; return its name."""
        size = None
        if placement is not None and image.dim() == 3:
            scales = [
                Fraction(made, taken).limit_denominator(LARGEST_DENOMINATOR)
                for made, taken in zip(image.shape[1:], placement.size, strict=True)
            ]
            size, image = placement.output_size(*scales), placement.back(image, *scales)
        path = write_output(image, self.out / f"{name}.png", self.generator.bounds, size)
        return path.relative_to(self.out).as_posix()

    @property
    def _read(self) -> tuple[Input, ...]:
        """The inputs that are read from files."""
        return tuple(one for one in self.generator.inputs.inputs if one.is_map or one.kind not in DRAWN_KINDS)

    def _entries(self, skipped: list[str]) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """Yield name and files of each entry."""
        found: list[dict[str, Path]] = []
        for one in self._read:
            folder = self.folder / one.name
            tree = PictureTree(folder, wanted=is_read) if folder.is_dir() else None
            paths = [picture.path for picture in tree.pictures] if tree else []
            found.append({path.relative_to(folder).with_suffix("").as_posix(): path for path in paths})
        for name in found[0]:
            lacking = [one.name for one, files in zip(self._read, found, strict=True) if name not in files]
            if lacking:
                skipped.append(f"{name}: no {' and no '.join(lacking)} of this name")
            else:
                yield name, tuple(files[name] for files in found)

    def _values(self, paths: Sequence[Path], placement: Placement | None, samples: int) -> list[Tensor]:
        """Return one entry's inputs in their own ranges, in order."""
        taken = {one.name: one for one in self._sized(placement, samples).inputs}
        made = []
        for one, path in zip(self._read, paths, strict=True):
            if not (one.pictured or one.is_map):
                (value,) = ValueParts([(path,)], (taken[one.name],)).read(0)
                made.append(value)
                continue
            form = PictureForm.of(one)
            placed = placement if follows(one, self.generator.inputs) else None
            if placed is not None:
                form = form.at(placed.source.height, placed.source.width)
            (picture,) = PictureParts([(path,)], (one,), (form,), soft=True).read(0)
            if placed is not None:
                pixels = np.ascontiguousarray(picture.numpy().transpose(1, 2, 0))
                picture = torch.from_numpy(placed.apply(pixels).transpose(2, 0, 1).copy())
            low, high = one.value_range or RANGES["image"]
            made.append(picture[0].long() if one.is_map else picture.float().mul((high - low) / 255).add(low))
        return made
