"""Groups are a property of the graph: not of names, and never guessed."""

import copy

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.tracing.graph.export import NotTraceable
from ganprune.gan_models.tracing.unpruned_reasons import Why
from torch import Tensor, nn

from ..foreign import FOREIGN
from ..network_cases import CASES
from ..random_cuts import check_cut, lively


def test_the_trunk_of_a_resnet_is_one_group_and_each_block_middle_its_own():
    """Everything that is added to the trunk shares its channels; 9 blocks give 14 groups and 2944 + 256 channels less."""
    groups = find_groups(build("resnet_9blocks", {"ngf": 8}), torch.empty(1, 3, 32, 32))
    by_size = sorted(group.size for group in groups.groups)
    assert by_size == sorted([8, 16, 32, *[32] * 9, 16, 8])
    trunk = max(groups.groups, key=lambda group: len(group.modules))
    assert len([m for m in trunk.modules if "conv_block" in m]) == 18  # nine read it, nine write it
    assert [entry.reason for entry in groups.unpruned] == [Why.WRITES_OUTPUT()]


def test_a_u_net_skip_joins_two_groups_in_one_consumer():
    """After a concatenation the consumer's input axis carries the channels of both sides, in order."""
    groups = find_groups(build("unet", {"ngf": 4, "num_downs": 5}), torch.empty(1, 3, 32, 32))
    last = next(entry for entry in groups.axes if entry.parameter == "model.model.3.weight" and entry.axis == 0)
    sizes = list(groups.sizes.values())
    assert len(set(last.flat.tolist())) == len(last.flat) == 8
    down, up = last.flat[:4], last.flat[4:]
    assert down.tolist() == [1, 2, 3, 4]
    assert up.min() > sizes[0]


