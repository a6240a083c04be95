"""Ray on this machine or on a cluster: quiet, with token authentication, and without passwords."""

import contextlib
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...gan_models.files.errors import UserError, WorkFailed
from .signals import same_sigterm
from .wheel import build_wheel

QUIET_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # enabled by default: an hourly report to the vendor
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints boxes even if told to be silent
    "RAY_DEDUP_LOGS": "1",
    "RAY_worker_niceness": "0",  # 15 by default: other programs on the machine would starve the trials
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # otherwise relative paths break
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # quiet; `_train` hides GPUs if a trial gets none
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # Ray's snapshots of itself are not used
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ray's handler ends the run as if it had finished; ganprune hands trials back
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "30",  # so that a stopped trial leaves its worker to the next one
}


# Possible places of passwords: the text of a URL, and variables that database clients read.
_CREDENTIALS = re.compile(r"://[^/@:\s]*:[^@\s]+@")
_PASSWORD_NAMES = ("PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE")

# Runs in its own process, because Ray reads its mode once: tests if the cluster answers without a token.
_PROBE = """
import sys
from ray._raylet import GcsClient
try:
    GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10)
except Exception as error:
    text = f"{type(error).__name__} {error}".lower()
    print("refused" if "token" in text or "unauthenticated" in text else f"error {error}")
else:
    print("open")
"""


@dataclass(frozen=True)
class RayOptions:
    """The options of Ray.

    Attributes:
        cpus_per_trial: CPUs of one trial; its worker computes with as many threads.
        gpus_per_trial: GPUs of one trial, fractions allowed; 0 hides them from the trial; None: one if the cluster has
            any.
        address: `local` starts a cluster on this machine and ends it afterwards, regardless of RAY_ADDRESS; any other
            address joins a running cluster.
        num_cpus: CPUs that a local cluster may use; None: all.
        insecure: True to join a cluster that requires no token.

    Raises:
        ValueError: A number is out of range.
    """

    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    address: str = "local"
    num_cpus: int | None = None
    insecure: bool = False

    def __post_init__(self):
        if self.cpus_per_trial < 1:
            raise UserError(f"too few CPUs per trial: got {self.cpus_per_trial}; expected 1 or more")
        gpus = self.gpus_per_trial
        if self.address != "local" and not re.fullmatch(r"[^/\s]+:\d+", self.address):
            raise UserError(
                f"invalid --ray-address: got {self.address!r}; expected local, or HOST:PORT of a cluster's head"
            )
        if gpus is not None and (gpus < 0 or (gpus > 1 and gpus != int(gpus))):
            raise UserError(f"invalid GPUs per trial: got {gpus:g}; expected a fraction of one, or a whole number")


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables inside the context."""
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


def may_hold_password(name: str, value: str) -> bool:
    """Return True if an environment variable, by its name and value, may contain a database's password."""
    return name in _PASSWORD_NAMES or bool(_CREDENTIALS.search(value))


@contextlib.contextmanager
def no_passwords() -> Iterator[None]:
    """Hide variables and command-line arguments with passwords from Ray inside the context.

    Ray's processes inherit the environment permanently. The command line is stored as the job's entry point, which
    everyone on the cluster can read. (`ps` does not show it afterwards, either.)
    """
    hidden = {name: value for name, value in os.environ.items() if may_hold_password(name, value)}
    for name in hidden:
        del os.environ[name]
    _hide_command_line()
    try:
        yield
    finally:
        os.environ.update(hidden)


def _hide_command_line() -> None:
    if not any(_CREDENTIALS.search(argument) for argument in sys.orig_argv):
        return
    from ray._raylet import setproctitle  # pyright: ignore[reportAttributeAccessIssue]

    setproctitle(_CREDENTIALS.sub("://***@", " ".join(sys.orig_argv)))


