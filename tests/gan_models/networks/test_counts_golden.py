"""The networks at full width cost what the literature prints, to the last parameter."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import NETWORKS, build
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

IMAGE = (3, 256, 256)


def on_meta(model: str, **arguments) -> nn.Module:
    with torch.device("meta"):
        return build(model, arguments).eval()


def n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def count_macs(network: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """(exact, published) MACs: a transposed conv works on its input grid, papers count its output grid."""
    extra = 0

    def add_output_grid(module, inputs, output):
        nonlocal extra
        per_position = module.weight.numel()
        extra += per_position * (output[0, 0].numel() - inputs[0][0, 0].numel())

    handles = [m.register_forward_hook(add_output_grid) for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, *shape, device="meta"))
    for handle in handles:
        handle.remove()
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2, flops // 2 + extra


# network, arguments, input, parameters, published GMACs, exact GMACs, from the definitions
COUNTS = [
    ("resnet_9blocks", {}, IMAGE, 11_378_179, 56.7993, 49.5515),
    ("resnet_9blocks", {"norm": "batch"}, IMAGE, 11_383_427, 56.7993, 49.5515),
    ("resnet_9blocks", {"ngf": 48}, IMAGE, 6_404_739, 32.1808, 28.1039),
    ("resnet_9blocks", {"ngf": 32}, IMAGE, 2_850_563, 14.5081, 12.6962),
    ("resnet_9blocks", {"ngf": 24}, IMAGE, 1_605_699, 8.2764, 7.2572),
    ("resnet_9blocks", {"ngf": 16}, IMAGE, 715_651, 3.7812, 3.3282),
    ("resnet_9blocks", {"ngf": 12}, IMAGE, 403_683, 2.1847, 1.9299),
    ("resnet_9blocks", {"ngf": 8}, IMAGE, 180_419, 1.0224, 0.9091),
    ("resnet_6blocks", {}, IMAGE, 7_837_699, 42.3038, 35.0560),
    ("resnet", {"n_blocks": 6}, IMAGE, 7_837_699, 42.3038, 35.0560),
    ("unet_256", {}, IMAGE, 54_413_955, 18.1404, 6.0482),
    ("unet_256", {"norm": "instance"}, IMAGE, 54_409_603, 18.1404, 6.0482),
    ("unet_256", {"ngf": 48}, IMAGE, 30_611_427, 10.2889, 3.4304),
    ("unet_256", {"ngf": 32}, IMAGE, 13_608_259, 4.6483, 1.5498),
    ("unet_256", {"ngf": 24}, IMAGE, 7_656_435, 2.6572, 0.8859),
    ("unet_256", {"ngf": 16}, IMAGE, 3_404_451, 1.2187, 0.4063),
    ("unet_256", {"ngf": 12}, IMAGE, 1_915_899, 0.7068, 0.2356),
    ("unet_256", {"ngf": 8}, IMAGE, 852_307, 0.3330, 0.1110),
    ("unet_128", {}, (3, 128, 128), 41_828_995, 4.5131, 1.5058),
    ("unet", {"num_downs": 7}, (3, 128, 128), 41_828_995, 4.5131, 1.5058),
    ("mobile_resnet_9blocks", {"ngf": 96}, IMAGE, 4_418_307, 40.1552, 23.8478),
    ("mobile_resnet_9blocks", {}, IMAGE, 1_987_075, 18.3144, 11.0667),
    ("mobile_resnet_9blocks", {"ngf": 48}, IMAGE, 1_130_883, 10.5649, 6.4881),
    ("mobile_resnet_9blocks", {"ngf": 32}, IMAGE, 514_307, 4.9294, 3.1174),
    ("mobile_resnet_9blocks", {"ngf": 24}, IMAGE, 295_875, 2.9043, 1.8851),
    ("mobile_resnet_9blocks", {"ngf": 16}, IMAGE, 137_347, 1.4077, 0.9547),
    ("mobile_resnet_9blocks", {"ngf": 12}, IMAGE, 80_547, 0.8576, 0.6028),
    ("mobile_resnet_9blocks", {"ngf": 8}, IMAGE, 38_723, 0.4396, 0.3264),
    ("cartoongan", {}, IMAGE, 11_129_667, 61.6311, 54.3833),
    ("cartoongan", {"norm": "batch", "upsampling": "nearest"}, IMAGE, 11_129_667, 61.6311, 61.6311),
    ("animeganv2", {}, IMAGE, 2_143_552, 26.2847, 26.2847),  # printed as 8.17 MB: 8.177 x 2^20 bytes
    ("sngan_32", {}, (128,), 4_276_739, 1.6811, 1.6811),
    ("sngan_32", {"upsample_shortcut_first": False}, (128,), 4_276_739, 1.6151, 1.6151),
    ("sagan_64", {}, (128,), 3_832_885, 0.5274, 0.2003),  # of which the attentions' products are 0.0849
    ("basic", {}, IMAGE, 2_764_737, 3.1468, 3.1468),
    ("n_layers", {"n_layers": 3, "norm": "batch"}, IMAGE, 2_765_633, 3.1468, 3.1468),
    ("basic", {"input_channels": 6}, (6, 256, 256), 2_767_809, 3.1971, 3.1971),
    ("basic", {"input_channels": 6, "norm": "batch"}, (6, 256, 256), 2_768_705, 3.1971, 3.1971),
    ("basic", {"ndf": 128}, IMAGE, 11_034_497, 12.4718, 12.4718),
    ("basic", {"ndf": 128, "norm": "batch"}, IMAGE, 11_036_289, 12.4718, 12.4718),
    ("basic", {"ndf": 128, "input_channels": 6}, (6, 256, 256), 11_040_641, 12.5725, 12.5725),
    ("basic", {"ndf": 128, "input_channels": 6, "norm": "batch"}, (6, 256, 256), 11_042_433, 12.5725, 12.5725),
]  # fmt: skip


@pytest.mark.parametrize(("model", "arguments", "shape", "parameters", "published", "exact"), COUNTS)
def test_counts_are_the_published_ones(model, arguments, shape, parameters, published, exact):
    """Parameters equal the published count to the last one, MACs in both conventions to the printed digit."""
    network = on_meta(model, **arguments)
    assert n_parameters(network) == parameters
    exact_macs, published_macs = count_macs(network, shape)
    assert (round(exact_macs / 1e9, 4), round(published_macs / 1e9, 4)) == (exact, published)


# network, arguments, parameters and GMACs at the catalog's inputs. Published: SPADE 93.0 M and 281 G on Cityscapes (GAN
# Compression), 97.5 M on COCO-Stuff; pix2pixHD 182.5 M; HiFi-GAN 13.92 M, 0.92 M, 1.46 M without the factors of weight
# norm.
OTHER_INPUTS = [
    ("spade", {}, 93_048_003, 281.2766),
    ("spade", {"upsampling": "normal"}, 93_048_003, 292.6729),
    ("spade", {"classes": 183}, 97_480_899, None),
    ("pix2pixhd", {}, 182_546_755, 489.3243),
    ("stargan", {}, 8_430_528, 9.9604),
    ("munit", {}, 12_261_251, 71.0275),
    ("gated_inpainting", {}, 6_507_483, 42.9565),
    ("partial_inpainting", {}, 25_784_276, 9.4736),
    ("hifigan_v1", {}, 13_936_130, 9.8257),
    ("hifigan_v2", {}, 928_514, 0.6162),
    ("hifigan_v3", {}, 1_464_322, 0.7195),
]


@pytest.mark.parametrize(("model", "arguments", "parameters", "macs"), OTHER_INPUTS)
def test_counts_of_generators_of_other_inputs(model, arguments, parameters, macs):
    """Parameters to the last one, MACs to the printed digit."""
    network = on_meta(model, **arguments)
    assert n_parameters(network) == parameters
    if macs is not None:
        with FlopCounterMode(display=False) as counter:
            network(*NETWORKS.find(model).inputs_for(arguments).examples(1, "meta"))
        assert round(counter.get_total_flops() / 2e9, 4) == macs


def test_macs_known_to_the_last_digit():
    """ResNet-9 and SNGAN cost what summing their layers by hand gives."""
    stem, down, block_conv, up = 616_562_688, 1_207_959_552, 2_415_919_104, 4_831_838_208
    published = 2 * stem + 2 * down + 18 * block_conv + 2 * up
    assert published == 56_799_264_768
    assert count_macs(on_meta("resnet_9blocks"), IMAGE) == (published - 2 * 3 * up // 4, published)
    assert count_macs(on_meta("sngan_32"), (128,)) == (1_681_129_472, 1_681_129_472)


def test_conv_weights_alone():
    """ResNet-9's and U-Net-256's convolution weights without biases count as published."""
    for model, weights in (("resnet_9blocks", 11_372_928), ("unet_256", 54_404_096)):
        convs = [m for m in on_meta(model).modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        assert sum(m.weight.numel() for m in convs) == weights


def test_sngan_discriminator_by_hand():
    """SNGAN's discriminator has the hand count of parameters: its power-iteration vectors are buffers."""
    conv, ndf = 9 * 128 * 128 + 128, 128
    by_hand = (27 * ndf + ndf + conv + 3 * ndf + ndf) + (2 * conv + ndf**2 + ndf) + 2 * 2 * conv + ndf
    assert n_parameters(on_meta("sngan")) == by_hand == 1_053_824


