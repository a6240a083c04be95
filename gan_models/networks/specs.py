"""Specifications of what a generator takes and gives: `InputSpec` and `OutputSpec`. Imports no torch.

A generator is called `G(*inputs)`, one tensor per input of its specification, in order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..files.errors import UserError
from ..files.plain_values import from_json

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["image", "latent", "label", "vector", "mask", "audio"]
# Kind -> the sizes that one input has, without the batch. A label's shape is empty: one class number per example.
SIZES: Mapping[str, tuple[str, ...]] = {
    "image": ("channels", "height", "width"),
    "latent": ("length",),
    "label": (),
    "vector": ("length",),
    "mask": ("channels", "height", "width"),
    "audio": ("channels", "samples"),
}
ONLY = "input"  # the name of an input that is alone and was given none
EXAMPLES = "3,256,256, or latent:128, or image:3,64,64;mask:1,64,64, each with a name if you like: style=latent:64"


@dataclass(frozen=True)
class Input:
    """One input of a generator.

    Attributes:
        name: A Python name; the input's name in an exported file.
        kind: `image` and `audio` have values in [-1, 1], `mask` in [0, 1]; `latent` and `vector` are normally
            distributed; `label` is a class number.
        shape: Sizes of one example, as `SIZES` names them.
        classes: Of a label: how many there are.

    Raises:
        UserError: Sizes that the kind does not have, or a name that is none.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    classes: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if not self.name.isidentifier():
            raise UserError(f"an input's name is a Python name; got {self.name!r}")
        if self.kind not in SIZES:
            raise UserError(f"input kind {self.kind!r} is unknown; use one of {', '.join(SIZES)}")
        sizes = (*self.shape, self.classes) if self.kind == "label" else self.shape
        whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
        if len(self.shape) != len(SIZES[self.kind]) or not whole:
            expected = ", ".join(SIZES[self.kind]) or "a number of classes"
            raise UserError(
                f"input shape {_comma(sizes)!r} of {self.name} is not understood: expected positive sizes of "
                f"a {self.kind} ({expected}), such as {EXAMPLES}"
            )
        if self.kind != "label" and self.classes:
            raise UserError(f"input {self.name} is a {self.kind}; only a label has classes")

    @property
    def drawn(self) -> bool:
        """True if it is drawn at random: a user has no data for it."""
        return self.kind == "latent"

    @property
    def pictured(self) -> bool:
        """True if it is an image or a mask, of some pixels per side."""
        return self.kind in ("image", "mask")

    @property
    def text(self) -> str:
        """The form that `InputSpec.parse` reads, without the name."""
        return f"{self.kind}:{self.classes if self.kind == 'label' else _comma(self.shape)}"

    def example(self, n: int, seed: int) -> Tensor:
        """Return a deterministic batch [n, *shape], drawn on the CPU.

        Args:
            n: Batch size.
            seed: Of its values.
        """
        import torch

        random = torch.Generator("cpu").manual_seed(seed)
        if self.kind == "label":
            return torch.randint(self.classes, (n,), generator=random, device="cpu")
        if self.kind in ("latent", "vector"):
            return torch.randn(n, *self.shape, generator=random, device="cpu")
        uniform = torch.rand(n, *self.shape, generator=random, device="cpu")
        return uniform.round() if self.kind == "mask" else uniform * 2 - 1


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

        Inputs are separated by semicolons. Each one is `[NAME=][KIND:]SIZES`; without a kind, three sizes are an image.
        An input that is alone is called `input`; of several, those without a name are called by their kind.

        Args:
            text: Such as `3,256,256`, `latent:128`, `image:3,64,64;mask:1,64,64`, `photo=3,64,64;style=latent:64`,
                `latent:128;label:10` (ten classes).

        Raises:
            UserError: Another form, or a size that is not a positive whole number; one line.
        """
        parts = [part.strip() for part in text.split(";")]
        given = [_read(part, text) for part in parts]
        names: list[str] = []
        for name, kind, _ in given:
            default = ONLY if len(given) == 1 else kind
            taken = {*names, *(other for other, _, _ in given)}
            numbered = (default if n == 1 else f"{default}{n}" for n in range(1, len(given) + 2))
            names.append(name or next(each for each in numbered if each not in taken))
        return cls(
            tuple(
                Input(name, kind, (), sizes[0]) if kind == "label" else Input(name, kind, sizes)
                for name, (_, kind, sizes) in zip(names, given, strict=True)
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
        return cls((Input(ONLY, "image" if len(shape) == 3 else "latent", tuple(shape)),))

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
        if len(self.inputs) == 1 and self.inputs[0].name == ONLY:
            one = self.inputs[0]
            return _comma(one.shape) if one.kind == "image" else one.text
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
        plain = len(self.inputs) == 1 and self.inputs[0].name == ONLY and self.inputs[0].kind in ("image", "latent")
        return self.inputs[0].shape if plain else None

    def of_kind(self, *kinds: str) -> tuple[Input, ...]:
        """Return the inputs of these kinds, in order."""
        return tuple(one for one in self.inputs if one.kind in kinds)

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Height and width of the first image; of the first mask if there is none; None without either."""
        pictured = (*self.of_kind("image"), *self.of_kind("mask"))
        return (pictured[0].shape[1], pictured[0].shape[2]) if pictured else None

    def at_size(self, pixels: int) -> InputSpec:
        """Return the same inputs with images and masks of so many pixels per side; 0 leaves them as they are."""
        if not pixels:
            return self
        return InputSpec(
            tuple(replace(one, shape=(one.shape[0], pixels, pixels)) if one.pictured else one for one in self.inputs)
        )

    def examples(self, n: int = 1, device: Any = None) -> tuple[Tensor, ...]:
        """Return a deterministic batch to run or trace a network with.

        Args:
            n: Batch size.
            device: Where the batch lies; "meta" gives inputs without values.

        Returns:
            One tensor [n, *shape] per input: float32, or int64 [n] for a label.

        Raises:
            ValueError: `n` is not positive.
        """
        if n < 1:
            raise ValueError(f"a batch of {n} examples cannot be made: n must be at least 1")
        made = tuple(one.example(n, seed) for seed, one in enumerate(self.inputs))
        return made if device is None else tuple(example.to(device) for example in made)


@dataclass(frozen=True)
class OutputSpec:
    """The image that a generator gives.

    Attributes:
        channels: Of the image.
        size: Height and width in pixels.
        value_range: The least and the largest value that stand for black and white.
    """

    channels: int
    size: tuple[int, int]
    value_range: tuple[float, float] = (-1.0, 1.0)


def _comma(sizes: Sequence[object]) -> str:
    return ",".join(map(str, sizes))


def _read(part: str, text: str) -> tuple[str, Any, tuple[int, ...]]:
    """Return name (or nothing), kind and sizes of one input of a text."""
    form = re.fullmatch(r"(?:([A-Za-z_]\w*)\s*=\s*)?(?:([a-z]+)\s*:)?\s*([\d\s,]+)", part, re.ASCII)
    sizes = form[3].split(",") if form else []
    kind = (form[2] or "image") if form else ""
    n = len(SIZES.get(kind, ())) or 1
    if form is None or kind not in SIZES or len(sizes) != n or not all(re.fullmatch(r"\s*\d+\s*", s) for s in sizes):
        raise UserError(
            f"input shape {text!r} is not understood: use channels,height,width of an image, or KIND:SIZES with a kind "
            f"of {', '.join(SIZES)}, several separated by semicolons; such as {EXAMPLES}"
        )
    return form[1] or "", kind, tuple(int(size) for size in sizes)
