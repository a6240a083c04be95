"""Weights made from latents: the published formula, its layouts, its size, and cutting it is cutting the weights."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.pruning.coronet.generated_network import GeneratedNetwork
from ganprune.gan_models.pruning.coronet.generated_weights import generated_weights, hypernetwork_size
from ganprune.gan_models.pruning.coronet.hypernetwork import Hypernetwork
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ...network_cases import CASES, RandomNetwork
from ...random_cuts import lively, random_plan


def drawn(model: nn.Module, shape: tuple[int, ...] | InputSpec, seed: int = 0, embedding: int = 3):
    """Groups and a hypernetwork with nothing at zero."""
    dtype = next(model.parameters()).dtype
    groups = find_groups(
        model, tuple(x.to(dtype) if x.is_floating_point() else x for x in InputSpec.read(shape).examples())
    )
    hypernetwork = Hypernetwork(model, groups, embedding)
    hypernetwork.draw(seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in hypernetwork.named_parameters():
            if ".B" in name:
                parameter.normal_(generator=generator)
    return groups, hypernetwork.to(next(model.parameters()).dtype)


def test_a_weight_is_what_the_published_formula_gives_pair_by_pair():
    """Z = z_i z_o + B0, E = Z W1 + B1, O = W2 E + B2 by a loop over all channel pairs; a transposed convolution keeps
    its own layout, input channels first."""
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 5, 2), nn.ReLU(), nn.Conv2d(5, 3, 1))
    groups, hypernetwork = drawn(model, (3, 8, 8))
    weights = hypernetwork()
    latents = {name: hypernetwork.latents[o : o + groups.sizes[name]] for name, o in groups.offsets.items()}
    one, six, five = torch.ones(3), latents["0"], latents["2"]
    expected_axes = {"0.weight": (six, one), "2.weight": (six, five), "4.weight": (one, five)}
    assert set(weights) == set(expected_axes)
    for layer in hypernetwork.layers:
        first, second = expected_axes[layer.weight.name]
        made = weights[layer.weight.name]
        for i, j in np.ndindex(len(first), len(second)):
            z = first[i] * second[j] + layer.B0[i, j]
            e = z * layer.W1[i, j] + layer.B1[i, j]
            matrix = layer.W2[i, j].reshape(3, -1).T  # [k, e]
            kernel = (matrix @ e + layer.B2[i, j]).reshape(made.shape[2:])
            assert torch.allclose(made[i, j], kernel, atol=1e-6)
    assert weights["2.weight"].shape == (6, 5, 2, 2)


@pytest.mark.parametrize(
    ("model", "ngf", "millions"),
    [("resnet_9blocks", 64, 123.8), ("resnet_9blocks", 16, 7.77), ("unet_256", 64, 547.4), ("unet_256", 16, 34.2)],
)
def test_the_size_of_a_hypernetwork_is_the_known_one(model: str, ngf: int, millions: float):
    """Numbers at embedding 8, counted without building anything, are the published networks'."""
    with torch.device("meta"):
        network = build(model, {"ngf": ngf})
    size = hypernetwork_size(network, find_groups(network, NETWORKS[model].spec.examples()), 8)
    assert size.numbers / 1e6 == pytest.approx(millions, abs=0.05)
    assert size.bytes_in_training == 16 * size.numbers
    assert (model, ngf, size.latents) in {("resnet_9blocks", 64, 2944), ("unet_256", 64, 5504)} or ngf == 16


def test_the_size_that_is_announced_is_the_size_that_is_built():
    """Counting and building agree, at every embedding."""
    model = build("resnet", {"ngf": 4, "n_blocks": 1})
    groups = find_groups(model, torch.empty(1, 3, 32, 32))
    for embedding in (1, 8):
        assert Hypernetwork(model, groups, embedding).numbers() == hypernetwork_size(model, groups, embedding).numbers


def test_the_published_start_has_the_published_spread():
    """W1 ~ U(+-sqrt 3), W2 ~ U(+-sqrt(3 / (e C_in k^2))) with C_in of the layer's own direction, biases zero, and
    latents ~ N(0, 1)."""
    model = nn.Sequential(nn.Conv2d(3, 300, 3), nn.ReLU(), nn.ConvTranspose2d(300, 100, 2), nn.Conv2d(100, 3, 1))
    groups = find_groups(model, torch.empty(1, 3, 8, 8))
    hypernetwork = Hypernetwork(model, groups, 8)
    hypernetwork.draw(1)
    for layer, fan_in in zip(hypernetwork.layers, (3 * 9, 300 * 4, 100), strict=True):
        assert float(layer.W1.detach().abs().max()) == pytest.approx(3**0.5, rel=0.01)
        assert float(layer.W2.detach().abs().max()) == pytest.approx((3 / (8 * fan_in)) ** 0.5, rel=0.01)
        assert not any(b.abs().max() for b in (layer.B0, layer.B1, layer.B2))
    assert float(hypernetwork.latents.detach().mean()) == pytest.approx(0, abs=0.15)
    assert float(hypernetwork.latents.detach().std()) == pytest.approx(1, abs=0.1)


