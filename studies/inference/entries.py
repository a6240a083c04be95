"""Runs of a generator that takes more than pictures of one size: label maps, vectors or sound, a folder per input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...gan_models.data.inputs.part_files import PictureParts, ValueParts
from ...gan_models.data.inputs.role_folders import is_read
from ...gan_models.data.picture_tree import PictureTree
from ...gan_models.data.spec import PictureForm
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.networks.specs import RANGES, Input, InputSpec
from .output_pictures import write_output
from .translation import DRAWN, OpenedGenerator, Translated, drawn_inputs


def takes_entries(inputs: InputSpec) -> bool:
    """Return whether a generator takes label maps, vectors or sound, which are read at the trained size alone."""
    return any(one.is_map or one.kind in ("vector", "audio") for one in inputs.inputs)


@dataclass(frozen=True)
class EntryRun:
    """One run over a folder with a subfolder per input; files of one entry have one name, whatever their suffixes.

    Attributes:
        generator: The generator.
        folder: Holds a subfolder per input that is neither a latent nor a class.
        out: Where PNGs of the first input's names go, at the size that the generator gives.
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
        written: list[str] = []
        for start in range(0, len(entries), self.batch_size):
            places, given = [], []
            for place in range(start, min(start + self.batch_size, len(entries))):
                try:
                    given.append(self._values(entries[place][1]))
                    places.append(place)
                except WorkFailed as error:
                    skipped.append(f"{entries[place][0]}: {error}")
            if not places:
                continue
            batch = {one.name: torch.stack([values[i] for values in given]) for i, one in enumerate(self._read)}
            batch |= {name: values[places] for name, values in drawn.items()}
            images = self.generator.generate(*(batch[name] for name in self.generator.inputs.names))
            for place, image in zip(places, images, strict=True):
                path = write_output(
                    image.detach().float().cpu(), self.out / f"{entries[place][0]}.png", self.generator.bounds
                )
                written.append(path.relative_to(self.out).as_posix())
        return Translated(self.out, tuple(written), tuple(skipped))

    @property
    def _read(self) -> tuple[Input, ...]:
        """The inputs that are read from files."""
        return tuple(one for one in self.generator.inputs.inputs if one.is_map or one.kind not in DRAWN)

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

    def _values(self, paths: Sequence[Path]) -> list[Tensor]:
        """Return one entry's inputs in their own ranges, in order."""
        made = []
        for one, path in zip(self._read, paths, strict=True):
            if not (one.pictured or one.is_map):
                (value,) = ValueParts([(path,)], (one,)).read(0)
                made.append(value)
                continue
            (picture,) = PictureParts([(path,)], (one,), (PictureForm.of(one),), soft=True).read(0)
            low, high = one.value_range or RANGES["image"]
            made.append(picture[0].long() if one.is_map else picture.float().mul((high - low) / 255).add(low))
        return made