@pytest.mark.parametrize("name", sorted(CASES))
def test_names_carry_no_meaning(name: str):
    """The same network under other module names has the same groups, sizes and costs."""

    class Renamed(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.zz_other = inner

        def forward(self, *inputs: Tensor) -> Tensor:
            return self.zz_other(*inputs)

    factory, inputs = CASES[name]
    model, x = factory(), inputs.examples()
    a, b = find_groups(model, x), find_groups(Renamed(copy.deepcopy(model)), x)
    assert [f"zz_other.{group.name}" for group in a.groups] == [group.name for group in b.groups]
    assert list(a.sizes.values()) == list(b.sizes.values())
    assert len(a.groups) >= 2
    for cost in ("macs", "macs_published", "params"):
        assert a.form.dense(cost) == b.form.dense(cost)


def test_what_depends_on_data_is_refused_by_name():
    """A branch on a tensor's value is an error that names the network and says nothing was pruned."""
    factory, shape = FOREIGN["branching"]
    with pytest.raises(NotTraceable, match=r"Branching cannot be traced, so nothing of it was pruned.*data-dependent"):
        find_groups(factory(), torch.empty(1, *shape))


class HardCoded(nn.Module):
    """Fixes 8 channels in its own code; its second width is free."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 12, 3, padding=1),
            nn.Conv2d(12, 3, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x).view(-1, 8, 16, 16)
        return self.c(self.b(x).relu())


def test_a_size_fixed_in_code_is_pinned_and_named():
    """A group whose cut breaks a literal view stays whole, with the reason; the others are pruned."""
    groups = find_groups(HardCoded(), torch.empty(1, 3, 16, 16))
    assert groups.names == ("b",)
    reason = {u.module: u.reason for u in groups.unpruned}["a"]
    assert reason.code == Why.FIXED_SIZE.code
    assert "[" in reason.text, "the message of the network's own code is there"


class Sums(nn.Module):
    """Adds its channels up, or takes their mean, which no cut can leave unchanged."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.a, self.b, self.c = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 6, 1), nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        attention = getattr(self.a(x), self.how)(1, keepdim=True).sigmoid()
        return self.c(self.b(x) * attention)


def test_a_mean_over_channels_keeps_them():
    """Channels whose mean is taken are left whole and the reason says so; what they multiply stays prunable."""
    groups = find_groups(Sums("mean"), torch.empty(1, 3, 8, 8))
    assert groups.names == ("b",)
    assert {u.module: u.reason for u in groups.unpruned}["a"] == Why.REDUCED(call="mean in the model")


def test_a_sum_over_channels_that_a_layer_writes_lets_them_go():
    """A channel whose weights and bias are zero adds nothing, so that the sum is that of the cut network."""
    groups = find_groups(Sums("sum"), torch.empty(1, 3, 8, 8))
    assert groups.names == ("a", "b")
    assert {(entry.parameter, entry.axis) for entry in groups.masks} == {("a.weight", 0), ("a.bias", 0)}
    check_cut(lively(Sums("sum")), (3, 8, 8), 1)


class Unknown(nn.Module):
    """Uses a call that has no rule (the exponential of a matrix)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.linalg.matrix_exp(self.a(x)))


def test_a_call_without_a_rule_keeps_its_channels():
    """A call without a rule is reported by name, and its channels are not pruned."""
    groups = find_groups(Unknown(), torch.empty(1, 3, 8, 8))
    assert groups.groups == ()
    assert groups.unpruned[0].reason == Why.NO_RULE(call="linalg_matrix_exp in the model")


class RawParameter(nn.Module):
    """Convolves with a bare parameter, as hand-written networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.kernel = nn.Conv2d(3, 8, 3, padding=1), nn.Parameter(torch.randn(6, 8, 3, 3))
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(nn.functional.conv2d(self.first(x).relu(), self.kernel, padding=1))


def test_a_bare_parameter_is_pruned_like_a_layer():
    """A weight that is no module's own is found through the graph and its name."""
    groups = find_groups(RawParameter(), torch.empty(1, 3, 8, 8))
    assert sorted(groups.sizes.values()) == [6, 8]


class Leftovers(nn.Module):
    """Calls one of two layers; a learned constant goes through a weight with an extra axis; its noise has one scale."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, 6, 4, 4))
        self.start, self.called, self.not_called = nn.Linear(5, 6), nn.Conv2d(6, 8, 1), nn.Conv2d(6, 8, 1)
        self.scale, self.slope = nn.Parameter(torch.randn(1, 8, 8)), nn.PReLU(1)
        self.odd, self.flat, self.last = nn.Linear(5, 8), nn.Conv2d(8, 1, 1), nn.Conv2d(8, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.slope(self.called(self.constant * self.start(z)[:, :, None, None]))
        bent = (self.odd(z)[:, None, None, :] * self.scale[:, None]).sum((1, 2, 3))
        return self.last(h) * torch.sigmoid(self.flat(h)) + bent[:, None, None, None]


def test_modules_that_are_not_called_are_said_to_be_that():
    """A layer that the forward pass leaves out goes with nobody's channels; it is named, after those that are called."""
    groups = find_groups(Leftovers(), torch.empty(1, 5))
    reasons = {entry.module: entry.reason for entry in groups.unpruned}
    assert [name for name, reason in reasons.items() if reason.code == Why.NOT_CALLED.code] == ["not_called"]
    assert list(reasons)[-1] == "not_called"
    assert reasons["flat"] == Why.SINGLE_CHANNEL()
    assert set(groups.names) == {"start", "called", "odd"}


class ThreeAxes(nn.Module):
    """A parameter that meets channels of three layers, each on an axis of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Parameter(torch.randn(4, 5, 6)), nn.Linear(1, 3)
        self.one, self.two, self.three = nn.Linear(3, 4), nn.Linear(3, 5), nn.Linear(3, 6)

    def forward(self, z: Tensor) -> Tensor:
        scale = self.table[None] * self.one(z)[:, :, None, None]
        scale = scale * self.two(z)[:, None, :, None] * self.three(z)[:, None, None]
        return self.last(scale.sum((1, 2, 3))[:, None])


def test_a_parameter_carries_channels_on_two_axes_and_the_third_stays():
    """A cost is a product of two numbers of channels at most; the layer on the third axis says which parameter it is."""
    groups = find_groups(ThreeAxes(), torch.empty(1, 3))
    assert set(groups.names) == {"one", "two"}
    reasons = {entry.module: entry.reason for entry in groups.unpruned}
    assert reasons["three"] == Why.PARAMETER_AXIS(name="mul", parameter="table")
    check_cut(lively(ThreeAxes()), (3,), 1)


class Seeded(nn.Module):
    """A learned constant whose channels' mean is taken, and a weight of the network's own."""

    def __init__(self) -> None:
        super().__init__()
        self.seed, self.norm = nn.ParameterDict({"image": torch.randn(1, 6, 4, 4)}), nn.BatchNorm2d(3)
        self.kernel, self.last = nn.Parameter(torch.randn(8, 3, 1, 1)), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.conv2d(self.norm(x) + self.seed["image"].mean(1, keepdim=True), self.kernel)
        return self.last(h)


def test_what_no_layer_writes_has_its_true_reason_and_every_group_has_a_name():
    """A constant's channels stay for what is done to them; a group that a bare parameter writes has its name."""
    groups = find_groups(Seeded(), torch.empty(1, 3, 4, 4))
    assert groups.sizes == {"kernel": 8}
    reasons = {entry.module: entry.reason for entry in groups.unpruned}
    assert reasons["seed"] == Why.REDUCED(call="mean in the model")
    assert reasons["norm"] == Why.READS_INPUT()
