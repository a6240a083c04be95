"""The zero-shot score: an error to the teacher on inputs that nothing was fitted to."""

import pytest
import torch
from ganprune.gan_models.groups.channel_groups import ChannelGroups
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.plan_scores.zero_shot import NotScored, ZeroShotScorer, zero_shot
from ganprune.gan_models.reconstruction.calibration import Calibration
from torch import Tensor, nn


@pytest.fixture(scope="module")
def teacher() -> tuple[nn.Module, ChannelGroups]:
    """A small ResNet generator and its groups."""
    torch.manual_seed(0)
    model = build("resnet", {"ngf": 8, "n_blocks": 2}).eval().requires_grad_(False)
    return model, find_groups(model, torch.zeros(1, 3, 32, 32))


def _images(n: int, seed: int) -> Tensor:
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def _calibration(judged: int = 8) -> Calibration:
    images, others = _images(16, 1), _images(judged, 2)
    return Calibration(lambda: (images,), 0, read_judging=lambda: (others,))


def test_the_full_plan_has_no_error(teacher):
    """A plan that keeps every channel has the teacher's outputs."""
    model, groups = teacher
    found = zero_shot(model, groups, groups.full_plan(), _calibration())
    assert found.error == pytest.approx(0, abs=1e-9)
    assert found.n == 8
    assert found.name == "error[n=8]"


def test_the_error_is_that_of_the_network_that_is_returned(teacher):
    """Recomputed from its outputs on the judging inputs, the error is the same; and refitting has lowered it."""
    model, groups = teacher
    form = groups.form
    widths = dict(zip(form.names, form.solve([1] * len(form.names), 0.3 * form.dense()).tolist(), strict=True))
    plan = ChannelPlan({name: tuple(range(width)) for name, width in widths.items()})
    found = zero_shot(model, groups, plan, _calibration())
    x = _images(8, 2)
    wanted = model(x).double()
    spread = (wanted - wanted.mean((0, 2, 3), keepdim=True)).square().sum()
    expected = float((found.model(x).double() - wanted).square().sum() / spread)
    assert found.error == pytest.approx(expected, rel=1e-4)
    assert found.reconstruction.kept
    assert found.macs > found.reconstruction.macs


def test_without_judging_inputs_the_error_is_of_those_that_the_refit_left(teacher):
    """The record's own error on unseen inputs takes the place of the other."""
    model, groups = teacher
    plan = groups.full_plan()
    found = zero_shot(model, groups, plan, Calibration(lambda: (_images(16, 1),), 0))
    assert found.n == found.reconstruction.unseen == 2


def test_the_teacher_is_run_once_for_any_number_of_plans(teacher):
    """The second plan costs less than the first by the teacher's passes, and its error is what it is alone."""
    model, groups = teacher
    calibration = _calibration()
    scorer = ZeroShotScorer(model, groups, calibration)
    narrow = ChannelPlan({name: tuple(range(size // 2)) for name, size in groups.sizes.items()})
    first, second = scorer.score(narrow), scorer.score(narrow)
    dense = groups.form.dense()
    assert first.macs - second.macs == pytest.approx(24 * dense, rel=0.01)  # 16 inputs, and 8 that judge
    assert first.error == second.error == zero_shot(model, groups, narrow, calibration).error
    assert scorer.evaluations == 2
    assert scorer.macs == first.macs + second.macs


class _Unwatched(nn.Module):
    """A network that raises while its calls are watched."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 16:  # all calibration inputs at once
            raise KeyError("sixteen")
        return self.last(torch.relu(self.first(x)))


def test_an_exception_while_a_plan_is_scored_is_reported():
    """It ends the score with its own text; a score of infinity would look like a bad plan."""
    model = _Unwatched().eval().requires_grad_(False)
    groups = find_groups(model, torch.zeros(1, 3, 32, 32))
    with pytest.raises(NotScored, match="the network cannot be refitted: KeyError: 'sixteen'"):
        zero_shot(model, groups, groups.full_plan(), _calibration())
