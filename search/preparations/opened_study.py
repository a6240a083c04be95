"""What every trial of a study works with: data, teacher, groups, the quality's encoder and real features."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from ...evaluators.features.cache import sample_from
from ...evaluators.features.catalog import load_encoder
from ...evaluators.features.encoders import Encoder
from ...evaluators.features.sample import FeatureSample
from ...evaluators.measurement import Measurement
from ...evaluators.quality.suite import measure_quality
from ...gan_models.checkpoints.checkpoint import load_into, load_weights
from ...gan_models.costs.cost_form import CostModel
from ...gan_models.data.dataset import ImageSet, open_split
from ...gan_models.files.atomic_files import read_json
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256
from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.groups.discovery import find_groups
from ...gan_models.networks.catalog import build
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.training.loop import best_device
from ...spaces.widths import select
from ..config import StudyConfig
from ..latency.predictor import OpenedProfile, latency_model, open_latency
from ..setup.pruned_generators import Side, examples, joined, mean_quality, new_network, pruned_names, sides_of
from .eval_images import TEST_VS_TEST, inputs_of_test

REAL = "real.safetensors"
TEACHER = "teacher.json"


class TeacherChanged(WorkFailed):
    """A file of the teacher is missing or not the one that the study was made with."""


@dataclass(frozen=True)
class Bench:
    """A study's fixed parts, loaded.

    Attributes:
        config: The study's configuration, resolved.
        device: Where networks run.
        names: The generators that are pruned.
        generators: The teacher's, by name: eval mode, frozen.
        discriminators: The teacher's, by generator name.
        groups: Of what is pruned.
        sides: Where both directions are pruned, what belongs to each.
        train_data, test_data: Images.
        encoder: Of the quality.
        real_features: Of the protocol's real images [M, d], by the generator whose outputs they are compared with.
        latency: The device's latency profile, where a budget is in ms.
    """

    config: StudyConfig
    device: torch.device
    names: tuple[str, ...]
    generators: dict[str, nn.Module]
    discriminators: nn.ModuleDict
    groups: ChannelGroups
    sides: tuple[Side, ...]
    train_data: ImageSet
    test_data: ImageSet
    encoder: Encoder
    real_features: dict[str, Tensor | FeatureSample]
    latency: OpenedProfile | None = None

    def task(self) -> Task:
        """A fresh task: it may hold an image pool, so no two runs share one."""
        return make_task(self.config.task, self.config.task_settings, self.config.seed)

    def joined(self, generators: Mapping[str, nn.Module]) -> nn.Module:
        """Of all generators those that are pruned, as one network."""
        return joined(self.config, generators)

    @property
    def latency_model(self) -> CostModel | None:
        """Prices plans of what is pruned in ms; None where no budget is in ms."""
        return latency_model(self.latency, self.groups, self.sides)

    def measure(self, model: nn.Module, *, full: bool) -> list[Measurement]:
        """Quality of what is pruned on the test images; the first one is the study's quality.

        Args:
            model: As `joined` gives it; where both directions are pruned, quality is the mean of theirs.
            full: Whether to add intervals and details; without, rungs are cheap.
        """
        if len(self.names) == 1:
            return self._measure(model, self.names[0], full)
        return mean_quality({name: self._measure(model.get_submodule(name), name, full) for name in self.names})

    def runner(self, model: nn.Module) -> Callable[..., Tensor]:
        """One generator as it is measured: on the study's device, in eval mode or as upstream pix2pix tests."""
        model = model.to(self.device).eval()
        return _in_train_mode(model, self.config.seed) if self.config.teacher_train_mode else model

    def _measure(self, model: nn.Module, name: str, full: bool) -> list[Measurement]:
        return self.measure_calls(self.runner(model), name, full=full)

    def measure_calls(self, generate: Callable[..., Tensor], name: str, *, full: bool) -> list[Measurement]:
        """As `measure`, of whatever does what the generator `name` does.

        Args:
            generate: Inputs to images, both on the bench's device.
            name: The generator.
            full: As for `measure`.
        """
        task = self.task()
        batches = (
            (task.inputs(batch, name), task.reference(batch, name))
            for batch in inputs_of_test(self.test_data, name, self.config.n_eval)
        )
        return measure_quality(
            generate,
            batches,
            self.encoder,
            self.real_features[name],
            device=self.device,
            aligned=self.config.protocol == TEST_VS_TEST,
            protocol=self.config.protocol,
            full=full,
        )


