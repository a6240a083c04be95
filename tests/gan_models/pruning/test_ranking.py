"""The order in which channels of a group are kept, by the setting `ranking`."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.pruning.baseline_settings import RankingSettings
from ganprune.gan_models.pruning.method import PruneJob, Target
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.gan_models.pruning.ranking import l1_scores, l2_scores, ranked
from ganprune.gan_models.reconstruction.calibration import Calibration
from torch import nn


def _job(ranking: str, calibrated: bool) -> PruneJob:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 1))
    x = torch.randn(12, 3, 10, 10)
    return PruneJob(
        model=model,
        name="G",
        groups=find_groups(model, x[:1]),
        proposal=Proposal("uniform", RankingSettings(ranking), 1.0, "macs"),
        target=Target("macs", 1.0),
        seed=0,
        calibration=Calibration(lambda: (x,), 0) if calibrated else None,
    )


def test_l2_adds_up_squares_of_all_that_writes_and_reads_a_channel():
    """A score is the summed square of the filter and of the columns that read it, over the group's mean."""
    job = _job("l2", calibrated=False)
    first, second = job.model[0].weight.detach(), job.model[2].weight.detach()
    expected = (first.square().sum((1, 2, 3)) + second.square().sum((0, 2, 3))).numpy()
    np.testing.assert_allclose(l2_scores(job.model, job.groups)["0"], expected / expected.mean(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["l1", "l2", "schur", "gauss_newton"])
def test_scores_of_every_ranking_have_mean_one_in_each_group(kind: str):
    """Groups can be ranked together, whatever the scores are made of."""
    job = _job(kind, calibrated=True)
    found = ranked(job)
    assert {name: len(score) for name, score in found.items()} == job.groups.sizes
    for score in found.values():
        assert score.mean() == pytest.approx(1)
        assert (score >= 0).all()


def test_auto_is_schur_with_calibration_inputs_and_l1_without():
    """Without inputs channels are ranked as they always were."""
    plain, calibrated = _job("auto", calibrated=False), _job("auto", calibrated=True)
    for name, score in l1_scores(plain.model, plain.groups).items():
        assert np.array_equal(ranked(plain)[name], score)
    named = replace(calibrated, proposal=replace(calibrated.proposal, settings=RankingSettings("schur")))
    for name, score in ranked(named).items():
        assert np.array_equal(ranked(calibrated)[name], score)


@pytest.mark.parametrize("kind", ["schur", "gauss_newton"])
def test_scores_of_one_network_are_not_those_of_another(kind: str):
    """A copy that a method trained is ranked by its own weights, whatever the same inputs ranked before."""
    teacher, other = _job(kind, calibrated=True), _job(kind, calibrated=True)
    with torch.no_grad():
        other.model[0].weight[::2] *= 0.01
    alone = ranked(other)
    ranked(teacher)
    after = ranked(replace(other, calibration=teacher.calibration))
    for name, score in alone.items():
        assert np.array_equal(after[name], score)
        assert not np.array_equal(ranked(teacher)[name], score)


@pytest.mark.parametrize("kind", ["schur", "gauss_newton"])
def test_ranking_by_inputs_without_inputs_names_the_cure(kind: str):
    """The message has the ranking and the option that gives inputs."""
    with pytest.raises(UserError, match=rf"{kind}.*--calibration-images"):
        ranked(_job(kind, calibrated=False))


class _Table(nn.Module):
    """Channels that an einsum reads, which calibration does not follow."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3)
        self.table = nn.Parameter(torch.randn(6, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nchw,cd->ndhw", self.first(x).relu(), self.table)


def test_groups_whose_readers_are_not_followed_are_ranked_by_l1():
    """Channels that no convolution and no linear layer reads keep the order of their norms."""
    torch.manual_seed(0)
    model, x = _Table(), torch.randn(8, 3, 8, 8)
    job = replace(_job("schur", calibrated=True), model=model, groups=find_groups(model, x[:1]))
    (found,), (norms,) = ranked(job).values(), l1_scores(model, job.groups).values()
    assert np.array_equal(found, norms)


def test_scores_are_made_once_for_all_trials_of_a_study():
    """A second trial with the same inputs is given the same arrays."""
    job = _job("schur", calibrated=True)
    assert ranked(job) is ranked(job)
