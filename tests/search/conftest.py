import pytest
from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.execution.ray_cluster import RayOptions, ray_cluster
from ganprune.search.execution.ray_executor import RayExecutor
from ganprune.studies.database.store import Store

from ..fakes.fake_proposals import FakeProposals
from ..fakes.fake_study import fake_study

RAY = RayOptions(num_cpus=2)


@pytest.fixture(scope="session")
def ray_running():
    """One Ray for all tests of a session: starting it takes seconds."""
    with ray_cluster(RAY):
        yield


@pytest.fixture(params=["in process", "ray"])
def executor(request):
    """Both executors, for what must hold for both."""
    if request.param == "ray":
        request.getfixturevalue("ray_running")
        return RayExecutor(RAY)
    return InProcessExecutor()


@pytest.fixture
def store(tmp_path):
    """An empty study with a budget of 1."""
    url = f"sqlite:///{tmp_path}/studies.db"
    with Store.create(url, "s", tmp_path / "artifacts", {"ganprune.cost_limit": 1.0}) as opened:
        yield opened


@pytest.fixture
def search(store):
    """Runs a search on `store` and returns (how it ended, the events)."""

    def run(executor, trials=8, proposals=None, faults=None, seconds=0.0, **settings):
        events = []
        study = fake_study(faults=faults or {}, seconds=seconds)
        engine = Engine(
            store, proposals or FakeProposals(), EngineSettings(trials=trials, **settings), store.folder, study, None,
            on_event=events.append,
        )  # fmt: skip
        return engine.run(executor, "tests.fakes.fake_trials:run"), events

    return run
