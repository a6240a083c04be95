"""Sites of scales, their effect on a network, and the cut, which equals the scaled network."""

import copy

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.gates import masked_norms
from ganprune.gan_models.pruning.slimming.scales import Scales, norm_sites
from torch import nn
from torch.func import functional_call

TRUNK = "model.7"
DIM_LSTS = [
    ([32, 64, *[64] * 9, 64, 32], 3_000_259, 16.018, 14.918),
    ([64, 128, *[128] * 9, 128, 64], 6_071_683, 35.056, None),
]


class PreNorm(nn.Module):
    """A norm that not every reader stands behind, one whose activation does not keep zero, and a good one."""

    def __init__(self):
        super().__init__()
        self.a, self.norm_a = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.b, self.norm_b = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.c, self.norm_c = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.past, self.last = nn.Conv2d(6, 3, 1), nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x):
        a = self.a(x)
        b = torch.sigmoid(self.norm_b(self.b(torch.relu(self.norm_a(a)))))
        return self.past(a) + self.last(torch.relu(self.norm_c(self.c(b))))


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("resnet", {"ngf": 6, "n_blocks": 2}, (3, 16, 16)),
        ("unet", {"ngf": 4, "num_downs": 5}, (3, 32, 32)),
        ("sngan_32", {"ngf": 8}, (128,)),
        ("mobile_resnet_9blocks", {"ngf": 4, "n_blocks": 1}, (3, 16, 16)),
    ],
)
@pytest.mark.parametrize("knee", [1.0, 0.4])
def test_the_cut_network_is_the_scaled_one_in_float64(name, arguments, shape, knee):
    """With scales of any sign and some at zero: folding is exact, and so is leaving out what is at zero."""
    torch.manual_seed(0)
    model = build(name, arguments).eval()
    groups = find_groups(model, torch.empty(1, *shape))
    model.double()
    sites = Scales(groups, knee=knee)
    scales = torch.randn(sites.size, dtype=torch.float64)
    scales[torch.rand(sites.size) < 0.4] = 0
    for offset in groups.offsets.values():  # every group keeps one
        scales[offset] = 0.3
    x = torch.randn(2, *shape, dtype=torch.float64)
    with torch.no_grad(), masked_norms(model, groups, sites.gates(scales)):
        expected = functional_call(model, sites.tensors(model, scales), (x,))
        folded = sites.folded(model, scales)
        kept = {group: tuple(values.nonzero()[0].tolist()) for group, values in sites.by_group(scales).items()}
        small = cut(folded, groups, ChannelPlan(kept))
        tolerance = 1e-10 * float(expected.abs().max())
        assert float((folded(x) - expected).abs().max()) <= tolerance
        assert float((small(x) - expected).abs().max()) <= tolerance
        assert float((model(x) - expected).abs().max()) > 1e3 * tolerance
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())


def test_a_scale_fades_below_the_knee_alone_and_learns_on_both_sides():
    """sign(s) min(|s| / knee, 1); its slope is 1 / knee below and taken as 1 above."""
    torch.manual_seed(0)
    groups = find_groups(build("resnet", {"ngf": 4, "n_blocks": 0}), torch.empty(1, 3, 16, 16))
    sites = Scales(groups, knee=0.5)
    scales = torch.zeros(sites.size)
    scales[:4] = torch.tensor([2.0, 0.25, -0.1, -3.0])
    scales.requires_grad_(True)
    gates = sites.gates(scales)
    assert gates[:6].tolist() == pytest.approx([1.0, 1.0, 0.5, -0.2, -1.0, 0.0])
    gates.sum().backward()
    assert scales.grad[:5].tolist() == pytest.approx([1.0, 2.0, 2.0, 1.0, 2.0])
    full = Scales(groups)
    assert torch.equal(full.gates(scales)[1:], scales)


def test_scales_in_norms_are_the_norms_own_weights():
    """The published form: scales start at the norms' weights, replace them, and stay unshifted channels' cut."""
    torch.manual_seed(1)
    model = build("resnet", {"ngf": 4, "n_blocks": 2, "affine": "prunable"}).eval()
    for module in model.modules():
        if isinstance(module, nn.InstanceNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
    groups = find_groups(model, torch.empty(1, 3, 16, 16), {TRUNK: "the published form leaves it whole"})
    model.double()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    sites = Scales(groups, norm_sites(model, groups, (x,)))
    assert set(sites.norms) == set(groups.names)
    start = sites.start(model)
    assert torch.equal(start[:4].double(), dict(model.named_parameters())["model.2.weight"].detach().float().double())
    scales = (start + 0.1).double()
    with torch.no_grad():
        expected = functional_call(model, sites.tensors(model, scales), (x,))
        assert torch.equal(sites.gates(scales), torch.ones(1 + sites.size, dtype=torch.float64))
        assert float((sites.folded(model, scales)(x) - expected).abs().max()) == 0
        assert float((model(x) - expected).abs().max()) > 1e-3


def test_a_norm_is_a_site_only_where_silencing_it_is_cutting():
    """A reader in front of the norm, or an activation that lifts zero, puts the scale on the consumers."""
    torch.manual_seed(0)
    model = PreNorm()
    before = copy.deepcopy(model.state_dict())
    groups = find_groups(model, torch.empty(1, 3, 8, 8))
    assert norm_sites(model, groups, (torch.randn(2, 3, 8, 8),)) == {"c": "norm_c.weight"}
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    plain = build("resnet", {"ngf": 4, "n_blocks": 1})
    assert norm_sites(plain, find_groups(plain, torch.empty(1, 3, 16, 16)), (torch.randn(2, 3, 16, 16),)) == {}


def test_gan_slimmings_own_setting_has_its_layers_scales_and_costs():
    """13 layers, 2,688 scales in norms, the trunk whole; both published width lists cost what they must."""
    small = build("resnet_9blocks", {"ngf": 2, "affine": "prunable"})
    groups = find_groups(small, torch.empty(1, 3, 16, 16), {TRUNK: "the published form leaves it whole"})
    assert len(norm_sites(small, groups, (torch.randn(2, 3, 16, 16),))) == 13
    with torch.device("meta"):
        model = build("resnet_9blocks", {"affine": "prunable"})
    groups = find_groups(model, torch.empty(1, 3, 256, 256), {TRUNK: "the published form leaves it whole"})
    assert list(groups.sizes.values()) == [64, 128, *[256] * 9, 128, 64]
    assert Scales(groups).size == 2688
    assert groups.form.dense("params") == 11_383_555
    for widths, parameters, published, binary in DIM_LSTS:
        assert float(groups.form.predict(widths, "params")) == parameters
        macs = float(groups.form.predict(widths, "macs_published"))
        assert round(macs / 1e9, 3) == published
        assert binary is None or round(macs / 2**30, 3) == binary
        kept = {name: tuple(range(width)) for name, width in zip(groups.names, widths, strict=True)}
        assert sum(p.numel() for p in cut(model, groups, ChannelPlan(kept)).parameters()) == parameters
