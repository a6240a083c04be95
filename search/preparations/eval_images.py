"""The images of a quality measurement: inputs of a split, and the real images of the study's protocol.

Shapes: M real images, d features.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ...evaluators.features.cache import cached_sample
from ...evaluators.features.encoders import Encoder
from ...evaluators.features.sample import FeatureSample
from ...gan_models.data.dataset import ImageSet, in_order
from ...gan_models.data.spec import DataSpec
from ...gan_models.files.pictures.colors import LAB_PARTS
from ...gan_models.files.pictures.picture_reader import READING_CONVENTION
from ...gan_models.files.plain_values import to_json
from ...gan_models.networks.colors import to_rgb
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tasks.task import Task, make_task
from ...gan_models.tasks.task_data import fingerprint, open_split
from ..config import SPLIT_LABELS
from ..setup.study_parts import StudyParts

EVAL_BATCH = 32  # batch size; for unconditional tasks it determines the latents
FIRST_STEP = {"test": 0, "select": 1 << 30}  # first step of measured batches; random inputs of tasks depend on the step
TEST_VS_TEST = "test-vs-test"
# Fields of the data, other than its files, that determine the real images.
_SAMPLE_FIELDS = ("task", "output", "direction", "seed", "n_train", "n_test")
# Protocol -> the splits of its real images; `test` means the measured split.
SPLITS = {TEST_VS_TEST: ("test",), "test-vs-train+test": ("train", "test"), "test-vs-train": ("train",)}


@dataclass(frozen=True)
class RealImages:
    """The real images of one generator: data, split and number.

    Attributes:
        spec: The data.
        network: The generator whose outputs they are compared with.
        protocol: A name of `config.PROTOCOLS`.
        limit: Maximum number of images of the measured split; 0: all. All training images are used.
        open_split: Function that opens a split; a study's open split is reused.
        settings: Settings of the task.
        split: The measured split, `test` or `select`.
        make: Function that makes the study's task, possibly with its teacher; None: a task from the settings.
        taught_by: Hash of the teacher, if the images are its outputs; empty if they are data.
    """

    spec: DataSpec
    network: str
    protocol: str = TEST_VS_TEST
    limit: int = 0
    open_split: Callable[[DataSpec, str], ImageSet] = open_split
    settings: Mapping[str, Any] = field(default_factory=dict)
    split: str = "test"
    make: Callable[[], Task] | None = None
    taught_by: str = ""

    def features(
        self,
        encoder: Encoder,
        device: torch.device | str,
        content: str = "",
        look: Callable[[Tensor], None] | None = None,
    ) -> FeatureSample:
        """Return the images' features, from the cache or computed once.

        Args:
            encoder: Encoder of the quality.
            device: Device of the encoder.
            content: The data's fingerprint, if known.
            look: Called with each batch of the images, on the CPU; images are read once for both.
        """
        opened = False

        def images() -> Iterator[Tensor]:
            nonlocal opened
            opened = True
            for batch in self.batches():
                if look is not None:
                    look(batch)
                yield batch.to(device)

        how = {name: value for name, value in to_json(self.spec).items() if name in _SAMPLE_FIELDS}
        how |= {"selects": True} if self.spec.selects else {}
        how |= {"inputs": self.spec.inputs.text} if self.spec.output.color in LAB_PARTS else {}
        how["reading"] = READING_CONVENTION
        how |= {"taught_by": self.taught_by} if self.taught_by else {}
        own = [] if _reads_alike(self.spec.task) else [dict(self.settings)]
        said = protocol_of(self.protocol, self.split)
        reading = json.dumps([how, self.network, said, self.limit, *own], sort_keys=True)
        sample = cached_sample(images, encoder, content or fingerprint(self.spec), reading, device)
        if look is not None and not opened:  # the features were known
            for batch in self.batches():
                look(batch)
        return sample

    def batches(self) -> Iterator[Tensor]:
        """Yield the images as RGB (n, 3, H, W), each once, without augmentation."""
        # Training images are read like test images: at the compared size, without a margin for crops.
        spec = replace(self.spec, load_size=None)
        task = make_task(self.spec.task, self.settings, self.spec.seed) if self.make is None else self.make()
        color = self.spec.output.color
        for side in SPLITS[self.protocol]:
            measured = side == "test"
            data = self.open_split(spec, self.split if measured else side)
            count = _limited(task.n_reals(data, self.network), self.limit if measured else 0)
            shift = FIRST_STEP[self.split] if measured else 0
            for entries in in_order(data, EVAL_BATCH, count):
                batch = entries | {"step": entries["step"] + shift}  # random inputs are the same as those of outputs
                inputs = task.inputs(batch, self.network) if color in LAB_PARTS else ()
                yield to_rgb(task.reals(batch, self.network), color, inputs)


def protocol_of(protocol: str, split: str) -> str:
    """Return the name of a protocol on one split: `selection-vs-train` is `test-vs-train` on the selection split."""
    return protocol.replace("test", SPLIT_LABELS[split])


def _reads_alike(task: str) -> bool:
    """Return True if real images are the same under all settings of a task; False for other packages' tasks."""
    return task in TASKS.own and not TASKS.own[task].asked_by


def real_images(parts: StudyParts, name: str, split: str) -> RealImages:
    """Return the real images for comparison with a generator's outputs for the inputs of a split."""
    config = parts.config
    spec, settings = parts.data_spec(), dict(config.task_settings)
    return RealImages(
        spec, name, config.protocol, config.n_eval, parts.split, settings, split, parts.task, parts.taught_by
    )


def inputs_of(
    task: Task, data: ImageSet, network: str, limit: int = 0, split: str = "test"
) -> Iterator[dict[str, Tensor]]:
    """Yield batches of a split's entries in order, each input of this generator once.

    Args:
        task: The task.
        data: The split.
        network: The generator.
        limit: Maximum number of inputs; 0: all.
        split: Name of the split: latents depend on the batch's step, and differ between splits.
    """
    for batch in in_order(data, EVAL_BATCH, _limited(task.n_inputs(data, network), limit)):
        yield batch | {"step": batch["step"] + FIRST_STEP[split]}


def _limited(count: int, limit: int) -> int:
    return min(count, limit) if limit else count
