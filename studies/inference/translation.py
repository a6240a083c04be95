"""Translations of a folder's images by a generator, each at its own size if the generator allows it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...gan_models.data.image_readers import doubts_of
from ...gan_models.data.inputs.latents import draw_latents
from ...gan_models.data.picture_tree import PictureTree
from ...gan_models.data.spec import PictureForm
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.pictures.colors import LAB_PARTS, color_of
from ...gan_models.files.pictures.picture import Picture, PictureError
from ...gan_models.files.pictures.picture_reader import picture_fault, picture_size, read_picture
from ...gan_models.files.texts.number_text import counted
from ...gan_models.networks.colors import to_rgb
from ...gan_models.networks.specs import RANGES, Input, InputSpec
from ...gan_models.networks.value_ranges import USUAL_RANGE, translate, usual_values
from .output_pictures import write_output
from .placements import PLACEMENTS, Fit, Placement, at_own_size, fitted, in_trained_tiles
from .sizes import LARGEST_DENOMINATOR, Generate, SizeRule, find_size_rule, follows
from .tiles import SMALLEST, fitting_side, free_bytes, in_tiles, tile_side

Half = Literal["", "A", "B"]
DRAWN_KINDS = ("latent", "label")  # kinds of inputs that a user has no files for


@dataclass(frozen=True)
class OpenedGenerator:
    """A generator that is ready to run.

    Attributes:
        generate: The generator: tensors in, a batch of images out.
        inputs: What it takes.
        bounds: Its output's values of black and white.
        device: Where it runs.
        pixel_bytes: Memory of its maps per pixel of the input; 0: not known.
        title: What it is, for notes.
        color: Of its output; empty: the usual one of its channels.
    """

    generate: Generate
    inputs: InputSpec
    bounds: tuple[float, float] = RANGES["image"]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    pixel_bytes: float = 0.0
    title: str = "the generator"
    color: str = ""

    def pictured(self, outputs: Tensor, inputs: Sequence[Tensor]) -> Tensor:
        """Return outputs [N, C, H, W] as pictures' channels, in the same range of values: of L*a*b* as RGB.

        Args:
            outputs: On the CPU.
            inputs: What they were made of.
        """
        if self.color not in LAB_PARTS:
            return outputs
        usual = [x.cpu() for x in usual_values(inputs, self.inputs)]
        return translate(
            to_rgb(translate(outputs, self.bounds, USUAL_RANGE), self.color, usual), USUAL_RANGE, self.bounds
        )


@dataclass(frozen=True)
class TranslationOptions:
    """Options of a translation.

    Attributes:
        batch_size: Most images at once.
        half: Of aligned pictures (A|B side by side): the half that is the input; empty takes the whole picture.
        fit: Empty: each image at its own size. `crop`, `pad` or `stretch`: at the trained size. `tile`: at its own
            size, in tiles of the trained size.
        tile: Side of the tiles that larger images are computed in; 0: tiles only if memory asks for them.
        seed: Of latents that are drawn next to images.
        label: The class of all images, of a generator that takes one; None: each class in turn.

    Raises:
        UserError: A value outside what is allowed.
    """

    batch_size: int = 8
    half: Half = ""
    fit: Fit = ""
    tile: int = 0
    seed: int = 0
    label: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch size is not possible: got {self.batch_size}; expected 1 or more")
        if self.half not in ("", "A", "B"):
            raise UserError(f"half {self.half!r} is unknown; use A or B, or leave it out for whole images")
        if self.fit not in ("", *PLACEMENTS):
            raise UserError(f"--fit is unknown: got {self.fit!r}; expected {', '.join(PLACEMENTS)}")
        if self.tile and self.tile < SMALLEST:
            raise UserError(f"--tile is too small: got {self.tile}; expected {SMALLEST} pixels or more, or 0")
        if self.tile and self.fit:
            raise UserError(
                f"--tile is for images at their own size, --fit for the trained size: got --tile {self.tile} and "
                f"--fit {self.fit}; give one of them"
            )


@dataclass(frozen=True)
class Translated:
    """The result of a run.

    Attributes:
        folder: Where the images are.
        written: Their names.
        skipped: `name: reason` of inputs that could not be read.
        notes: What a user should know of how they were made.
    """

    folder: Path
    written: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """The files of one example.

    Attributes:
        place: Its number.
        paths: A file per input that is read from files.
        name: The first file's path below the inputs' folder.
        written: The output's.
    """

    place: int
    paths: tuple[Path, ...]
    name: str
    written: str


class Translation:
    """One run of a generator over the images of a folder.

    Args:
        generator: The generator.
        folder: An image, or a folder of images at any depth; for several inputs, a subfolder per input with files of
            the same names.
        out: Where PNGs of the same names go.
        options: Size and tiles of the inputs, batch size, seed and class.

    Raises:
        UserError: No such folder, no images in it, or `out` is the folder itself.
    """

    def __init__(self, generator: OpenedGenerator, folder: Path, out: Path, options: TranslationOptions) -> None:
        if not folder.is_dir() and not (folder.is_file() and len(generator.inputs.of_kind("image", "mask")) == 1):
            there = "a file" if folder.is_file() else "nothing of this name"
            wanted = "a folder of images" if folder.is_file() else "an image or a folder of images"
            raise UserError(f"input {folder} cannot be read: got {there}; expected {wanted}")
        if out.resolve() == folder.resolve():
            raise UserError(f"--out {out} is the folder of the inputs, which would be overwritten; give another")
        self.generator, self.folder, self.out, self.options = generator, folder, out, options
        self.pictured = generator.inputs.of_kind("image", "mask")
        self.skipped: list[str] = []
        self.notes: list[str] = []
        self._trained_tiles = False
        self.entries = self._entries()
        if not self.entries:
            there = f" ({self.notes[0]})" if self.notes else ""
            raise UserError(f"input {folder} holds no images{there}; give a folder of images that Pillow reads")

    def run(self) -> Translated:
        """Translate all images.

        Raises:
            UserError: No image can be read, or the outputs are not images.
            WorkFailed: The memory is too small.
        """
        drawn = drawn_inputs(self.generator.inputs, len(self.entries), self.options.seed, self.options.label)
        placements = self._placements()
        self.out.mkdir(parents=True, exist_ok=True)
        by_size: dict[tuple[int, int], list[_Entry]] = defaultdict(list)
        for place, placement in placements.items():
            by_size[placement.size].append(self.entries[place])
        written: dict[int, str] = {}
        in_parts: Counter[tuple[int, int]] = Counter()  # height and width of tiles -> images
        for size, entries in by_size.items():
            side, count = self._parts(size)
            if side is not None:
                in_parts[side] += len(entries)
            for start in range(0, len(entries), count):
                read = dict(self._read(entries[start : start + count], placements))
                if not read:
                    continue
                given = {one.name: torch.stack([read[p][0][i] for p in read]) for i, one in enumerate(self.pictured)}
                given |= {name: values[[*read]] for name, values in drawn.items()}
                outputs = self._outputs(tuple(given[name] for name in self.generator.inputs.names), size, side)
                for (place, (_, alpha)), output in zip(read.items(), outputs, strict=True):
                    path = self._write(self.entries[place], placements[place], output, alpha)
                    written[place] = path.relative_to(self.out).as_posix()
        if not written:
            raise UserError(
                f"none of {counted(len(self.entries), 'image')} in {self.folder} can be read: "
                f"{'; '.join(self.skipped[:3])}"
            )
        self.notes += [
            f"{counted(n, 'image is', 'images are')} computed in tiles of {width}x{height}"
            for (height, width), n in sorted(in_parts.items())
        ]
        names = tuple(written[place] for place in sorted(written))
        return Translated(self.out, names, tuple(sorted(self.skipped)), tuple(self.notes))

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        """Return the first examples, a batch of each input, as the generator takes them; it is not run.

        Args:
            count: Most examples.

        Raises:
            UserError: No image can be read.
        """
        placements = self._placements()
        entries = [entry for entry in self.entries if entry.place in placements][:count]
        read = dict(self._read(entries, placements))
        if not read:
            raise UserError(f"no image in {self.folder} can be read: {'; '.join(self.skipped[:3])}")
        drawn = drawn_inputs(self.generator.inputs, len(read), self.options.seed, self.options.label)
        given = {one.name: torch.stack([x[0][i] for x in read.values()]) for i, one in enumerate(self.pictured)}
        given |= drawn
        return tuple(given[name] for name in self.generator.inputs.names)

    @cached_property
    def rule(self) -> SizeRule:
        """The sizes that the generator runs at; found by trying, so only on demand."""
        return find_size_rule(self.generator.generate, self.generator.inputs)

    def _entries(self) -> list[_Entry]:
        """Return the files of each example: those of the folder, or one of each subfolder that is named as an input."""
        if self.folder.is_file():
            self.notes += doubts_of([self.folder], PictureForm.of(self.pictured[0]).planes)
            name = self.folder.name
            return [_Entry(0, (self.folder,), name, Path(name).with_suffix(".png").as_posix())]
        folders = [self.folder if len(self.pictured) == 1 else self.folder / one.name for one in self.pictured]
        trees = [PictureTree(folder, repeats=True) for folder in folders if folder.is_dir()]
        if left_out := sum((tree.left_out for tree in trees), Counter[str]()):
            reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(left_out.items()))
            self.notes.append(f"left out {counted(left_out.total(), 'file')} below {self.folder}: {reasons}")
        found = [_images(folder, self.out) for folder in folders]
        for one, files in zip(self.pictured, found, strict=True):
            self.notes += doubts_of(files, PictureForm.of(one).planes)
        for folder, files in zip(folders, found, strict=True):
            if not files and len(folders) > 1:
                raise UserError(
                    f"input {folder} holds no images; this generator takes {len(folders)}: put them into "
                    f"{', '.join(map(str, folders))}, with the same names"
                )
        if len(folders) == 1:
            paths = [(path,) for path in found[0]]
        else:
            paths = [*self._joined(folders, found)]
        names = [group[0].relative_to(folders[0]) for group in paths]
        # a.jpg beside a.png: neither may overwrite the other
        stems = Counter(name.with_suffix("") for name in names)
        outputs = [
            f"{name}.png" if stems[name.with_suffix("")] > 1 else f"{name.with_suffix('.png')}" for name in names
        ]
        return [
            _Entry(place, group, name.as_posix(), Path(output).as_posix())
            for place, (group, name, output) in enumerate(zip(paths, names, outputs, strict=True))
        ]

    def _joined(self, folders: Sequence[Path], found: Sequence[Sequence[Path]]) -> Iterator[tuple[Path, ...]]:
        """Yield the files of all inputs that have the same name, regardless of their suffixes."""
        by_input = [
            {path.relative_to(folder).with_suffix(""): path for path in files}
            for folder, files in zip(folders, found, strict=True)
        ]
        for name, path in by_input[0].items():
            lacking = [one.name for one, files in zip(self.pictured, by_input, strict=True) if name not in files]
            if lacking:
                self.skipped.append(f"{path.name}: no {' and no '.join(lacking)} of this name")
            else:
                yield tuple(files[name] for files in by_input)

    def _placements(self) -> dict[int, Placement]:
        """Return the placement of each entry whose first image has a size, by number."""
        sizes: dict[int, tuple[int, int]] = {}
        for entry in self.entries:
            if (found := picture_size(entry.paths[0])) is None:
                self.skipped.append(f"{entry.name}: {picture_fault(entry.paths[0])}")
            else:
                sizes[entry.place] = (found[1], found[0] // 2 if self.options.half else found[0])
        trained = self.generator.inputs.pixels
        assert trained is not None
        fit: Fit = self.options.fit
        others = [size for size in sizes.values() if size != trained]
        if not fit and others and self.rule.fixed:
            # Who enlarges wants detail: a picture that is made smaller first has lost it.
            fit = "tile" if self.rule.scale > 1 else "stretch"
            done = "computed in tiles of it" if fit == "tile" else "stretched to it and back"
            told = counted(len(others), "image of another size is", "images of other sizes are")
            self.notes.append(
                f"{self.generator.title} runs at {trained[1]}x{trained[0]} alone ({self.rule.reason}): {told} {done}; "
                "choose with --fit crop, pad, stretch or tile"
            )
        if self.options.tile and not (others and not self.rule.fixed):
            self.notes.append(
                f"--tile {self.options.tile} changes nothing: all images run at {trained[1]}x{trained[0]}"
            )
        self._trained_tiles = fit == "tile" and bool(others)
        if self._trained_tiles:
            return {place: in_trained_tiles(*size, self.rule) for place, size in sizes.items()}
        if fit or not others:
            return {
                place: fitted(*size, trained, "stretch" if fit in ("", "tile") else fit)
                for place, size in sizes.items()
            }
        return {
            place: fitted(*size, trained, "stretch") if size == trained else at_own_size(*size, self.rule)
            for place, size in sizes.items()
        }

    def _parts(self, size: tuple[int, int]) -> tuple[tuple[int, int] | None, int]:
        """Return height and width of tiles for inputs of a size (None: whole), and how many are computed at once."""
        count, trained = self.options.batch_size, self.generator.inputs.pixels
        if size != trained and self._trained_tiles:
            return trained, 1
        if size == trained or self.rule.fixed:
            return None, count
        side = tile_side(self.rule, self.options.tile) if self.options.tile else 0
        if self.generator.pixel_bytes:
            free = free_bytes(self.generator.device)
            side = side or fitting_side(self.rule, size, self.generator.pixel_bytes, free)
            pixels = min(side, size[0]) * min(side, size[1]) if side else size[0] * size[1]
            count = max(1, min(count, int(free // (self.generator.pixel_bytes * pixels))))
        return ((side, side) if 0 < side < max(size) else None), count

    def _read(
        self, entries: Sequence[_Entry], placements: dict[int, Placement]
    ) -> Iterator[tuple[int, tuple[tuple[Tensor, ...], np.ndarray | None]]]:
        """Yield number, tensors of the inputs that are read from files, and the first one's alpha in its placement."""
        for entry in entries:
            try:
                pictures = [
                    taken_half(read_picture(path, PictureForm.of(one).planes), self.options.half)
                    for path, one in zip(entry.paths, self.pictured, strict=True)
                ]
                tensors = self._tensors(pictures, placements[entry.place])
            except PictureError as error:
                self.skipped.append(f"{entry.name}: {error}")
                continue
            alpha = pictures[0].alpha
            yield entry.place, (tensors, None if alpha is None else placements[entry.place].source.of(alpha))

    def _tensors(self, pictures: Sequence[Picture], placement: Placement) -> tuple[Tensor, ...]:
        """Return pictures as the generator takes them. Raises PictureError for other channels."""
        return tuple(
            input_tensor(picture, one, placement if follows(one, self.generator.inputs) else None, pictures[0].size)
            for picture, one in zip(pictures, self.pictured, strict=True)
        )

    def _outputs(self, inputs: tuple[Tensor, ...], size: tuple[int, int], side: tuple[int, int] | None) -> Tensor:
        """Return the outputs (N, C, H, W) on the CPU."""
        try:
            if side is None:
                return self.generator.pictured(self.generator.generate(*inputs).detach().float().cpu(), inputs)
            large = [follows(one, self.generator.inputs) for one in self.generator.inputs.inputs]
            return self.generator.pictured(in_tiles(self.generator.generate, inputs, large, self.rule, side), inputs)
        except (torch.OutOfMemoryError, MemoryError) as error:
            cure = max(SMALLEST, max(side or size) // 2)
            raise WorkFailed(
                f"images of {size[1]}x{size[0]} need more memory than there is; run with --tile {cure}, or with a "
                "smaller --batch-size"
            ) from error
        except Exception as error:  # the network is anybody's
            if size == self.generator.inputs.pixels:
                raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise WorkFailed(
                f"{self.generator.title} does not run at {size[1]}x{size[0]} ({reason}); run with --fit pad"
            ) from error

    def _write(self, entry: _Entry, placement: Placement, output: Tensor, alpha: np.ndarray | None) -> Path:
        """Write one output (C, H, W): the part that is the picture's, at its size, with its transparency."""
        size = None
        if output.dim() == 3:
            scales = [
                Fraction(made, taken).limit_denominator(LARGEST_DENOMINATOR)
                for made, taken in zip(output.shape[1:], placement.size, strict=True)
            ]
            size = placement.output_size(*scales)
            output = placement.back(output, *scales)
        return write_output(output, self.out / entry.written, self.generator.bounds, size, alpha)


def drawn_inputs(inputs: InputSpec, n: int, seed: int, label: int | None = None) -> dict[str, Tensor]:
    """Return n examples of each latent and label, by input: normally distributed, or each class in turn.

    Args:
        inputs: Of the generator.
        n: Examples.
        seed: Of the latents.
        label: The class of all examples.
    """
    classes = [one for one in inputs.of_kind("label") if not one.is_map]
    labels = {
        one.name: torch.arange(n) % one.classes if label is None else torch.full((n,), label, dtype=torch.int64)
        for one in classes
    }
    return {**draw_latents(inputs, n, seed), **labels}


def check_label(inputs: InputSpec, label: int | None) -> None:
    """Raise UserError for a label that a generator does not have."""
    classes = [one.classes for one in inputs.of_kind("label") if not one.is_map]
    if label is None:
        return
    if not classes:
        raise UserError(f"--label {label} is for generators of classes: this one takes {inputs}; leave it out")
    if not 0 <= label < min(classes):
        raise UserError(f"--label is not a class of this generator: got {label}; expected 0 to {min(classes) - 1}")


def taken_half(picture: Picture, half: Half) -> Picture:
    """Return the half of a pair A|B that is the input; the whole picture if none is named.

    Raises:
        PictureError: It does not look like two pictures.
    """
    return picture.halves()["AB".index(half)] if half else picture


def input_tensor(
    picture: Picture, taken: Input, placement: Placement | None = None, size: tuple[int, int] | None = None
) -> Tensor:
    """Return a picture as a generator takes it: float32 (C, H, W) in the input's range.

    Args:
        picture: The picture.
        taken: The input: an image or a mask.
        placement: Its place in the input; None: resized to the input's own height and width.
        size: Width and height that the placement is for, to which the picture is resized first.

    Raises:
        PictureError: The picture has other channels.
    """
    color = taken.color or color_of(taken.shape[0])
    if placement is None:
        pixels = picture.formed(color, taken.shape[2], taken.shape[1], taken.shape[0])
    else:
        pixels = placement.apply(picture.formed(color, *(size or picture.size), taken.shape[0]))
    low, high = taken.value_range or RANGES["image"]
    values = torch.from_numpy(np.array(pixels.transpose(2, 0, 1), dtype=np.float32))
    return values.div_(255 / (high - low)).add_(low)


def _images(folder: Path, out: Path) -> list[Path]:
    """Return the pictures below a folder that are not earlier outputs of this run."""
    if not folder.is_dir():
        return []
    paths = [picture.path for picture in PictureTree(folder, repeats=True).pictures]
    return [path for path in paths if out.resolve() not in path.resolve().parents]
