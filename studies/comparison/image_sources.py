"""Inputs of `fid` and `compare`: folders of images, statistics, bundles, trials; and their features.

Shapes: N images, d features.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.features.cache import cached_sample
from ...evaluators.features.encoders import Encoder
from ...evaluators.features.image_folders import content_of, folder_batches, readable_files
from ...evaluators.features.sample import FeatureSample
from ...evaluators.features.statistics import FeatureStatistics
from ...gan_models.data.dataset import ImageSet
from ...gan_models.data.spec import DataSpec, PictureForm
from ...gan_models.files.errors import UserError
from ...gan_models.files.pictures.image_size import read_image_size
from ...gan_models.files.pictures.picture_reader import READING_CONVENTION
from ...gan_models.networks.colors import to_rgb
from ...gan_models.networks.specs import OutputSpec
from ...gan_models.networks.value_ranges import usual, with_usual_ranges
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.tasks.task_data import open_split
from ...gan_models.training.loop import best_device
from ...search.artifacts.study_folder import StudyFolder
from ...search.configuration.recognized_teacher import PREFIX
from ...search.configuration.sections import PROTOCOLS
from ...search.preparations.eval_images import TEST_VS_TEST, RealImages, inputs_of, real_images
from ...search.preparations.opened_study import OpenedStudy
from ..bundles.bundle import MANIFEST, find_task_code, load_bundle, read_architecture, read_card
from ..bundles.trial_weights import open_recorded, trial_generator
from ..results.outcome import outcome_of

TRIAL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):(\d+|teacher)")
ACCEPTED_SOURCES = (
    "give a folder of images, an .npz of statistics, a bundle of `ganprune export`, a trial as STUDY:NUMBER, or "
    f"weights that say their network, {PREFIX}FILE"
)

Generate = Callable[..., Tensor]


@dataclass(frozen=True)
class Inputs:
    """Inputs of generators, and the real images that their outputs are compared with.

    Attributes:
        batches: Opens batches of inputs, with their references if there are any.
        real: Features of the protocol's real images.
        paired: True if each input has its own target.
        protocol: Name of the protocol.
        data: The data's source.
        real_images: Opens the real images themselves.
        weights: Weight files of the study's metrics by name.
        color: Color of the generators' outputs.
        border: Pixels at each side that comparisons with targets leave out.
        label_map: Place of a label map among the inputs, and its classes; None if there is none.
    """

    batches: InputBatches
    real: FeatureSample
    paired: bool
    protocol: str
    data: str
    real_images: Callable[[], Iterator[Tensor]] | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)
    border: int = 0
    color: str = "rgb"
    label_map: tuple[int, int] | None = None

    def rgb(self, images: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return outputs, or their references, as RGB (n, 3, H, W)."""
        return to_rgb(images, self.color, inputs)

    @property
    def told_of_task(self) -> dict[str, Any]:
        """Return the task's facts for metrics, by name: see `MetricSpec.takes`."""
        return {"border": self.border, "label_map": self.label_map}

    @property
    def aligned(self) -> bool:
        """Return True if real image i is the target of input i."""
        return self.paired and self.protocol == TEST_VS_TEST


@dataclass(frozen=True)
class InputBatches:
    """A test set's inputs for one generator."""

    images: ImageSet
    task: str
    settings: Mapping[str, Any]
    seed: int
    network: str
    limit: int

    def make(self) -> Task:
        """Return the task that makes inputs of batches."""
        return make_task(self.task, dict(self.settings), self.seed)

    def __call__(self) -> Iterator[tuple[tuple[Tensor, ...], Tensor | None]]:
        """Yield the inputs (n, ...) and their reference (n, C, H, W) or None, in order."""
        task = self.make()
        for batch in inputs_of(task, self.images, self.network, self.limit):
            yield task.inputs(batch, self.network), task.reference(batch, self.network)


def kind_of(source: str) -> str:
    """Return the kind of a source: `trial`, `statistics`, `bundle`, `weights` or `images`.

    Raises:
        ValueError: It is none of these; the message lists them.
    """
    path = Path(source).expanduser()
    if source.startswith(PREFIX):
        return "weights"
    if not path.exists():
        if TRIAL.fullmatch(source):
            return "trial"
        raise UserError(f"{source} does not exist; {ACCEPTED_SOURCES}")
    if path.is_dir():
        return "bundle" if (path / MANIFEST).is_file() else "images"
    if path.suffix == ".npz":
        return "statistics"
    raise UserError(f"{source} is a file; {ACCEPTED_SOURCES}")