def test_gan_slimming_generator():
    """affine="prunable" gives GAN Slimming's generator: 11,383,555 parameters, 2,688 scales, none on the trunk."""
    network = on_meta("resnet_9blocks", affine="prunable")
    assert n_parameters(network) == 11_383_555
    scales = [
        (name, m.num_features) for name, m in network.named_modules() if isinstance(m, nn.InstanceNorm2d) and m.affine
    ]
    assert [size for _, size in scales] == [64, 128] + [256] * 9 + [128, 64]
    assert sum(size for _, size in scales) == 2688
    assert [name for name, _ in scales][:3] == ["model.2", "model.5", "model.10.conv_block.2"]
    every = on_meta("resnet_9blocks", affine="all")
    assert n_parameters(every) == 11_383_555 + 2 * 256 * 10


@pytest.mark.parametrize(
    ("trunk", "others", "ratio", "share"),
    [
        (256, {64: 6, 128: 12, 256: 23}, 47.45, 0.0738),  # the trunk whole, as GAN Slimming leaves it
        (74, {64: 18, 128: 37, 256: 74}, 47.71, 0.0877),  # all groups alike
    ],
)
def test_the_plans_that_make_cartoongan_47_times_smaller(trunk, others, ratio, share):
    """GAN Slimming prints 47 times and no plan: convolution weights of 8 bits against 32, at uniform plans.

    The trunk whole: 9 % of the other channels, 7.4 % of MACs. All groups: 29 %, 8.8 %.
    """
    network = on_meta("cartoongan")
    groups = find_groups(network, (torch.empty(1, *IMAGE, device="meta"),))
    widths = {name: trunk if name == "conv03_2" else others[size] for name, size in groups.sizes.items()}
    plan = ChannelPlan({name: tuple(range(width)) for name, width in widths.items()})
    small = cut(network, groups, plan)
    weights = [sum(p.numel() for p in each.parameters() if p.ndim == 4) for each in (network, small)]
    assert weights[0] == 11_114_880
    assert round(weights[0] * 4 / weights[1], 2) == ratio
    assert round(count_macs(small, IMAGE)[0] / count_macs(network, IMAGE)[0], 4) == share


