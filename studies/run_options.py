"""Options that a user may choose anew each time a study is run: where it is kept, and how it runs. Imports no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..gan_models.files.errors import UserError
from ..search.configuration.option import Condition, check_options, option
from .integrations.trackers.catalog import TRACKERS

if TYPE_CHECKING:
    from ..search.config import StudyConfig
    from ..search.engine.settings import EngineSettings
    from ..search.execution.executor import Executor
    from ..search.execution.ray_cluster import RayOptions
    from ..search.preflight.launch import Placement

DEFAULT_STORAGE = "sqlite:///ganprune.db"
STORAGE_VARIABLE = "GANPRUNE_STORAGE"  # environment variable: the database of commands without --storage
STORAGE_HELP = "Database of studies: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
STORAGE_DEFAULT = f"${STORAGE_VARIABLE}, else {DEFAULT_STORAGE}"
SIZES = {
    "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "B": 1,
}  # fmt: skip
DEVICE_COMMAND_HELP = (
    "Command that runs a file on a remote device, a format's name in braces in its place, and prints its latency: "
    "'ssh phone bench {onnx}'."
)
MIN_QUOTA_BYTES = 10**6  # bytes; one training state of the smallest network takes more


def default_storage() -> str:
    """Return the database that is used if none is named: that of the environment variable, else a file here."""
    return os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE


def bytes_of(text: str) -> int:
    """`20GB` or `500MiB` in bytes.

    Raises:
        ValueError: It is not a positive number with a unit.
    """
    for unit, factor in SIZES.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return int(float(number) * factor)
    raise UserError(f"disk space {text!r} is not a number with one of {', '.join(SIZES)}, such as 20GB")


_ON_RAY = Condition(lambda f: f.run.executor == "ray", "trials run one after another in this process; --executor ray")
_PROFILED_BUDGET = Condition(lambda f: f.profiled, "no budget's cost is predicted from a profile, as ms is")


@dataclass(frozen=True, kw_only=True)
class StudyPlace:
    """The place of a study's record and files."""

    storage: str = option(STORAGE_HELP, factory=default_storage, default_text=STORAGE_DEFAULT)
    artifacts: str | None = option(
        "Folder of the study's files, or an fsspec URL (s3://...).", None, default_text="next to the database"
    )


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """The latency profile of a new study."""

    latency_profile: str = option(
        "Latency profile for budgets in ms: its id, runtime (litert, ncnn-float16), remote device, or file.",
        "",
        default_text="this machine's own",
        acts_if=_PROFILED_BUDGET,
    )


@dataclass(frozen=True)
class RunOptions:
    """Options of a run on this machine; none of them changes a trial's result.

    Raises:
        UserError: Unknown executor or tracker, or numbers out of range.
        PackageMissing: A tracker's package is not installed.
    """

    executor: str = option(
        "Executor of trials: ray, or local for one after another in this process.",
        "ray",
        choices=lambda: ("ray", "local"),
    )
    cpus_per_trial: int = option("CPUs and threads per trial.", 1)
    gpus_per_trial: float | None = option(
        "GPUs per trial: 0.5 puts two trials on one, 0 hides them.",
        None,
        default_text="one if there are any",
        acts_if=_ON_RAY,
    )
    max_concurrent: int | None = option(
        "Most trials that run at once.", None, low=1, default_text="as many as fit", acts_if=_ON_RAY
    )
    ray_address: str = option("Ray cluster: local, or the address of a running one.", "local", acts_if=_ON_RAY)
    insecure: bool = option(
        "Join a Ray cluster that asks for no token.",
        False,
        acts_if=Condition(
            lambda f: f.run.executor == "ray" and f.run.ray_address != "local",
            "no running Ray cluster is joined; --ray-address names one",
        ),
    )
    max_attempts: int = option("Unfinished attempts after which a trial counts as failed.", 5, low=1)
    disk_quota: str | None = option(
        "Most disk space of the study's files, such as 20GB. Above it, training states off the front are removed; if "
        "that is not enough, the search ends cleanly.",
        None,
        default_text="no limit",
    )
    track: tuple[str, ...] = option(
        "Trackers that losses, rungs, pictures and results are sent to: tensorboard, mlflow, or another package's.",
        (),
        default_text="none",
    )
    device_command: str = option(DEVICE_COMMAND_HELP, "", acts_if=_PROFILED_BUDGET)
    allow_busy: bool = option(
        "Measure finalists although the machine is busy; the record and the tables say so.",
        False,
        one_way=True,
        acts_if=_PROFILED_BUDGET,
    )

    def __post_init__(self) -> None:
        """Check the numbers before anything is written."""
        check_options(self)
        quota = self.quota_bytes()
        if quota is not None and quota < MIN_QUOTA_BYTES:
            raise UserError(f"disk_quota {self.disk_quota} holds no trial; use 1MB or more, such as 20GB")
        for name in self.track:
            TRACKERS.find(name).check()
        self.ray_options()

    def quota_bytes(self) -> int | None:
        """Return the quota in bytes."""
        return None if self.disk_quota is None else bytes_of(self.disk_quota)

    def ray_options(self) -> RayOptions:
        """Return the options for Ray."""
        from ..search.execution.ray_cluster import RayOptions

        return RayOptions(self.cpus_per_trial, self.gpus_per_trial, self.ray_address, insecure=self.insecure)

    def placement(self) -> Placement:
        """Return where trials run, for the checks before a search."""
        from ..search.preflight.launch import Placement

        return Placement(
            here=self.executor != "ray" or self.ray_address == "local",
            in_turn=self.executor != "ray",
            cpus_per_trial=self.cpus_per_trial,
            gpus_per_trial=self.gpus_per_trial,
            most=self.max_concurrent,
        )

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
        """Return the executor of the trials."""
        from ..search.execution.executor import InProcessExecutor
        from ..search.execution.ray_executor import RayExecutor

        return RayExecutor(self.ray_options()) if self.executor == "ray" else InProcessExecutor(self.cpus_per_trial)


def engine_settings(config: StudyConfig, options: RunOptions) -> EngineSettings:
    """Return how long the search lasts, and how trials are chosen and stopped."""
    from ..search.engine.settings import EngineSettings
    from ..search.strategy.chooser import Choice
    from ..search.strategy.early_stopping import StoppingRule

    stopping = None
    if config.reduction and config.rungs:
        steps = {config.prune_steps + max(1, round(share * config.finetune_steps)) for share in config.rungs}
        stopping = StoppingRule(tuple(sorted(steps)), config.reduction)
    mode: Literal["pareto", "target"] = "target" if config.mode == "target" else "pareto"
    return EngineSettings(
        trials=config.trials,
        choice=Choice(config.sampler, config.seed_of_trials, mode, config.shares),
        stopping=stopping,
        slots=options.max_concurrent,
        batch=config.batch if config.deterministic else 0,
        hours=config.hours,
        disk_quota=options.quota_bytes(),
    )
