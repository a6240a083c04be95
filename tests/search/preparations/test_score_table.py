"""The score table of a study: made once, found by later studies, and used by trials of `reconstruct`."""

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.made_by_trials import score_table as rooms
from ganprune.search.preparations.opened_study import OpenedStudy
from ganprune.search.preparations.prepare import gather, prepare
from ganprune.search.records.messages import TrialOutcome, TrialRequest
from ganprune.search.setup.resolve import resolve
from ganprune.search.trial.calibration import calibration_of
from ganprune.search.trial.trial import run
from ganprune.spaces.methods import settings_of

from ...tiny_study import SMALL, new_folder, opened


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANPRUNE_CACHE", str(tmp_path / "cache"))


def _study(**options) -> OpenedStudy:
    config = {**SMALL, "n_train": 16, "calibration_images": 8, "methods": ("reconstruct",), **options}
    study = opened(StudyConfig(name="r", **config))
    prepare(study, new_folder())
    return study


def _trial(study: OpenedStudy, **settings) -> TrialOutcome:
    target = 0.4 * study.space.proposals().widths.form.dense()
    proposal = Proposal("reconstruct", settings_of("reconstruct", settings), target, "macs")
    return run(TrialRequest(0, 1, proposal, 3, str(new_folder()), study.resolved, study.prepared), lambda report: True)


def test_a_trial_records_what_it_computed():
    """Its plan is within the target; evaluations and the MACs of all passes are in its record, which JSON keeps."""
    study = _study()
    outcome = _trial(study, evaluations=10)
    assert outcome.state == "COMPLETE"
    record = outcome.method_record
    assert record["evaluations"] == 10
    assert record["guide"] == "features"
    assert record["calibration_macs"] > 10 * 8 * 0.2 * study.groups.form.dense()
    assert record["score"] == min(record["path"])
    assert from_json(TrialOutcome, to_json(outcome)).method_record == record
    assert [*gather(study, new_folder()).artifacts] == [*study.prepared.artifacts]


def test_a_later_study_of_the_same_teacher_finds_the_table(monkeypatch):
    """Another folder has the same table from the cache, and no second pass is made for it."""
    study = _study()
    model, calibration = study.generators["G"].cpu(), calibration_of(study, "G")
    assert calibration is not None
    first = rooms.made(new_folder(), model, study.groups, calibration)
    monkeypatch.setattr(rooms, "score_table", lambda *_: pytest.fail("the table is made again"))
    shared = new_folder()
    assert rooms.made(shared, model, study.groups, calibration) == first
    assert (shared / f"score-table-{first.identity}.json").is_file()


def test_both_generators_of_a_cycle_are_cut():
    """Each has a table of its own, and its record is under its name."""
    study = _study(data="builtin:stripes", task="unpaired", prune_network="both", budgets=("AtoB=40%", "BtoA=40%"))
    outcome = _trial(study, evaluations=1)
    assert set(outcome.method_record) == {"AtoB", "BtoA"}
    tables = {record["table"]["identity"] for record in outcome.method_record.values()}
    assert len(tables) == 2


def test_a_study_without_calibration_inputs_is_refused():
    """The method can do nothing without them, and one line says so before anything is trained."""
    config = StudyConfig(name="r", **{**SMALL, "calibration_images": 0, "methods": ("reconstruct",)})
    with pytest.raises(UserError, match="calibration inputs: got --calibration-images 0"):
        resolve(config, sharing=lambda kind: 1)
