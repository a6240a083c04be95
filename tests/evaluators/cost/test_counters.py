import copy
import json

import pytest
import torch
import torch.nn.functional as F
from ganprune.evaluators.cost.counters import CostCount, count_cost, count_macs
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.networks.catalog import build
from torch import Tensor, nn


class OwnConv(nn.Conv2d):
    """A subclass: thop looks at exact types and counts it as 0."""


class Functional(nn.Module):
    """A raw weight used through a functional call: no module for thop to see."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 4, 3, 3))
        self.inner = nn.Conv2d(5, 6, 1, bias=False)

    def forward(self, x):
        return self.inner(F.conv2d(x, self.weight, padding=1))


def everything():
    """A network of every kind of layer that counts, and some that do not."""
    return nn.Sequential(
        nn.ReflectionPad2d(1),
        nn.Conv2d(3, 8, 3),  # 8x8
        nn.InstanceNorm2d(8),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.BatchNorm2d(8),
        nn.PReLU(),
        nn.ConvTranspose2d(8, 4, 4, 2, 1, groups=2),  # 16x16
        nn.Upsample(scale_factor=0.5),
        nn.Flatten(),
        nn.Linear(4 * 64, 10),
    )


def test_counts_by_hand():
    """Every count of a small network equals the arithmetic written out, whatever the batch size."""
    model = everything()
    conv, depthwise, linear = 8 * 3 * 9 * 64, 8 * 9 * 64, 4 * 64 * 10
    transposed = 8 * 2 * 16  # in * out / groups * kernel, per pixel
    for batch in (1, 3):
        cost = count_cost(model, torch.zeros(batch, 3, 8, 8))
        assert cost.macs == conv + depthwise + transposed * 64 + linear
        assert cost.macs_published == conv + depthwise + transposed * 256 + linear
        assert cost.macs_thop == cost.macs_published
        assert cost.missed_by_thop == {}
        assert cost.counters_agree
    params = (8 * 27 + 8) + (72 + 8) + 16 + 1 + (8 * 2 * 16 + 4) + 2570
    assert cost.params == params
    assert cost.bytes == 4 * params
    assert {"native_batch_norm", "leaky_relu", "reflection_pad2d"} <= set(cost.uncounted)
    assert not {"convolution", "addmm"} & set(cost.uncounted)
    assert count_macs(model, torch.zeros(1, 3, 8, 8)) == {
        "macs": cost.macs,
        "macs_published": cost.macs_published,
        "params": params,
        "bytes": 4 * params,
    }
    assert from_json(CostCount, json.loads(json.dumps(to_json(cost)))) == cost


@pytest.mark.parametrize(
    ("name", "macs", "published", "params"),
    [
        ("resnet_9blocks", 49_551_507_456, 56_799_264_768, 11_378_179),
        ("unet_256", 6_048_186_368, 18_140_364_800, 54_413_955),
    ],
)
def test_golden_counts(name, macs, published, params):
    """The two reference generators at 256 x 256: true MACs, and the 56.8 G and 18.1 G that papers print."""
    cost = count_cost(build(name), torch.zeros(1, 3, 256, 256))
    assert (cost.macs, cost.macs_published, cost.macs_thop) == (macs, published, published)
    assert cost.params == params
    assert cost.missed_by_thop == {}


def test_what_thop_misses_is_named():
    """Subclasses, spectral norm and functional calls are in the count, and listed as missed by thop."""
    model = nn.Sequential(
        OwnConv(3, 4, 3, padding=1), Functional(), nn.utils.parametrizations.spectral_norm(nn.Conv2d(6, 7, 1))
    )
    cost = count_cost(model, torch.zeros(2, 3, 10, 10))
    missed = {"0": 4 * 3 * 9 * 100, "1": 5 * 4 * 9 * 100, "2": 6 * 7 * 100}
    assert cost.missed_by_thop == missed
    assert cost.macs_thop == 5 * 6 * 100
    assert cost.macs == cost.macs_published == sum(missed.values()) + 3000
    assert cost.counters_agree


def test_disagreement_is_seen():
    """A module that hides work from its own type's rule makes the counters disagree."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return F.linear(self.linear(x), self.linear.weight)

    agreeing = count_cost(Twice(), torch.zeros(1, 4))
    assert agreeing.counters_agree
    assert agreeing.missed_by_thop == {"Twice": 16}
    model = nn.Linear(4, 4, bias=False)
    model.register_forward_hook(lambda _m, _i, out: F.linear(out, model.weight))
    assert not count_cost(model, torch.zeros(1, 4)).counters_agree


def test_model_is_not_touched():
    """Neither buffers nor hooks nor modes are left behind, and nothing ran through the running statistics."""
    model = everything().train()
    before, keys = copy.deepcopy(model.state_dict()), list(model.state_dict())
    count_cost(model, torch.zeros(1, 3, 8, 8))
    assert list(model.state_dict()) == keys
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(m.training and not m._forward_hooks for m in model.modules())


def test_networks_that_need_values_are_counted_too():
    """A network that looks at its values cannot run on the meta device and is counted on its own."""

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 1)

        def forward(self, x):
            return self.conv(x) if float(x.sum()) == 0 else x

    cost = count_cost(Looks(), torch.zeros(1, 1, 5, 5))
    assert cost.macs == 50
    assert cost.counters_agree


def test_an_example_without_images_is_refused():
    """An empty batch gives one clear line."""
    with pytest.raises(ValueError, match="at least 1 image"):
        count_cost(nn.ReLU(), torch.zeros(0, 3))


class Einsum(nn.Module):
    """Queries and keys with one entry each, whose product torch computes element by element."""

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.einsum("bdi,bdj->bij", x, x)
        return nn.functional.scaled_dot_product_attention(scores, scores, scores)


def test_einsum_over_one_entry_and_attention_are_counted():
    """Six by six products of one entry; then scores of 6 x 6 x 6 and their product with values, on any device."""
    cost = count_cost(Einsum(), torch.randn(1, 1, 6))
    assert cost.macs == 6 * 6 + 2 * 6**3
    assert cost.counters_agree
