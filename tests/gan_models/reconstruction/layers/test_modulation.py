"""Refits of modulated convolutions: the least-squares problem on a sphere, and StyleGAN2 nearer to its teacher."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.style_based.stylegan2 import SynthesisLayer
from ganprune.gan_models.reconstruction import refit_plan
from ganprune.gan_models.reconstruction.layers import modulation
from ganprune.gan_models.reconstruction.layers.layer import NotRefitted
from ganprune.gan_models.reconstruction.layers.least_squares import RIDGES
from ganprune.gan_models.reconstruction.layers.modulation import ModulatedRows, fit_modulated, lengths
from ganprune.gan_models.reconstruction.reconstruction import reconstruct
from torch import nn
from torch.nn import functional as F

SMALL = {"size": 16, "latent": 12, "style": 10, "layers": 2, "channel_base": 256, "channel_max": 16}


def problem(n_in=4, n_out=3, taps=2, images=8, seed=0):
    """Rows of a layer with its true weight: inputs of each image are scaled by its style."""
    torch.manual_seed(seed)
    scale, weight = torch.rand(images, n_in).double() + 0.5, torch.randn(n_out, n_in, taps).double()

    def rows(n):
        place = torch.arange(n) % images
        inputs = torch.randn(n, n_in, taps).double() * scale[place][..., None]
        targets = inputs.flatten(1) @ weight.flatten(1).T / lengths(scale, weight)[place]
        return ModulatedRows(inputs, targets, place)

    return rows(200), rows(40), scale, weight


def test_a_row_on_the_sphere_is_the_minimum():
    """No unit vector has a smaller v'Av - 2b'v, whether b asks for longer or for shorter rows."""
    torch.manual_seed(0)
    factor = torch.randn(20, 6).double()
    square = factor.T @ factor
    values, vectors = torch.linalg.eigh(square)
    for size in (1e-3, 1.0, 1e3):
        right = size * torch.randn(1, 6).double()
        (found,) = modulation._on_sphere(values, right @ vectors) @ vectors.T
        others = F.normalize(torch.cat([torch.randn(2000, 6).double(), found + 1e-3 * torch.randn(2000, 6)]), dim=1)

        def loss(v, right=right):
            return ((v @ square) * v).sum(-1) - 2 * v @ right[0]

        assert float(found.norm()) == pytest.approx(1)
        assert float(loss(found)) <= float(loss(others).min()) + 1e-9


def test_the_weight_that_made_the_targets_is_found():
    """From other weights the error becomes nearly zero; rows may have any length. Right weights stay."""
    rows, other, scale, weight = problem()
    start = weight + 0.5 * torch.randn_like(weight)
    found = fit_modulated(rows, other, scale, start, RIDGES)
    assert found.weight_OIT is not None
    assert found.before > 0.05
    assert found.after < 1e-3 * found.before
    longer = weight * torch.tensor([0.5, 2.0, 7.0])[:, None, None].double()
    assert fit_modulated(rows, other, scale, longer, RIDGES).before < 1e-12


def test_sums_that_are_too_large_are_refused(monkeypatch):
    """The reason is for the record."""
    rows, other, scale, weight = problem()
    monkeypatch.setattr(modulation, "MOST_COLUMNS", 3)
    with pytest.raises(NotRefitted, match="it has 4 entries per output: a modulated weight is refitted up to 3"):
        fit_modulated(rows, other, scale, weight[..., :1], RIDGES)


def reached(share, seed=0):
    """Cut a generator whose maps are redundant, refit it, and return the record and the errors on a fourth set."""
    torch.manual_seed(seed)
    teacher = build("stylegan2_256", SMALL).eval()
    with torch.no_grad():
        for layer in teacher.modules():
            if isinstance(layer, SynthesisLayer):
                rank = len(layer.weight) // 2
                mix = torch.randn(len(layer.weight), rank) / rank**0.5
                layer.weight.copy_(torch.einsum("or,rikl->oikl", mix, layer.weight[:rank]))
    groups = find_groups(teacher, (torch.randn(1, 12),))
    keep = {name: n if name.startswith("mapping") else int(n * share) for name, n in groups.sizes.items()}
    plan = ChannelPlan({name: tuple(range(n)) for name, n in keep.items()})
    plain, student = cut(teacher, groups, plan), cut(teacher, groups, plan)
    done = reconstruct(teacher, student, groups, plan, (torch.randn(48, 12),), 0)
    z = torch.randn(32, 12)
    with torch.no_grad():
        wanted = teacher(z)
        errors = [float((each(z) - wanted).square().mean() / wanted.var()) for each in (plain, student)]
    return done, errors


def test_a_refitted_synthesis_network_is_nearer_to_its_teacher():
    """On inputs that nothing was fitted to, the error is below the plain cut's; weights of both kinds are refitted."""
    done, (plain, refitted) = reached(0.75)
    assert done.kept
    assert refitted < 0.6 * plain
    layers = {layer.name: layer for layer in done.layers}
    for name in ("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"):
        one = layers[f"synthesis.{name}.weight"]
        assert one.kept
        assert one.after < one.before


def test_modulated_weights_have_a_part_in_it(monkeypatch):
    """With everything else refitted but these, the error is larger."""
    _, (plain, refitted) = reached(0.5)
    monkeypatch.setattr(refit_plan, "modulations", lambda *_: {})
    done, (_, without) = reached(0.5)
    assert refitted < 0.9 * without
    assert refitted < plain
    assert not any(layer.kept for layer in done.layers if "conv" in layer.name and "affine" not in layer.name)


class LengthsFirst(nn.Module):
    """A modulated convolution whose lengths are computed before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.style = nn.Conv2d(3, 8, 1), nn.Linear(3, 8)
        self.weight, self.last = nn.Parameter(torch.randn(8, 8, 3, 3)), nn.Conv2d(8, 3, 1)

    def forward(self, x):
        style = self.style(x.mean((2, 3)))
        factor = (style.square() @ self.weight.square().sum((2, 3)).t() + 1e-8).rsqrt()
        y = F.conv2d(self.first(x) * style[:, :, None, None], self.weight, padding=1)
        return self.last(torch.relu(y * factor[:, :, None, None]))


def test_lengths_that_are_computed_first_leave_the_weight():
    """They would be those of the weight before its refit; the record says what else reads it."""
    torch.manual_seed(0)
    teacher, x = LengthsFirst().eval(), torch.randn(16, 3, 6, 6)
    groups = find_groups(teacher, (x[:1],))
    plan = ChannelPlan({name: tuple(range(n // 2)) for name, n in groups.sizes.items()})
    done = reconstruct(teacher, cut(teacher, groups, plan), groups, plan, (x,), 0)
    (own,) = [layer for layer in done.layers if layer.name == "weight"]
    assert (own.kept, own.why) == (False, "it is also read by square")
