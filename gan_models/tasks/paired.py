"""The paired task: pix2pix (Isola et al. 2017), adversarial + L1, D sees input and output together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..data.builtin_sets import DRAWING, PAINTING, shapes
from ..data.dataset import ImageSet
from ..data.image_readers import FilePictures, doubts_of, good_files, sizes_of
from ..data.inputs.entry_inputs import EntryInputs
from ..data.inputs.role_folders import TARGET, RoleFolders, has_targets
from ..data.layouts import LayoutError, SplitFolder, first_is_wide, is_cifar
from ..data.own_data.items import OwnItems
from ..data.picture_tree import DOMAINS
from ..data.spec import SHAPES, DataSpec, PictureForm
from ..files.errors import UserError
from ..files.pictures.colors import LAB_PARTS
from ..files.pictures.picture_reader import picture_size
from ..files.plain_values import JSON, from_json, to_json
from ..files.seeds import mixed
from ..networks.specs import DEFAULT_INPUT_NAME, InputSpec, OutputSpec
from .generator_fit import one_image, with_channels
from .losses import discriminator_adversarial, generator_adversarial, l1
from .settings import DiscriminatorSettings, check_adversarial, check_weights
from .single_generator import SingleGenerator
from .task import Batch, Network, build_discriminators
from .task_parts import ImageTranslation

_LATER_SETTINGS = ("inputs", "soft_masks", "any_halves")  # settings that earlier versions did not write
_MAX_EXAMINED_FILES = 50  # files of which the proportions are looked at


@dataclass(frozen=True)
class PairedSettings:
    """Settings of the paired task.

    Args:
        adversarial: "vanilla" (upstream pix2pix), "lsgan" or "hinge" (GAN Compression).
        weight_l1: weight of the mean absolute difference to the target (upstream: 100).
        input_channels: channels of the input image.
        output_channels: channels of the target image.
        inputs: what a generator of other inputs than one image takes, as `InputSpec.parse` reads it; empty: one image.
        soft_masks: masks may have values between 0 and 1.
        any_halves: pictures A|B may be three squares, and halves may be stretched to other proportions.
        discriminator: the network that judges (input, output) pairs.

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "lsgan"
    weight_l1: float = 100.0
    input_channels: int = 3
    output_channels: int = 3
    inputs: str = ""
    soft_masks: bool = False
    any_halves: bool = False
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        check_weights(self, "weight_l1")

    @property
    def entries(self) -> EntryInputs | None:
        """The inputs that an entry's files give, if the generator does not take one image alone."""
        return EntryInputs(InputSpec.parse(self.inputs)) if self.inputs else None


def _portrait_notes(files: Sequence[Path]) -> list[str]:
    """Return a note if the first picture is higher than wide: it could be a single one."""
    width, height = next(filter(None, map(picture_size, files)), (2, 1))
    if width > height:
        return []
    half = f"{width // 2}x{height}"
    return [f"pictures of {width}x{height} are read as A|B side by side, {half} each, as the task paired asks"]


def _apart_notes(spec: DataSpec) -> list[str]:
    """Return a note if the halves of A|B are read at different sizes."""
    (high, wide), (made_high, made_wide) = spec.input.size, spec.output.size
    if (high, wide) == (made_high, made_wide):
        return []
    return [
        f"the halves of A|B are resized apart: inputs to {high}x{wide} (height x width), targets to "
        f"{made_high}x{made_wide}"
    ]


def _check_halves(files: Sequence[Path], spec: DataSpec) -> None:
    """Raise UserError if halves of A|B have other proportions than the generator's sides, or there are three squares.

    Args:
        files: Pictures A|B.
        spec: The data; its settings may say that any halves are meant.
    """
    if spec.settings.get("any_halves", False):
        return
    cure = f"files of one name in train/{DEFAULT_INPUT_NAME}/ and train/{TARGET}/, or --task-setting any_halves=true"
    (high, wide), (made_high, made_wide) = spec.input.size, spec.output.size
    if high * made_wide != wide * made_high:
        raise UserError(
            f"halves of A|B have one proportion: got a generator from {high}x{wide} (height x width) to "
            f"{made_high}x{made_wide}, which would stretch one of them. Try {cure}"
        )
    for path in files[:_MAX_EXAMINED_FILES]:
        width, height = picture_size(path) or (2, 1)
        squares = width // height
        if width == squares * height and squares > 1 and squares % 2:
            raise UserError(
                f"{path} is {squares} squares side by side, not A|B: got {width}x{height}, whose halves are "
                f"{width // 2}x{height}; expected two pictures, such as {2 * height}x{height}. Try {cure}"
            )