def asks_for_token(address: str) -> bool:
    """Return True if a running cluster refuses clients without a token.

    Args:
        address: HOST:PORT of its head.

    Raises:
        RuntimeError: The cluster does not answer.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE, address],
        env={**clean, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    answer = probe.stdout.strip().splitlines()[-1:] or [f"error {probe.stderr[-200:]}"]
    if answer[0].startswith("error"):
        raise WorkFailed(f"cannot reach Ray at {address!r}: {' '.join(answer[0][6:].split())[:200]}")
    return answer[0] == "refused"


@contextlib.contextmanager
def ray_cluster(options: RayOptions) -> Iterator[None]:
    """Run Ray inside the context; if this process has a running Ray already, it is used and left running.

    Token authentication is on: Ray's processes listen on all interfaces, the dashboard off or not. Workers of a remote
    cluster get the same ganprune as a wheel, with the packages that add rows to it.

    Raises:
        RuntimeError: The cluster cannot be started or joined, or requires no token.
    """
    local = options.address == "local"
    token = {} if options.insecure and not local else {"RAY_AUTH_MODE": "token"}
    with environment(QUIET_ENVIRONMENT | token), tempfile.TemporaryDirectory(prefix="ganprune-wheel-") as folder:
        import ray

        if ray.is_initialized():
            yield
            return
        _read_mode_again()
        given: dict[str, Any] = {"num_cpus": options.num_cpus, "include_dashboard": False} if local else {}
        if not local:
            _check_remote(options)
            given = {
                "runtime_env": {
                    "py_modules": [str(build_wheel(Path(folder)))],
                    "env_vars": worker_variables(),
                }
            }
        try:
            with same_sigterm(), no_passwords():
                ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR, **given)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise WorkFailed(f"cannot start Ray at {options.address!r}: {' '.join(str(error).split())[:300]}") from None
        try:
            yield
        finally:
            ray.shutdown()


def _read_mode_again() -> None:
    """Make Ray read RAY_AUTH_MODE again: it reads it when it is first imported, possibly before this module."""
    from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]

    Config.initialize("")


def worker_variables() -> Mapping[str, str]:
    """Return the environment variables for a remote cluster's workers; local ones inherit them."""
    return {name: QUIET_ENVIRONMENT[name] for name in ("RAY_CHDIR_TO_TRIAL_DIR", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO")}


def _check_remote(options: RayOptions) -> None:
    if not options.insecure and not asks_for_token(options.address):
        raise WorkFailed(
            f"the Ray cluster at {options.address} requires no token: anyone who reaches it can run code there. Try "
            f"to start it with RAY_AUTH_MODE=token, or join it anyway with --insecure"
        )


def places(options: RayOptions) -> int:
    """Return the number of trials that fit on the running cluster at once.

    Raises:
        RuntimeError: Not even one trial fits; Ray would wait forever.
    """
    import ray

    wanted, fit, there = gpus_per_trial(options), 0, ray.cluster_resources()
    for node in ray.nodes():  # a trial runs on one machine
        if node["Alive"]:
            cpus, gpus = (node["Resources"].get(name, 0.0) for name in ("CPU", "GPU"))
            here = int(cpus // options.cpus_per_trial)
            if wanted:  # a fraction of a GPU comes from one GPU
                here = min(here, int(gpus) * int(1 / wanted) if wanted <= 1 else int(gpus // wanted))
            fit += here
    if fit < 1:
        raise WorkFailed(
            f"no trial fits on the cluster: got {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs; "
            f"expected {options.cpus_per_trial} and {wanted:g} on one machine. Try a lower --cpus-per-trial or "
            f"--gpus-per-trial"
        )
    return fit


def gpus_per_trial(options: RayOptions) -> float:
    """Return the GPUs of one trial on the running cluster."""
    import ray

    if options.gpus_per_trial is not None:
        return options.gpus_per_trial
    return 1.0 if ray.cluster_resources().get("GPU", 0.0) >= 1 else 0.0
