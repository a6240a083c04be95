"""The first stage of a trial: the method's cut under the target."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.costs.cost_form import InfeasibleBudget
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.trial.cut_check import CutMismatch, check_cut
from ganprune.search.trial.pruning import prune
from ganprune.spaces.methods import settings_of

from ...tiny_study import SMALL, new_folder, opened


@pytest.fixture(scope="module")
def tiny():
    """A study with its teacher, and a request of `magnitude` at 40 %."""
    plan = opened(StudyConfig(name="p", **SMALL))
    make_teacher(plan, new_folder())
    study = plan.resolved
    proposal = Proposal("magnitude", settings_of("magnitude", {}), 0.4 * study.dense["macs"], "macs")
    request = TrialRequest(0, 1, proposal, 7, str(new_folder()), study, plan.prepared)
    return open_study(study, plan.prepared), request


def test_the_cut_costs_at_most_the_target_and_nearly_all_of_it(tiny):
    """The plan's cost is at or under the target, and within 3 % of it: a channel is at most 2 % of this network."""
    study, request = tiny
    found = prune(study, request)
    cost = float(study.groups.form.predict(study.groups.form.widths(found.plan.widths)))
    assert 0.97 * request.proposal.target <= cost <= request.proposal.target
    assert found.quantized is None


def test_a_trial_of_eight_bits_is_cut_as_the_study_quantizes(tiny):
    """The settings of 8 bits go with the cut network, though the method knows nothing of bits."""
    study, request = tiny
    found = prune(study, replace(request, proposal=replace(request.proposal, bits=8)))
    assert found.quantized == study.config.quantization_settings


def test_the_teacher_is_left_as_it_was(tiny):
    """A trial cuts a copy: the study's own generator keeps its widths."""
    study, request = tiny
    before = {name: tuple(value.shape) for name, value in study.generators["G"].state_dict().items()}
    assert {name: tuple(value.shape) for name, value in prune(study, request).model.state_dict().items()} != before
    assert {name: tuple(value.shape) for name, value in study.generators["G"].state_dict().items()} == before


def test_a_target_below_the_smallest_plan_is_told(tiny):
    """No plan is made up: the trial ends with what cannot be met."""
    study, request = tiny
    with pytest.raises(InfeasibleBudget):
        prune(study, replace(request, proposal=replace(request.proposal, target=1.0)))


@pytest.mark.parametrize("steps", [0, 5])
def test_a_network_that_is_not_cut_to_its_plan_fails_its_check(tiny, steps):
    """Trained or not, other channels than those of the plan, or another network, are no cut of the teacher."""
    study, request = tiny
    found = replace(prune(study, request), steps=steps)
    check_cut(study, found, request)
    name, kept = next((name, kept) for name, kept in found.plan.kept.items() if kept[-1] < study.groups.sizes[name] - 1)
    other = ChannelPlan(found.plan.kept | {name: (*kept[:-1], kept[-1] + 1)})
    if not steps:
        with pytest.raises(CutMismatch, match="differs from the gated one's by"):
            check_cut(study, replace(found, plan=other), request)
    wider = replace(found, model=cut(study.joined(study.generators), study.groups, study.groups.full_plan()))
    with pytest.raises(CutMismatch):
        check_cut(study, wider, request)


def test_a_trained_networks_structure_is_compared_by_its_own_weights(tiny):
    """Weights that training changed are no mismatch; a forward that computes something else is."""
    study, request = tiny
    found = replace(prune(study, request), steps=5)
    with torch.no_grad():
        for parameter in found.model.parameters():
            parameter.add_(0.1)
    check_cut(study, found, request)
    found.model.register_forward_hook(lambda module, inputs, output: 1.01 * output)
    with pytest.raises(CutMismatch, match="differs from the gated one's by"):
        check_cut(study, found, request)
