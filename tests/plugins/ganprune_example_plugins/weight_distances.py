"""A preparation: distances between the channels of the teacher's weights, computed once per study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganprune.gan_models.files.errors import WorkFailed
from ganprune.search.preparations.preparation import PreparationRow, Progress, needed_by_methods
from ganprune.search.records.prepared_artifact import PreparedArtifact

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

NAME = "weight_distances"
FILE = "teacher/weight-distances.safetensors"


def distances(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return weight and axis, as `name/axis` -> sum of each channel's distances to all others, mean 1, float64."""
    import torch

    found = {}
    for name, tensor in model.named_parameters():
        for axis in range(min(2, tensor.ndim)) if tensor.ndim > 1 else ():
            rows = tensor.detach().cpu().double().movedim(axis, 0).flatten(1)
            total = torch.cdist(rows, rows).sum(1)
            found[f"{name}/{axis}"] = total / max(float(total.mean()), 1e-30)
    return found


class WeightDistances:
    """Distances of every generator of the teacher, for methods that ask for them."""

    def wanted(self, study: Any) -> bool:
        """Return if a method's row names it."""
        return needed_by_methods(study.config, NAME)

    def fingerprint(self, study: Any) -> str:
        """Return what the file follows from: the teacher's configuration."""
        return study.config.fingerprint()

    def make(self, study: Any, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Compute the distances from the teacher, which is prepared before."""
        from ganprune.gan_models.checkpoints.checkpoint import save_weights

        if not (folder / FILE).is_file():
            every = {name: distances(model) for name, model in study.load("teacher").generators.items()}
            save_weights(
                {f"{name}|{key}": value for name, own in every.items() for key, value in own.items()}, folder / FILE
            )
        return PreparedArtifact.of(NAME, self.fingerprint(study), folder, [folder / FILE])

    def load(self, study: Any, folder: Path, artifact: PreparedArtifact) -> dict[str, dict[str, torch.Tensor]]:
        """Return the distances by generator. Raises WorkFailed: the file is another one."""
        from ganprune.gan_models.checkpoints.checkpoint import load_weights

        if changed := artifact.changed(folder):
            raise WorkFailed(f"{folder / next(iter(changed))} is not this study's: {changed}; put it back")
        found: dict[str, dict[str, torch.Tensor]] = {}
        for name, value in load_weights(folder / FILE).items():
            generator, _, key = name.partition("|")
            found.setdefault(generator, {})[key] = value
        return found


DISTANCES = WeightDistances()
WEIGHT_DISTANCES = PreparationRow(f"{__name__}:DISTANCES")
