"""A device whose times are known: so many multiplications a millisecond, so many milliseconds a call."""

import torch
from ganprune.evaluators.cost.device import Device
from ganprune.evaluators.cost.latency import Timing
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.config import StudyConfig
from ganprune.search.latency.profile import LatencyProfile
from ganprune.search.latency.profiler import Thoroughness, profile_network
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

FLOPS_PER_MS = 1e5
ARGUMENTS = {"ngf": 8, "n_blocks": 1}
SHAPE = (3, 16, 16)
INPUTS = InputSpec.of_shape(SHAPE)
DEVICE = Device("abacus", 1, 1, "", "eager", "1")


class AnalyticDevice:
    """Times a network by counting: `flops / FLOPS_PER_MS`, times `factor`, plus `overhead_ms` for a whole network."""

    def __init__(self, whole: float = 1.0, overhead_ms: float = 0.0) -> None:
        self.whole, self.overhead_ms, self.calls = whole, overhead_ms, 0

    def __call__(self, model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Timing:
        self.calls += 1
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(*inputs)
        ms = max(counter.get_total_flops() / FLOPS_PER_MS, 1e-6)
        if type(model).__name__ != "BlockModule":
            ms = self.whole * ms + self.overhead_ms
        return Timing(ms, 1.1 * ms, 5)


def profiled(device=None, points: int = 3, known=None, int8=None) -> LatencyProfile:
    return profile_network(
        "resnet", ARGUMENTS, INPUTS, DEVICE, device or AnalyticDevice(), known,
        Thoroughness(points, 5, 3), measure_int8=int8,
    )  # fmt: skip


def config(**changes) -> StudyConfig:
    return StudyConfig(
        **{"name": "s", "model": "resnet", "model_args": ARGUMENTS, "data": "builtin:shapes", "image_size": 16}
        | {"budgets": ("3ms",), "task": "paired"}
        | changes
    )  # fmt: skip
