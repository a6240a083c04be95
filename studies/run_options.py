"""How a search runs on this machine or a cluster: what a user may choose anew each time a study is run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from ..gan_models.files.errors import UserError
from ..search.config import StudyConfig
from ..search.engine.settings import EngineSettings
from ..search.execution.executor import Executor, InProcessExecutor
from ..search.execution.ray_cluster import RayOptions
from ..search.execution.ray_executor import RayExecutor
from ..search.strategy.chooser import Choice
from ..search.strategy.early_stopping import StoppingRule

SIZES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def bytes_of(text: str) -> int:
    """`20GB` or `500MiB` in bytes.

    Raises:
        ValueError: It is no positive number with a unit.
    """
    for unit, factor in SIZES.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return int(float(number) * factor)
    raise UserError(f"disk space {text!r} is not a number with one of {', '.join(SIZES)}, such as 20GB")


@dataclass(frozen=True)
class RunOptions:
    """How a search runs on this machine; none of it changes what a trial is.

    Attributes:
        executor: `ray`, or `local` for one trial after another in this process.
        cpus_per_trial: CPUs and threads of one trial.
        gpus_per_trial: GPUs of one trial; parts of one allowed, 0 hides them, None is one where there are any.
        max_concurrent: Most trials at once; None for as many as fit.
        ray_address: `local`, or a running cluster's address.
        insecure: Join a cluster that does not ask for a token.
        max_attempts: A trial that was started so often without an end fails.
        disk_quota: Most that the study's files may take (`20GB`): then training states off the front are removed,
            and where that is not enough the search ends cleanly. None for no limit.
        device_command: Template of the command that measures an ONNX file on a remote device, for finalists.

    Raises:
        ValueError: Unknown executor, or numbers out of range.
    """

    executor: Literal["ray", "local"] = "ray"
    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    max_concurrent: int | None = None
    ray_address: str = "local"
    insecure: bool = False
    max_attempts: int = 5
    disk_quota: str | None = None
    device_command: str = ""

    def __post_init__(self) -> None:
        """Checks the numbers before anything is written."""
        if self.executor not in ("ray", "local"):
            raise UserError(f"executor {self.executor!r} is unknown; use ray or local")
        if self.max_concurrent is not None and self.max_concurrent < 1:
            raise UserError(f"max_concurrent is {self.max_concurrent}; use 1 or more")
        if self.max_attempts < 1:
            raise UserError(f"max_attempts is {self.max_attempts}; use 1 or more")
        self.quota_bytes()
        self.ray_options()

    def quota_bytes(self) -> int | None:
        """The quota in bytes."""
        return None if self.disk_quota is None else bytes_of(self.disk_quota)

    def ray_options(self) -> RayOptions:
        """The same for Ray."""
        return RayOptions(self.cpus_per_trial, self.gpus_per_trial, self.ray_address, insecure=self.insecure)

    def at_once(self) -> int:
        """Trials that run at the same time on this machine, as far as its CPUs allow."""
        fits = max(1, (os.cpu_count() or 1) // self.cpus_per_trial) if self.executor == "ray" else 1
        return min(fits, self.max_concurrent or fits)

    def sharing(self, device: str) -> int:
        """Trials that share the memory of this machine's `cpu` or of one `cuda`; 0 where trials run elsewhere."""
        if self.executor == "ray" and self.ray_address != "local":
            return 0
        return min(self.at_once(), max(1, int(1 / (self.gpus_per_trial or 1)))) if device == "cuda" else self.at_once()

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
        disk_quota=options.quota_bytes(),
    )
