"""Neighbors on the learned manifold: exact, without the sample itself, computed once; the density terms."""

import math

import pytest
import torch
from ganprune.gan_models.pruning.mggc.local_density import balance, discriminator_features, kernel_loss, log_density
from ganprune.gan_models.pruning.mggc.manifold import Samples, identity, learned_manifold, nearest, unit
from ganprune.gan_models.pruning.mggc.method import _stage
from ganprune.gan_models.tasks.losses import discriminator_adversarial
from torch import nn

from ..jobs import changed
from .mggc_jobs import encoder, mggc_job


@pytest.mark.parametrize(("n", "d", "k", "rows"), [(7, 3, 6, 2), (60, 5, 9, 16), (130, 96, 50, 512)])
def test_neighbors_are_those_of_a_search_over_all_pairs_whatever_the_block(n, d, k, rows):
    features = torch.randn(n, d, generator=torch.Generator().manual_seed(n))
    indices, distances = nearest(features, k, rows)
    for i in range(n):
        by_hand = sorted((float((features[i].double() - features[j].double()).norm()), j) for j in range(n) if j != i)[
            :k
        ]
        assert indices[i].tolist() == [j for _, j in by_hand]
        assert distances[i].tolist() == pytest.approx([distance for distance, _ in by_hand], rel=1e-5, abs=1e-6)


def test_a_sample_is_never_its_own_neighbor_even_among_equal_ones():
    indices, distances = nearest(torch.ones(6, 3), 5)
    assert all(sorted(row) == [j for j in range(6) if j != i] for i, row in enumerate(indices.tolist()))
    assert distances.abs().max() < 1e-6


def test_neighbors_stay_inside_their_cluster():
    near = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)) * 0.1
    near[20:] += 10
    indices, _ = nearest(near, 19, rows=7)
    assert torch.equal(indices >= 20, (torch.arange(40) >= 20)[:, None].expand(40, 19))


def test_more_neighbors_than_other_samples_are_refused():
    with pytest.raises(ValueError, match="expected 1 to 3"):
        nearest(torch.zeros(4, 2), 4)


def _samples(job):
    return Samples(job.training.task, job.name, job.training.data, job.training.device)


def _encode(_, images):
    return unit(encoder(images))


def test_samples_are_of_unit_length_with_all_others_as_neighbors():
    """Ten entries give ten samples with nine neighbors each, and twice the same."""
    job = mggc_job()
    first, second = (learned_manifold(job.model, _samples(job), _encode) for _ in range(2))
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.neighbors, second.neighbors)
    assert first.neighbors.shape == (10, 9)
    assert torch.allclose(first.features.norm(dim=1), torch.ones(10))


def test_a_change_of_data_teacher_inputs_or_encoder_is_another_identity():
    """The same of all of them is the same identity; of another size, weight, feature or content it is another."""
    job = mggc_job()
    samples = _samples(job)
    found = [identity(job.model, samples, _encode, "data") for _ in range(2)]
    found += [identity(job.model, samples, _encode, "other data")]
    found += [identity(job.model, _samples(changed(job, data=job.training.data[:-1])), _encode, "data")]
    found += [identity(job.model, samples, lambda _, images: unit(encoder(images) + 1), "data")]
    with torch.no_grad():
        next(job.model.parameters()).mul_(1.5)
    found += [identity(job.model, samples, _encode, "data")]
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_one_image_has_no_neighbors_and_this_is_said():
    job = mggc_job(n=1)
    with pytest.raises(ValueError, match="at least 2"):
        learned_manifold(job.model, _samples(job), _encode)


def test_latents_of_the_unconditional_task_belong_to_their_entry():
    job = mggc_job("unconditional")
    samples = Samples(job.training.task, job.name, job.training.data, job.training.device)
    assert torch.equal(samples.inputs([3, 5])[0][1:], samples.inputs([5, 2])[0][:1])


def test_the_kernel_density_is_its_closed_form():
    center, samples = torch.zeros(1, 2), torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    expected = math.log((math.exp(-1 / 8) + math.exp(-4 / 8)) / 2)
    assert float(log_density(center, samples, torch.tensor([2.0]))) == pytest.approx(expected, rel=1e-6)


def test_the_kernel_term_is_zero_for_equal_images_and_grows_with_the_distance():
    draw = torch.Generator().manual_seed(2)
    center, original = torch.randn(3, 8, generator=draw), torch.randn(3, 4, 8, generator=draw)
    width = torch.full((3,), 2.0)
    assert float(kernel_loss(center, original, original.clone(), width)) == 0.0
    moved = [float(kernel_loss(center, original, original + shift, width)) for shift in (0.1, 0.5, 2.0)]
    assert 0 < moved[0] < moved[1] < moved[2]


def test_an_undecided_discriminator_costs_two_in_the_hinge_and_a_half_in_lsgan():
    nothing = torch.zeros(5)
    assert float(discriminator_adversarial("hinge", nothing, nothing)) == 2.0
    assert float(discriminator_adversarial("lsgan", nothing + 0.5, nothing + 0.5)) == 0.5
    told = balance("hinge", torch.tensor([1.0, -1.0]), torch.tensor([-1.0, -2.0]))
    assert [float(told[name]) for name in ("accuracy_real", "accuracy_fake")] == [0.5, 1.0]


@pytest.mark.parametrize("kind", ["paired", "unpaired", "unconditional"])
def test_a_discriminators_features_are_what_its_last_layer_reads(kind):
    job = mggc_job(kind, "AtoB" if kind == "unpaired" else "G", encoder="discriminator")
    stage, about = _stage(job, job.training)
    assert about["encoder"] == "discriminator"
    inputs = stage.samples.inputs([0, 1])
    images = stage.teacher(*inputs).requires_grad_(True)
    read = []
    last = [m for m in stage.judge.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1]
    handle = last.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    features = discriminator_features(job.training.task, stage.judge)(inputs, images)
    handle.remove()
    pooled = read[0] if read[0].dim() == 2 else read[0].mean((2, 3))
    assert torch.allclose(features, unit(pooled))
    features[0, 0].backward()
    assert images.grad[0].abs().max() > 0
