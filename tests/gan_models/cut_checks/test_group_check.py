"""The check of groups before anything is trained: what breaks is found, by halves, and nothing else is pinned."""

import copy

import pytest
import torch
from ganprune.gan_models.cut_checks import group_check
from ganprune.gan_models.cut_checks.group_check import GroupCheck, check_groups, uneven_plan
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.cut_trace import CutTrace
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.specs import InputSpec
from torch import nn

from .networks import Blocks, Float32Blur, Huge, Quiet, Sampled, Sized, float32_norm


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let discovery believe its trace: what the check of shapes would find is left for the check of numbers."""
    monkeypatch.setattr(CutTrace, "failing", lambda self: {})


def checked(model: nn.Module, shape: str = "3,16,16") -> GroupCheck:
    inputs = InputSpec.parse(shape)
    torch.manual_seed(0)

    def find(pinned):
        return find_groups(model, inputs.examples(), pinned)

    return check_groups(model, inputs, find({}), find)


@pytest.mark.parametrize("picky", [(), (3,), (0, 4), (0, 1, 2, 3, 4)])
def test_exactly_the_groups_that_break_are_pinned(picky):
    """Those of five blocks whose factor moves with the width are not pruned; the other groups stay prunable."""
    model = Blocks(5, picky)
    found = checked(model)
    assert set(found.pinned) == {f"blocks.{number}.a" for number in picky}
    assert set(found.groups.names) == {"head", *(f"blocks.{n}.a" for n in range(5) if n not in picky)}
    assert found.difference <= 1e-12


def test_a_reason_names_the_line_of_the_users_code():
    """File, line and text of the call that first differs."""
    (reason,) = checked(Blocks(2, (1,))).pinned.values()
    assert reason.code == "differs_when_cut"
    assert "networks.py:" in reason.text
    assert "return y if y.is_meta else y * y.shape[1] ** 0.5" in reason.text


def test_code_that_fails_at_a_width_is_named_by_its_line_and_error():
    """A network that refuses odd widths is left whole there, with what it raised."""

    class Even(Blocks):
        def forward(self, x):
            y = torch.relu(self.head(x))
            if y.shape[1] % 4:
                raise ValueError(f"{y.shape[1]} channels")
            return self.tail(y)

    with_odd = Even(0, ())
    found = checked(with_odd)
    (reason,) = found.pinned.values()
    assert reason.code == "breaks_when_cut"
    assert "channels" in reason.text
    assert "test_group_check.py:" in reason.text
    assert found.groups.groups == ()


@pytest.mark.parametrize("make", [float32_norm, Float32Blur])
def test_a_network_that_asks_for_float32_is_compared_in_it(make):
    """Nothing of it is pinned, and the arithmetic is told with its tolerance and the error in float64."""
    found = checked(make())
    assert found.pinned == {}
    assert found.precision.dtype == torch.float32
    assert found.precision.tolerance == 1e-3
    assert found.precision.refused
    assert "float32" in found.text


@pytest.mark.parametrize("make", [Huge, Quiet, Sized])
def test_sound_networks_raise_no_alarm(make):
    """Neither a huge range of values, nor noise that is switched off, nor a fixed size of images pins a group."""
    found = checked(make(), "3,64,64")
    assert found.pinned == {}
    assert found.precision.dtype == torch.float64


def test_small_images_are_used_if_the_network_runs_on_them():
    """The check uses 32 of 256 pixels: seconds for networks of any size."""
    seen = []

    class Seen(Blocks):
        def forward(self, x):
            seen.append(x.shape[-1])
            return super().forward(x)

    checked(Seen(1, ()), "3,256,256")
    assert 256 in seen  # the trace's own
    assert seen.count(32) >= 2 * group_check.PLANS
    assert seen.count(256) <= 3


def test_many_groups_take_few_comparisons(monkeypatch):
    """One broken group of forty is found by halves, not one by one."""
    calls, compare = [], group_check.compare
    monkeypatch.setattr(group_check, "compare", lambda *given: calls.append(0) or compare(*given))
    assert set(checked(Blocks(40, (17,), width=3)).pinned) == {"blocks.17.a"}
    assert len(calls) <= 30


def test_what_is_not_told_apart_in_time_is_pinned_together(monkeypatch):
    """With few comparisons left, half of the network may be left whole, but nothing that breaks stays."""
    monkeypatch.setattr(group_check, "MAX_COMPARISONS", 2)
    found = checked(Blocks(8, (1,)))
    assert "blocks.1.a" in found.pinned
    assert found.groups.groups


def test_the_network_and_the_random_state_stay_as_they_are():
    """Weights are drawn in a copy, from a generator of its own."""
    model = Blocks(1, ())
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    inputs = InputSpec.parse("3,16,16")
    check_groups(model, inputs, find_groups(model, inputs.examples()), lambda pinned: None)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_deep_network_is_looked_at_where_its_last_tanh_is_not_at_its_end():
    """Smaller random weights are taken until outputs differ among themselves: at 1 every mistake would hide."""
    model = Blocks(20, ())
    lively = group_check._lively(model, InputSpec.parse("3,16,16").examples(), 0)
    with torch.no_grad():
        y = lively(*InputSpec.parse("3,16,16").examples()).abs()
    assert float((y > 0.999 * y.max()).float().mean()) < 0.5


def test_plans_are_uneven_and_cut_every_group():
    """Each group keeps a quarter or more, and loses at least one channel; groups of one size differ in width."""
    groups = find_groups(Blocks(6, ()), InputSpec.parse("3,16,16").examples())
    plan = uneven_plan(groups, 0)
    assert all(size // 4 <= len(plan.kept[name]) < size for name, size in groups.sizes.items())
    assert len(set(plan.widths.values())) > 2


def test_a_network_that_does_not_run_is_refused():
    """One line with what it raised."""

    class Broken(Blocks):
        def forward(self, x):
            if not x.is_meta:
                raise RuntimeError("needs a camera")
            return super().forward(x)

    with pytest.raises(UserError, match="needs a camera"):
        checked(Broken(1, ()))


def test_a_network_that_draws_numbers_is_compared_under_the_same_draws():
    """Noise of a cut shape is another than that of the full one; all groups stay prunable."""
    found = checked(Sampled())
    assert dict(found.pinned) == {}
    assert set(found.groups.names) == {"encoder", "mean"}
    assert found.difference <= 1e-12
