"""HiFi-GAN's generators: lengths, published names, and what of them is prunable."""

import pytest
import torch
from ganprune.gan_models.checkpoints.state_dicts import fitting
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.gan_models.networks.specs import InputSpec
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

MEL = InputSpec.parse("mel=audio:8,4@-12,3")


@pytest.mark.parametrize("version", ["hifigan_v1", "hifigan_v2", "hifigan_v3"])
def test_a_frame_gives_256_samples(version):
    """Any number of frames; the bands follow the argument."""
    network = build(version, {"width": 32, "mels": 8}).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 8, 5)).shape == (2, 1, 5 * 256)
    assert NETWORKS.find(version).inputs_for({"mels": 40}) == InputSpec.parse("mel=audio:40,32@-12,3")


def test_a_published_checkpoint_is_loaded():
    """Files hold `weight_g` and `weight_v` of torch's older weight norm, under `generator`."""
    torch.manual_seed(0)
    network, other = (build("hifigan_v2", {"width": 32, "mels": 8}).eval() for _ in range(2))
    words = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    published = {}
    for name, tensor in network.state_dict().items():
        for new, old in words.items():
            name = name.replace(new, old)
        published[name] = tensor
    assert {"conv_pre.weight_g", "ups.0.weight_v", "resblocks.0.convs1.2.bias"} <= published.keys()
    other.load_state_dict(fitting(other, {"generator": published}))
    with torch.no_grad():
        mel = torch.randn(1, 8, 4)
        assert torch.equal(other(mel), network(mel))


def test_a_checkpoint_without_its_weight_norm_is_loaded():
    """Files saved after `remove_weight_norm` hold plain weights; the network computes the same."""
    torch.manual_seed(0)
    network, plain = (build("hifigan_v3", {"width": 32, "mels": 8}).eval() for _ in range(2))
    plain.load_state_dict(network.state_dict())
    for layer in [m for m in plain.modules() if is_parametrized(m, "weight")]:
        remove_parametrizations(layer, "weight")
    network.load_state_dict(fitting(network, {"generator": plain.state_dict()}))
    mel = torch.randn(1, 8, 4)
    with torch.no_grad():
        assert torch.allclose(network(mel), plain(mel), atol=1e-6)


def test_the_channels_inside_blocks_and_of_stages_are_prunable():
    """Per stage: its own channels, which blocks add to, and one group per dilated convolution of V1."""
    groups = find_groups(build("hifigan_v1", {"width": 64, "mels": 8}).eval(), MEL.examples())
    assert len(groups.groups) == 1 + 4 * (1 + 9)
    assert [each.module for each in groups.unpruned] == ["conv_post"]
    groups = find_groups(build("hifigan_v3", {"width": 32, "mels": 8}).eval(), MEL.examples())
    assert list(groups.sizes) == ["conv_pre", "ups.0", "ups.1", "ups.2"]


def test_a_width_that_cannot_be_halved_is_refused():
    """The message says which multiple is expected."""
    with pytest.raises(UserError, match="width=24 cannot be halved 4 times: expected a multiple of 16"):
        build("hifigan_v1", {"width": 24})