# GAN Compression's sub-networks of mobile ResNet-9: c, published GMACs with a norm's outputs counted, without, M parameters
SUB_NETWORKS = [
    ("16_16_32_16_32_32_16_16", 2.546, 2.525, 0.357),
    ("16_16_24_16_32_64_16_24", 2.641, 2.618, 0.355),
    ("32_32_48_32_48_48_16_16", 4.994, 4.962, 0.822),
    ("32_32_48_32_32_48_24_24", 5.592, 5.560, 0.781),
    ("24_24_40_56_24_56_16_40", 4.863, 4.832, 0.703),  # this one alone is printed without norms (README: 4.83)
]


@pytest.mark.parametrize(("numbers", "with_norms", "without", "parameters"), SUB_NETWORKS)
def test_gan_compression_s_sub_networks(numbers, with_norms, without, parameters):
    """The cost form prices GAN Compression's published plans as its README does; so does counting the cut network."""
    network = on_meta("mobile_resnet_9blocks")
    groups = find_groups(network, torch.empty(1, *IMAGE))
    c = [int(number) for number in numbers.split("_")]
    widths = [c[0], 2 * c[1], 4 * c[2], *(4 * c[3 + i // 3] for i in range(9)), 2 * c[-2], c[-1]]
    published = float(groups.form.predict(widths, "macs_published"))
    assert round(published / 1e9, 3) == without
    assert round(float(groups.form.predict(widths, "params")) / 1e6, 3) == parameters

    kept = {name: tuple(range(width)) for name, width in zip(groups.names, widths, strict=True)}
    small, norms = cut(network, groups, ChannelPlan(kept)), 0

    def add_outputs(module, inputs, output):
        nonlocal norms
        norms += output.numel()

    for module in small.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.register_forward_hook(add_outputs)
    assert count_macs(small, IMAGE) == (float(groups.form.predict(widths, "macs")), published)
    assert round((published + norms) / 1e9, 3) == with_norms
