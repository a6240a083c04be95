"""Plots one run of coronet: its latents, lambda and the plan's cost over the steps, as docs/coronet-latents.png.

The teacher of `search_quality.py` (trained on the first call, a minute or two), then pruning alone; half a minute.

    python benchmarks/latent_paths.py [--share 0.25] [--steps 90] [--out benchmark-runs] [--png FILE]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from ganprune.gan_models.pruning.catalog import method_spec
from ganprune.gan_models.pruning.coronet.latents import with_floor
from ganprune.gan_models.pruning.coronet.method import CoronetPhase
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.pruning.trained_method import run_phase
from ganprune.gan_models.training.recipe import TrainRecord
from search_quality import opened

SHOWN = 24  # latents a group, evenly spaced over its channels


def job_of(out: Path, share: float, steps: int, seed: int, settings: dict[str, Any]) -> PruneJob:
    """Pruning of the benchmarks' teacher."""
    bench, _ = opened(out)
    target = Target("macs", share * bench.groups.form.dense())
    return PruneJob(
        bench.generators["G"], "G", bench.groups,
        Proposal("coronet", method_spec("coronet").settings(**settings), target.value, target.cost), target, seed,
        TrainingContext(
            bench.task(), bench.train_data, bench.generators, bench.discriminators, bench.config.recipe, bench.device,
            steps,
        ),
    )  # fmt: skip


def watched(job: PruneJob) -> tuple[CoronetPhase, TrainRecord, np.ndarray]:
    """Return the phase after its run, its record, and all latents after each step [steps + 1, N]."""
    target = with_floor(job.groups.form, job.target)
    phase = CoronetPhase(job, job.training, target, job.training.steps)
    latents = [phase.hypernetwork.latents.detach().cpu().numpy().copy()]

    def watch(step: int, values: object) -> None:
        latents.append(phase.hypernetwork.latents.detach().cpu().numpy().copy())

    return (
        phase,
        run_phase(phase, replace(job, training=replace(job.training, on_step=watch)), job.training.steps),
        np.array(latents),
    )


def plot(phase: CoronetPhase, record: TrainRecord, latents: np.ndarray, png: Path) -> None:
    """One panel a group, kept channels blue and dropped ones red; lambda and cost in the last two."""
    groups = phase.job.groups
    figure, axes = plt.subplots(2, -(-(len(groups.names) + 2) // 2), figsize=(16, 7), sharex=True)
    panels = axes.ravel()
    for panel, (name, size) in zip(panels, groups.sizes.items(), strict=False):
        start = groups.offsets[name]
        alive = phase.network.gates[name].bool().cpu().numpy()
        for channel in np.unique(np.linspace(0, size - 1, SHOWN).round().astype(int)):
            color = "tab:blue" if alive[channel] else "tab:red"
            panel.plot(latents[:, start + channel], color=color, linewidth=0.8)
        panel.set_title(f"{name}: {alive.sum()} of {size} stay", fontsize=9)
        panel.axhline(0, color="black", linewidth=0.5)
    for panel, value in zip(panels[len(groups.names) :], ("lambda", "cost ratio"), strict=False):
        path = np.array(record.path(value))
        panel.plot(path[:, 0], path[:, 1], color="black")
        panel.set_title("lambda" if value == "lambda" else "cost of the threshold's plan / target", fontsize=9)
        panel.set_ylim(bottom=0)
    for panel in panels[len(groups.names) + 2 :]:
        panel.remove()
    for panel in axes[-1]:
        panel.set_xlabel("generator step")
    figure.suptitle(
        f"coronet's latents, target {phase.target.value / groups.form.dense(phase.target.cost):.0%} of MACs"
    )
    figure.tight_layout()
    figure.savefig(png, dpi=80)


def main() -> None:
    """Run, plot, and print the end of the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--png", type=Path, default=Path("docs/coronet-latents.png"))
    given = parser.parse_args()
    job = job_of(given.out.absolute(), given.share, given.steps, given.seed, {})
    phase, record, latents = watched(job)
    plot(phase, record, latents, given.png)
    print(f"{record.steps} steps, plan at {phase.cost() / job.target.value:.3f} of the target; {given.png}")


if __name__ == "__main__":
    main()
