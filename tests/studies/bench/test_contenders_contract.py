"""Every row of the contenders makes a cell that a benchmark can run, of one trial or of a whole search."""

import pytest
from ganprune.studies.bench.bench import Bench
from ganprune.studies.bench.catalog import CONTENDERS, contender_of

TASK = {"model": "resnet", "data": "builtin:shapes", "model_args": {"ngf": 4, "n_blocks": 1}, "finetune_steps": 70}


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_can_be_configured(name):
    """Each row of the table makes a cell whose configuration is in order: a search has several trials, others one."""
    cell = Bench(tasks={"demo": TASK}, contenders=(name,), seeds=1).design.cells()[0]
    assert (cell.trials > 1) == name.startswith("search")
    assert cell.options["methods"] if "methods" in contender_of(name).options else name == "search"
