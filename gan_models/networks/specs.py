"""Specifications of what a generator takes and gives: `InputSpec` and `OutputSpec`. Imports no torch.

A generator is called `G(*inputs)`, one tensor per input of its specification, in order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from ..files.errors import UserError
from ..files.pictures.colors import CHANNELS, Color, color_of
from ..files.plain_values import from_json
from ..files.texts.number_text import counted

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["image", "latent", "label", "vector", "mask", "audio"]
# Kind -> the sizes that one input may have, without the batch. A label is one class number per example, or per pixel.
SIZES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "image": (("channels", "height", "width"),),
    "latent": (("length",), ("length", "height", "width")),
    "label": ((), ("height", "width")),
    "vector": (("length",),),
    "mask": (("channels", "height", "width"),),
    "audio": (("channels", "samples"),),
}
# Kind -> the least and the largest value, if it is bounded.
RANGES: Mapping[str, tuple[float, float]] = {"image": (-1.0, 1.0), "mask": (0.0, 1.0), "audio": (-1.0, 1.0)}
DEFAULT_INPUT_NAME = "input"  # the name of an input that is alone and was given none
OUTPUT = "output"  # the name of an output that has none
EXAMPLES = "3,256,256, or latent:128, or image:3,64,64;mask:1,64,64, each with a name if you like: style=latent:64"


@dataclass(frozen=True)
class Input:
    """One input of a generator.

    Attributes:
        name: A Python name; the input's name in an exported file.
        kind: `image`, `audio` and `mask` have values in a range; `latent` and `vector` are normally distributed;
            `label` is a class number.
        shape: Sizes of one example, as `SIZES` names them.
        classes: Of a label: how many there are.
        value_range: Of an image, audio or mask: the least and the largest value. None: as `RANGES` says.
        color: Of an image: the color that its channels stand for. Empty: the usual one of their number.

    Raises:
        UserError: Sizes, a range or a color that the kind does not have, or a name that is none.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    classes: int = 0
    value_range: tuple[float, float] | None = None
    color: Color | Literal[""] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if not self.name.isidentifier():
            raise UserError(f"an input's name is a Python name; got {self.name!r}")
        if self.kind not in SIZES:
            raise UserError(f"input kind {self.kind!r} is unknown; use one of {', '.join(SIZES)}")
        sizes = (self.classes, *self.shape) if self.kind == "label" else self.shape
        whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
        if len(self.shape) not in map(len, SIZES[self.kind]) or not whole:
            expected = " or ".join(_names(self.kind))
            raise UserError(
                f"input shape {_comma(sizes)!r} of {self.name} is not understood: expected positive sizes of "
                f"a {self.kind} ({expected}), such as {EXAMPLES}"
            )
        if self.kind != "label" and self.classes:
            raise UserError(f"input {self.name} is a {self.kind}; only a label has classes")
        if self.value_range is not None and self.kind not in RANGES:
            raise UserError(f"input {self.name} is a {self.kind}; only {', '.join(RANGES)} have a range of values")
        bounds = RANGES.get(self.kind) if self.value_range is None else checked_range(self.value_range)
        object.__setattr__(self, "value_range", bounds)
        if self.color and self.kind != "image":
            raise UserError(f"input {self.name} is a {self.kind}; only an image has a color, got {self.color}")
        if self.kind == "image":
            object.__setattr__(self, "color", checked_color(self.color, self.shape[0], f"input {self.name}"))

    @property
    def drawn(self) -> bool:
        """True if it is drawn at random: a user has no data for it."""
        return self.kind == "latent"

    @property
    def pictured(self) -> bool:
        """True if it is an image or a mask, of some pixels per side."""
        return self.kind in ("image", "mask")

    @property
    def is_map(self) -> bool:
        """True for a label of each pixel."""
        return self.kind == "label" and bool(self.shape)

    @property
    def text(self) -> str:
        """The form that `InputSpec.parse` reads, without the name."""
        sizes = (self.classes, *self.shape) if self.kind == "label" else self.shape
        usual = self.kind != "image" or self.color == color_of(self.shape[0])
        return f"{self.kind if usual else self.color}:{_comma(sizes)}{self._range_text}"

    @property
    def plain(self) -> bool:
        """True for an image of usual range and color, or a latent of one size: earlier versions stored the shape."""
        image = self.kind == "image" and self.value_range == RANGES["image"] and self.color == color_of(self.shape[0])
        return self.name == DEFAULT_INPUT_NAME and (image or (self.kind == "latent" and len(self.shape) == 1))

    @property
    def _range_text(self) -> str:
        return "" if self.value_range == RANGES.get(self.kind) else f"@{range_text(self.value_range or ())}"

    def example(self, n: int, seed: int) -> Tensor:
        """Return a deterministic batch [n, *shape], drawn on the CPU.

        Args:
            n: Batch size.
            seed: Of its values.
        """
        import torch

        random = torch.Generator("cpu").manual_seed(seed)
        if self.kind == "label":
            return torch.randint(self.classes, (n, *self.shape), generator=random, device="cpu")
        if self.kind in ("latent", "vector"):
            return torch.randn(n, *self.shape, generator=random, device="cpu")
        uniform = torch.rand(n, *self.shape, generator=random, device="cpu")
        low, high = self.value_range or RANGES["image"]
        return (uniform.round() if self.kind == "mask" else uniform) * (high - low) + low