def _at_size_of(images: Tensor, x: Tensor) -> Tensor:
    """Return x [N, C, H', W'] resized to the images' height and width."""
    if x.shape[2:] == images.shape[2:]:
        return x
    return interpolate(x, images.shape[2:], mode="bilinear", antialias=True)


def _same_planes(forms: Sequence[PictureForm]) -> int:
    """Return the planes of A|B, of which each side has as many. Raises UserError if the generator's sides differ."""
    if len({form.planes for form in forms}) > 1:
        taken, given = (form.channels for form in forms)
        raise UserError(
            f"A|B side by side has the same channels on both sides: got a generator from {taken} to {given}. Try "
            f"files of one name in train/{DEFAULT_INPUT_NAME}/ and train/{TARGET}/"
        )
    return forms[0].planes


def _one_picture(spec: DataSpec) -> bool:
    """Return whether both sides of a pair are of one picture: its lightness, and the rest of its color."""
    return (spec.input.color, spec.output.color) == LAB_PARTS


class PairedTask(ImageTranslation, SingleGenerator):
    """pix2pix: G(input) near the target, and hard for D to tell from it given the input.

    Loss of G: adv(D(input, G(input))) + weight_l1 * |G(input) - target|; of D: half the sum of its two terms.
    Batches: {"input" (N, C, H, W), "target" (N, C', H, W)}; of several inputs that are
    read from files, each by its name instead of "input".
    """

    name = "paired"
    has_reference = True
    source = "pairs"

    def __init__(self, settings: PairedSettings | None = None, seed: int = 0) -> None:
        self.settings = settings or PairedSettings()
        self.seed = seed

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        return self.settings.adversarial

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> PairedTask:
        """Return the task with these settings; `seed` is that of latents in addition to images."""
        return cls(from_json(PairedSettings, settings, "task_settings"), seed)

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON; for one image as earlier versions wrote them."""
        settings = to_json(self.settings)
        return {name: value for name, value in settings.items() if value or name not in _LATER_SETTINGS}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether there are targets and inputs by name, or training pictures that are wider than high."""
        if is_cifar(root) or not root.is_dir():
            return False
        if has_targets(root):
            return True
        tree = SplitFolder(root, 0).tree
        wide = first_is_wide([picture.path for picture in tree.pictures if picture.split == "train"])
        return wide and not all(map(tree.of_domain, DOMAINS))

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the images' channels and the inputs, if these are others than one image.

        Raises:
            UserError: The generator starts from latents alone.
        """
        if inputs.of_kind("image") != inputs.inputs[:1] or len(inputs) > 1:
            if all(one.drawn for one in inputs.inputs):
                one_image(cls.name, model, inputs)  # raises
            EntryInputs(inputs)  # raises for names that entries have already
            return {**with_channels(settings, model, output_channels=output.channels), "inputs": inputs.text}
        taken = one_image(cls.name, model, inputs)
        return with_channels(settings, model, input_channels=taken.shape[0], output_channels=output.channels)

    @classmethod
    def folder(cls, spec: DataSpec) -> SplitFolder:
        """Return the folder with its splits. Raises LayoutError if it holds single pictures of two domains."""
        folder = SplitFolder(cls.root(spec), spec.seed, divides=_one_picture(spec))
        if not _one_picture(spec) and all(map(folder.tree.of_domain, DOMAINS)):
            raise LayoutError(f"data folder {folder.root} holds single pictures of domains A and B")
        return folder

    @classmethod
    def roles(cls, spec: DataSpec) -> RoleFolders | None:
        """Return the folders of inputs and targets by name; None of pictures A|B.

        Raises:
            LayoutError: An input has no folder, or they are pictures A|B and there is more than one image to read.
        """
        root, inputs = cls.root(spec), EntryInputs(spec.inputs)
        if root.is_dir() and has_targets(root):
            return RoleFolders(SplitFolder(root, spec.seed, (TARGET,)), spec.inputs)
        if inputs.from_pairs:
            return None
        folders = ", ".join(f"train/{name}/" for name in (*inputs.read_names, TARGET))
        raise LayoutError(f"data {root} has no folder of targets: expected {folders}, files of one name")

    @classmethod
    def split_files(cls, spec: DataSpec, split: str) -> list[Path]:
        """Return the files of one split: pictures A|B, or those of all inputs and the targets."""
        roles = cls.roles(spec)
        if roles is None:
            return cls.folder(spec).files(split)
        return [path for entry in roles.entries(split) for path in entry.values()]

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return heights and widths of the first training pictures that are the generator's first image."""
        roles = cls.roles(spec)
        if roles is None:
            return sizes_of(cls.folder(spec).files("train")[:most], halves=not _one_picture(spec))
        images = [one.name for one in spec.inputs.inputs if one.pictured or one.is_map]
        return sizes_of([entry[images[0]] for entry in roles.entries("train")[:most]]) if images else []

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return pairs: {"input", "target"}; the direction says which half of A|B is the input.

        A generator of a*, b* from the lightness has both of each whole picture.
        """
        entries = EntryInputs(spec.inputs)
        item = cls.item if len(spec.inputs) == 1 and entries.from_pairs else entries.item
        if spec.source == SHAPES and not entries.from_pairs:
            raise UserError(f"{SHAPES} has pairs of images: got a generator of {spec.inputs}. Try a folder of its own")
        if spec.source != SHAPES and (roles := cls.roles(spec)) is not None:
            return entries.open(spec, roles, split, bool(spec.settings.get("soft_masks", False)))
        forms, swapped = spec.loaded(split, spec.input, spec.output), spec.direction == "BtoA"
        one = _one_picture(spec)
        if spec.source == SHAPES:
            sides = (PAINTING, PAINTING) if one else (PAINTING, DRAWING) if swapped else (DRAWING, PAINTING)
            parts = zip(sides, forms, strict=True)
            return ImageSet(spec, {"pairs": shapes(spec, split, *parts)}, item)
        folder = cls.folder(spec)
        planes = _same_planes(forms)
        if not one:
            _check_halves(folder.files(split), spec)
        good, bad = good_files(folder.files(split), spec.strict, halves=not one, planes=planes)
        pairs = FilePictures(good, *forms, halves=not one, swapped=swapped and not one)
        return ImageSet(
            spec,
            {"pairs": pairs},
            item,
            bad,
            folder.left_out,
            [*folder.notes, *doubts_of(good, planes), *([] if one else [*_portrait_notes(good), *_apart_notes(spec)])],
        )

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return pairs of a user's own data: items of the inputs that are read, and `target`."""
        return EntryInputs(spec.inputs).of_items(spec, items, bool(spec.settings.get("soft_masks", False)))

    @staticmethod
    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return both halves of a picture, cropped and mirrored alike."""
        first, second = images.read("pairs", index, number, images.spec.input, images.spec.output)
        return {"input": first, "target": second}

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """One discriminator, "G", of input and output channels together."""
        entries, settings = self.settings.entries, self.settings
        channels = settings.input_channels if entries is None else entries.judged_channels
        return build_discriminators(
            self.generator_names, settings.discriminator, channels + settings.output_channels, seed
        )

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return the input image, or all inputs in the generator's order; latents follow from the batch's step."""
        entries = self.settings.entries
        if entries is None:
            return (batch["input"],)
        return entries.of_batch(batch, lambda step: mixed(self.seed, 30, step))

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return each input that is a picture, and the target."""
        entries = self.settings.entries
        if entries is None:
            return super().columns(batch, name)
        return {**entries.columns(self.inputs(batch, name)), "target": batch["target"]}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return inputs that are pictures and the images, one after the other on the channels.

        A single input of another size is resized.
        """
        entries = self.settings.entries
        if entries is not None:
            return entries.judged(inputs, images)
        return torch.cat((*(_at_size_of(images, x) for x in inputs), images), dim=1)

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Terms "adversarial" and "l1", and G's output."""
        outputs = self.generate(generators, batch)
        fake = outputs["G"]
        scores = discriminators["G"](self.judged(self.inputs(batch, "G"), fake))
        terms = {
            "adversarial": generator_adversarial(self.settings.adversarial, scores),
            "l1": self.settings.weight_l1 * l1(fake, batch["target"]),
        }
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Half of D's real and fake terms on (input, target) and (input, output)."""
        judge, inputs, target = discriminators["G"], self.inputs(batch, "G"), batch["target"]
        real = judge(self.judged(inputs, target))
        fake = judge(self.judged(inputs, outputs["G"].detach().to(target.dtype)))
        return 0.5 * discriminator_adversarial(self.settings.adversarial, real, fake)
