"""A configuration with several mistakes: resolving it tells all that do not depend on each other."""

import pytest
import torch
from ganprune.gan_models.files.errors import UserError, UserErrors, errors_of
from ganprune.search.config import StudyConfig
from ganprune.search.setup.resolve import resolve

from ...tiny_study import SMALL

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU that is asked for")


def told(**changes) -> list[str]:
    """The lines of what is wrong with a study."""
    with pytest.raises(UserError) as raised:
        resolve(StudyConfig(name="w", **SMALL | changes), sharing=lambda kind: 1)
    return list(map(str, errors_of(raised.value)))


@NO_GPU
def test_mistakes_that_do_not_depend_on_each_other_are_told_at_once():
    """The device, the encoder's weights, the number of images, the teacher's file, the budget: five lines."""
    lines = told(device="cuda", metric="inception", n_test=1, teacher="gone.pt", budgets=("1GMACs",))
    assert len(lines) == 5
    for part in ("'cuda' is not available", "nception", "got 1; a distance needs 2", "gone.pt is not a file", "1GMACs"):
        assert sum(part in line for line in lines) == 1, (part, lines)


def test_data_and_teacher_that_are_gone_are_told_beside_a_model_that_is_not_known():
    """Without a network nothing else can be looked at, but for what stands alone."""
    lines = told(model="resnet_99", data="nowhere", teacher="gone.pt", model_args={})
    assert len(lines) == 3
    for part in ("resnet_99", "'nowhere' does not exist", "gone.pt is not a file"):
        assert sum(part in line for line in lines) == 1, (part, lines)


def test_what_follows_from_a_mistake_is_not_told():
    """Weights of another network are one mistake, not one for each check that would load them."""
    assert len(told(teacher=__file__)) == 1


def test_fields_of_a_configuration_are_told_at_once():
    """Numbers out of range are refused when the configuration is read, all of them."""
    with pytest.raises(UserErrors) as raised:
        StudyConfig(name="w", **SMALL | {"seed": -1, "trials": 0, "rungs": (0.5, 0.2)})
    lines = list(map(str, errors_of(raised.value)))
    assert len(lines) == 3
    for part in ("trials is 0", "rungs", "got -1"):
        assert sum(part in line for line in lines) == 1, (part, lines)


def test_names_that_are_not_known_are_told_at_once():
    """Metric, sampler, method and budget are each looked up in their own table."""
    with pytest.raises(UserErrors) as raised:
        StudyConfig(name="w", **SMALL | {"metric": "x", "sampler": "y", "methods": ("z",), "budgets": ("q",)}).checked()
    assert len(errors_of(raised.value)) == 4
