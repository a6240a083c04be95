"""Records of studies and trials, written by hand: no training, no database."""

from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.studies.database.reader import StudyRecord

DENSE = {"macs": 1000.0, "macs_published": 2000.0, "params": 50.0, "bytes": 200.0}


def trial(number, cost, quality, method="uniform", origin="tpe", state="COMPLETE", limit=400.0, name="fd[shapes,n=9]"):
    measured = (
        Measurement(name, quality, "1", quality - 1, quality + 1, 9, "p"),
        Measurement("l1", 0.25, "of [-1, 1]"),
        Measurement("params", 7.0, "parameters"),
    )
    return TrialRecord(
        number,
        state,
        NewTrial(Proposal(method, {}, cost, "macs"), {}, {}, origin),
        1,
        quality,
        cost,
        {"budget": cost / limit - 1},
        outcome=TrialOutcome(
            state, quality, cost, measured, stopped="stopped", seconds={"prune": 1.0, "finetune": 2.0}
        ),
    )


def record(*trials, metric="fd[shapes,n=9]", name="by_hand", **config) -> StudyRecord:
    """A study written by hand: dense 1000 MACs, budget 400."""
    config = {
        "name": name,
        "model": "resnet",
        "data": "builtin:shapes",
        "budgets": ["400MACs"],
        "task": "paired",
    } | config
    teacher = {"measurements": [{"name": metric, "value": 2.0, "unit": "1", "n": 9}], "seconds": 60.0, "data": "d" * 64}
    attributes = {
        "ganprune.config": config,
        "ganprune.dense": DENSE,
        "ganprune.cost_limit": 400.0,
        "ganprune.teacher": teacher,
    }
    return StudyRecord(name, attributes, trials)
