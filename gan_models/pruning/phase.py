"""A method's own training before the cut: the training loop over the job's data, with the job's identity."""

from __future__ import annotations

from ..files.errors import UserError
from ..files.plain_values import JSON, from_json, to_json
from ..files.seeds import mixed
from ..training import loop
from ..training.loop import Phase
from ..training.recipe import Recipe, TrainRecord
from .method import PruneJob


def run_phase(phase: Phase, job: PruneJob, steps: int) -> TrainRecord:
    """Train a phase for at most `steps` generator steps; go on from the checkpoint in `job.workspace`.

    Raises:
        TrainingDiverged: A recorded value is not finite.
        UserError: The job has no data or device, no steps, or the checkpoint is of another job.
    """
    if job.data is None or job.device is None:
        raise UserError("training needs data and a device")
    identity: dict[str, JSON] = {
        "name": job.name,
        "cost": job.target.cost,
        "target": job.target.value,
        "settings": to_json(job.settings),
        "recipe": dict(job.recipe),
        "seed": job.seed,
        "steps": steps,
    }
    return loop.run_phase(
        phase, job.data, batch_size=from_json(Recipe, job.recipe).batch_size, steps=steps, seed=mixed(job.seed, 50),
        identity=identity, device=job.device, checkpoint_dir=job.workspace,
        checkpoint_every=loop.checkpoint_cadence(steps), on_step=job.on_step,
    )  # fmt: skip
