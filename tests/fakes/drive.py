"""A driver to be killed: opens or makes a study of tiny trials and searches it to its end."""

import sys
from pathlib import Path

from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.strategy.early_stopping import StoppingRule
from ganprune.studies.database.reader import list_studies
from ganprune.studies.database.storage import StorageError
from ganprune.studies.database.store import Store

from .fake_proposals import FakeProposals
from .fake_study import fake_study


def open_or_create(folder: Path) -> Store:
    url = f"sqlite:///{folder}/s.db"
    try:
        there = bool(list_studies(url))
    except StorageError:
        there = False
    if there:
        return Store.open(url, "s", folder / "a", max_attempts=1000)
    return Store.create(url, "s", folder / "a", {"ganprune.cost_limit": 1.0}, max_attempts=1000)


def drive(folder: Path, trials: int = 10, seconds: float = 0.0, store: Store | None = None, **study) -> None:
    settings = EngineSettings(trials=trials, stopping=StoppingRule((1, 2)), batch=2)
    with store or open_or_create(folder) as opened:
        engine = Engine(opened, FakeProposals(), settings, opened.folder, fake_study(seconds=seconds, **study))
        print("go", flush=True)
        engine.run(InProcessExecutor(), "tests.fakes.fake_trials:run")


if __name__ == "__main__":
    drive(Path(sys.argv[1]), seconds=float(sys.argv[2]))
