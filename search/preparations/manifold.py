"""The teacher's learned manifold, by generator and encoder: made by the first trial that needs it, then shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ...gan_models.checkpoints.checkpoint import CheckpointError, load_weights, save_weights
from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.hashes import text_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.groups.surgery import copy_network
from ...gan_models.pruning.mggc.local_density import features_of
from ...gan_models.pruning.mggc.manifold import Manifold, Samples, identity, learned_manifold
from ..artifacts.remote import SHARED
from .preparation import PreparedArtifact, Progress, needed_by_methods
from .prepared_study import PreparedStudy

# Part of a manifold -> its tensor in the file; files of earlier versions are read, too.
FILE_KEYS = {"entries": "entries", "features": "features", "neighbors": "neighbours", "distances": "distances"}

Manifolds = Callable[[str, str], Manifold]  # (generator, `trial` or `discriminator`) -> its manifold


class ManifoldPreparation:
    """The samples of the teacher and their neighbors."""

    def wanted(self, study: PreparedStudy) -> bool:
        """Return True if a method of the study uses it."""
        return needed_by_methods(study.config, "manifold")

    def fingerprint(self, study: PreparedStudy) -> str:
        """Return a hash of the data, the teacher's configuration and the encoder."""
        parts = [study.data_sha256, study.config.fingerprint(), study.encoder.sha256]
        return text_sha256("\n".join(parts))

    def make(self, study: PreparedStudy, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Gather what trials have made so far; nothing is computed here."""
        return PreparedArtifact.of(
            "manifold", self.fingerprint(study), folder, sorted((folder / SHARED).glob("manifold-*.safetensors"))
        )

    def load(self, study: PreparedStudy, folder: Path, artifact: PreparedArtifact) -> Manifolds:
        """Return the source of manifolds by generator and encoder: each is computed at first use, and then read.

        Raises:
            WorkFailed: A file is missing, or differs from the artifact's.
        """
        if changed := artifact.changed(folder):
            raise WorkFailed(
                f"{folder / next(iter(changed))} is not the file of this study: got another content. Try to put it back"
            )
        opened: dict[tuple[str, str], Manifold] = {}

        def manifold(name: str, encoder: str) -> Manifold:
            if (name, encoder) not in opened:
                opened[name, encoder] = made(study, folder / SHARED, name, encoder)
            return opened[name, encoder]

        return manifold


def made(study: PreparedStudy, shared: Path, name: str, encoder: str) -> Manifold:
    """Return one manifold: read if its file is complete, else computed and written atomically.

    The file's name is a hash of data, teacher, inputs and encoder, so that a change of any makes a new file.

    Args:
        study: The study, with its teacher.
        shared: Folder of the files that trials make.
        name: The generator.
        encoder: Encoder that defines neighbors: `trial` or `discriminator`.
    """
    task, device, data = study.task(), study.device, study.train_data
    teacher, judge = (
        copy_network(network).to(device).eval().requires_grad_(False)
        for network in (study.generators[name], study.discriminators[name])
    )
    _, encode = features_of(encoder, study.output_encoder, task, judge)
    samples = Samples(task, name, data, device)
    content = f"{study.data_sha256}{json.dumps(to_json(data.spec), sort_keys=True)}"
    path = shared / f"manifold-{identity(teacher, samples, encode, content)}.safetensors"
    if (known := _read(path)) is not None:
        return known
    manifold = learned_manifold(teacher, samples, encode)
    save_weights({name: getattr(manifold, part) for part, name in FILE_KEYS.items()}, path)
    return manifold


def _read(path: Path) -> Manifold | None:
    """Return a manifold; None if the file is missing, or incomplete after a transfer."""
    if not path.is_file():
        return None
    try:
        tensors = load_weights(path)
        return Manifold(**{part: tensors[name] for part, name in FILE_KEYS.items()})
    except (CheckpointError, KeyError):
        return None


MANIFOLD = ManifoldPreparation()
