"""Every term of distillation: the contract of its row, and its closed form."""

import math

import pytest
import torch
from ganprune.evaluators.features.feature_maps import shapes_maps
from ganprune.evaluators.quality.reference_based import ssim_of
from ganprune.gan_models.distillation.catalog import TERMS
from ganprune.gan_models.distillation.distillation import Distillation, make_term
from ganprune.gan_models.distillation.gram import Gram
from ganprune.gan_models.distillation.judge_features import judge_layers
from ganprune.gan_models.distillation.kernel_alignment import kernel_alignment
from ganprune.gan_models.distillation.perceptual import Perceptual
from ganprune.gan_models.distillation.structure import ssim
from ganprune.gan_models.distillation.term import Pair, Seen
from ganprune.gan_models.files.errors import UserError
from torch import nn

from ..training.small import Translator, task_named


class Maps:
    """Two maps of known values: the images themselves, and their double."""

    name, style_weight = "known", 1.0

    def __call__(self, images):
        return images, 2 * images

    def to(self, device):
        return self


def images(seed=0, n=4, size=16):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def pair(student=None, maps=None):
    torch.manual_seed(0)
    teacher = Translator(4).eval()
    judge = task_named("unpaired").make_discriminators(0)["AtoB"].eval().requires_grad_(False)
    return Pair(student or Translator(2).eval(), teacher, (images(),), 4, maps or shapes_maps(), judge)


@pytest.mark.parametrize("name", TERMS)
def test_every_term_teaches_and_leaves_the_teacher_alone(name):
    """A finite scalar above 0 whose gradient reaches the student; teacher and discriminator get none and are not saved."""
    both = pair()
    distillation = Distillation({"G": both}, {name: 2.0})
    with distillation.watching() as features:
        output = both.student(*both.inputs)
    terms = distillation({"G": both.inputs}, {"G": output}, features)
    (loss,) = terms.values()
    assert list(terms) == [f"G.distill_{name}"]
    assert loss.dim() == 0
    assert 0 < float(loss.detach()) < math.inf
    loss.backward()
    assert float(both.student.first.weight.grad.abs().max()) > 0
    assert all(each.grad is None for frozen in (both.teacher, both.judge) for each in frozen.parameters())
    own = {key for key in distillation.state_dict() if ".maps." not in key}
    assert own == set()


@pytest.mark.parametrize("name", [name for name in TERMS if name not in ("features", "total_variation")])
def test_a_student_equal_to_its_teacher_has_no_loss(name):
    """Every distance to the teacher is 0 for the teacher's own output and features; maps are fitted, not exact."""
    both = pair()
    term = make_term(name, both)
    x, layers = both.inputs, {layer: torch.rand(4, 3, 5, 5) for layer in term.layers}
    goal = both.teacher(*x).detach()
    assert float(term(Seen(x, goal, goal, layers, layers)).abs()) < 1e-6


def test_the_perceptual_term_is_a_share_of_the_maps():
    """A constant 0.5 against a constant 0.4 differs by a fourth of the 0.4, in every map."""
    seen = Seen((), torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.4))
    assert float(Perceptual(pair(maps=Maps()))(seen)) == pytest.approx(0.25)


def test_the_gram_term_is_a_share_of_the_matrices():
    """Gram matrices go with the square: 0.6 against 0.4 differs by 0.36 / 0.16 - 1."""
    seen = Seen((), torch.full((2, 3, 4, 4), 0.6), torch.full((2, 3, 4, 4), 0.4))
    assert float(Gram(pair(maps=Maps()))(seen)) == pytest.approx(0.36 / 0.16 - 1, rel=1e-5)


def test_structural_similarity_is_the_measured_one():
    """The differentiable form equals the metric's, and is 1 for equal images; tiny images have a smaller window."""
    a, b = images(0), images(1)
    assert float(ssim(a, b)) == pytest.approx(float(ssim_of(a, b).mean()), abs=1e-5)
    for size in (3, 6, 16):
        same = images(2, size=size)
        assert float(ssim(same, same)) == pytest.approx(1)


def test_the_total_variation_of_a_ramp_is_its_slope():
    """A ramp of 0.1 per row and 0.02 per column has a total variation of 0.12."""
    ramp = 0.1 * torch.arange(5.0)[:, None] + 0.02 * torch.arange(7.0)
    term = make_term("total_variation", pair())
    assert float(term(Seen((), ramp.expand(2, 3, 5, 7), torch.zeros(())))) == pytest.approx(0.12, rel=1e-5)


def test_kernel_alignment_is_the_closed_form():
    """<K, L> / (|K| |L|) of the two Gram matrices over the batch; scales and rotations of features do not matter."""
    x, y = torch.randn(4, 6), torch.randn(4, 10)
    k, linear = x @ x.T, y @ y.T
    wanted = float((k * linear).sum() / (k.norm() * linear.norm()))
    assert float(kernel_alignment(x, y)) == pytest.approx(wanted, rel=1e-5)
    turned = torch.linalg.qr(torch.randn(6, 6))[0]
    assert float(kernel_alignment(x, 1e4 * x @ turned)) == pytest.approx(1, abs=1e-5)
    orthogonal = torch.eye(4)[:2], torch.eye(4)[[0, 0]]
    assert float(kernel_alignment(*orthogonal)) == pytest.approx(2 / (math.sqrt(2) * 2), rel=1e-5)


def test_the_judges_last_convolution_is_left_out():
    """Scores are no features; a discriminator that ends in a linear layer gives all its convolutions."""
    judge = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3))
    assert judge_layers(judge, (images(),)) == ("0", "2")
    judge = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(1))
    assert judge_layers(judge, (images(),)) == ("0",)


def test_judge_features_of_a_linear_judge_are_known():
    """A judge whose features are the images' double differs by the images' own relative difference."""
    judge = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 1, 1))
    with torch.no_grad():
        judge[0].weight.copy_(2 * torch.eye(3)[..., None, None])
    both = Pair(Translator(2), Translator(4), (images(),), judge=judge.requires_grad_(False))
    seen = Seen((images(),), torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.4))
    assert float(make_term("judge", both)(seen)) == pytest.approx(0.25)


@pytest.mark.parametrize(("name", "lacks"), [("gram", "feature maps"), ("judge", "discriminator")])
def test_a_term_without_what_it_needs_is_refused(name, lacks):
    """One line names the term and what is missing; an unknown term is named, too."""
    bare = Pair(Translator(2), Translator(4), (images(),))
    with pytest.raises(UserError, match=f"{name}.*no .*{lacks}"):
        make_term(name, bare)
    with pytest.raises(UserError, match=r"'gramm'.*Did you mean gram"):
        make_term("gramm", bare)