def _in_train_mode(model: nn.Module, seed: int) -> Callable[..., Tensor]:
    """As upstream pix2pix tests: dropout on, BatchNorm with the batch's statistics; its own statistics kept."""

    def generate(*inputs: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            images = model.train()(*inputs)
        model.eval()
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
        return images

    return generate


def groups_of(config: StudyConfig, model: nn.Module | None = None) -> ChannelGroups:
    """Channel groups of what the study prunes, less what patterns leave whole.

    Raises:
        ValueError: Nothing can be pruned, a pattern matches nothing, or the network cannot be traced.
    """
    if model is None:
        with torch.device("meta"):
            model = new_network(config)
    example = examples(config)
    groups = find_groups(model, example)
    left_out = select(groups.names, config.prune, config.keep)
    if left_out:
        groups = find_groups(model, example, left_out)
    if not groups.groups:
        reasons = "; ".join(f"{u.module or 'the model'}: {u.reason}" for u in groups.unpruned[:3])
        raise UserError(f"nothing in {config.model} can be pruned: {reasons or 'it has no channel group'}")
    return groups


@lru_cache(maxsize=1)
def _open(config_text: str, folder: str, digest: str) -> Bench:
    config = StudyConfig.from_json(json.loads(config_text))
    path = Path(folder)
    if not (path / TEACHER).is_file() or file_sha256(path / TEACHER) != digest:
        raise TeacherChanged(f"the teacher in {path} is not the one this study was made with; put it back")
    record = read_json(path / TEACHER) or {}
    device = best_device(config.device)
    task = make_task(config.task, config.task_settings, config.seed)
    generators: dict[str, nn.Module] = {}
    for name in task.generator_names:
        generators[name] = _load(build(config.model, config.model_args), path, f"generator-{name}", record)
    discriminators = task.make_discriminators(config.seed)
    for name in task.generator_names:
        _load(discriminators[name], path, f"discriminator-{name}", record)
    for model in (*generators.values(), *discriminators.values()):
        model.to(device).eval().requires_grad_(False)
    names = pruned_names(config)
    groups = groups_of(config, joined(config, generators).cpu())
    spec = config.data_spec()
    weights = Path(config.inception_weights) if config.inception_weights else None
    latency = open_latency(config)
    return Bench(
        config=config,
        device=device,
        names=names,
        generators=generators,
        discriminators=discriminators,
        groups=groups,
        sides=sides_of(config, groups, latency),
        train_data=open_split(spec, "train"),
        test_data=open_split(spec, "test"),
        encoder=load_encoder(config.metric, weights).to(device),
        real_features=_real_features(load_weights(path / REAL), names),
        latency=latency,
    )


def _real_features(tensors: dict[str, Tensor], names: tuple[str, ...]) -> dict[str, Tensor | FeatureSample]:
    """By generator: features where all are kept, else the sample's parts, whose names begin with the generator's."""

    def parts(name: str) -> dict[str, Tensor]:
        start = f"{name}/"
        return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}

    return {name: tensors[name] if name in tensors else sample_from(parts(name)) for name in names}


def _load(model: nn.Module, folder: Path, name: str, record: Mapping[str, object]) -> nn.Module:
    path = folder / f"{name}.safetensors"
    files = record.get("files")
    known = files.get(path.name) if isinstance(files, Mapping) else None
    if not path.is_file() or file_sha256(path) != known:
        raise TeacherChanged(f"{path} is missing or not the file this study was made with; put it back")
    load_into(model, path)
    return model


def open_bench(config: StudyConfig, teacher: Mapping[str, object]) -> Bench:
    """The bench of a study; a worker keeps the last one, because trials of one study follow each other.

    Args:
        config: Resolved configuration.
        teacher: The teacher's artifact: `path` (its folder) and `sha256` of its record.

    Raises:
        TeacherChanged: Its files are not those of the study.
    """
    return _open(json.dumps(config.to_json(), sort_keys=True), str(teacher["path"]), str(teacher["sha256"]))