@dataclass(frozen=True)
class InputSpec:
    """The inputs of a generator, in the order in which it takes them.

    Attributes:
        inputs: At least one, with different names.

    Raises:
        UserError: No input, or two of one name.
    """

    inputs: tuple[Input, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        names = [one.name for one in self.inputs]
        if not names:
            raise UserError(f"a generator has at least one input, such as {EXAMPLES}")
        if len(set(names)) != len(names):
            raise UserError(f"inputs need different names; got {', '.join(names)}")

    @classmethod
    def parse(cls, text: str) -> InputSpec:
        """Return the inputs that a text of the command line names.

        Inputs are separated by semicolons. Each one is `[NAME=][KIND:]SIZES[@LEAST,LARGEST]`; without a kind, three
        sizes are an image, whose color may replace the kind: `lightness:1,64,64`. The least and the
        largest value are those of `RANGES` if they are not given.
        An input that is alone is called `input`; of several, those without a name are called by their kind.

        Args:
            text: Such as `3,256,256`, `latent:128`, `image:3,64,64;mask:1,64,64`, `photo=3,64,64;style=latent:64`,
                `latent:128;label:10` (ten classes), `label:10,256,256` (one per pixel), `latent:128,1,1`,
                `3,256,256@0,1`.

        Raises:
            UserError: Another form, or a size that is not a positive whole number; one line.
        """
        parts = [part.strip() for part in text.split(";")]
        given = [_read(part, text) for part in parts]
        names: list[str] = []
        for name, kind, *_ in given:
            default = DEFAULT_INPUT_NAME if len(given) == 1 else kind
            taken = {*names, *(other for other, *_ in given)}
            numbered = (default if n == 1 else f"{default}{n}" for n in range(1, len(given) + 2))
            names.append(name or next(each for each in numbered if each not in taken))
        return cls(
            tuple(
                Input(name, kind, sizes[1:], sizes[0], bounds)
                if kind == "label"
                else Input(name, kind, sizes, value_range=bounds, color=color)
                for name, (_, kind, sizes, bounds, color) in zip(names, given, strict=True)
            )
        )

    @classmethod
    def of_shape(cls, shape: Sequence[int]) -> InputSpec:
        """Return one input of a shape, as earlier versions stored it: three sizes are an image, one a latent.

        Raises:
            UserError: Neither one nor three positive sizes.
        """
        if len(shape) not in (1, 3):
            raise UserError(
                f"input shape {tuple(shape)} must be three positive sizes (channels, height, width) or one (a latent)"
            )
        return cls((Input(DEFAULT_INPUT_NAME, "image" if len(shape) == 3 else "latent", tuple(shape)),))

    @classmethod
    def read(cls, data: Any, where: str = "") -> InputSpec:
        """Return the inputs from a text, from the sizes that earlier versions stored, or from JSON of this class.

        Args:
            data: A text, a sequence of whole numbers, or an object with `inputs`.
            where: The place of `data`, for messages.

        Raises:
            UserError: None of these.
        """
        if isinstance(data, InputSpec):
            return data
        if isinstance(data, str):
            return cls.parse(data)
        if isinstance(data, Sequence):
            return cls.of_shape(data)
        return from_json(cls, data, where)

    @property
    def text(self) -> str:
        """The text that `parse` reads; for one plain image or latent the short form."""
        if len(self.inputs) == 1 and self.inputs[0].name == DEFAULT_INPUT_NAME:
            return self.inputs[0].text.removeprefix("image:")
        return ";".join(f"{one.name}={one.text}" for one in self.inputs)

    def __str__(self) -> str:
        """Return the text for messages: `3x256x256`, or the names and sizes of several."""
        if len(self.inputs) == 1 and self.inputs[0].kind in ("image", "latent"):
            return "x".join(map(str, self.inputs[0].shape))
        return " and ".join(f"{one.name} {one.text}" for one in self.inputs)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs' names, in order."""
        return tuple(one.name for one in self.inputs)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of a single plain image or latent, as earlier versions stored it; None for anything else."""
        return self.inputs[0].shape if len(self.inputs) == 1 and self.inputs[0].plain else None

    def of_kind(self, *kinds: str) -> tuple[Input, ...]:
        """Return the inputs of these kinds, in order."""
        return tuple(one for one in self.inputs if one.kind in kinds)

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Height and width of the first image; of the first mask if there is none; None without either."""
        pictured = (*self.of_kind("image"), *self.of_kind("mask"))
        return (pictured[0].shape[1], pictured[0].shape[2]) if pictured else None

    def at_size(self, pixels: int | Sequence[int]) -> InputSpec:
        """Return the same inputs with images, masks and label maps of a size.

        Args:
            pixels: Per side, or height and width; 0 or nothing leaves them as they are.
        """
        if not pixels:
            return self
        size = (pixels, pixels) if isinstance(pixels, int) else tuple(pixels)
        return InputSpec(
            tuple(
                replace(one, shape=(*one.shape[:-2], *size)) if one.pictured or one.is_map else one
                for one in self.inputs
            )
        )

    @property
    def label_map(self) -> tuple[int, int] | None:
        """Place of the first label map among the inputs and its number of classes; None if there is none."""
        return next(((place, one.classes) for place, one in enumerate(self.inputs) if one.is_map), None)

    @property
    def class_label(self) -> tuple[int, int] | None:
        """Place of the first label of a class among the inputs and its number of classes; None if there is none."""
        labels = ((place, one) for place, one in enumerate(self.inputs) if one.kind == "label" and not one.is_map)
        return next(((place, one.classes) for place, one in labels), None)

    def examples(self, n: int = 1, device: Any = None) -> tuple[Tensor, ...]:
        """Return a deterministic batch to run or trace a network with.

        Args:
            n: Batch size.
            device: Where the batch lies; "meta" gives inputs without values.

        Returns:
            One tensor [n, *shape] per input: float32, or int64 [n] or [n, H, W] for a label.

        Raises:
            ValueError: `n` is not positive.
        """
        if n < 1:
            raise ValueError(f"a batch of {n} examples cannot be made: n must be at least 1")
        made = tuple(one.example(n, seed) for seed, one in enumerate(self.inputs))
        return made if device is None else tuple(example.to(device) for example in made)


@dataclass(frozen=True)
class OutputSpec:
    """The output of a generator that counts, an image most often.

    Attributes:
        channels: Of the image.
        size: Height and width in pixels at the inputs' sizes; the samples of audio.
        value_range: The least and the largest value that stand for black and white.
        selected: Name or index of this output among those that the network returns; empty: it is the only one.
        scale: Pixels of this output per pixel of the first image among the inputs, as numerator and denominator in
            lowest terms, such as (4, 1); of sides that differ first those of the height, then those of the width. None
            without an image.
        color: The color that the channels of an image stand for. Empty: the usual one of their number.

    Raises:
        UserError: A size that is not positive, a range that is none, or a color of other channels.
    """

    channels: int
    size: tuple[int, ...]
    value_range: tuple[float, float] = RANGES["image"]
    selected: str = ""
    scale: tuple[int, ...] | None = None
    color: Color | Literal[""] = ""

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.shape):
            raise UserError(
                f"output of {counted(self.channels, 'channel')} and size {_comma(self.size)}: each must be positive"
            )
        object.__setattr__(self, "value_range", checked_range(self.value_range))
        object.__setattr__(self, "size", tuple(self.size))
        if len(self.size) == 2:
            object.__setattr__(self, "color", checked_color(self.color, self.channels, "an output"))

    @classmethod
    def of_shape(cls, shape: Sequence[int], inputs: InputSpec, selected: str = "") -> OutputSpec:
        """Return the specification of an output that was seen; two channels next to a lightness are a* and b*.

        Args:
            shape: Of one example (C, ...), without the batch.
            inputs: What the network was given.
            selected: Name or index of the output among several.
        """
        channels, *size = shape
        scale: tuple[int, ...] | None = None
        if inputs.of_kind("image") and len(size) == 2:
            high, wide = (Fraction(given, taken) for given, taken in zip(size, inputs.pixels or (), strict=True))
            scale = (high.numerator, high.denominator)
            scale = scale if high == wide else (*scale, wide.numerator, wide.denominator)
        lightness = any(one.color == "lightness" for one in inputs.inputs)
        color: Color | Literal[""] = "ab" if lightness and channels == CHANNELS["ab"] and len(size) == 2 else ""
        return cls(channels, tuple(size), selected=selected, scale=scale, color=color)

    @property
    def scales(self) -> tuple[Fraction, Fraction]:
        """Pixels of this output per pixel of the first image among the inputs, in height and width; 1 without one."""
        parts = self.scale or (1, 1)
        return Fraction(*parts[:2]), Fraction(*parts[-2:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example (C, ...)."""
        return (self.channels, *self.size)

    def name_beside(self, inputs: InputSpec) -> str:
        """Return its name in an exported file: its own if it is a Python name, else `output`; no input has it."""
        name = self.selected if self.selected.isidentifier() else OUTPUT
        return name if name not in inputs.names else f"{name}_{OUTPUT}"

    def __str__(self) -> str:
        """Return the text for messages and cards: `3x256x256 in [0, 1], 4 times the input's size`."""
        low, high = map(_number, self.value_range)
        high, wide = self.scales
        factor = f"{high}" if high == wide else f"{high} x {wide}"
        times = "" if high == wide == 1 else f", {factor} times the input's size"
        named = f"{self.selected}: " if self.selected else ""
        return f"{named}{'x'.join(map(str, self.shape))} in [{low}, {high}]{times}"


def checked_range(bounds: Sequence[float]) -> tuple[float, float]:
    """Return a range of values as its least and its largest one.

    Raises:
        UserError: They are not two finite numbers, the first below the second.
    """
    if len(bounds) != 2 or not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise UserError(
            f"value range {_comma(bounds)} is not understood: give the least and the largest value, such as -1,1 or 0,1"
        )
    return float(bounds[0]), float(bounds[1])


def checked_color(color: str, channels: int, what: str) -> Color:
    """Return the color of an image, the usual one of its channels if none is named.

    Args:
        color: Its name, or nothing.
        channels: Of the image.
        what: The image, for messages.

    Raises:
        UserError: No color of this name has this number of channels.
    """
    found = color or color_of(channels)
    if found != "planes" and CHANNELS.get(found) != channels:
        allowed = ", ".join(name for name, number in CHANNELS.items() if number == channels) or "planes"
        raise UserError(f"{what} of {counted(channels, 'channel')} has no color {found!r}; expected {allowed}")
    return found  # type: ignore[return-value]


def range_text(bounds: Sequence[float]) -> str:
    """Return a range as `checked_range` takes it, as text: `0,1`."""
    return _comma(map(_number, bounds))


def _comma(sizes: Iterable[object]) -> str:
    return ",".join(map(str, sizes))


def _number(value: float) -> str:
    """Return the shortest text of a number that is read as the same number."""
    return str(int(value)) if value == int(value) else repr(value)


def _names(kind: str) -> list[str]:
    """Return the sizes of a kind as a text gives them, each way as one text: `channels, height, width`."""
    first = ("classes",) if kind == "label" else ()
    return [", ".join((*first, *names)) for names in SIZES.get(kind, ())]


_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_FORM = re.compile(
    rf"(?:([A-Za-z_]\w*)\s*=\s*)?(?:([a-z_]+)\s*:)?\s*([\d\s,]+)(?:@\s*{_NUMBER}\s*,\s*{_NUMBER}\s*)?", re.ASCII
)


def _read(part: str, text: str) -> tuple[str, Any, tuple[int, ...], tuple[float, float] | None, Any]:
    """Return name (or nothing), kind, sizes, range (or none) and color (or nothing) of one input of a text."""
    form = _FORM.fullmatch(part)
    sizes = form[3].split(",") if form else []
    kind = (form[2] or "image") if form else ""
    color, kind = (kind, "image") if kind in CHANNELS else ("", kind)
    lengths = [len(names.split(",")) for names in _names(kind)]
    if form is None or len(sizes) not in lengths or not all(re.fullmatch(r"\s*\d+\s*", s) for s in sizes):
        raise UserError(
            f"input shape {text!r} is not understood: use channels,height,width of an image, or KIND:SIZES with a kind "
            f"of {', '.join(SIZES)}, several separated by semicolons; such as {EXAMPLES}"
        )
    bounds = None if form[4] is None else (float(form[4]), float(form[5]))
    return form[1] or "", kind, tuple(int(size) for size in sizes), bounds, color
