"""The tensors of items as a task reads them: checked, and converted to the values of pictures in `ImageSet`.

Shapes: C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...files.errors import UserError
from ...networks.specs import RANGES, Input, range_text
from ...networks.value_ranges import translate
from ..spec import DataSpec, PictureForm
from .items import Names, OwnItems, shown, tensor_of

WHITE_LEVEL = 255.0
OVERSHOOT = 0.01  # tolerance of a range, beyond its ends, for overshoot by interpolation


@dataclass(frozen=True)
class Part:
    """A tensor of an item.

    Attributes:
        names: Its name, and accepted alternatives.
        what: Its kind, shape, and range of values in the user's code.
        soft: True if a mask may have values between 0 and 1.
        larger: True if it may be larger, and is then cropped.
    """

    names: Names
    what: Input
    soft: bool = False
    larger: bool = False

    @property
    def name(self) -> str:
        """Its name in a batch."""
        return self.names[0]


def of_form(spec: DataSpec, form: PictureForm, bounds: tuple[float, float], *names: str, larger: bool = False) -> Part:
    """Return the part that is an image.

    Args:
        spec: The data.
        form: Form of the image.
        bounds: Its range of values in the user's code.
        *names: Its name and accepted alternatives.
        larger: True if it is cropped.
    """
    return Part(names, Input(names[0], "image", form.shape, value_range=bounds, color=form.color), larger=larger)


def target(spec: DataSpec, *others: str, larger: bool = False) -> Part:
    """Return the image that an output is compared with.

    Args:
        spec: The data.
        *others: Accepted names other than `target`.
        larger: True if it is cropped.
    """
    return of_form(spec, spec.output, spec.own_range, "target", *others, larger=larger)


def input_range(spec: DataSpec) -> tuple[float, float]:
    """Return the range of the generator's first image in the user's code."""
    images = (spec.own_inputs or spec.inputs).of_kind("image")
    return images[0].value_range or RANGES["image"] if images else spec.own_range


class ItemParts:
    """Items of a user's own data as `Pictures`: their images, masks and label maps, then their other values.

    Args:
        items: One split.
        parts: The parts that are read of each.
    """

    def __init__(self, items: OwnItems, parts: Sequence[Part]) -> None:
        self.items, self.parts = items, tuple(parts)

    def __len__(self) -> int:
        return len(self.items)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the parts of one item without augmentation; see `drawn`."""
        return self.drawn(index, None)

    def drawn(self, index: int, number: int | None) -> tuple[Tensor, ...]:
        """Return the parts of one item.

        Args:
            index: Index of the item.
            number: Seed of the random numbers of the user's code.

        Returns:
            Images and masks (C, H, W) in 0 .. 255, label maps (1, H, W) of labels; labels int64, vectors and sounds
            float32.

        Raises:
            UserError: A part is missing or does not fit, or the user's code raises.
        """
        found = self.items.values(index, number, [part.names for part in self.parts])
        return tuple(self._checked(index, part, found[part.name]) for part in self.parts)

    def size(self) -> tuple[int, int] | None:
        """Return height and width of the first item's first picture; None if it has none."""
        pictured = [part for part in self.parts if part.what.pictured or part.what.is_map]
        found = self.items.values(0)
        value = tensor_of(found.get(pictured[0].name)) if pictured else None
        return None if value is None or value.dim() < 2 else (value.shape[-2], value.shape[-1])

    def _checked(self, index: int, part: Part, value: Any) -> Tensor:
        try:
            return _read(part, value)
        except _Unfit as unfit:
            cure = f". Try {unfit.cure}" if unfit.cure else ""
            raise UserError(
                f"{self.items.what}, item {index}: {part.name} {unfit.why}: got {unfit.found}; expected "
                f"{unfit.expected}{cure}"
            ) from None


class _Unfit(Exception):
    """An error: a value does not fit its part."""

    def __init__(self, why: str, found: str, expected: str, cure: str = "") -> None:
        super().__init__(why)
        self.why, self.found, self.expected, self.cure = why, found, expected, cure


