"""Files removed while a study lives: training states off the front, never a front's, never an unfinished trial's."""

from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.artifacts.study_folder import StudyFolder
from ganprune.search.engine.checkpoint_cleanup import clean, kept_folders, size_of
from ganprune.search.execution.executor import InProcessExecutor
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.messages import FINISHED_STATES, Artifact, TrialOutcome
from ganprune.studies.run_options import RunOptions, bytes_of

NEW = NewTrial(Proposal("m", {}, 1.0, "macs"), {}, {}, "tpe")


def record(number, state="COMPLETE", quality=None, cost=None, path=None, constraints=None):
    artifact = Artifact(f"{number if path is None else path}/generator.safetensors", "0" * 64)
    outcome = TrialOutcome(state, artifact=artifact, stopped="stopped") if state in FINISHED_STATES else None
    return TrialRecord(number, state, NEW, 1, quality, cost, constraints or {}, outcome=outcome)


RECORDS = [
    record(0, quality=5.0, cost=1.0),  # on the front
    record(1, quality=6.0, cost=2.0),  # dominated
    record(2, quality=4.0, cost=2.0, path=3),  # on the front, with the files of trial 3
    record(3, quality=4.5, cost=3.0),
    record(4, "PRUNED", quality=1.0, cost=0.5),
    record(5, "FAIL"),
    record(6, "RUNNING"),
    record(7, "WAITING"),
    record(8, quality=0.1, cost=0.1, constraints={"budget": 0.2}),  # over the budget
]


@pytest.fixture
def folder(tmp_path):
    folder = StudyFolder(tmp_path, "s")
    for number in range(9):
        for name in ("checkpoint/tensors-1.safetensors", "prune/G/state.json", "generator.safetensors", "result.json"):
            path = folder.trial(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 100)
    return folder


def there(folder, name):
    return [number for number in range(9) if (folder.trial(number) / name).exists()]


def test_checkpoints_of_finished_trials_off_the_front_go(folder):
    """The front's stay, those of a trial whose files the front uses, and those of trials that are still to be run."""
    assert kept_folders(RECORDS) == {0, 2, 3, 6, 7}
    done = clean(folder, RECORDS)
    assert (done.trials, done.freed) == ((1, 4, 5, 8), 800)
    for name in ("checkpoint", "prune"):
        assert there(folder, name) == [0, 2, 3, 6, 7]
    assert there(folder, "generator.safetensors") == there(folder, "result.json") == list(range(9))
    assert clean(folder, RECORDS).freed == 0


def test_weights_go_only_where_it_was_said(folder):
    """With --weights the generators off the front go too; results, which the record is told from, never."""
    clean(folder, RECORDS, weights=True)
    assert there(folder, "generator.safetensors") == [0, 2, 3, 6, 7]
    assert there(folder, "result.json") == list(range(9))


def test_a_quota_ends_the_search_when_nothing_more_can_be_removed(search, store):
    """Above the quota the search stops between trials, nothing RUNNING; with room it goes on to its end."""
    ended, _ = search(InProcessExecutor(), trials=6, disk_quota=3000)
    assert ended.reason == "quota"
    assert 1 <= ended.complete < 6
    assert {r.state for r in store.records()} == {"COMPLETE"}
    assert size_of(store.folder.path) > 3000
    assert search(InProcessExecutor(), trials=6, disk_quota=10**6)[0].reason == "trials"


def test_a_quota_removes_checkpoints_off_the_front_first(search, store):
    """Training states that nobody will go on from make room for the next trials."""
    search(InProcessExecutor(), trials=4)
    first = store.records()[0]
    worse = replace(first.for_twin(), quality=10 * first.quality)
    store.finish(store.create_trial(first.new).number, worse)
    state = store.folder.trial(4) / "checkpoint" / "tensors.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"x" * 10**6)
    ended, _ = search(InProcessExecutor(), trials=6, disk_quota=500_000)
    assert (ended.reason, state.exists()) == ("trials", False)


@pytest.mark.parametrize(("text", "size"), [("20GB", 20 * 10**9), ("5B", 5), ("1.5MiB", 3 * 2**19), ("7kB", 7000)])
def test_disk_space_has_a_unit(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "20", "GB", "-1GB", "0GB", "20 gigabytes"])
def test_what_is_no_disk_space_is_refused(text):
    with pytest.raises(ValueError, match="such as 20GB"):
        bytes_of(text)


@pytest.mark.parametrize("text", ["1B", "999kB"])
def test_a_quota_below_one_training_state_is_refused(text):
    """A quota in which no trial can be kept would end the search after the teacher; it is refused before."""
    with pytest.raises(UserError, match=f"disk_quota {text} holds no trial; use 1MB or more"):
        RunOptions(disk_quota=text)
