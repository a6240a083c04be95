"""Balance of discriminator and pruned generator while MGGC's agents train, with and without collaboration.

The demo's teacher at one target; three variants, one seed each. Drawn: what D loses, the share of the original's and of
the pruned generator's patches that it places on the right side, and the cost of the generator's own plan.

    python benchmarks/discriminator_balance.py [--share 0.25] [--steps 80] [--out FOLDER] [--plot docs/mggc-balance.png]
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from ganprune.gan_models.pruning.catalog import make_method, method_spec
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.pruning.proposal import Proposal
from search_quality import opened

matplotlib.use("Agg")
import matplotlib.pyplot as plt

VARIANTS: dict[str, dict[str, Any]] = {
    "collaboration": {},
    "feedback off": {"feedback": False},
    "D not pruned": {"prune_discriminator": False},
}
PANELS = {
    "discriminator_loss": "loss of D (lsgan; 0.5 is chance)",
    "accuracy_real": "share of the original's patches taken as real",
    "accuracy_fake": "share of the pruned G's patches taken as fake",
    "share": "cost of G's own plan, share of dense",
}
WINDOW = 8


@dataclass(frozen=True)
class Row:
    """One variant's paths, by recorded value."""

    variant: str
    path: dict[str, list[list[float]]]

    def values(self, name: str) -> np.ndarray:
        """Return the recorded values of one name."""
        return np.array([value for _, value in self.path[name]])


def measured(share: float, steps: int, seed: int, out: Path) -> list[Row]:
    """Run every variant on the shared teacher."""
    bench, _ = opened(out)
    target = Target("macs", share * bench.groups.form.dense())
    rows = []
    for variant, switched in VARIANTS.items():
        settings = method_spec("mggc").settings(**switched)
        job = PruneJob(
            bench.generators["G"], "G", bench.groups, Proposal("mggc", settings, target.value, target.cost),
            target, seed,
            TrainingContext(
                bench.task(), bench.train_data, bench.generators, bench.discriminators, bench.config.recipe,
                bench.device, steps, encoder=bench.encoder,
            ),
        )  # fmt: skip
        row = Row(variant, dict(make_method("mggc").prune(job).record["path"]))
        late = {name: row.values(name)[len(row.values(name)) // 2 :] for name in PANELS}
        told = "  ".join(f"{name} {np.mean(v):.3f} (sd {np.std(v):.3f})" for name, v in late.items())
        print(f"{variant:14s} second half: {told}", flush=True)
        rows.append(row)
    return rows


def plot(rows: list[Row], path: Path) -> None:
    """One panel a value, one line a variant: thin as recorded, thick smoothed."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.5), sharex=True)
    for axis, (name, title) in zip(axes.flat, PANELS.items(), strict=True):
        for row, color in zip(rows, ("tab:blue", "tab:orange", "tab:green"), strict=True):
            values = row.values(name)
            window = max(1, min(WINDOW, len(values)))
            steps = np.array([step for step, _ in row.path[name]])
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            axis.plot(steps, values, color=color, alpha=0.25, linewidth=0.7)
            axis.plot(steps[window - 1 :], smooth, color=color, label=row.variant)
        axis.set_title(title, fontsize=10)
    for axis in axes[1]:
        axis.set_xlabel("step of the agents")
    axes[0, 0].legend(fontsize=9)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run the variants and draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmark-runs"))
    parser.add_argument("--plot", type=Path, default=Path("docs/mggc-balance.png"))
    given = parser.parse_args()
    plot(measured(given.share, given.steps, given.seed, given.out.absolute()), given.plot)


if __name__ == "__main__":
    main()
