"""Predicted against measured latency of random plans of two networks, on this machine.

    python benchmarks/latency_prediction.py [--plans 30] [--threads 2] [--runtime eager] [--points 6] [--only NETWORK]

Profiles two generators (ResNet with 9 blocks and U-Net, ngf 32, at 128 x 128), then measures whole networks at random
plans that neither the tables nor the fit have seen: costs from a twentieth of the dense network's MACs up, ratios over
two octaves. The profile's error is compared with that of MACs alone (a line through the same fitted networks). Every
number is from a quiet machine, or there is an error instead. In ONNX Runtime networks in 8 bits are measured, too.
Takes about fifteen minutes on two cores.
"""

import argparse

import numpy as np
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.cost.device import cpus_allowed, this_device
from ganprune.evaluators.cost.latency import Effort, exclusive
from ganprune.gan_models.costs.catalog import stored_cost
from ganprune.gan_models.costs.cost_form import LATENCY
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.latency.predictor import fit_whole
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.latency.finalist_meter import in_8_bits, measurer
from ganprune.search.latency.profile import blocks_of
from ganprune.search.latency.profiler import Thoroughness, accuracy, profile_network, random_plans

NETWORKS = {
    "resnet_9blocks": ({"ngf": 32}, (3, 128, 128)),
    "unet_128": ({"ngf": 32}, (3, 128, 128)),
}
FRESH_SEED = 1_000_003


def main() -> None:
    """Profiles, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plans", type=int, default=30)
    parser.add_argument("--threads", type=int, default=cpus_allowed())
    parser.add_argument("--runtime", choices=list(RUNTIMES), default="eager")
    parser.add_argument("--points", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--only", choices=sorted(NETWORKS))
    given = parser.parse_args()
    effort = Effort(warm_up=given.seconds / 4, seconds=given.seconds)
    measure = measurer(given.runtime, given.threads, "cpu", effort)
    device = this_device(given.runtime, given.threads)
    print(device.describe())
    with exclusive():
        for name, (arguments, shape) in NETWORKS.items():
            if given.only and given.only != name:
                continue
            _one(name, arguments, shape, device, measure, given.points, given.plans)


def _one(name, arguments, shape, device, measure, points, n_plans) -> None:
    int8 = in_8_bits(measure)
    profile = profile_network(
        name, arguments, InputSpec.of_shape(shape), device, measure, None, Thoroughness(points), measure_int8=int8
    )  # fmt: skip
    model = build(name, arguments).eval()
    example = InputSpec.of_shape(shape).examples()
    groups = find_groups(model, example)
    form = profile.form(blocks_of(name, arguments, InputSpec.of_shape(shape)))
    plans = random_plans(groups, n_plans, FRESH_SEED)
    networks = [
        cut(model, groups, ChannelPlan({group: tuple(range(n)) for group, n in widths.items()})) for widths in plans
    ]
    print(f"\n{name} {arguments} at {'x'.join(map(str, shape))}: {len(profile.layers)} layers, "
          f"multiple {profile.multiple}")  # fmt: skip
    for bits, timer, whole in ((32, measure, profile.whole), (8, int8, profile.whole_int8)):
        if timer is None or whole is None:
            continue
        w = np.array([groups.form.widths(widths) for widths in plans])
        measured = np.array([timer(network, (torch.rand_like(example),)).median_ms for network in networks])
        macs, predicted = groups.form.predict(w), form.predict(w, stored_cost(LATENCY, bits))
        fitted = ~np.array(whole.held_out)
        macs_fitted = groups.form.predict([groups.form.widths(widths) for widths in whole.widths])[fitted]
        line = fit_whole(np.outer(macs_fitted, [1.0, 0.0, 0.0]), np.array(whole.measured_ms)[fitted])
        print(f"  {bits} bits: dense {whole.dense_ms:.1f} ms, fit {whole.fit.describe()}")
        print(f"  {'MACs':>12} {'predicted ms':>13} {'measured ms':>12} {'error':>7}")
        for count, guess, ms in sorted(zip(macs, predicted, measured, strict=True)):
            print(f"  {count / 1e6:>10.1f} M {guess:>13.2f} {ms:>12.2f} {100 * (guess / ms - 1):>+6.1f}%")
        print(f"  profile's own: {whole.accuracy.describe()}")
        print(f"  these plans, profile:    {accuracy(predicted, measured).describe()}")
        print(f"  these plans, MACs alone: {accuracy(line(np.outer(macs, [1.0, 0.0, 0.0])), measured).describe()}")


if __name__ == "__main__":
    main()
