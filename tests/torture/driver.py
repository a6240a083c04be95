"""A driver to be killed: makes the study or goes on with it. `python -m tests.torture.driver FOLDER URL EXECUTOR TRIALS`, or a nursery.

Without arguments it loads everything, reads such lines from its standard input, and forks a driver for each: a real
process to be killed, without the seconds that imports take.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

import ganprune.studies.api as api
from ganprune.gan_models.files.errors import UserError
from ganprune.studies.api import RunOptions, Search, Study

from . import workload

api.TRIAL = "tests.torture.workload:run"


def drive(folder: str, url: str, executor: str, trials: str) -> None:
    options = RunOptions(executor, max_attempts=10**6, gpus_per_trial=0)
    artifacts = Path(folder) / "a"
    wanted = {**workload.OPTIONS, "trials": int(trials)}
    try:
        study = Study.open("s", url, artifacts)
    except (UserError, RuntimeError):  # not made yet, or half made
        Search("resnet", "builtin:shapes", "60%", "s", wanted, url, artifacts, options).run()
    else:
        study.resume(run_options=options)
    (Path(folder) / "ended").touch()


def nursery() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child:
            print(child, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        code = 1
        try:
            drive(*line.split())
            code = 0
        except BaseException:
            (Path(line.split()[0]) / "died.log").write_text(traceback.format_exc())
        finally:
            os._exit(code)


if __name__ == "__main__":
    drive(*sys.argv[1:]) if len(sys.argv) > 1 else nursery()
