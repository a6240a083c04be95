"""The unpaired task: CycleGAN (Zhu et al. 2017), two generators, cycle and identity; or one with a teacher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.builtin_sets import stripes
from ..data.dataset import ImageSet
from ..data.image_readers import FilePictures, doubts_of, good_files, sizes_of
from ..data.layouts import SplitFolder, existing, has_domains, is_cifar
from ..data.own_data.items import OwnItems
from ..data.own_data.parts import ItemParts, input_range, of_form
from ..data.picture_tree import DOMAINS
from ..data.spec import DIRECTIONS, SPLITS, STRIPES, DataSpec, PictureForm
from ..files.errors import UserError
from ..files.plain_values import JSON, from_json, to_json
from ..files.seeds import mixed
from ..networks.specs import InputSpec, OutputSpec
from .generator_fit import one_image, with_channels
from .image_pool import ImagePool
from .losses import discriminator_adversarial, generator_adversarial, l1
from .settings import DiscriminatorSettings, check_adversarial, check_weights
from .task import Batch, Network, build_discriminators
from .task_parts import ImageTranslation

_SOURCE_DOMAIN = {"AtoB": "A", "BtoA": "B"}
_TARGET_DOMAIN = {"AtoB": "B", "BtoA": "A"}
_OPPOSITE_DIRECTION = {"AtoB": "BtoA", "BtoA": "AtoB"}


@dataclass(frozen=True)
class UnpairedSettings:
    """Settings of the unpaired task.

    Args:
        adversarial: "lsgan" (upstream), "vanilla" or "hinge".
        weight_cycle: weight of |back(there(x)) - x|, both directions (upstream: 10).
        weight_identity: weight of |AtoB(b) - b|, as a share of `weight_cycle` (upstream: 0.5); 0 saves the
            two forward passes.
        pool: past outputs that a discriminator may be shown (upstream: 50).
        directions: generators that are trained. With one alone there is no cycle and no identity: the terms
            are the adversarial one and, from the loop, distillation from the teacher.
        channels: channels of the images.
        paired_test: test images of A and B of one name are pairs, so that outputs are compared with their own
            references, too. Training stays unpaired.
        discriminator: the network that judges each domain's images.

    Raises:
        ValueError: a field outside what is allowed.
    """

    adversarial: str = "lsgan"
    weight_cycle: float = 10.0
    weight_identity: float = 0.5
    pool: int = 50
    directions: tuple[str, ...] = DIRECTIONS
    channels: int = 3
    paired_test: bool = False
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        check_adversarial(self.adversarial)
        check_weights(self, "weight_cycle", "weight_identity")
        if self.pool < 0:
            raise UserError(f"pool={self.pool} is not a number of images; use 0 (none) or more")
        if self.directions not in (DIRECTIONS, ("AtoB",), ("BtoA",)):
            raise UserError(f"directions {self.directions} are not possible; use AtoB, BtoA or AtoB and BtoA")


def _forms(spec: DataSpec) -> dict[str, PictureForm]:
    """Return the form of each domain's images: they differ if one generator is trained alone, and its sides do."""
    names = tuple(spec.settings.get("directions", DIRECTIONS))
    start, end = ("B", "A") if names == ("BtoA",) else ("A", "B")
    return {start: spec.input, end: spec.output}


def _stem(path: Path) -> str:
    return path.stem


def _stems(paths: Iterable[Path]) -> set[str]:
    return {path.stem for path in paths}


def _are_pairs(files: Mapping[str, Sequence[Path]], folder: SplitFolder, split: str) -> bool:
    """Return whether each image of A has one of its name in B; of validation images they need not.

    Raises:
        UserError: Test images that have none, the first five by name.
    """
    names = {domain: _stems(paths) for domain, paths in files.items()}
    if all(len(names[domain]) == len(paths) for domain, paths in files.items()) and names["A"] == names["B"]:
        return True
    if split != "test":
        return False
    lacking = {domain: sorted(names[other] - names[domain]) for domain, other in (("A", "B"), ("B", "A"))}
    parts = [
        f"{domain} lacks {', '.join(each[:5])}{', ...' * (len(each) > 5)}" for domain, each in lacking.items() if each
    ]
    raise UserError(
        f"test images of {folder.root} are not pairs: got {len(files['A'])} of A and {len(files['B'])} of B, "
        f"{' and '.join(parts) or 'some of one name'}; expected the same names, each once. Try leaving out "
        "--task-setting paired_test"
    )


