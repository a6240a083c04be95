"""The seconds of a search's work, measured on this machine with a few images: training steps and measurements."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from ...evaluators.quality.catalog import MetricSet
from ...evaluators.quality.suite import measure_quality
from ..preparations.opened_study import OpenedStudy
from ..preparations.quality import StudyQuality
from ..setup.pruned_generators import one_network
from ..simulation.step_times import StepTimes, seconds_each, time_steps

TIMED_IMAGES = 8  # images of one batch of test images


@dataclass(frozen=True)
class Timing:
    """The seconds of the study's networks with fresh weights, on this machine.

    Attributes:
        steps: Seconds of training steps.
        image: Seconds to make one image with the dense network and to measure it.
        features: Dimension of the quality's features, which computations on them depend on.
        slowdown: Seconds of wall time per second of CPU time, 1 or more, because of other processes on the machine.
    """

    steps: StepTimes
    image: float
    features: int
    slowdown: float = 1.0


def time_work(study: OpenedStudy, threads: int) -> Timing:
    """Time training steps of a study, and the measuring of a few test images.

    Args:
        study: The study; nothing of it is stored.
        threads: CPUs of one trial.
    """
    began, used = time.perf_counter(), time.process_time()
    steps, before = time_steps(study, threads), torch.get_num_threads()
    name, encoder = study.names[0], study.encoder
    example = StudyQuality(study, {}, study.config.scored_on).example(name).first(TIMED_IMAGES, study.device)
    count = len(example.reals)
    batch = (tuple(x.cpu() for x in example.inputs), None if example.reference is None else example.reference.cpu())
    real_ND = torch.randn(max(count, 2), encoder.dimension, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        network = one_network(study.config).to(study.device).eval()

    def measure(_: int) -> None:
        measure_quality(
            network,
            [batch],
            encoder,
            real_ND,
            device=study.device,
            aligned=False,
            full=False,
            metrics=MetricSet(),
            rgb=study.rgb,
        )

    torch.set_num_threads(threads)
    try:
        seconds = seconds_each(measure, study.device, most=2)
    finally:
        torch.set_num_threads(before)
    # remaining CPU time of a computing process; a GPU is waited for
    busy = (time.perf_counter() - began) / max(time.process_time() - used, 1e-9) if study.device.type == "cpu" else 1.0
    return Timing(steps, seconds / count, encoder.dimension, max(1.0, busy))
