"""SAGAN: published counts, names and attention; inner widths and heads are prunable; older spectral norms are loaded."""

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_into
from ganprune.gan_models.checkpoints.state_dicts import fitting
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.self_attention.attention import SelfAttention
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import spectral_norm as older_spectral_norm


def test_attention_is_the_published_one():
    """x + gamma v softmax(q^T k)^T, over the pixels that a pixel looks at; gamma starts at 0."""
    torch.manual_seed(0)
    layer = SelfAttention(16)
    x = torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.gamma.fill_(0.7)
        q, k, v = (one(x).flatten(2) for one in (layer.query_conv, layer.key_conv, layer.value_conv))
        attention = torch.bmm(q.permute(0, 2, 1), k).softmax(-1)
        wanted = 0.7 * torch.bmm(v, attention.permute(0, 2, 1)).view_as(x) + x
        assert torch.allclose(layer(x), wanted, atol=1e-6)


def test_heads_attend_by_themselves():
    """Two heads give the mix of both, each of its own queries, keys and values."""
    torch.manual_seed(0)
    layer = SelfAttention(16, heads=2)
    x = torch.randn(1, 16, 3, 3)
    with torch.no_grad():
        layer.gamma.fill_(1)
        q, k, v = (one(x).flatten(2).chunk(2, 1) for one in (layer.query_conv, layer.key_conv, layer.value_conv))
        mixed = [
            value @ (query.transpose(1, 2) @ key).softmax(-1).transpose(1, 2)
            for query, key, value in zip(q, k, v, strict=True)
        ]
        assert torch.allclose(layer(x), x + layer.out_conv(torch.cat(mixed, 1).view(1, 8, 3, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("heads", "inner"),
    [
        (0, {"attn1.query_conv": 2, "attn2.query_conv": 1}),  # values are as wide as what they are added to
        (1, {"attn1.query_conv": 2, "attn1.value_conv": 8, "attn2.query_conv": 1, "attn2.value_conv": 4}),
        (2, {"attn1.query_conv": 2, "attn2.query_conv": 2}),  # of heads, each with its query, key and values
    ],
)
def test_inner_widths_and_heads_are_groups_and_cut(heads, inner):
    """Beside the four maps, what is inside of the attentions is in groups; half of all runs."""
    network = build("sagan_64", {"ngf": 8, "latent": 8, "heads": heads}).eval()
    example = torch.randn(1, 8)
    groups = find_groups(network, (example,))
    maps = {"l1.0": 64, "l2.0": 32, "l3.0": 16, "l4.0": 8}
    assert {name: size for name, size in groups.sizes.items() if size > 1 or name in maps} == maps | {
        name: size for name, size in inner.items() if size > 1
    }
    half = cut(network, groups, ChannelPlan({name: tuple(range(-(-n // 2))) for name, n in groups.sizes.items()}))
    assert half(example).shape == (1, 3, 64, 64)
    assert half.attn1.value_conv.out_channels == (8 if heads == 0 else 4)


def test_spectral_norms_of_older_code_are_loaded(tmp_path):
    """Files by torch's older hook and by a module around each layer, as SAGAN's, give the same network."""
    torch.manual_seed(0)
    network = build("sagan_64", {"ngf": 4, "latent": 8}).eval()
    state = network.state_dict()
    long = ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v")
    for names in (("weight_orig", "weight_u", "weight_v"), ("module.weight_bar", "module.weight_u", "module.weight_v")):
        old = {}
        for name, tensor in state.items():
            layer, key = next(((name[: -len(k)], k) for k in long if name.endswith(k)), (name, ""))
            spectral = name.endswith(".bias") and f"{name[:-4]}{long[0]}" in state
            if key:
                old[layer + names[long.index(key)]] = tensor.clone()
            else:
                old[name[:-4] + "module.bias" if spectral and "module" in names[0] else name] = tensor.clone()
        path = tmp_path / f"{names[0]}.safetensors"
        save_file(old, path)
        other = build("sagan_64", {"ngf": 4, "latent": 8}).eval()
        load_into(other, path)
        z = torch.randn(2, 8)
        with torch.no_grad():
            assert torch.equal(other(z), network(z))


def test_weights_of_torchs_older_hook_give_what_it_gave():
    """A file that was written by the older hook itself gives the same outputs."""
    torch.manual_seed(0)
    old = older_spectral_norm(nn.Conv2d(3, 4, 3))
    old(torch.randn(1, 3, 8, 8))
    old.eval()
    new = torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)).eval()
    new.load_state_dict(fitting(new, old.state_dict()))
    x = torch.randn(1, 3, 8, 8)
    assert torch.allclose(new(x), old(x), atol=1e-6)


def test_a_bad_argument_is_refused_in_one_line():
    """The message names the argument."""
    with pytest.raises(UserError, match="heads=-1 must be a whole number of at least 0"):
        build("sagan_64", {"heads": -1})
    with pytest.raises(UserError, match="spectral=1 must be true or false"):
        build("sagan_64", {"spectral": 1})
