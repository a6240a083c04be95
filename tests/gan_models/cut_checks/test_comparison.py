"""The distance between outputs, and what rounding may explain of it."""

import torch
from ganprune.gan_models.cut_checks.comparison import MAX_ROUNDING, compare, relative_difference
from ganprune.gan_models.cut_checks.precision import Precision, precision_of
from ganprune.gan_models.cut_checks.random_weights import randomize
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.surgery import cut
from torch import nn

from .networks import Blocks


def test_differences_are_relative_to_the_largest_output():
    """A thousandth of outputs of a million is a thousandth; of outputs of zero any difference counts whole."""
    million = torch.tensor([1e6, 0.0])
    assert relative_difference((million,), (million + 1e3,)) == 1e-3
    assert relative_difference((torch.zeros(2),), (torch.full((2,), 0.25),)) == 0.25


def test_outputs_that_do_not_fit_differ_without_bound():
    """Another number of outputs, another shape, or a NaN in one of them."""
    one = torch.ones(2)
    for other in ((), (torch.ones(3),), (torch.tensor([1.0, float("nan")]),)):
        assert relative_difference((one,), other) == float("inf")
    nan = torch.tensor([1.0, float("nan")])
    assert relative_difference((nan,), (nan,)) == 0


def test_an_ill_conditioned_network_is_allowed_its_own_rounding_and_no_more():
    """It is 30 times the effect of a jitter of all weights by rounding, but never a tenth of the output."""

    class Canceling(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

        def forward(self, x):
            y = self.b(torch.relu(self.a(x)))
            return (y * 1e5 + 1e9) - 1e9

    torch.manual_seed(0)
    model, x = Canceling(), torch.rand(1, 3, 8, 8)
    groups = find_groups(model, x)
    plan = groups.full_plan()
    plan = type(plan)({name: kept[::2] for name, kept in plan.kept.items()})
    exact = Precision(torch.float32, torch.float32)
    seen = compare(model, cut(model, groups, plan), groups, plan, (x,), exact)
    assert seen.same
    assert seen.allowed <= MAX_ROUNDING
    with torch.no_grad():
        wrong = cut(model, groups, plan)
        wrong.b.weight.mul_(1.5)
    assert not compare(model, wrong, groups, plan, (x,), exact).same


def test_the_least_exact_type_inside_sets_the_tolerance():
    """A network that runs in float64 but computes a part in float32, or in bfloat16."""

    class Inside(nn.Module):
        def __init__(self, dtype):
            super().__init__()
            self.a, self.dtype = nn.Conv2d(3, 3, 1), dtype

        def forward(self, x):
            y = self.a(x)
            return torch.relu(y.to(self.dtype)).to(y.dtype)

    x = (torch.rand(1, 3, 8, 8),)
    found = {dtype: precision_of(Inside(dtype), x) for dtype in (torch.float64, torch.float32, torch.bfloat16)}
    assert all(each.dtype == torch.float64 and not each.refused for each in found.values())
    assert [each.inside for each in found.values()] == list(found)
    assert [each.tolerance for each in found.values()] == [1e-6, 1e-3, 1e-1]


def test_random_weights_leave_no_zeros_and_vanish_nowhere():
    """Biases, zero-started layers and scales are drawn; the outputs of a deep network do not vanish."""
    model = Blocks(20, ())
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    randomize(model, 0)
    assert all(bool((parameter != 0).all()) for parameter in model.parameters())
    with torch.no_grad():
        assert float(model(torch.rand(1, 3, 16, 16)).abs().max()) > 1e-3


def test_constants_of_a_network_stay():
    """A parameter that needs no gradient, such as a blur's kernel, is no weight."""
    model = nn.Conv2d(3, 3, 3)
    model.weight.requires_grad_(False)
    before = model.weight.clone()
    randomize(model, 0)
    assert torch.equal(model.weight, before)
