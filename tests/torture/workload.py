"""The workload under torture: the real search on the smallest networks, with a log of every training step.

Importable by name in drivers and in Ray's workers. The log is written by wrapping the training loop in these
processes; nothing of ganprune knows of it.
"""

import copy
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from ganprune.gan_models.pruning import catalog
from ganprune.gan_models.pruning.baseline_settings import MagnitudeSettings
from ganprune.gan_models.pruning.baselines import Magnitude
from ganprune.gan_models.pruning.method import MethodSpec, Pruned, PruneJob
from ganprune.gan_models.pruning.trained_method import run_phase
from ganprune.gan_models.training import loop
from ganprune.gan_models.training.step import Trainer
from ganprune.search.records.messages import TrialOutcome, TrialRequest
from ganprune.search.trial import trial

PRUNE, FINETUNE = 6, 12
OPTIONS = {
    "model_args": {"ngf": 4, "n_blocks": 1}, "image_size": 16, "n_train": 8, "n_test": 8, "teacher_steps": 4,
    "prune_steps": PRUNE, "finetune_steps": FINETUNE, "rungs": (0.25, 0.5, 0.75), "reduction": 2, "metric": "shapes",
    "methods": ("uniform", "nudged"), "device": "cpu", "deterministic": True, "batch": 2, "seed": 6,
    "task_settings": {"discriminator": {"model": "n_layers", "ndf": 4, "n_layers": 1}},
    "recipe": {"batch_size": 2, "distill_output": 10.0}, "teacher_recipe": {"batch_size": 2},
}  # fmt: skip
LOG = "steps.log"  # scenarios.py reads it
_where: list[Path] = []


def log(line: str) -> None:
    """One line, written whole: a kill leaves none in part."""
    if _where:
        file = os.open(_where[0] / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{line}\n".encode())
        os.close(file)


class Nudge:
    """A training phase: the generator follows its teacher on noisy inputs."""

    batches_per_step = 1

    def __init__(self, job: PruneJob, model: torch.nn.Module):
        self.job, self.model = job, model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step(self, step, batch_at):
        log(f"step prune {step}")
        inputs = batch_at()["input"]
        inputs = inputs + 0.1 * torch.randn_like(inputs)
        loss = (self.model(inputs) - self.job.model(inputs)).abs().mean() + 1e-3 * sum(
            p.abs().mean() for p in self.model.parameters()
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def kind_of_step(self, step):
        return None

    def finished(self, done):
        return False

    def state(self):
        return dict(self.model.state_dict()), {}

    def load_state(self, tensors, info):
        self.model.load_state_dict(tensors)


class Nudged:
    """A learned method that trains before it cuts, with its own checkpoint."""

    def prune(self, job: PruneJob) -> Pruned:
        with torch.random.fork_rng(devices=[]):
            model = copy.deepcopy(job.model).requires_grad_(True)
        record = run_phase(Nudge(job, model), job, job.training.steps)
        cut = Magnitude().prune(
            replace(
                job, model=model.requires_grad_(False), proposal=replace(job.proposal, settings=MagnitudeSettings())
            )
        )
        return replace(cut, steps=record.steps)


def _logged_step(step):
    def logged(self, done, *rest):
        log(f"step finetune {done}")
        return step(self, done, *rest)

    return logged


def _logged_save(save):
    def logged(folder, tensors, info):
        save(folder, tensors, info)
        log(f"saved {'prune' if 'prune' in folder.parts else 'finetune'} {info['done']}")

    return logged


def install() -> None:
    """The method is known, steps and checkpoints are logged; once a process."""
    if "nudged" in catalog.METHODS:
        return
    sys.modules["ganprune.gan_models.pruning.torture"] = sys.modules[__name__]
    catalog.METHODS.own["nudged"] = MethodSpec(".torture:Nudged", "learned", trains=True)
    Trainer.step = _logged_step(Trainer.step)
    loop.save_state = _logged_save(loop.save_state)


install()


def run(request: TrialRequest, report) -> TrialOutcome:
    """The real trial, logged into its folder."""
    folder = Path(request.workspace)
    folder.mkdir(parents=True, exist_ok=True)
    _where[:] = [folder]
    try:
        log(f"attempt {request.attempt}")
        return trial.run(request, report)
    finally:
        _where.clear()
