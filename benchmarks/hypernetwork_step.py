"""Time of a step through coronet's hypernetwork against a plain GAN step, and its memory.

Paired task, batch 1, synthetic images; steps of the two kinds take turns, so that a loaded machine slows both. On two
CPU cores at 256x256 about 2 minutes for ResNet-9; U-Net-256 at embedding 8 takes 9 GB.

    python benchmarks/hypernetwork_step.py [--models resnet_9blocks unet_256] [--ngf 64] [--size 256] [--embedding 8 1]
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.surgery import copy_network
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.coronet.generated_weights import hypernetwork_size
from ganprune.gan_models.pruning.coronet.latents import with_floor
from ganprune.gan_models.pruning.coronet.memory import check_memory
from ganprune.gan_models.pruning.coronet.method import CoronetPhase
from ganprune.gan_models.pruning.coronet.settings import CoronetSettings
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.training.loop import best_device
from ganprune.gan_models.training.recipe import Recipe
from ganprune.gan_models.training.step import Networks, Trainer
from torch import nn


def measured(model: str, ngf: int, size: int, embedding: int, steps: int, device: torch.device, amp: str) -> None:
    """Print one row."""
    torch.manual_seed(0)
    network = build(model, {"ngf": ngf}).requires_grad_(False)
    groups = find_groups(network, torch.empty(1, 3, size, size))
    held = hypernetwork_size(network, groups, embedding)
    check_memory(held, device)
    task = make_task("paired", {})
    data = [{"input": torch.rand(3, size, size) * 2 - 1, "target": torch.rand(3, size, size) * 2 - 1}]
    batch = {name: value[None].to(device) for name, value in data[0].items()} | {"step": torch.tensor(0)}
    recipe = Recipe(batch_size=1, amp=amp)
    judges = task.make_discriminators(0)
    target = Target("macs", 0.25 * groups.form.dense())
    job = PruneJob(
        network, "G", groups, Proposal("coronet", CoronetSettings(embedding=embedding), target.value, target.cost),
        target, 0, TrainingContext(task, data, {"G": network}, judges, recipe, device, 10**6),
    )  # fmt: skip
    plain = Trainer(
        task, Networks(nn.ModuleDict({"G": copy_network(network).requires_grad_(True)}), copy_network(judges)), recipe,  # type: ignore[arg-type]
        steps=10**6, seed=0, device=device, teacher=None, example=batch,
    )  # fmt: skip
    phase = CoronetPhase(job, job.training, with_floor(groups.form, job.target), 10**6)
    seconds: dict[str, list[float]] = {"plain": [], "coronet": []}
    for step in range(steps + 1):
        for name, trained in (("plain", plain), ("coronet", phase)):
            if device.type == "cuda":
                torch.cuda.synchronize()
            started = time.perf_counter()
            trained.step(step, lambda: batch)
            if device.type == "cuda":
                torch.cuda.synchronize()
            if step:  # the first one allocates
                seconds[name].append(time.perf_counter() - started)
    gan, ours = median(seconds["plain"]), median(seconds["coronet"])
    size_text = f"{held.numbers / 1e6:9.2f} M {held.bytes_in_training / 1e9:9.2f} GB"
    times = f"{gan:9.3f} {ours:9.3f} {ours / gan:7.2f}"
    print(f"{model:16s} {ngf:4d} {size:5d} {embedding:4d} {size_text} {times}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet_9blocks"])
    parser.add_argument("--ngf", type=int, default=64)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--embedding", type=int, nargs="+", default=[8, 1])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--amp", default="off")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = best_device("auto")
    print(f"{device}, {given.threads} thread(s), torch {torch.__version__}, median of {given.steps} steps, seconds")
    columns = f"{'numbers':>11s} {'training':>12s} {'GAN':>9s} {'coronet':>9s}   ratio"
    print(f"{'model':16s} {'ngf':>4s} {'pixel':>5s} {'e':>4s} {columns}")
    for model in given.models:
        for embedding in given.embedding:
            measured(model, given.ngf, given.size, embedding, given.steps, device, given.amp)


if __name__ == "__main__":
    main()