def files_features(source: str, encoder: Encoder, device: torch.device, workers: int = 0) -> FeatureSample:
    """Return the features of a folder's images, each at its own size as in pytorch-fid, from the cache if known."""
    files = readable_files(Path(source).expanduser())
    reading = f"each image at its own size, RGB, {READING_CONVENTION}"
    return cached_sample(lambda: folder_batches(files, workers=workers), encoder, content_of(files), reading, device)


def files_batches(source: str, workers: int = 0) -> Callable[[], Iterator[Tensor]]:
    """Return a function that opens a folder's images, (n, 3, H, W) in [-1, 1] per batch, each at its own size."""
    return lambda: folder_batches(readable_files(Path(source).expanduser()), workers=workers)


def statistics_file(source: str, encoder: Encoder) -> FeatureStatistics:
    """Return the statistics of an `.npz`, checked against the encoder's dimension."""
    found = FeatureStatistics.load(Path(source).expanduser())
    if found.dimension != encoder.dimension:
        raise UserError(
            f"{source} holds statistics of {found.dimension} features, the encoder {encoder.name!r} gives "
            f"{encoder.dimension}; expected equal dimensions. Try another --metric"
        )
    return found


def bundle_inputs(
    source: str,
    data: str,
    encoder: Encoder,
    device: torch.device,
    protocol: str,
    direction: str,
    n_eval: int,
    catalog_only: bool = False,
) -> Inputs:
    """Return the test inputs of `data` for a bundle's generator, and the real images to compare with.

    Args:
        source: The bundle's folder.
        data: A data source in the layout of the bundle's task.
        encoder: Encoder of the quality.
        device: Device of the encoder.
        protocol: A name of `config.PROTOCOLS`; empty: the one of the bundle's study.
        direction: AtoB or BtoA for pairs; empty: that of the bundle's study.
        n_eval: Maximum number of test images; 0: all.
        catalog_only: True to refuse a bundle whose task is not in ganprune's catalog.
    """
    folder = Path(source).expanduser()
    find_task_code(folder, catalog_only)
    architecture, line = read_architecture(folder), read_card(folder).lineage
    kind = TASKS.find(architecture.task).load()
    inputs = architecture.inputs
    name = protocol or str(line.get("protocol", TEST_VS_TEST))
    if name not in PROTOCOLS:
        raise UserError(f"protocol {name!r} is unknown; use {', '.join(PROTOCOLS)}")
    # Built-in data depend on seed and counts: those of the study give its own test images again.
    size = inputs.pixels or read_image_size(line["image_size"])
    output = architecture.output or OutputSpec(3, size)  # earlier versions had only images of the inputs' size
    # Bundles of earlier versions lack the task's settings, which then have defaults.
    settings = kind.fit(dict(line.get("task_settings", {})), architecture.model, inputs, output)
    spec = DataSpec(
        source=data,
        task=architecture.task,
        inputs=usual(inputs),
        output=PictureForm.of(output),
        direction=direction or str(line.get("direction", "AtoB")),
        seed=int(line.get("seed", 0)),
        n_train=int(line.get("n_train", DataSpec.n_train)),
        n_test=int(line.get("n_test", DataSpec.n_test)),
        settings=settings,
        own_inputs=inputs,
        own_range=output.value_range,
    )
    limit = n_eval or int(line.get("n_eval", 0))
    return test_inputs(spec, architecture.network, name, limit, encoder, device)


def test_inputs(
    spec: DataSpec, network: str, protocol: str, limit: int, encoder: Encoder, device: torch.device
) -> Inputs:
    """Return the test inputs of some data for one generator of its task, and the real images to compare with.

    Args:
        spec: The data, with task settings that fit the generator.
        network: The generator.
        protocol: A name of `config.PROTOCOLS`.
        limit: Maximum number of test images; 0: all.
        encoder: Encoder of the quality.
        device: Device of the encoder.
    """
    settings = dict(spec.settings)
    batches = InputBatches(open_split(spec, "test"), spec.task, settings, spec.seed, network, limit)
    real = RealImages(spec, network, protocol, limit, settings=settings)
    task = batches.make()
    return Inputs(
        batches,
        real.features(encoder, device),
        task.has_reference,
        protocol,
        spec.source,
        real.batches,
        border=getattr(task, "border", 0),
        color=spec.output.color or "rgb",
        label_map=spec.inputs.label_map,
    )


