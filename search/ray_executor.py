"""Trials as Ray Tune runs them: on all CPUs and GPUs of this machine, or of a cluster."""

import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from .attempt import OutOfDisk, limit_threads, load_function, load_run, perform
from .executor import Trials
from .interrupts import same_sigterm
from .request import TrialReport, TrialRequest

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # on by default: an hourly report to the vendor
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints boxes even when told to be silent
    "RAY_DEDUP_LOGS": "1",
    "RAY_worker_niceness": "0",  # 15 by default: any other program on the machine would starve the trials
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # else relative paths break
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # Ray's snapshots of itself: nobody reads them
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ray's ends the run as if it had finished; we hand trials back
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "30",  # for a stopped trial to leave its worker to the next one
}


@dataclass(frozen=True)
class RayOptions:
    """What Ray is given.

    Attributes:
        cpus_per_trial: CPUs of one trial; its worker computes with as many threads.
        gpus_per_trial: GPUs of one trial, parts of one allowed.
        address: `local` starts a cluster of this machine and ends it afterwards, whatever RAY_ADDRESS says;
            anything else joins a running one.
        num_cpus: CPUs that a local cluster may use; None for all.
        insecure: Join a cluster that does not ask for a token.
    """

    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    address: str = "local"
    num_cpus: int | None = None
    insecure: bool = False

    def __post_init__(self):
        if self.cpus_per_trial < 1:
            raise ValueError(f"a trial needs 1 CPU or more; got {self.cpus_per_trial}")
        if self.gpus_per_trial < 0:
            raise ValueError(f"GPUs per trial must be 0 or more; got {self.gpus_per_trial}")


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables, for as long as the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def ray_cluster(options: RayOptions) -> Iterator[None]:
    """Ray, running for as long as the block does; a Ray that this process has already is used and left running.

    Token authentication is on: Ray's processes listen on all interfaces, the dashboard off or not.

    Raises:
        RuntimeError: the cluster cannot be started or joined.
    """
    token = {} if options.insecure and options.address != "local" else {"RAY_AUTH_MODE": "token"}
    with environment(QUIET | token):
        import ray

        if ray.is_initialized():
            yield
            return
        local = options.address == "local"
        size = {"num_cpus": options.num_cpus, "include_dashboard": False} if local else {}
        try:
            with same_sigterm():
                ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR, **size)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RuntimeError(
                f"cannot start Ray at {options.address!r}: {' '.join(str(error).split())[:300]}"
            ) from None
        try:
            yield
        finally:
            ray.shutdown()


def places(options: RayOptions) -> int:
    """How many trials fit on the running cluster at once.

    Raises:
        RuntimeError: not even one does; Ray would wait for ever.
    """
    import ray

    there = ray.cluster_resources()
    cpus, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
    fit = int(cpus // options.cpus_per_trial)
    if options.gpus_per_trial:
        # a part of a GPU is a part of one GPU
        per_gpu = int(1 / options.gpus_per_trial) if options.gpus_per_trial <= 1 else 1 / options.gpus_per_trial
        fit = min(fit, int(gpus * per_gpu))
    if fit < 1:
        raise RuntimeError(
            f"no trial fits: each needs {options.cpus_per_trial} CPUs and {options.gpus_per_trial:g} GPUs, "
            f"Ray has {cpus:g} and {gpus:g}; lower --cpus-per-trial or --gpus-per-trial"
        )
    return fit


def _train(config: dict[str, Any]) -> None:
    """What runs in a worker: one trial, from its request to its result. It knows no database."""
    from ray import tune

    limit_threads(config["threads"])
    sys.path.extend(path for path in config["path"] if path not in sys.path)  # a user's own modules
    logging.getLogger("ray").setLevel(logging.ERROR)
    request = TrialRequest.from_json(json.loads(config["request"]))

    def report(told: TrialReport) -> bool:
        tune.report({"report": json.dumps(told.to_json())})  # does not return when the engine says stop
        return True

    try:
        result = perform(config["run"], request, report)
    except OutOfDisk as error:
        tune.report({"halt": str(error), "done": True})
        return
    tune.report({"result": json.dumps(result.to_json()), "done": True})


class RayExecutor:
    """Runs trials on Ray Tune, many at once, in worker processes that go from one trial to the next.

    Args:
        options: What Ray is given.
    """

    def __init__(self, options: RayOptions | None = None):
        self.options = options or RayOptions()

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials until there are no more. A KeyboardInterrupt passes through, Ray ended."""
        load_run(run)  # a wrong name is the user's error, not a failed trial
        with ray_cluster(self.options), environment(QUIET):
            fit = places(self.options)
            trials.set_slots(fit if trials.slots is None else min(trials.slots, fit))
            scratch = tempfile.mkdtemp(prefix="ganprune-ray-")
            try:
                _tune(trials, run, self.options, scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def ready(self) -> contextlib.AbstractContextManager[None]:
        """Ray, running for as long as the block does."""
        return ray_cluster(self.options)

    def alone(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run a function on JSON in a task that takes every CPU of the driver's machine, so that no trial runs there.

        Raises:
            RuntimeError: What the task raised, or its process died.
        """
        with ray_cluster(self.options), environment(QUIET):
            import ray
            from ray.exceptions import RayError
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            here = ray.get_runtime_context().get_node_id()
            node = next(node for node in ray.nodes() if node["NodeID"] == here)
            cpus = node["Resources"].get("CPU", 0.0)
            gpus = node["Resources"].get("GPU", 0.0)
            place = NodeAffinitySchedulingStrategy(here, soft=False)
            task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy=cast(Any, place))(_alone)
            try:
                return json.loads(ray.get(task.remote(function, json.dumps(given), list(sys.path))))
            except RayError as error:
                cause = getattr(error, "cause", None) or error
                raise RuntimeError(" ".join(str(cause).split())[:300]) from None


def _alone(function: str, given: str, path: list[str]) -> str:
    """What runs in the task of `RayExecutor.alone`."""
    sys.path.extend(part for part in path if part not in sys.path)
    return json.dumps(load_function(function)(json.loads(given)))


def _tune(trials: Trials, run: str, options: RayOptions, scratch: str) -> None:
    from ray import tune

    from .searcher import LedgerSearcher, Lifecycle, RungScheduler, Stopped

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what goes wrong with a trial is in its record
    searcher = LedgerSearcher(trials)
    resources: dict[str, float] = {"cpu": options.cpus_per_trial}
    if options.gpus_per_trial:
        resources["gpu"] = options.gpus_per_trial
    tuner = tune.Tuner(
        tune.with_resources(_train, resources),
        param_space={"run": run, "threads": options.cpus_per_trial, "path": list(sys.path)},
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=RungScheduler(searcher),
            num_samples=-1,
            reuse_actors=True,  # 0.05 s a trial; a process of its own for each trial costs 2 s
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            storage_path=scratch,
            name="search",
            verbose=0,
            callbacks=[Lifecycle(searcher)],
            failure_config=tune.FailureConfig(max_failures=0),  # the ledger puts trials back, and counts
        ),
    )
    with contextlib.suppress(Stopped):
        tuner.fit()
    if searcher.halted:
        raise OutOfDisk(searcher.halted)
