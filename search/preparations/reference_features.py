"""The features of the real images that a study's quality is measured against."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...evaluators.features.cache import sample_from, sample_tensors
from ...evaluators.features.sample import FeatureSample
from ...gan_models.checkpoints.checkpoint import load_weights, save_weights
from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.hashes import json_sha256
from ..setup.study_parts import StudyParts
from .eval_images import real_images
from .preparation import PreparedArtifact, Progress

REAL = "real.safetensors"
FOLDER = "teacher"  # beside the teacher's files, as version 0.1.0 has it
IDENTITY = "identity"  # in the file: sha256 of the images' pixels and of the encoder, uint8 [32]
TOLERANCE = 1e-4  # relative to the largest feature: another number of threads adds in another order


class ReferenceFeaturesPreparation:
    """Real images in the encoder's features, by the generator whose outputs they are compared with."""

    def wanted(self, study: StudyParts) -> bool:
        """Return True: every study measures quality."""
        return True

    def fingerprint(self, study: StudyParts) -> str:
        """Return a hash of the data, the encoder, and which images are compared."""
        config = study.config
        parts = [study.data_sha256, study.encoder.name, study.encoder.sha256, config.protocol, config.n_eval]
        return json_sha256([*parts, list(study.names)])

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Compute them, or take them from the cache by content."""
        path = folder / FOLDER / REAL
        if not path.is_file():
            save_weights(computed(study), path)
        return PreparedArtifact.of("reference_features", self.fingerprint(study), folder, [path])

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> dict[str, Tensor | FeatureSample]:
        """Return features by generator: all of them, or the sample's parts.

        Raises:
            WorkFailed: The file is missing, or not the one of the artifact.
        """
        if changed := artifact.changed(folder):
            raise WorkFailed(f"{folder / next(iter(changed))} is not the file this study was made with; put it back")
        return by_generator(load_weights(folder / FOLDER / REAL), study.names)


def computed(study: StudyParts) -> dict[str, Tensor]:
    """Return the features of the data and in the encoder that there are now, as named tensors, and their identity."""
    tensors: dict[str, Tensor] = {}
    digest = hashlib.sha256(f"{study.encoder.name} {study.encoder.sha256} {study.encoder.preprocessing}".encode())
    for name in study.names:
        images = real_images(study, name)
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
    """Return if two sets of named tensors are of the same images in the same encoder.

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


REFERENCE_FEATURES = ReferenceFeaturesPreparation()