def check_cut(model: nn.Module, inputs: InputSpec, seed: int) -> None:
    """Sliced hypernetwork = cut weights exactly; materialised = gated; every cut tensor is the generated one."""
    groups, hypernetwork = drawn(model, inputs, seed)
    plan = random_plan(groups, seed)
    network = GeneratedNetwork(model, groups, hypernetwork, 1, gated=False)
    full = hypernetwork()
    small = cut(model, groups, plan)
    with torch.no_grad():
        for name, weight in full.items():
            model.get_parameter(name).copy_(weight)
        expected = cut(model, groups, plan)
        for name, weight in hypernetwork.sliced(groups, plan)().items():
            assert weight.shape == small.get_parameter(name).shape
            assert torch.equal(weight, expected.get_parameter(name)), name
        made = network.materialised(plan).eval()
        x = tuple(each.double() if each.is_floating_point() else each for each in inputs.examples(2))
        gated = gated_call(model, groups, plan_gates(groups, plan, x[0]), *x)
        assert float((made(*x) - gated).abs().max()) <= 1e-9 * max(float(gated.abs().max()), 1e-30)
    assert sum(p.numel() for p in made.parameters()) == groups.form.predict(groups.form.widths(plan.widths), "params")


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in sorted(CASES)
        if n not in ("resnet_9blocks", "unet_128", "resnet_6blocks", "projection", "unet_spectral")
    ],
)
def test_the_cut_hypernetwork_makes_the_cut_weights_on_every_network(name: str):
    """Sliced latents and matrices generate the sliced weights bit for bit; the materialised network is the gated one,
    and has the parameters that the cost form predicts."""
    factory, inputs = CASES[name]
    check_cut(lively(factory()), inputs, seed=len(name))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_cut_hypernetwork_makes_the_cut_weights_on_random_networks(seed: int):
    """The same over random graphs of skips, sums, concatenations, grouped, depthwise, transposed and linear layers."""
    torch.manual_seed(seed)
    check_cut(lively(RandomNetwork(seed)), InputSpec.of_shape((3, 8, 8)), seed)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), coupling=st.floats(0, 1), embedding=st.integers(1, 4))
def test_from_a_teacher_the_first_weights_are_the_teachers(seed: int, coupling: float, embedding: int):
    """Whatever the latents and the coupling, generated weights equal the teacher's to 1e-6 of their scale."""
    torch.manual_seed(seed)
    model = RandomNetwork(seed)
    groups = find_groups(model, torch.empty(1, 3, 8, 8))
    hypernetwork = Hypernetwork(model, groups, embedding)
    hypernetwork.copy_teacher(model, torch.rand(len(hypernetwork.latents)) + 1e-3, coupling, seed)
    for name, weight in hypernetwork().items():
        teacher = model.get_parameter(name)
        assert float((weight - teacher).abs().max()) <= 1e-6 * max(1.0, float(teacher.abs().max()))


def test_fully_coupled_to_a_teacher_a_latent_at_zero_is_a_slice_of_zeros():
    """With coupling 1 all of the teacher's weight goes through the latents; with 0 nothing does."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3))
    groups = find_groups(model, torch.empty(1, 3, 8, 8))
    for coupling in (1.0, 0.0):
        hypernetwork = Hypernetwork(model, groups, 4)
        hypernetwork.copy_teacher(model, torch.linspace(0.2, 1, 8), coupling, 0)
        with torch.no_grad():
            hypernetwork.latents[2] = 0
        made = hypernetwork()["0.weight"]
        expected = model[0].weight * (torch.arange(8) != 2).reshape(-1, 1, 1, 1) if coupling else model[0].weight
        assert torch.allclose(made, expected, atol=1e-7)


def test_residual_trunks_share_one_latent_and_inputs_and_outputs_have_none():
    """Every weight on a trunk reads the same latents on its trunk axis; RGB positions read the constant."""
    model = build("resnet", {"ngf": 4, "n_blocks": 3})
    groups = find_groups(model, torch.empty(1, 3, 32, 32))
    weights = generated_weights(model, groups)
    trunk = max(groups.groups, key=lambda group: len(group.modules))
    own = 1 + groups.offsets[trunk.name] + np.arange(trunk.size)
    on_trunk = [flat for w in weights for flat in (w.a, w.b) if np.isin(flat, own).any()]
    assert len(on_trunk) == 2 + 2 * 3  # what writes and reads it outside of the blocks, and twice in each block
    assert all(np.array_equal(flat, own) for flat in on_trunk)
    assert not weights[0].b.any()
    assert not weights[-1].a.any()


def test_gradients_reach_everything_that_makes_the_weights():
    """From the output back to latents, W1, B0, B1, W2 and B2 of every weight, and to the parameters none makes."""
    torch.manual_seed(0)
    model = build("unet", {"ngf": 4, "num_downs": 5})
    groups, hypernetwork = drawn(model, (3, 32, 32))
    network = GeneratedNetwork(model, groups, hypernetwork, 4, gated=False)
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0 or "bias" in name, name
    made = set(hypernetwork.names)
    assert all(p.requires_grad != (name in made) for name, p in network.network.named_parameters())


def test_the_forward_pass_uses_the_generated_weights_and_makes_them_once_a_step():
    """The output is the network's with those weights put in; a second call makes none; a changed number does."""
    torch.manual_seed(0)
    model = build("resnet", {"ngf": 4, "n_blocks": 1})
    groups, hypernetwork = drawn(model, (3, 32, 32))
    network, x = GeneratedNetwork(model, groups, hypernetwork, 4, gated=False), torch.randn(1, 3, 32, 32)
    first, made = network(x), network.weights()
    by_hand = torch.func.functional_call(model, {**dict(model.named_parameters()), **hypernetwork()}, (x,))
    assert torch.allclose(first, by_hand, atol=1e-6)
    assert network.weights() is made
    with torch.no_grad():
        hypernetwork.layers[0].B2.add_(1.0)
    assert not torch.allclose(network(x), first)
