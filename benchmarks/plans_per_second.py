"""Plans per second that the cost form prices, on one thread, for the networks of the literature."""

import os
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import NETWORKS, build

N_PLANS = 100_000


def main() -> None:
    """Print one table."""
    print(
        f"{'network':24s} {'groups':>6s} {'trace s':>8s} {'plans/s macs':>14s} {'plans/s params':>15s} {'solve ms':>9s}"
    )
    for name in ("resnet_9blocks", "resnet_6blocks", "mobile_resnet_9blocks", "unet_256", "unet_128", "sngan_32"):
        with torch.device("meta"):
            model = build(name)
        started = time.perf_counter()
        form = find_groups(model, NETWORKS[name].spec.examples()).form
        traced = time.perf_counter() - started
        widths = np.random.default_rng(0).integers(1, form.sizes + 1, (N_PLANS, len(form.names)))
        rates = []
        for cost in ("macs", "params"):
            form.predict(widths, cost)
            started = time.perf_counter()
            form.predict(widths, cost)
            rates.append(N_PLANS / (time.perf_counter() - started))
        started = time.perf_counter()
        for share in np.linspace(0.05, 0.9, 20):
            form.solve(np.ones(len(form.names)), share * form.dense())
        solved = (time.perf_counter() - started) / 20 * 1e3
        print(f"{name:24s} {len(form.names):6d} {traced:8.2f} {rates[0]:14,.0f} {rates[1]:15,.0f} {solved:9.2f}")


if __name__ == "__main__":
    main()
