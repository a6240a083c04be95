"""One real trial, interrupted at every point that matters, ends as the uninterrupted one; its curve is whole."""

from dataclasses import replace

import pytest
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.pictures.kept_pictures import kept_strips
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.trial import measuring, trial
from ganprune.spaces.methods import settings_of

from ...tiny_study import SMALL, opened


@pytest.fixture(scope="module")
def request_at(tmp_path_factory):
    """Makes a request with a workspace of its own."""
    recipe = replace(SMALL["recipe"], ema=0.3, distill_terms={"gram": 1.0, "judge": 1.0}, reconstruct_first=0.3)
    config = StudyConfig(name="t", **{**SMALL, "recipe": recipe, "finetune_steps": 8, "rungs": (0.25, 0.5, 0.75)})
    plan, folder = opened(config), tmp_path_factory.mktemp("teacher")
    make_teacher(plan, folder)
    target = 0.4 * plan.resolved.dense["macs"]

    def make(workspace):
        proposal = Proposal("magnitude", settings_of("magnitude", {}), target, "macs")
        return TrialRequest(0, 1, proposal, 7, str(workspace), plan.resolved, plan.prepared)

    return make


@pytest.fixture(scope="module")
def whole(request_at, tmp_path_factory):
    return trial.run(request_at(tmp_path_factory.mktemp("whole")), lambda report: True)


def untimed(result):
    return replace(result, seconds={}, worker="", training=None, measurements=result.measurements[:1])


@pytest.mark.parametrize("rung", [2, 4, 6])
def test_a_report_that_dies_with_its_driver_is_in_the_next_ones_curve(request_at, whole, tmp_path, rung):
    """Nobody heard of the rungs before; the resumed attempt's reports and result carry them all, bit for bit."""
    heard = []

    def dies(report):
        if report.step == rung:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        trial.run(request_at(tmp_path), dies)
    result = trial.run(request_at(tmp_path), lambda report: heard.append(report) or True)
    assert untimed(result) == untimed(whole)
    assert list(result.rungs) == [2, 4, 6, 8]
    assert result.curves["finetune"].steps == tuple(range(1, 9))
    assert [strip.step for strip in kept_strips(tmp_path)] == [0, 2, 4, 6, 8]
    for report in heard:
        assert report.curves["finetune"].steps == tuple(range(1, report.step + 1))
        assert list(report.rungs) == list(range(2, report.step + 1, 2))


@pytest.mark.parametrize("damage", ["cut off", "gone", "state"])
def test_a_damaged_checkpoint_costs_its_steps_and_not_the_trial(request_at, whole, tmp_path, damage):
    """The attempt that finds it says so, trains from the start, and ends as the uninterrupted one."""

    def dies(report):
        if report.step == 4:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        trial.run(request_at(tmp_path), dies)
    (tensors,) = (tmp_path / "checkpoint").glob("tensors-*.safetensors")
    if damage == "gone":
        tensors.unlink()
    else:
        path = tensors if damage == "cut off" else tmp_path / "checkpoint" / "state.json"
        path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match="damaged.*training starts from the beginning"):
        result = trial.run(request_at(tmp_path), lambda report: True)
    assert untimed(result) == untimed(whole)


def test_a_stopped_trial_that_dies_before_its_result_is_stopped_again(request_at, tmp_path, monkeypatch):
    """Told to stop at a rung, checkpointed, killed before its manifest: the next attempt tells the same, untrained."""

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(measuring, "write_json", dies)
        with pytest.raises(KeyboardInterrupt):
            trial.run(request_at(tmp_path), lambda report: report.step < 4)
    result = trial.run(request_at(tmp_path), lambda report: pytest.fail("it was trained again"))
    assert result.state == "PRUNED"
    assert result.quality == result.rungs[4]
    assert list(result.rungs) == [2, 4]
