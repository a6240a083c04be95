"""Networks that are described next to their weights: too large ones are refused before memory is taken."""

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.checkpoints.network_bounds import bounded, check_inputs, check_size
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec

SMALL = {"ngf": 4, "n_blocks": 1}


@pytest.fixture
def weights(tmp_path):
    save_weights(build("resnet", SMALL), tmp_path / "generator.safetensors")
    return tmp_path / "generator.safetensors"


def test_the_network_of_the_weights_passes(weights):
    """At any width: the file may be that of its cut."""
    for arguments in (SMALL, {"ngf": 64, "n_blocks": 1}):
        check_size(lambda arguments=arguments: build("resnet", arguments), weights)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"ngf": 30_000}, "parameters"),
        ({"ngf": 4, "n_blocks": 10**7}, "modules"),
        ({"ngf": 4, "n_blocks": 300}, "tensors"),
    ],
)
def test_a_network_that_is_too_large_is_refused(weights, arguments, fault):
    """Terabytes of parameters, millions of blocks, or many more tensors than the file has."""
    with pytest.raises(UserError, match=fault):
        check_size(lambda: build("resnet", arguments), weights)


def test_building_stops_at_the_bound_and_later_networks_are_free():
    """The hooks of torch are removed again."""
    with pytest.raises(UserError, match="more than 20000 modules"), bounded("b"):
        torch.nn.Sequential(*(torch.nn.Identity() for _ in range(20_001)))
    torch.nn.Sequential(*(torch.nn.Identity() for _ in range(20_001)))


def test_inputs_are_those_of_the_stored_example(tmp_path):
    """A size that no memory holds, and one that differs from the file's, are refused."""
    save_weights({"input": torch.zeros(1, 3, 16, 16)}, tmp_path / "example.safetensors")
    check_inputs(InputSpec.parse("3,16,16"), tmp_path / "example.safetensors")
    check_inputs(InputSpec.parse("3,4096,4096"), tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="too large"):
        check_inputs(InputSpec.parse("3,100000,100000"), tmp_path / "none.safetensors")
    with pytest.raises(UserError, match=r"got input of shape \(3, 16, 16\)"):
        check_inputs(InputSpec.parse("3,2048,2048"), tmp_path / "example.safetensors")
