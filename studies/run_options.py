"""How a search runs on this machine or a cluster: what a user may choose anew each time a study is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..search.config import StudyConfig
from ..search.early_stopping import StoppingRule
from ..search.engine_settings import EngineSettings
from ..search.executor import Executor, InProcessExecutor
from ..search.ray_executor import RayExecutor, RayOptions
from ..search.samplers import Choice


@dataclass(frozen=True)
class RunOptions:
    """How a search runs on this machine; none of it changes what a trial is.

    Attributes:
        executor: `ray`, or `local` for one trial after another in this process.
        cpus_per_trial: CPUs and threads of one trial.
        gpus_per_trial: GPUs of one trial; parts of one allowed.
        max_concurrent: Most trials at once; None for as many as fit.
        ray_address: `local`, or a running cluster's address.
        insecure: Join a cluster that does not ask for a token.
        max_attempts: A trial that was started so often without an end fails.
        device_command: Template of the command that measures an ONNX file on a remote device, for finalists.

    Raises:
        ValueError: Unknown executor, or numbers out of range.
    """

    executor: Literal["ray", "local"] = "ray"
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    max_concurrent: int | None = None
    ray_address: str = "local"
    insecure: bool = False
    max_attempts: int = 5
    device_command: str = ""

    def __post_init__(self) -> None:
        """Checks the numbers before anything is written."""
        if self.executor not in ("ray", "local"):
            raise ValueError(f"executor {self.executor!r} is unknown; use ray or local")
        if self.max_concurrent is not None and self.max_concurrent < 1:
            raise ValueError(f"max_concurrent is {self.max_concurrent}; use 1 or more")
        self.ray_options()

    def ray_options(self) -> RayOptions:
        """The same for Ray."""
        return RayOptions(self.cpus_per_trial, self.gpus_per_trial, self.ray_address, insecure=self.insecure)

    def make_executor(self) -> Executor:
        """Who runs the trials."""
        return RayExecutor(self.ray_options()) if self.executor == "ray" else InProcessExecutor(self.cpus_per_trial)


def engine_settings(config: StudyConfig, options: RunOptions) -> EngineSettings:
    """How long the search goes on, and how trials are chosen and stopped."""
    stopping = None
    if config.reduction and config.rungs:
        steps = {config.prune_steps + max(1, round(share * config.finetune_steps)) for share in config.rungs}
        stopping = StoppingRule(tuple(sorted(steps)), config.reduction)
    mode: Literal["pareto", "target"] = "target" if config.mode == "target" else "pareto"
    return EngineSettings(
        trials=config.trials,
        choice=Choice(config.sampler, config.seed, mode, config.shares),
        stopping=stopping,
        slots=options.max_concurrent,
        batch=config.batch if config.deterministic else 0,
        hours=config.hours,
    )
