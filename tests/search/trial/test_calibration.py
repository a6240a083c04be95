"""Calibration inputs of a study, and trials whose cut is refitted with them."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy, open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialOutcome, TrialRequest
from ganprune.search.setup.resolve import resolve
from ganprune.search.trial.calibration import calibration_of
from ganprune.search.trial.pruning import prune
from ganprune.search.trial.trial import run
from ganprune.spaces.methods import settings_of
from ganprune.spaces.widths import WidthSpace

from ...tiny_study import SMALL, new_folder, opened


@pytest.fixture(scope="module")
def study() -> OpenedStudy:
    plan = opened(StudyConfig(name="c", calibration_images=8, **SMALL))
    make_teacher(plan, new_folder())
    return open_study(plan.resolved, plan.prepared)


def _with(study: OpenedStudy, **options) -> OpenedStudy:
    return open_study(replace(study.resolved, config=replace(study.config, **options)), study.prepared)


def _request(study: OpenedStudy, bits: int = 32, method: str = "uniform", **settings) -> TrialRequest:
    form = study.groups.form
    target = 0.4 * form.dense()
    widths = WidthSpace(form).uniform(target) if method == "uniform" else None
    proposal = Proposal(method, settings_of(method, settings), target, "macs", widths, bits)
    return TrialRequest(0, 1, proposal, 3, str(new_folder()), study.resolved, study.prepared)


def test_inputs_are_training_inputs_and_the_same_in_every_trial(study):
    """Each is a training image's input, as the task gives it; no label comes along."""
    first, again = calibration_of(study, "G"), calibration_of(study, "G")
    assert first is not None
    assert again is not None
    (x,) = first.inputs
    assert x.shape == (8, 3, 16, 16)
    assert torch.equal(x, again.inputs[0])
    task, train = study.task(), []
    for i in range(len(study.train_data)):
        item = {name: value[None] for name, value in study.train_data[i].items() if isinstance(value, torch.Tensor)}
        train.append(task.inputs(item, "G")[0][0])
    for one in x:
        assert any(torch.equal(one, other) or torch.equal(one, other.flip(2)) for other in train)


def test_inputs_that_judge_are_others(study):
    """No input that layers are fitted to judges them, and there are none once the training data is used up."""
    calibration = calibration_of(study, "G")
    assert calibration is not None
    (fitted,), (judging,) = calibration.inputs, calibration.judging
    assert len(judging) == min(8, len(study.train_data) - 8)
    assert not any(torch.equal(one, other) for one in fitted for other in judging)
    every = _with(study, calibration_images=len(study.train_data))
    all_of_them = calibration_of(every, "G")
    assert all_of_them is not None
    assert len(all_of_them.judging[0]) == 0


def test_uniform_trial_is_refitted_and_its_record_says_so(study):
    """The network is nearer to its teacher than the plain cut, the plan is the same kind, and JSON keeps the record."""
    outcome = run(_request(study), lambda report: True)
    done = outcome.reconstructions["G"]
    assert done.kept
    assert done.after < done.before
    assert done.inputs + done.held_out + done.unseen == 8
    assert outcome.state == "COMPLETE"
    assert from_json(TrialOutcome, to_json(outcome)).reconstructions == outcome.reconstructions


@pytest.mark.parametrize("images", [0, None])
def test_no_calibration_images_give_the_plain_cut(study, images):
    """With 0, and in records that do not know the option, weights are the teacher's own, channels chosen by L1."""
    plain = _with(study, calibration_images=images)
    pruned = prune(plain, _request(plain))
    assert pruned.reconstructions == {}
    expected = cut(study.generators["G"], study.groups, pruned.plan).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in pruned.model.state_dict().items())
    assert plain.config.fingerprint() == _with(study, calibration_images=0).config.fingerprint()


def test_refit_alone_can_be_left_out(study):
    """`refit=false` keeps the ranking by calibration inputs, and the weights as they were cut."""
    whole, plain = prune(study, _request(study)), prune(study, _request(study, refit=False))
    assert plain.plan == whole.plan
    assert plain.reconstructions == {}
    expected = cut(study.generators["G"], study.groups, plain.plan).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in plain.model.state_dict().items())


def test_trials_of_8_bits_are_refitted_first(study):
    """The refit is of the float network; quantizers come after it."""
    eight = _with(study, bits=(8,))
    outcome = run(_request(eight, bits=8), lambda report: True)
    assert outcome.state == "COMPLETE"
    assert outcome.quantized is not None
    assert outcome.reconstructions["G"].kept


def test_both_generators_of_a_pair_are_refitted():
    """Each is refitted on inputs of its own."""
    config = StudyConfig(
        name="b",
        calibration_images=8,
        **SMALL | {"data": "builtin:stripes", "prune_network": "both", "teacher_steps": 1},
    )
    plan = opened(config)
    make_teacher(plan, new_folder())
    study = open_study(plan.resolved, plan.prepared)
    pruned = prune(study, _request(study, method="magnitude"))
    assert set(pruned.reconstructions) == {"AtoB", "BtoA"}
    assert all(done.before is not None for done in pruned.reconstructions.values())


def test_new_study_gets_64_images_and_an_old_record_none():
    """An open choice of a new study is decided when it is resolved; 0 stays 0."""
    config = StudyConfig(name="n", **SMALL)
    assert resolve(config, sharing=lambda kind: 0)[0].config.calibration_images == 64
    assert resolve(replace(config, calibration_images=0), sharing=lambda kind: 0)[0].config.calibration_images == 0
    assert resolve(config)[0].config.calibration_images is None
