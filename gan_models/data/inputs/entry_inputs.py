"""Inputs of a paired generator, one file each: images, masks, label maps, vectors, labels, sound.

Shapes: N examples, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate, one_hot

from ...files.errors import UserError
from ...files.pictures.picture_reader import picture_fault
from ...files.texts.number_text import counted
from ...networks.specs import DEFAULT_INPUT_NAME, Input, InputSpec
from ..dataset import ImageSet
from ..image_readers import PLANES_CURE, doubts_of, some_of
from ..own_data.items import OwnItems
from ..own_data.parts import ItemParts, Part, target
from ..spec import DataSpec, PictureForm
from .class_folders import classes_legend
from .instance_edges import INSTANCE
from .latents import draw_latents
from .part_files import PictureParts, ValueParts
from .role_folders import TARGET, RoleFolders

PICTURES, VALUES = "pairs", "values"  # names of the opened sets' sources
RESERVED = (TARGET, "step")  # names in batches other than inputs
_MIDDLE = 127.5  # maximum of 8 bits


@dataclass(frozen=True)
class EntryInputs:
    """The inputs of a generator that are read from an entry's files, or random.

    Attributes:
        spec: The inputs, in the generator's order.

    Raises:
        UserError: An input has the name of another part of a batch.
    """

    spec: InputSpec

    def __post_init__(self) -> None:
        if taken := [name for name in self.spec.names if name in RESERVED]:
            raise UserError(f"an input has a reserved name: got {taken[0]}; expected another one")

    @property
    def pictures(self) -> tuple[Input, ...]:
        """Inputs that are images, masks or label maps."""
        return tuple(one for one in self.spec.inputs if one.pictured or one.is_map)

    @property
    def from_pairs(self) -> bool:
        """True if the only input from files is one image, which files of A|B side by side also contain."""
        return not self.values and [one.kind for one in self.pictures] == ["image"]

    @property
    def values(self) -> tuple[Input, ...]:
        """Inputs that are vectors, sounds or labels of classes."""
        return tuple(one for one in self.spec.inputs if not (one.pictured or one.is_map or one.drawn))

    @property
    def read_names(self) -> tuple[str, ...]:
        """Names of the inputs that are read from files."""
        return tuple(one.name for one in self.spec.inputs if not one.drawn)

    @property
    def judged_channels(self) -> int:
        """Number of channels of the inputs that a discriminator takes; a label map has one per class."""
        return sum(one.classes if one.is_map else one.shape[0] for one in self.pictures)

    def forms(self, spec: DataSpec) -> tuple[PictureForm, ...]:
        """Return the forms of an entry's pictures, the target's last."""
        return (*map(PictureForm.of, self.pictures), spec.output)

    def open(self, spec: DataSpec, roles: RoleFolders, split: str, soft_masks: bool) -> ImageSet:
        """Return one split; entries with an unreadable picture are left out.

        Raises:
            LayoutError: An input has no folder.
            UserError: Files do not belong together, a picture is bad with `spec.strict`, or an input cannot have its
                values.
        """
        names = [*(one.name for one in self.pictures), TARGET]
        planes = {name: form.planes for name, form in zip(names, self.forms(spec), strict=True)}
        entries, bad = _good(roles.entries(split), planes, spec.strict)
        files = [[entry[name] for name in names] for entry in entries]
        forms = spec.loaded(split, *self.forms(spec))
        instances = {name for name, role in roles.roles.items() if role == INSTANCE and name != INSTANCE}
        pictures = PictureParts(files, [*self.pictures, None], forms, soft_masks, instances)
        pictures.check()
        sources: dict[str, PictureParts | ValueParts] = {PICTURES: pictures}
        if self.values:
            values = [[self._value(entry, one, roles) for one in self.values] for entry in entries]
            given = ValueParts(values, self.values, [entry[TARGET] for entry in entries])
            given.check()
            sources[VALUES] = given
        notes = [*roles.folder.notes]
        for column, wanted in zip(zip(*files, strict=True), planes.values(), strict=True):
            notes += doubts_of(column, wanted)
        classes = () if roles.classes is None else roles.classes.names
        notes += [classes_legend(classes)] if classes else []
        return ImageSet(spec, sources, self.item, bad, roles.left_out, notes, classes=classes)

    def of_items(self, spec: DataSpec, items: OwnItems, soft_masks: bool) -> ImageSet:
        """Return one split of a user's own data: each item has the target and all inputs that are not random.

        Args:
            spec: The data.
            items: The split.
            soft_masks: True if masks may have values between 0 and 1.
        """
        given = {one.name: one for one in (spec.own_inputs or spec.inputs).inputs}
        parts = {
            one.name: Part((self.key(one), *{one.name} - {self.key(one)}), given[one.name], soft=soft_masks)
            for one in self.spec.inputs
            if not one.drawn
        }
        of_target = target(spec)
        items = items.same_length().called(*(part.names for part in parts.values()), of_target.names)
        pictures = ItemParts(items, [*(parts[one.name] for one in self.pictures), of_target])
        values = {VALUES: ItemParts(items, [parts[one.name] for one in self.values])} if self.values else {}
        return ImageSet(spec, {PICTURES: pictures, **values}, self.item)

    @staticmethod
    def _value(entry: Mapping[str, Path], one: Input, roles: RoleFolders) -> Path | int:
        """Return the file of a vector, sound or label, or the label of the target's folder."""
        if one.name in entry or roles.classes is None:
            return entry[one.name]
        return roles.classes.label(entry[TARGET])

    def item(self, images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return one entry: each input and the target by name, pictures cropped and mirrored in the same way."""
        *read, target = images.read(PICTURES, index, number, *self.forms(images.spec))
        found = {self.key(one): _own_values(one, picture) for one, picture in zip(self.pictures, read, strict=True)}
        if self.values:
            given = images.parts(VALUES, index, number)
            found |= {self.key(one): value for one, value in zip(self.values, given, strict=True)}
        return {**found, TARGET: target}

    def key(self, one: Input) -> str:
        """Return the name of an input in a batch: its own, or `input` if no other one is read from files."""
        return one.name if len(self.read_names) > 1 else DEFAULT_INPUT_NAME

    def of_batch(self, batch: Mapping[str, Tensor], seed: Callable[[int], int]) -> tuple[Tensor, ...]:
        """Return the generator's inputs; latents follow from the batch's step.

        Args:
            batch: A batch with each input that has files.
            seed: Seed of a step's latents.
        """
        target = batch[TARGET]
        drawn = draw_latents(self.spec, len(target), seed(int(batch["step"]))) if self.spec.of_kind("latent") else {}
        return tuple(
            drawn[one.name].to(target.device) if one.drawn else batch[self.key(one)] for one in self.spec.inputs
        )

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return the inputs that are pictures and the images, at the images' size, concatenated along channels."""
        shown = []
        for one, x in zip(self.spec.inputs, inputs, strict=True):
            if one.is_map:
                x = one_hot(x, one.classes).permute(0, 3, 1, 2).to(images.dtype)
            if one in self.pictures:
                same = x.shape[2:] == images.shape[2:]
                shown.append((x if same else interpolate(x, images.shape[2:])).to(images.dtype))
        return torch.cat((*shown, images), 1)

    def columns(self, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the inputs that are pictures by name, [N, C, H, W] in [-1, 1]; a label map has a color per class."""
        shown = {}
        for one, x in zip(self.spec.inputs, inputs, strict=True):
            if one.is_map:
                shown[one.name] = _class_colors(one.classes).to(x.device)[x].permute(0, 3, 1, 2)
            elif one.kind == "mask":
                shown[one.name] = x * 2 - 1
            elif one.kind == "image":
                shown[one.name] = x
        return shown


def _own_values(one: Input, picture: Tensor) -> Tensor:
    """Return a picture (C, H, W) in [-1, 1] as values of its input: a mask in [0, 1], or class numbers (H, W)."""
    if one.is_map:
        return ((picture[0].double() + 1) * _MIDDLE).round().long()
    return (picture + 1) / 2 if one.kind == "mask" else picture


def _class_colors(classes: int) -> Tensor:
    """Return a color in [-1, 1] per class [classes, 3]: distant hues, the first class dark."""
    hues = torch.arange(classes) * 0.618034 % 1
    distance = (hues[:, None] * 6 - torch.tensor([3.0, 2.0, 4.0])).abs()
    rgb = torch.stack([distance[:, 0] - 1, 2 - distance[:, 1], 2 - distance[:, 2]], 1).clamp(0, 1) * 2 - 1
    rgb[0] = -0.8
    return rgb


def _good(
    entries: list[dict[str, Path]], planes: Mapping[str, int], strict: bool
) -> tuple[list[dict[str, Path]], tuple[str, ...]]:
    """Return the entries whose pictures can be read, and `path: reason` of each file that cannot.

    Args:
        entries: Files by input's name and `target`.
        planes: Input's name or `target` -> channels of pictures, as in `PictureForm.planes`.
        strict: True to raise on the first bad file.
    """
    reasons: dict[Path, str] = {}
    for name, wanted in planes.items():
        for path in {entry[name] for entry in entries}:
            if (reason := picture_fault(path, planes=wanted)) is not None:
                reasons[path] = reason
    bad = tuple(f"{path}: {reasons[path]}" for path in sorted(reasons))
    if bad and strict:
        raise UserError(f"image {bad[0].replace(': ', ' is bad: ', 1)}. Try to repair or remove it, or omit --strict")
    good = [entry for entry in entries if not reasons.keys() & set(entry.values())]
    if not good:
        cure = PLANES_CURE * any(planes.values())
        raise UserError(f"none of {counted(len(entries), 'entry', 'entries')} can be read: {some_of(bad)}{cure}")
    return good, bad
