"""The features of the real images of a study's quality, per measured split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...evaluators.features.cache import sample_from, sample_tensors
from ...evaluators.features.sample import FeatureSample
from ...gan_models.checkpoints.checkpoint import load_weights, save_weights
from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.hashes import json_sha256
from ..setup.study_parts import StudyParts
from .eval_images import protocol_of, real_images
from .preparation import PreparedArtifact, Progress

REAL, REAL_OF_TEST = "real.safetensors", "real-test.safetensors"
FOLDER = "teacher"  # file next to the teacher's files, as in version 0.1.0
IDENTITY = "identity"  # key in the file: sha256 of the images' pixels and of the encoder, uint8 [32]
TOLERANCE = 1e-4  # tolerance relative to the largest feature: another number of threads adds in another order


@dataclass(frozen=True)
class ReferenceFeaturesPreparation:
    """The preparation of real images' features, by generator.

    Attributes:
        name: Name of its row in the table.
        file: Name of its file.
        of_test: True for the test split, if trials are compared on another one; False for the split of trials.
    """

    name: str
    file: str
    of_test: bool = False

    def wanted(self, study: StudyParts) -> bool:
        """Return True if the split is measured; the split of trials always is."""
        return not self.of_test or study.config.scored_on != "test"

    def split(self, study: StudyParts) -> str:
        """Return the split that is measured."""
        return "test" if self.of_test else study.config.scored_on

    def fingerprint(self, study: StudyParts) -> str:
        """Return a hash of the data, the encoder, and which images are compared."""
        config = study.config
        said = protocol_of(config.protocol, self.split(study))
        parts = [study.data_sha256, study.encoder.name, study.encoder.sha256, said, config.n_eval]
        return json_sha256([*parts, list(study.names), *(["selects"] if config.scored_on == "select" else [])])

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Compute them, or read them from the cache by content."""
        path = folder / FOLDER / self.file
        if not path.is_file():
            save_weights(computed(study, self.split(study)), path)
        return PreparedArtifact.of(self.name, self.fingerprint(study), folder, [path])

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> dict[str, Tensor | FeatureSample]:
        """Return features by generator: all of them, or the sample's parts.

        Raises:
            WorkFailed: The file is missing, or differs from the artifact's.
        """
        if changed := artifact.changed(folder):
            raise WorkFailed(
                f"{folder / next(iter(changed))} is not the file of this study: got another content. Try to put it back"
            )
        return by_generator(load_weights(folder / FOLDER / self.file), study.names)


def computed(study: StudyParts, split: str = "test") -> dict[str, Tensor]:
    """Return the features of the present data in the present encoder as named tensors, with their identity.

    Args:
        study: The study.
        split: The measured split.
    """
    tensors: dict[str, Tensor] = {}
    digest = hashlib.sha256(f"{study.encoder.name} {study.encoder.sha256} {study.encoder.preprocessing}".encode())
    for name in study.names:
        images = real_images(study, name, split)
        digest.update(f"{name}\n".encode())
        sample = images.features(
            study.encoder,
            study.device,
            study.data_sha256,
            lambda images_NCHW: digest.update(images_NCHW.contiguous().numpy().tobytes()),
        )
        own = {f"{name}/{key}": value for key, value in sample_tensors(sample).items()}
        tensors |= {name: sample.features} if sample.whole else own
    return tensors | {IDENTITY: torch.tensor(list(digest.digest()), dtype=torch.uint8)}


def by_generator(tensors: Mapping[str, Tensor], names: tuple[str, ...]) -> dict[str, Tensor | FeatureSample]:
    """Return named tensors as features by generator."""

    def own(name: str) -> dict[str, Tensor]:
        start = f"{name}/"
        return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}

    return {name: tensors[name] if name in tensors else sample_from(own(name)) for name in names}


def same_features(before: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> bool:
    """Return True if two sets of named tensors belong to the same images and encoder.

    Their identity decides; features of version 0.1.0 have none, and are compared up to rounding.
    """
    if IDENTITY in before and IDENTITY in now:
        return torch.equal(before[IDENTITY], now[IDENTITY])
    before, now = ({name: x for name, x in each.items() if name != IDENTITY} for each in (before, now))
    if set(before) != set(now) or any(before[name].shape != now[name].shape for name in now):
        return False
    return all(
        torch.allclose(
            before[name].double(), value.cpu().double(), rtol=0, atol=TOLERANCE * float(value.abs().max() + 1e-12)
        )
        for name, value in now.items()
    )


REFERENCE_FEATURES = ReferenceFeaturesPreparation("reference_features", REAL)
TEST_FEATURES = ReferenceFeaturesPreparation("test_features", REAL_OF_TEST, of_test=True)
