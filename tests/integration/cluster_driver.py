"""A driver on a remote cluster: `python -m tests.integration.cluster_driver STORAGE ARTIFACTS ADDRESS`."""

import os
import sys

from ganprune.search.engine.engine import Engine
from ganprune.search.engine.settings import EngineSettings
from ganprune.search.execution.ray_cluster import RayOptions
from ganprune.search.execution.ray_executor import RayExecutor
from ganprune.studies.database.store import Store

from ..fakes.fake_proposals import FakeProposals
from ..fakes.fake_study import fake_study

storage, artifacts, address = sys.argv[1:4]
insecure = "INSECURE" in os.environ
options = RayOptions(address=address, gpus_per_trial=0, insecure=insecure)
with Store.open(storage, "s", artifacts) if insecure else Store.create(storage, "s", artifacts, {}) as store:
    settings = EngineSettings(trials=2 if insecure else 6)
    engine = Engine(store, FakeProposals(), settings, store.folder, fake_study(seconds=3.0), on_event=print)
    try:
        engine.run(RayExecutor(options), "tests.fakes.fake_trials:run")
    except RuntimeError as error:
        sys.exit(f"error: {error}")
