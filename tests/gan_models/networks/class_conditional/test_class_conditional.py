"""Class-conditional generators: counts from their definitions, conditional norms, what of them is prunable and cut."""

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.gan_models.networks.class_conditional.conditional_norm import ConditionalBatchNorm

SMALL = {
    "cgan_sngan_32": {"ngf": 8, "latent": 8, "classes": 3},
    "biggan_32": {"ngf": 8, "latent": 8, "classes": 3, "shared": 4},
    "cdcgan_32": {"ngf": 4, "latent": 8, "classes": 3},
}


def n_parameters(model: str, **arguments) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(model, arguments).parameters())


def test_counts_follow_from_the_definitions():
    """SNGAN's parameters with ten scales and shifts for one in six norms; DCGAN's layers, added up."""
    assert n_parameters("cgan_sngan_32") == 4_276_739 + 6 * (10 - 1) * 2 * 256
    shared = n_parameters("cgan_sngan_32", shared=128)
    assert shared == 4_276_739 - 6 * 2 * 256 + 10 * 128 + 6 * 2 * 256 * 128
    convs = 16 * (100 * 256 + 10 * 256 + 512 * 256 + 256 * 128 + 128 * 3)
    assert n_parameters("cdcgan_32") == convs + (256 + 256 + 256 + 128 + 3) + 2 * (256 + 256 + 256 + 128)


@pytest.mark.parametrize("condition", [0, 5])
def test_a_conditional_norm_has_the_scale_and_shift_of_its_class(condition):
    """Per class from embeddings, which start at 1 and 0; of a shared condition from linear layers around 1."""
    torch.manual_seed(0)
    norm = ConditionalBatchNorm(4, 3, condition).eval()
    x = torch.randn(2, 4, 3, 3)
    given = torch.randn(2, 5) if condition else torch.tensor([2, 0])
    with torch.no_grad():
        if not condition:
            assert torch.equal(norm(x, given), norm.norm(x))
            norm.scale.weight.normal_()
            norm.shift.weight.normal_()
        scale, shift = norm.scale(given) + (1 if condition else 0), norm.shift(given)
        assert torch.allclose(norm(x, given), norm.norm(x) * scale[..., None, None] + shift[..., None, None])


@pytest.mark.parametrize(("name", "n_groups", "whole"), [("cgan_sngan_32", 7, ["conv"]), ("cdcgan_32", 4, ["deconv4"])])
def test_all_hidden_channels_are_in_groups(name, n_groups, whole):
    """Embeddings and linear layers of the norms go with the channels that they scale."""
    network = build(name, SMALL[name]).eval()
    groups = find_groups(network, NETWORKS[name].inputs_for(SMALL[name]).examples())
    assert len(groups.groups) == n_groups
    assert [each.module for each in groups.unpruned] == whole


def test_a_shared_embedding_is_pruned_beside_a_split_latent():
    """BigGAN: the embedding's own length is a group; the latent's parts stay."""
    network = build("biggan_32", SMALL["biggan_32"]).eval()
    examples = NETWORKS["biggan_32"].inputs_for(SMALL["biggan_32"]).examples()
    groups = find_groups(network, examples)
    assert groups.sizes["embedding"] == 4
    half = cut(network, groups, ChannelPlan({name: tuple(range(-(-n // 2))) for name, n in groups.sizes.items()}))
    assert half.embedding.weight.shape == (3, 2)
    assert half.blocks[0].norm1.scale.weight.shape == (4, 2 + 2)
    assert half(*examples).shape == (1, 3, 32, 32)


def test_inputs_follow_from_the_arguments():
    """Latent and classes of the arguments are those of the inputs."""
    assert NETWORKS["cgan_sngan_32"].inputs_for({"latent": 64, "classes": 4}).text == "latent=latent:64;label=label:4"
    assert NETWORKS["sngan_32"].inputs_for({"latent": 64}).text == "latent:64"
    assert NETWORKS["sngan_32"].inputs_for({"latent": "wide"}).text == "latent:128"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"latent": 81}, "split_latent needs a shared embedding, in 4 parts: got shared=128, latent=81"),
        ({"shared": 0}, "expected shared above 0"),
        ({"classes": 0}, "classes=0 must be a whole number"),
        ({"attention": 1}, "attention=1 must be true or false"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(arguments, why):
    """The message says what is expected."""
    with pytest.raises(UserError, match=why):
        build("biggan_32", arguments)
