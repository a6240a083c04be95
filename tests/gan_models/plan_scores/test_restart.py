"""The choice between a trained method's own weights and the refitted teacher, both of one plan."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import copy_network, cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.plan_scores.restart import restarted
from ganprune.gan_models.reconstruction.calibration import Calibration


@pytest.fixture(scope="module")
def given():
    """A teacher with its groups, a plan of half of its channels, and inputs to fit to and to judge by."""
    torch.manual_seed(0)
    teacher = build("resnet", {"ngf": 8, "n_blocks": 1}).eval().requires_grad_(False)
    images = torch.rand(24, 3, 16, 16) * 2 - 1
    groups = find_groups(teacher, images[:1])
    plan = ChannelPlan({name: tuple(range(size // 2)) for name, size in groups.sizes.items()})
    return teacher, groups, plan, Calibration(lambda: (images[:16],), 0, read_judging=lambda: (images[16:],))


def test_the_refitted_teacher_is_nearer_than_a_plain_cut(given):
    """The record says both errors."""
    teacher, groups, plan, calibration = given
    plain = cut(teacher, groups, plan)
    found = restarted(teacher, groups, plan, plain, calibration, "always")
    assert found.refitted_error < found.own_error
    assert found.model is not plain
    assert found.reconstruction is not None
    assert restarted(teacher, groups, plan, plain, calibration, "never").model is plain


def test_weights_that_are_nearer_to_the_teacher_are_gone_on_with(given):
    """Weights that no refit can improve on (here the teacher's own) stay, except with `always`."""
    teacher, groups, plan, calibration = given
    own = copy_network(teacher)
    found = restarted(teacher, groups, plan, own, calibration, "auto")
    assert found.own_error == 0
    assert found.model is own
    assert found.reconstruction is None
    assert restarted(teacher, groups, plan, own, calibration, "always").model is not own


def test_without_inputs_to_judge_by_those_that_nothing_was_fitted_to_decide(given):
    """The last eighth of the calibration inputs takes their place."""
    teacher, groups, plan, calibration = given
    alone = Calibration(lambda: calibration.inputs, 0)
    found = restarted(teacher, groups, plan, cut(teacher, groups, plan), alone, "always")
    assert found.reconstruction is not None
    assert found.refitted_error == pytest.approx(found.reconstruction.after, rel=1e-4)


def test_auto_takes_the_refitted_teacher_if_its_error_is_below_half(given):
    """Weights far from the teacher are given up; a plain cut whose refit is only somewhat nearer is not."""
    teacher, groups, plan, calibration = given
    near, far = cut(teacher, groups, plan), cut(teacher, groups, plan)
    with torch.no_grad():
        for parameter in far.parameters():
            parameter.mul_(50)
    assert restarted(teacher, groups, plan, near, calibration, "auto").model is near
    found = restarted(teacher, groups, plan, far, calibration, "auto")
    assert found.refitted_error < 0.5 * found.own_error
    assert found.model is not far