@dataclass(frozen=True)
class StudyTrials:
    """Generators of one study, to be measured again on the study's own data.

    Attributes:
        bench: The study, opened.
        generators: Its generators by reference (`STUDY:3`, `STUDY:teacher`).
        inputs: Their inputs.
    """

    bench: OpenedStudy
    generators: Mapping[str, Generate]
    inputs: Inputs


def study_trials(references: list[str], storage: str, artifacts: str | None, network: str, device: str) -> StudyTrials:
    """Return trials of one study by reference.

    Raises:
        ValueError: Trials belong to two studies, a trial does not exist, or there are two generators and none is
            chosen.
        ArtifactError: A trial has no weights.
    """
    from ..api import Study

    parsed = [match.groups() for reference in references if (match := TRIAL.fullmatch(reference))]
    names = sorted({name for name, _ in parsed})
    if len(names) != 1:
        raise UserError(f"trials of {' and '.join(names)}: export both and compare the bundles on one --data")
    study = Study.open(names[0], storage, artifacts)
    folder = StudyFolder(study.artifacts, names[0])
    bench = open_recorded(outcome_of(study.record), folder, device)
    if network and network not in bench.names:
        raise UserError(f"study {names[0]} prunes {', '.join(bench.names)}, not {network}")
    if len(bench.names) > 1 and not network:
        raise UserError(f"study {names[0]} prunes {' and '.join(bench.names)}: expected one of them. Try --network")
    name = network or next(iter(bench.names))
    full, groups = bench.full_network(), bench.groups
    generators: dict[str, Generate] = {}
    for reference, (_, number) in zip(references, parsed, strict=True):
        if number == "teacher":
            generators[reference] = bench.quality.runner(bench.generators[name])
            continue
        trial = next((t for t in study.trials if t.number == int(number)), None)
        if trial is None:
            raise UserError(f"study {names[0]} has no trial {number}; it has 0 to {len(study.trials) - 1}")
        model = trial_generator(study.config, folder, trial, full, groups)[0]
        generators[reference] = bench.quality.runner(model if len(bench.names) == 1 else model.get_submodule(name))
    config = bench.config
    batches = InputBatches(bench.test_data, config.task, config.task_settings, config.seed, name, config.n_eval)
    features = bench.test_quality.real_features[name]
    real = features if isinstance(features, FeatureSample) else FeatureSample(len(features), features)
    inputs = Inputs(
        batches,
        real,
        bench.task().has_reference,
        config.protocol,
        config.data,
        real_images(bench, name, "test").batches,
        config.weight_files,
        getattr(bench.task(), "border", 0),
        bench.output.color or "rgb",
        config.inputs.label_map,
    )
    return StudyTrials(bench, generators, inputs)


def check_eats(bundle: str, batches: InputBatches) -> None:
    """Raise ValueError if a bundle's generator does not take the other generator's inputs."""
    architecture = read_architecture(Path(bundle).expanduser())
    shapes = tuple(tuple(x.shape[1:]) for x in next(batches())[0])
    taken = tuple(one.shape for one in architecture.inputs.inputs)
    theirs, ours = (architecture.task, architecture.network, taken), (batches.task, batches.network)
    if theirs != (*ours, shapes):
        raise UserError(
            f"{bundle} is {theirs[1]} of the task {theirs[0]} for inputs {theirs[2]}; the other is {ours[0]} "
            f"{ours[1]} for {shapes}: these cannot be compared"
        )


def generator_of(source: str, device: torch.device, catalog_only: bool) -> nn.Module:
    """Return a bundle's generator on a device; its images have the common range of all data."""
    architecture = read_architecture(Path(source).expanduser())
    network = load_bundle(source, catalog_only).to(device)
    return with_usual_ranges(network, architecture.inputs, architecture.output_range)


def device_of(name: str) -> torch.device:
    """Return the device of a name."""
    return best_device(name)
