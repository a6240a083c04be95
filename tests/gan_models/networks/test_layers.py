"""Functions that builders share: arguments checked by name, norms, initial weights."""

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.layers import (
    check_count,
    check_flag,
    initialize_normal,
    initialize_xavier,
    needs_bias,
    norm2d,
)
from torch import nn


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "8", None])
def test_a_count_is_a_whole_number_above_its_least(wrong):
    """Neither a truth value nor a number of another type passes; the least number itself does."""
    with pytest.raises(UserError, match=r"ngf=.* must be a whole number of at least 1"):
        check_count("ngf", wrong)
    check_count("ngf", 1)
    check_count("n_blocks", 0, at_least=0)


def test_a_flag_is_true_or_false():
    """Numbers are no flags."""
    with pytest.raises(UserError, match="dropout=1 must be true or false"):
        check_flag("dropout", 1)


def test_only_a_batch_norm_holds_statistics_and_takes_the_place_of_a_bias():
    """An InstanceNorm has no state unless it is asked for a scale; a convolution before it keeps its bias."""
    assert set(norm2d("batch", 4).state_dict()) >= {"weight", "bias", "running_mean", "running_var"}
    assert norm2d("instance", 4).state_dict() == {}
    assert set(norm2d("instance", 4, affine=True).state_dict()) == {"weight", "bias"}
    assert [needs_bias(norm) for norm in ("batch", "instance")] == [False, True]
    with pytest.raises(UserError, match="norm='layer' is not known: use one of 'batch', 'instance'"):
        norm2d("layer", 4)


def test_initial_weights_have_the_published_spread():
    """N(0, 0.02) and N(1, 0.02), biases 0: within 5 % over 10^4 draws or more (0.7 % is one standard error)."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(20_000), nn.Linear(400, 200))
    initialize_normal(network)
    convolution, norm, linear = network
    for weight in (convolution.weight, linear.weight, norm.weight - 1):
        assert float(weight.std()) == pytest.approx(0.02, rel=0.05)
        assert abs(float(weight.mean())) < 0.001
    assert all(not float(module.bias.abs().max()) for module in network)
    initialize_xavier(network)
    assert float(linear.weight.abs().max()) == pytest.approx((6 / 600) ** 0.5, rel=0.01)