def _read(part: Part, value: Any) -> Tensor:
    """Return a value in the form that `ImageSet` reads."""
    one, found = part.what, tensor_of(value)
    expected = _expected(part)
    if found is None:
        image = hasattr(value, "getbands")
        cure = "torchvision.transforms.functional.to_tensor of it, with --value-range 0,1" if image else ""
        raise _Unfit("is not a tensor", shown(value), expected, cure)
    if not found.numel():
        raise _Unfit("is empty", shown(found), expected)
    if one.kind == "label":
        return _labels(part, found)
    _check_shape(part, found)
    if found.is_floating_point() and not bool(found.isfinite().all()):
        raise _Unfit("has values that are not finite", shown(found), expected)
    if one.kind == "mask":
        return _mask(part, found)
    if one.kind == "image" and found.dtype == torch.uint8:
        return found
    if not found.is_floating_point():
        raise _Unfit("has another type of values", shown(found), expected, ".float(), or .to(torch.uint8) of images")
    found = found.float()
    if one.kind == "vector":
        return found
    _check_range(part, found)
    bounds = one.value_range or RANGES[one.kind]
    return translate(found, bounds, (0.0, WHITE_LEVEL) if one.kind == "image" else RANGES[one.kind])


def _expected(part: Part) -> str:
    """Return the expected form of a part, for messages."""
    one = part.what
    shape = "x".join(map(str, one.shape)) + " or larger" * part.larger
    if one.kind == "label":
        return f"whole numbers, 0 to {one.classes - 1}, of {shape or 'no shape'}"
    if one.kind == "vector":
        return f"float32 of {shape}"
    bounds = range_text(one.value_range or RANGES[one.kind])
    return f"float32 of {shape} in [{bounds}]" + ", or uint8" * (one.kind == "image")


def _check_shape(part: Part, found: Tensor) -> None:
    one, shape = part.what, [*found.shape]
    if shape == [*one.shape]:
        return
    fits = len(shape) == 3 and shape[0] == one.shape[0]
    if part.larger and fits and all(side >= least for side, least in zip(shape[1:], one.shape[1:], strict=True)):
        return
    cure = ""
    if len(one.shape) == 3 and len(shape) == 3 and shape[-1] == one.shape[0] != shape[0]:
        cure = ".permute(2, 0, 1)"
    elif len(one.shape) == 3 and len(shape) == 2 and one.shape[0] == 1:
        cure = "[None]"
    elif fits and one.kind in ("image", "mask"):
        cure = f"resizing it in the dataset, or a generator of {shape[1]}x{shape[2]} (--image-size, --input-shape)"
    raise _Unfit("has another shape", shown(found), _expected(part), cure)


def _check_range(part: Part, found: Tensor) -> None:
    low, high = part.what.value_range or RANGES[part.what.kind]
    least, largest, room = float(found.min()), float(found.max()), OVERSHOOT * (high - low)
    if low - room <= least and largest <= high + room:
        return
    known = next(
        (text for text, a, b in (("0,1", 0, 1), ("-1,1", -1, 1), ("0,255", 0, 255)) if a <= least and largest <= b), ""
    )
    cure = f"--value-range {known}, if the generator has these values, too" if known else ""
    raise _Unfit("is out of range", f"{least:.4g} to {largest:.4g}", _expected(part), cure)


def _labels(part: Part, found: Tensor) -> Tensor:
    """Return one label, or a map of labels (1, H, W) as float32."""
    one = part.what
    shape = tuple(found.shape)
    if one.is_map and len(shape) == 3 and shape[0] == 1:
        found = found[0]
    if not one.is_map and found.numel() == 1:
        found = found.reshape(())
    if tuple(found.shape) != one.shape:
        raise _Unfit("has another shape", shown(found), _expected(part))
    if found.is_floating_point() or found.is_complex():
        raise _Unfit("has another type of values", shown(found), _expected(part), ".long()")
    least, largest = int(found.min()), int(found.max())
    if least < 0 or largest >= one.classes:
        cure = f"a generator of {largest + 1} classes, or other labels" if least >= 0 else "labels from 0"
        raise _Unfit("has a label out of range", f"{least if least < 0 else largest}", _expected(part), cure)
    return found[None].float() if one.is_map else found.long()


def _mask(part: Part, found: Tensor) -> Tensor:
    """Return a mask as 0 .. 255; of whole numbers 1 or 255 is white."""
    if found.is_floating_point():
        _check_range(part, found)
        low, high = part.what.value_range or RANGES["mask"]
        found = translate(found.float(), (low, high), (0.0, WHITE_LEVEL))
    else:
        found = found.to(torch.uint8) * (1 if int(found.max()) > 1 else int(WHITE_LEVEL))
    gray = (found != 0) & (found != WHITE_LEVEL)
    if bool(gray.any()) and not part.soft:
        raise _Unfit(
            "has other values than black and white",
            f"{float(found[gray][0]):.4g} of 255",
            "0 and 1",
            "(mask > 0.5).float(), or --task-setting soft_masks=true",
        )
    return found
