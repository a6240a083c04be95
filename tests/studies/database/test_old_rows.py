"""Rows and results in the layout of version 0.1.0 are read into the values of today."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.quantization.settings import QuantSettings
from ganprune.search.artifacts.study_folder import read_result
from ganprune.search.records.layout_0_1 import upgraded_outcome, upgraded_row
from ganprune.search.records.messages import Artifact, CostCheck, StepsSpent, TrialOutcome
from ganprune.studies.database.reader import read_study
from ganprune.studies.database.store import Store

FIXTURE = Path(__file__).parents[2] / "fixtures" / "0.1.0"


@pytest.fixture
def old(tmp_path):
    """A copy of the study, and its database."""
    shutil.copytree(FIXTURE, tmp_path / "copy")
    return tmp_path / "copy", f"sqlite:///{tmp_path}/copy/ganprune.db"


def test_proposals_are_whole(old):
    """Every trial has its method, target, cost, bits and widths; settings that the study fixes are in them."""
    trials = read_study(old[1], "old").trials
    assert [t.new.method for t in trials] == [
        "uniform", "uniform", "uniform", "magnitude", "coronet", "mggc", "slimming", "magnitude", "coronet",
    ]  # fmt: skip
    assert {t.new.proposal.cost for t in trials} == {"macs"}
    assert [t.new.proposal.bits for t in trials] == [32, 8, 32, 32, 32, 32, 32, 8, 8]
    assert trials[2].new.proposal.widths == dict.fromkeys(trials[2].widths, 1)
    assert trials[3].new.proposal.widths is None
    # Settings that came later: without calibration inputs, which the study has none of, they choose and cut as before.
    assert to_json(trials[3].new.proposal.settings) == {"cost_exponent": 0.05, "ranking": "auto", "refit": True}
    coronet = to_json(trials[4].new.proposal.settings)
    assert (coronet["embedding"], coronet["share"]) == (1, 1.0)  # the study fixes the first, the trial had the second


def test_outcomes_are_typed(old):
    """Values that version 0.1.0 kept in one mapping are in the fields of the outcome."""
    trials = read_study(old[1], "old").trials
    ended = trials[8].outcome
    assert ended.steps == StepsSpent(3, 4)
    assert ended.quantized == QuantSettings(8, True)
    assert ended.artifact.quantization == "8/quantisation.json"
    assert ended.artifact.quantization_sha256.startswith("6bb49b6e")
    assert ended.training.step == 4
    assert ended.training.losses["l1"] == pytest.approx(39.8905, rel=1e-4)
    assert ended.health[0].network == "G"
    assert ended.cost_check.counters_agree
    assert ended.method_record["cost_before_landing"]["value"] == 90240.0
    assert ended.measurements[0].name == "fd[shapes,n=12]"
    assert ended.measurements[0].value == trials[8].quality
    assert (trials[4].state, trials[4].outcome.stopped) == ("PRUNED", trials[4].stopped)


def test_results_on_disk_are_read(old):
    """A result that reached the disk and not yet the database is that trial's outcome, as its row says it."""
    trials = {t.number: t for t in read_study(old[1], "old").trials}
    for number in (0, 8):
        result = read_result(old[0] / "ganprune-artifacts" / "old" / str(number), number)
        assert replace(result, constraints=trials[number].constraints) == trials[number].outcome


def test_a_study_of_both_versions_reads_as_one(old):
    """An old study goes on: its trials stay as they were, and a trial that was waiting ends in today's layout."""
    folder, url = old
    before = read_study(url, "old").trials
    with Store.open(url, "old", folder / "ganprune-artifacts") as store:
        store.create_trial(replace(before[8].new, identity="another"))
        store.finish(9, TrialOutcome("COMPLETE", 3.0, 2.0, widths={"g": 1}, artifact=Artifact("9/w", "0")))
        assert store.records()[9].new == replace(before[8].new, identity="another")
    after = read_study(url, "old").trials
    assert after[:9] == before
    assert read_study(url, "old").attributes["ganprune.schema"] == 2  # version 0.1.0 leaves it alone from here on
    assert after[9].outcome.artifact == Artifact("9/w", "0")


def test_an_old_row_may_end_today():
    """A row that version 0.1.0 left waiting keeps its proposal when today's outcome is written to it."""
    row = {
        "method": "uniform", "target": 2.0, "origin": "ladder:0", "attempt": 1, "plan": {"g": 3},
        "request": {"settings": {}, "cost": "macs", "widths": {"g": 4}},
        "steps": {"prune": 0, "finetune": 2}, "artifact": {"path": "0/w", "sha256": "0"},
    }  # fmt: skip
    found = upgraded_row(row, {})
    assert found["proposal"] == {"settings": {}, "target": 2.0, "cost": "macs", "widths": {"g": 4}, "bits": 32}
    assert (found["steps"], found["plan"]) == ({"prune": 0, "finetune": 2}, {"g": 3})
    assert upgraded_row(found, {}) is found


def test_every_part_of_an_old_record_has_its_field():
    """A measurement without a value, a traceback, a twin and a method's record of its own keep their meaning."""
    absent = Measurement.absent("fid[inception,n=9]", "1", "too few images")
    record = {"cost": {"uncounted": {"tanh": 1}, "missed_by_thop": {}, "counters_agree": False}, "same_as": 0,
              "traceback": "Traceback", "method": {"path": [1]}, "training": {"seconds": 1.0, "last": []}}  # fmt: skip
    stored = {"state": "COMPLETE", "measurements": [absent.to_json()], "record": record}
    found = upgraded_outcome(json.loads(json.dumps(stored)))
    assert found["measurements"][0]["value"] == "nan"
    assert found["cost_check"] == to_json(CostCheck({"tanh": 1}, {}, False))
    assert (found["same_as"], found["traceback"], found["method_record"]) == (0, "Traceback", {"path": [1]})
    assert "training" not in found
    assert "record" not in found
