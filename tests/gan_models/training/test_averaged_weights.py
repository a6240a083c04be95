"""The average of the generators' weights, and what is measured and kept of a training that averages."""

import copy
import dataclasses

import pytest
import torch
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.seeds import mixed
from ganprune.gan_models.training.averaged_weights import AveragedWeights, norms_of, reestimated
from ganprune.gan_models.training.loop import NORM_BATCHES, Recipe, train
from torch import nn

from .small import Translator, data_for, networks_for, same, task_named, weights

RECIPE = Recipe(batch_size=3, lr=2e-3, ema=0.5)


def test_half_of_the_weight_is_older_than_the_half_life():
    """beta^(half-life) is one half, whatever the length of the training; 0 averages nothing."""
    for steps in (10, 400):
        assert RECIPE.averaging(steps) ** (0.5 * steps) == pytest.approx(0.5)
    assert Recipe().averaging(400) == 0
    with pytest.raises(UserError, match=r"ema=1\.5.*Try"):
        Recipe(ema=1.5)


def test_the_average_is_the_closed_form():
    """After weights w1 .. wn from w0: beta^n w0 + (1 - beta) sum of beta^(n - i) wi."""
    network, beta = nn.Linear(2, 1, bias=False), 0.8
    path = [torch.randn(1, 2) for _ in range(6)]
    with torch.no_grad():
        network.weight.copy_(path[0])
        average = AveragedWeights(network, beta)
        for now in path[1:]:
            network.weight.copy_(now)
            average.update()
    wanted = beta**5 * path[0] + sum((1 - beta) * beta ** (5 - i) * path[i] for i in range(1, 6))
    assert torch.allclose(average.state()["weight"], wanted, atol=1e-6)


def test_own_weights_and_statistics_come_back():
    """Inside the network has the average and other statistics; afterwards all is bit for bit as before."""
    network = Translator(4).train()
    average = AveragedWeights(network, 0.5)
    with torch.no_grad():
        network.first.weight.add_(1)
    network(torch.randn(4, 3, 8, 8))
    before = copy.deepcopy(network.state_dict())
    with average.in_place():
        assert not torch.equal(network.first.weight, before["first.weight"])
        with reestimated(norms_of(network)):
            network(torch.randn(4, 3, 8, 8))
        assert not torch.equal(network.norm.running_mean, before["norm.running_mean"])
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_statistics_are_the_mean_over_the_batches():
    """Running mean and variance are those of the batches alone; dropout stands still and the momentum comes back."""
    network = Translator(4).eval()
    with torch.no_grad():
        network.norm.running_mean.fill_(100)
    given = [torch.randn(4, 3, 8, 8) for _ in range(5)]
    with reestimated(norms_of(network)), torch.no_grad():
        for x in given:
            network(x)
            assert not network.middle[1].training
    means = torch.stack([network.first(x).mean((0, 2, 3)) for x in given]).mean(0)
    assert torch.allclose(network.norm.running_mean, means, atol=1e-5)
    assert (network.norm.momentum, network.norm.training) == (0.1, False)


def test_rungs_see_the_average_and_training_goes_on_from_its_own_weights():
    """The same trajectory as without averaging: at a rung, and at the end, the average over its weights is there."""
    data, seen, path = data_for("paired"), {}, []

    def run(recipe, **more):
        task = task_named("paired")
        networks = networks_for(task)
        train(task, networks, data, recipe, steps=6, seed=0, **more)
        return networks

    def note(step, generators):
        seen[step] = generators["G"].first.weight.detach().clone()
        return True

    plain = dataclasses.replace(RECIPE, ema=0.0)
    start = networks_for(task_named("paired")).generators["G"].first.weight.detach().clone()
    run(plain, rungs=range(1, 7), on_rung=lambda _, own: path.append(own["G"].first.weight.detach().clone()) or True)
    averaged = run(RECIPE, rungs=(3, 6), on_rung=note)
    beta, wanted = RECIPE.averaging(6), start
    for step, now in enumerate(path, 1):
        wanted = torch.lerp(wanted, now, 1 - beta)
        if step in seen:
            assert torch.allclose(seen[step], wanted, atol=1e-6)
    assert torch.allclose(averaged.generators["G"].first.weight, wanted, atol=1e-6)
    assert not torch.allclose(wanted, path[-1], atol=1e-5)


def test_kept_statistics_are_those_of_the_kept_weights():
    """At the end the norms' statistics are taken on training batches with the averaged weights."""
    data, task = data_for("paired"), task_named("paired")
    networks = networks_for(task)
    train(task, networks, data, RECIPE, steps=4, seed=0)
    generator = networks.generators["G"]
    source = batches(data, RECIPE.batch_size, mixed(0, 43))
    with torch.no_grad():
        means = [generator.first(next(source)["input"]).mean((0, 2, 3)) for _ in range(NORM_BATCHES)]
    assert torch.allclose(generator.norm.running_mean, torch.stack(means).mean(0), atol=1e-5)


def test_a_finished_run_leaves_its_average_again(tmp_path):
    """Started again, a run that is done gives the averaged weights, not those of its last step."""
    results = []
    for seed in (0, 5):
        task = task_named("paired")
        networks = networks_for(task, seed)
        train(task, networks, data_for("paired"), RECIPE, steps=3, seed=0, checkpoint_dir=tmp_path)
        results.append(weights(networks))
    assert same(*results)
