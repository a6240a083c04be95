"""Execution of trials by Ray Tune: on all CPUs and GPUs of this machine, or of a cluster."""

import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, cast

from ...gan_models.files.errors import WorkFailed
from ...gan_models.files.plain_values import from_json, to_json
from ..records.messages import TrialReport, TrialRequest
from .executor import Trials
from .ray_cluster import QUIET_ENVIRONMENT, RayOptions, environment, gpus_per_trial, places, ray_cluster
from .worker import OutOfDisk, limit_threads, load_function, load_run, perform


def _train(config: dict[str, Any]) -> None:
    """Run one trial in a worker, from its request to its result, without a database."""
    from ray import tune

    if not config["gpus"]:
        os.environ["CUDA_VISIBLE_DEVICES"] = (
            ""  # before torch is imported: otherwise every trial would use the same GPU
        )
    limit_threads(config["threads"])
    sys.path.extend(path for path in config["path"] if path not in sys.path)  # folder of a user's own modules
    logging.getLogger("ray").setLevel(logging.ERROR)
    request = from_json(TrialRequest, json.loads(config["request"]))

    def report(told: TrialReport) -> bool:
        tune.report({"report": json.dumps(to_json(told))})  # does not return if the engine stops the trial
        return True

    try:
        result = perform(config["run"], request, report)
    except OutOfDisk as error:
        tune.report({"halt": str(error), "done": True})
        return
    tune.report({"result": json.dumps(to_json(result)), "done": True})


class RayExecutor:
    """An executor on Ray Tune, with many trials at once, in worker processes that are reused between trials.

    Args:
        options: The options of Ray.
    """

    def __init__(self, options: RayOptions | None = None):
        self.options = options or RayOptions()

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials until there are no more. A KeyboardInterrupt ends Ray and is not caught."""
        load_run(run)  # a wrong name is a user error, not a failed trial
        with ray_cluster(self.options), environment(QUIET_ENVIRONMENT):
            fit = places(self.options)
            trials.set_slots(fit if trials.slots is None else min(trials.slots, fit))
            scratch = tempfile.mkdtemp(prefix="ganprune-ray-")
            try:
                _tune(trials, run, self.options, scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def ready(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which Ray runs."""
        return ray_cluster(self.options)

    def alone(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run a function on JSON in a task that reserves all CPUs of the driver's machine, so that no trial runs there.

        Raises:
            WorkFailed: Its process died, or Ray could not run it.
            Exception: The function's own exception, with its class, so that a bug is not reported as a failure of the
                environment.
        """
        with ray_cluster(self.options), environment(QUIET_ENVIRONMENT):
            import ray
            from ray.exceptions import RayError, RayTaskError
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
                cause = error.cause if isinstance(error, RayTaskError) else None
                if isinstance(cause, Exception) and not isinstance(cause, RayError):
                    raise cause from error  # the remote traceback is in Ray's error
                raise WorkFailed(" ".join(str(error).split())[:300]) from None


def _alone(function: str, given: str, path: list[str]) -> str:
    """Run the task of `RayExecutor.alone`."""
    sys.path.extend(part for part in path if part not in sys.path)
    return json.dumps(load_function(function)(json.loads(given)))


def _tune(trials: Trials, run: str, options: RayOptions, scratch: str) -> None:
    from ray import tune

    from .ray_hooks import LedgerSearcher, Lifecycle, RungScheduler, Stopped

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # errors of a trial are in its record
    searcher = LedgerSearcher(trials)
    resources: dict[str, float] = {"cpu": options.cpus_per_trial}
    if gpus := gpus_per_trial(options):
        resources["gpu"] = gpus
    tuner = tune.Tuner(
        tune.with_resources(_train, resources),
        param_space={"run": run, "threads": options.cpus_per_trial, "gpus": gpus, "path": list(sys.path)},
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=RungScheduler(searcher),
            num_samples=-1,
            reuse_actors=True,  # takes 0.05 s per trial; a new process for each trial takes 2 s
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            storage_path=scratch,
            name="search",
            verbose=0,
            callbacks=[Lifecycle(searcher)],
            failure_config=tune.FailureConfig(max_failures=0),  # the ledger puts trials back, and counts attempts
        ),
    )
    with contextlib.suppress(Stopped):
        tuner.fit()
    if searcher.halted is not None:
        raise searcher.halted
