"""The data that a run reads, as a value: `DataSpec`. Imports no torch, so that configurations may hold one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import gcd
from typing import Any, Literal

from ..files.errors import UserError
from ..files.pictures.colors import Color
from ..files.pictures.image_size import read_image_size
from ..files.user_code import names_object
from ..networks.specs import RANGES, Input, InputSpec, OutputSpec, checked_color

SPLITS = ("train", "val", "test")  # as sets lie on the disk; what a study reads: `tasks.task_data.Splits`
SHAPES, STRIPES, LATENTS = "builtin:shapes", "builtin:stripes", "builtin:latents"
BUILTIN = (SHAPES, STRIPES, LATENTS)
DIRECTIONS = ("AtoB", "BtoA")
MIN_SIDE, MAX_SIDE, MAX_LOAD_SIDE = 8, 4096, 8192  # pixels


def is_own(source: str) -> bool:
    """Return True if a source is data of a user's own code, `file.py:name` or `package.module:name`."""
    return names_object(source)


@dataclass(frozen=True)
class PictureForm:
    """The form in which pictures are read: channels, size and color.

    Attributes:
        channels: Number of channels.
        height: In pixels.
        width: In pixels.
        color: The color that the channels stand for. Empty: the usual one of their number.

    Raises:
        UserError: No color of this name has so many channels.
    """

    channels: int
    height: int
    width: int
    color: Color | Literal[""] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", checked_color(self.color, self.channels, "pictures"))

    @classmethod
    def of(cls, image: Input | OutputSpec) -> PictureForm:
        """Return the form of an input that is an image, a mask or a label map, or of an output."""
        channels, height, width = (1, *image.shape)[-3:]
        return cls(channels, height, width, image.color)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width

    @property
    def planes(self) -> int:
        """Channels, if these are planes that stand for no color; else 0."""
        return self.channels if self.color == "planes" else 0

    def at(self, height: int, width: int) -> PictureForm:
        """Return the form at another size."""
        return replace(self, height=height, width=width)

    def __str__(self) -> str:
        """Return the text for messages: `3x256x256`, and a color that is not the usual one."""
        return "x".join(map(str, self.shape))


@dataclass(frozen=True)
class DataSpec:
    """The images of a run: their source, their forms and the task that reads them.

    Args:
        source: `builtin:shapes`, `builtin:stripes`, `builtin:latents` (drawn inputs, no images), a folder in the layout
            of the task, CIFAR-10's binary archive (.tar.gz or its extracted folder), or data of a user's own code,
            `file.py:name` or `package.module:name`.
        task: The task that reads it; see `gan_models.tasks.catalog`.
        inputs: What the generator takes.
        output: The form of the images that its outputs are compared with.
        direction: Which half of an aligned picture is the input; of two domains the one that the generator starts from.
        load_size: Size that training images are resized to before a random crop, as if the generator's images were so
            large: others keep their ratio to these. Pixels of the shorter side (upstream's 286 for 256), or
            `HEIGHTxWIDTH`. None: no crop.
        flip: Mirror training images left-right with probability 1/2, all pictures of an entry alike.
        seed: Content of the built-in sets; the held-out tenth of folders that come without a split.
        n_train: Size of a built-in training split.
        n_test: Size of a built-in validation or test split.
        strict: Fail on an image that cannot be read instead of leaving it out.
        selects: Images to choose generators by are kept apart: the training split is without them.
        settings: The task's own settings as JSON.
        own_inputs: What the generator takes with the ranges of values of its own code, which a user's own data have;
            None: as `inputs`.
        own_range: Least and largest value of its output there.

    Raises:
        UserError: A field outside what is allowed.
    """

    source: str
    task: str
    inputs: InputSpec
    output: PictureForm
    direction: str = "AtoB"
    load_size: int | str | None = None
    flip: bool = True
    seed: int = 0
    n_train: int = 2000
    n_test: int = 500
    strict: bool = False
    selects: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    own_inputs: InputSpec | None = None
    own_range: tuple[float, float] = RANGES["image"]

    def __post_init__(self) -> None:
        """Check the fields."""
        if not self.source:
            raise UserError(f"no data given; use {', '.join(BUILTIN)}, a folder, or your own as file.py:name")
        if self.direction not in DIRECTIONS:
            raise UserError(f"direction {self.direction!r} is unknown; use AtoB or BtoA")
        for form in (*self.pictures, self.output):
            if not MIN_SIDE <= min(form.size) <= max(form.size) <= MAX_SIDE:
                shown = form.height if form.height == form.width else f"{form.height}x{form.width}"
                raise UserError(f"image size {shown} is not possible; use {MIN_SIDE} to {MAX_SIDE} pixels")
        if self.load_size is not None and not (min(self.load_factors) >= 1 and max(self._load_sides) <= MAX_LOAD_SIDE):
            least = self.shorter_side if isinstance(self.load_size, int) else "x".join(map(str, self.input.size))
            raise UserError(
                f"load size {self.load_size} is not possible; use {least} (the image size) to {MAX_LOAD_SIDE}"
            )
        if self.n_train < 1 or self.n_test < 1:
            raise UserError(f"n_train={self.n_train}, n_test={self.n_test}: both must be at least 1")
        if self.source.startswith("builtin:") and self.source not in BUILTIN:
            raise UserError(f"data {self.source!r} is unknown; built in are {', '.join(BUILTIN)}")

    @property
    def pictures(self) -> tuple[PictureForm, ...]:
        """The forms of the inputs that are images or masks, in order."""
        return tuple(PictureForm.of(one) for one in self.inputs.of_kind("image", "mask"))

    @property
    def input(self) -> PictureForm:
        """The form of the first image among the inputs; the output's if there is none."""
        images = self.inputs.of_kind("image")
        return PictureForm.of(images[0]) if images else self.output

    @property
    def shorter_side(self) -> int:
        """Pixels of the shorter side of the generator's images, `load_size` beside them."""
        return min(self.input.size)

    @property
    def load_factors(self) -> tuple[Fraction, Fraction]:
        """Factors by which training images are larger than the generator's before they are cropped, by axis."""
        return tuple(Fraction(large, own) for large, own in zip(self._load_sides, self.input.size, strict=True))  # type: ignore[return-value]

    @property
    def _load_sides(self) -> tuple[Fraction | int, Fraction | int]:
        """Height and width that `load_size` means for the generator's images."""
        high, wide = self.input.size
        if isinstance(self.load_size, str):
            return read_image_size(self.load_size)
        factor = Fraction(self.load_size or self.shorter_side, self.shorter_side)
        return factor * high, factor * wide

    def loaded(self, split: str, *forms: PictureForm) -> tuple[PictureForm, ...]:
        """Return the forms that pictures are read in, before they are cropped to their own.

        Args:
            split: Of `train`, pictures are larger by `load_size`; of others they have their own size.
            forms: Of the pictures of one entry. Their sizes keep their ratios, so that one crop fits all of them.
        """
        if split != "train" or not self.load_size:
            return forms
        higher, wider = self.load_factors
        heights, widths = zip(*(form.size for form in forms), strict=True)
        high, wide = (gcd(*sides) for sides in (heights, widths))
        return tuple(
            form.at(form.height // high * round(high * higher), form.width // wide * round(wide * wider))
            for form in forms
        )
