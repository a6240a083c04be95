"""The time that one refit takes: CPU-seconds, passes and multiply-accumulates, on random weights and inputs.

    python benchmarks/refit_time.py resnet --image-size 256 --args ngf=64,n_blocks=9

Half of every group stays. The time does not depend on the values of weights.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import Any

import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.reconstruction.reconstruction import reconstruct


def measured(name: str, arguments: dict[str, Any], size: int, count: int) -> dict[str, Any]:
    """Return what one refit of a network took.

    Args:
        name: Of the catalog.
        arguments: Of its builder.
        size: Height and width of the inputs, pixels.
        count: Inputs.
    """
    torch.manual_seed(0)
    model = build(name, arguments).eval()
    inputs = torch.rand(count, 3, size, size)
    groups = find_groups(model, inputs[:1])
    plan = ChannelPlan({group: tuple(range(max(1, width // 2))) for group, width in groups.sizes.items()})
    student = cut(model, groups, plan)
    begun, cpu = time.perf_counter(), time.process_time()
    done = reconstruct(model, student, groups, plan, (inputs,), 0)
    return {
        "network": name,
        "arguments": arguments,
        "size": size,
        "inputs": done.inputs + done.held_out + done.unseen,
        "given": count,
        "note": done.note,
        "why": done.why,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "seconds": round(time.perf_counter() - begun, 1),
        "weights": len(done.layers),
        "refitted": sum(layer.kept for layer in done.layers),
        "teacher_gmacs": round(done.teacher_macs / 1e9),
        "student_gmacs": round(done.student_macs / 1e9),
        "dense_gmacs_per_input": round(groups.form.dense() / 1e9, 2),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("--args", default="")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--inputs", type=int, default=64)
    given = parser.parse_args()
    pairs = (each.split("=", 1) for each in given.args.split(",") if each)
    arguments = {name: json.loads(value) for name, value in pairs}
    print(json.dumps(measured(given.network, arguments, given.image_size, given.inputs)))


if __name__ == "__main__":
    main()