class UnpairedTask(ImageTranslation):
    """CycleGAN. Discriminator "AtoB" judges images of domain B, "BtoA" those of domain A.

    Loss of the generators: sum over directions of adv(D(there(x))) + weight_cycle * |back(there(x)) - x| +
    weight_cycle * weight_identity * |there(y) - y|, x of its domain, y of the other; of D: half the sum of
    its two terms, outputs through an image pool. Batches: {"A" (N, C, H, W), "B" (N, C, H, W)}.
    """

    name = "unpaired"

    def __init__(self, settings: UnpairedSettings | None = None, seed: int = 0) -> None:
        self.settings = settings or UnpairedSettings()
        self.generator_names = self.settings.directions
        self.needs_teacher = len(self.generator_names) == 1
        self._pools = {
            name: ImagePool(self.settings.pool, mixed(seed, 20, i)) for i, name in enumerate(self.generator_names)
        }

    @property
    def has_reference(self) -> bool:
        """True if test images are pairs."""
        return self.settings.paired_test

    @property
    def adversarial(self) -> str:
        """The adversarial loss."""
        return self.settings.adversarial

    @classmethod
    def from_json(cls, settings: Mapping[str, JSON], seed: int) -> UnpairedTask:
        """Return the task with these settings; `seed` is that of the image pools."""
        return cls(from_json(UnpairedSettings, settings, "task_settings"), seed)

    def settings_json(self) -> dict[str, JSON]:
        """Return the settings as JSON; without pairs as earlier versions wrote them."""
        settings = to_json(self.settings)
        return {name: value for name, value in settings.items() if value or name != "paired_test"}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether there are pictures of both domains."""
        return not is_cifar(root) and root.is_dir() and has_domains(root)

    @classmethod
    def fit(cls, settings: Mapping[str, Any], model: str, inputs: InputSpec, output: OutputSpec) -> dict[str, Any]:
        """Return the settings with the channels of the images that are judged.

        Raises:
            UserError: The generator does not translate one image, or two of them cannot lead back to each other.
        """
        taken = one_image(cls.name, model, inputs)
        names = tuple(settings.get("directions", DIRECTIONS))
        if len(names) > 1 and taken.shape != output.shape:
            given, made = ("x".join(map(str, shape)) for shape in (taken.shape, output.shape))
            raise UserError(
                f"the task {cls.name} leads from A to B and back: got {model} from {given} to {made}; expected images "
                "of one shape. Try one trained generator alone (--teacher AtoB=FILE), which needs no way back."
            )
        return with_channels(settings, model, channels=output.channels)

    @classmethod
    def folder(cls, spec: DataSpec) -> SplitFolder:
        """Return the folder with its splits and domains."""
        return SplitFolder(existing(spec.source), spec.seed, DOMAINS)

    @classmethod
    def split_files(cls, spec: DataSpec, split: str, domain: str) -> list[Path]:
        """Return the images of one split and domain."""
        return cls.folder(spec).files(split, domain)

    @classmethod
    def files(cls, spec: DataSpec) -> list[Path]:
        """Return the files of all splits."""
        folder = cls.folder(spec)
        return [path for split in SPLITS for domain in DOMAINS for path in folder.files(split, domain)]

    @classmethod
    def picture_sizes(cls, spec: DataSpec, most: int) -> list[tuple[int, int]]:
        """Return heights and widths of the first training pictures that generators start from."""
        start, _ = _forms(spec)
        return sizes_of(cls.split_files(spec, "train", start)[:most])

    @classmethod
    def open(cls, spec: DataSpec, split: str) -> ImageSet:
        """Return images of both domains: {"A", "B"}, of which there may be unequally many, or pairs of a test."""
        pairs = bool(spec.settings.get("paired_test", False)) and split != "train"
        forms = {domain: spec.loaded(split, form)[0] for domain, form in _forms(spec).items()}
        if spec.source == STRIPES:
            if pairs:
                raise UserError(f"{STRIPES} has no pairs: leave out --task-setting paired_test")
            pictures = {domain: stripes(spec, split, domain, form) for domain, form in forms.items()}
            return ImageSet(spec, pictures, cls.item, independent=True)
        folder = cls.folder(spec)
        files = {domain: folder.files(split, domain) for domain in DOMAINS}
        notes, skipped, good = list(folder.notes), list[str](), dict[str, list[Path]]()
        for domain, paths in files.items():
            good[domain], bad = good_files(paths, spec.strict, planes=forms[domain].planes)
            skipped += bad
            notes += doubts_of(good[domain], forms[domain].planes)
        pairs = pairs and _are_pairs(files, folder, split)
        if pairs:
            both = _stems(good["A"]) & _stems(good["B"])
            good = {domain: sorted((p for p in paths if p.stem in both), key=_stem) for domain, paths in good.items()}
        elif split == "test" and len(files["A"]) > 1 and _stems(files["A"]) == _stems(files["B"]):
            notes.append(
                "test images of A and B have the same names: if they are pairs, --task-setting paired_test=true "
                "compares outputs with them, too"
            )
        sources = {domain: FilePictures(paths, forms[domain]) for domain, paths in good.items()}
        item = cls.paired_item if pairs else cls.item
        return ImageSet(spec, sources, item, skipped, folder.left_out, notes, independent=not pairs)

    @classmethod
    def of_items(cls, spec: DataSpec, items: OwnItems) -> ImageSet:
        """Return images of both domains of a user's own data: items of `A` and `B`, or a dataset for each.

        Raises:
            UserError: Test images are to be pairs, and there are other numbers of A and of B.
        """
        pairs = bool(spec.settings.get("paired_test", False)) and items.split != "train"
        items, forms = (items.same_length() if pairs else items).called(*((name,) for name in DOMAINS)), _forms(spec)
        start = "B" if tuple(spec.settings.get("directions", DIRECTIONS)) == ("BtoA",) else "A"
        bounds = {name: input_range(spec) if name == start else spec.own_range for name in DOMAINS}
        sources = {
            name: ItemParts(items.column(name), [of_form(spec, forms[name], bounds[name], name)]) for name in DOMAINS
        }
        return ImageSet(spec, sources, cls.paired_item if pairs else cls.item, independent=not pairs)

    @staticmethod
    def item(images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return an image of each domain, each with its own crop and mirroring.

        As upstream: A in order, B at random, so that no fixed pairs form.
        """
        number_b = None if number is None else mixed(number, 1)
        forms = _forms(images.spec)
        (a,) = images.read("A", index % images.count("A"), number, forms["A"])
        (b,) = images.read("B", (index if number_b is None else number_b) % images.count("B"), number_b, forms["B"])
        return {"A": a, "B": b}

    @classmethod
    def paired_item(cls, images: ImageSet, index: int, number: int | None) -> dict[str, Tensor]:
        """Return both images of a pair, and that they are one."""
        return {**cls.item(images, index, None), "paired": torch.tensor(True)}

    @classmethod
    def alone(cls, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return the settings under which one direction is trained without the other."""
        return {**settings, "directions": [name]}

    def n_inputs(self, data: ImageSet, name: str) -> int:
        """Return the number of images of the domain that the generator starts from."""
        return data.count(_SOURCE_DOMAIN[name])

    def n_reals(self, data: ImageSet, name: str) -> int:
        """Return the number of images of the domain that the generator leads to."""
        return data.count(_TARGET_DOMAIN[name])

    def make_discriminators(self, seed: int) -> nn.ModuleDict:
        """One discriminator a trained direction."""
        return build_discriminators(self.generator_names, self.settings.discriminator, self.settings.channels, seed)

    def inputs(self, batch: Batch, name: str) -> tuple[Tensor, ...]:
        """Return images of the domain that the generator starts from."""
        return (batch[_SOURCE_DOMAIN[name]],)

    def reference(self, batch: Batch, name: str) -> Tensor | None:
        """Return the other images of pairs; nothing for images that are none."""
        return batch[_TARGET_DOMAIN[name]] if "paired" in batch else None

    def reals(self, batch: Batch, name: str) -> Tensor:
        """Return images of the domain that the generator leads to."""
        return batch[_TARGET_DOMAIN[name]]

    def columns(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return the input, and the reference if there is one."""
        reference = self.reference(batch, name)
        return {"input": batch[_SOURCE_DOMAIN[name]], **({} if reference is None else {"target": reference})}

    def generate(self, generators: Mapping[str, Network], batch: Batch) -> dict[str, Tensor]:
        """Each generator's translation."""
        return {name: generators[name](*self.inputs(batch, name)) for name in self.generator_names}

    def judged(self, inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Return the images alone."""
        return images

    def generator_losses(
        self, generators: Mapping[str, Network], discriminators: Mapping[str, Network], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Terms "<direction>.adversarial", ".cycle", ".identity", and the translations."""
        settings = self.settings
        outputs = self.generate(generators, batch)
        terms: dict[str, Tensor] = {}
        for name in self.generator_names:
            scores = discriminators[name](outputs[name])
            terms[f"{name}.adversarial"] = generator_adversarial(settings.adversarial, scores)
            if len(self.generator_names) == 1:
                continue
            back = generators[_OPPOSITE_DIRECTION[name]](outputs[name].to(batch[_SOURCE_DOMAIN[name]].dtype))
            terms[f"{name}.cycle"] = settings.weight_cycle * l1(back, batch[_SOURCE_DOMAIN[name]])
            if settings.weight_identity > 0:
                weight = settings.weight_cycle * settings.weight_identity
                same = batch[_TARGET_DOMAIN[name]]
                terms[f"{name}.identity"] = weight * l1(generators[name](same), same)
        return terms, outputs

    def discriminator_loss(
        self, outputs: Mapping[str, Tensor], discriminators: Mapping[str, Network], batch: Batch
    ) -> Tensor:
        """Half of each discriminator's real and fake terms, summed; every call moves the image pools on."""
        losses = []
        for name in self.generator_names:
            real = discriminators[name](batch[_TARGET_DOMAIN[name]])
            fake = discriminators[name](self._pools[name].exchange(outputs[name]))
            losses.append(0.5 * discriminator_adversarial(self.settings.adversarial, real, fake))
        return torch.stack(losses).sum()

    def with_reals(self, batch: Batch, name: str, images: Tensor) -> dict[str, Tensor]:
        """Return the batch with other images of the generator's target domain."""
        return {**batch, _TARGET_DOMAIN[name]: images}

    def state(self) -> dict[str, Tensor]:
        """Return the image pools."""
        return {f"{name}.{key}": value for name, pool in self._pools.items() for key, value in pool.state().items()}

    def load_state(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Put the image pools back."""
        for name, pool in self._pools.items():
            prefix = f"{name}."
            mine = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            pool.load_state(mine, device)
