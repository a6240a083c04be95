"""The data of a run as a value: `DataSpec`. Imports no torch, so that configurations can contain one."""

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

SPLITS = ("train", "val", "test")  # splits on the disk; for those that a study reads, see `tasks.task_data.Splits`
SHAPES, STRIPES, LATENTS = "builtin:shapes", "builtin:stripes", "builtin:latents"
BUILTIN = (SHAPES, STRIPES, LATENTS)
DIRECTIONS = ("AtoB", "BtoA")
MIN_SIDE, MAX_SIDE, MAX_LOAD_SIDE = 8, 4096, 8192  # pixels


def is_own(source: str) -> bool:
    """Return True if a source is the data of a user's own code, `file.py:name` or `package.module:name`."""
    return names_object(source)


@dataclass(frozen=True)
class PictureForm:
    """The form in which pictures are read: channels, size and color.

    Attributes:
        channels: Number of channels.
        height: Height in pixels.
        width: Width in pixels.
        color: The color of the channels. Empty: the default for their number.

    Raises:
        UserError: The color does not have this number of channels.
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
        """Number of channels, if these are planes without a color; else 0."""
        return self.channels if self.color == "planes" else 0

    def at(self, height: int, width: int) -> PictureForm:
        """Return the form at another size."""
        return replace(self, height=height, width=width)

    def __str__(self) -> str:
        """Return the text for messages: `3x256x256`, and a color that is not the default."""
        return "x".join(map(str, self.shape))


@dataclass(frozen=True)
class DataSpec:
    """The images of a run: their source, their forms and the task that reads them.

    Args:
        source: `builtin:shapes`, `builtin:stripes`, `builtin:latents` (drawn inputs, no images), a folder in the layout
            of the task, CIFAR-10's binary archive (.tar.gz or its extracted folder), or data of a user's own code,
            `file.py:name` or `package.module:name`.
        task: The task that reads it; see `gan_models.tasks.catalog`.
        inputs: The generator's inputs.
        output: The form of the images that its outputs are compared with.
        direction: Direction of translation: the half of an aligned picture, or the domain, that is the input.
        load_size: Size that training images are resized to before a random crop. It is the size of the generator's
            images; others keep their ratio to these. Pixels of the shorter side (upstream's 286 for 256), or
            `HEIGHTxWIDTH`. None: no crop.
        flip: Mirror training images left-right with probability 1/2, all pictures of an entry together.
        seed: Seed of the built-in sets' content, and of the held-out tenth of folders without splits.
        n_train: Size of a built-in training split.
        n_test: Size of a built-in validation or test split.
        strict: Fail on an image that cannot be read instead of leaving it out.
        selects: True if the training split excludes the selection split.
        settings: The task's own settings as JSON.
        own_inputs: The generator's inputs with the value ranges of its own code, which a user's own data have; None: as
            `inputs`.
        own_range: Minimum and maximum of its output in that code.

    Raises:
        UserError: A field is out of range or invalid.
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
            raise UserError(
                f"there is no data source: expected {', '.join(BUILTIN)}, a folder, or your own as file.py:name"
            )
        if self.direction not in DIRECTIONS:
            raise UserError(f"unknown direction: got {self.direction!r}; expected AtoB or BtoA")
        for form in (*self.pictures, self.output):
            if not MIN_SIDE <= min(form.size) <= max(form.size) <= MAX_SIDE:
                shown = form.height if form.height == form.width else f"{form.height}x{form.width}"
                raise UserError(f"invalid image size: got {shown}; expected {MIN_SIDE} to {MAX_SIDE} pixels")
        if self.load_size is not None and not (min(self.load_factors) >= 1 and max(self._load_sides) <= MAX_LOAD_SIDE):
            least = self.shorter_side if isinstance(self.load_size, int) else "x".join(map(str, self.input.size))
            raise UserError(
                f"invalid load size: got {self.load_size}; expected {least} (the image size) to {MAX_LOAD_SIDE}"
            )
        if self.n_train < 1 or self.n_test < 1:
            raise UserError(
                f"invalid sizes of splits: got n_train={self.n_train}, n_test={self.n_test}; expected at least 1 each"
            )
        if self.source.startswith("builtin:") and self.source not in BUILTIN:
            raise UserError(f"unknown built-in data: got {self.source!r}; expected {', '.join(BUILTIN)}")

    @property
    def pictures(self) -> tuple[PictureForm, ...]:
        """The forms of the inputs that are images or masks, in order."""
        return tuple(PictureForm.of(one) for one in self.inputs.of_kind("image", "mask"))

    @property
    def input(self) -> PictureForm:
        """The form of the first image among the inputs; the output's form if there is none."""
        images = self.inputs.of_kind("image")
        return PictureForm.of(images[0]) if images else self.output

    @property
    def shorter_side(self) -> int:
        """Shorter side of the generator's images in pixels, to which `load_size` refers."""
        return min(self.input.size)

    @property
    def load_factors(self) -> tuple[Fraction, Fraction]:
        """Ratio of training images before the crop to the generator's images, by axis."""
        return tuple(Fraction(large, own) for large, own in zip(self._load_sides, self.input.size, strict=True))  # type: ignore[return-value]

    @property
    def _load_sides(self) -> tuple[Fraction | int, Fraction | int]:
        """Height and width of the generator's images at `load_size`."""
        high, wide = self.input.size
        if isinstance(self.load_size, str):
            return read_image_size(self.load_size)
        factor = Fraction(self.load_size or self.shorter_side, self.shorter_side)
        return factor * high, factor * wide

    def loaded(self, split: str, *forms: PictureForm) -> tuple[PictureForm, ...]:
        """Return the forms that pictures are read in, before the crop to their own forms.

        Args:
            split: The split; in `train`, pictures are larger by `load_size`.
            forms: Forms of the pictures of one entry. Ratios of their sizes are kept, so that one crop fits all of
                them.
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
