import pytest
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial
from ganprune.studies.database.store import Store
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

SPACE = {
    "target": FloatDistribution(0.1, 1, log=True),
    "n": IntDistribution(1, 8),
    "kind": CategoricalDistribution(["a", "b"]),
}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture
def store(url, tmp_path):
    with Store.create(url, "s", tmp_path / "a", {"ganprune.config": {"x": 1}, "ganprune.cost_limit": 2.0}) as opened:
        yield opened


@pytest.fixture
def new():
    """Makes a trial to write."""

    def make(target=0.5, **changes):
        fields = {
            "proposal": Proposal("widths", {"s": 1}, target, "macs", {"g": 4}),
            "params": {"target": target, "n": 3, "kind": "b"},
            "distributions": SPACE,
            "origin": "tpe",
            "identity": "i",
            "sampler_state": {"generation": 2},
        }
        return NewTrial(**fields | changes)

    return make
