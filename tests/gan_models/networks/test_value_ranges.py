"""A network of any range of values takes and gives the usual one while the hooks are on it, and its own without."""

import copy

import pytest
import torch
from ganprune.evaluators.cost.counters import count_macs
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.networks.value_ranges import (
    USUAL_RANGE,
    ValueRanges,
    in_own_ranges,
    judging_usual,
    own_values,
    translate,
    usual,
    with_own_ranges,
    with_usual_ranges,
)
from torch import nn

IMAGE = InputSpec.parse("3,8,8")


def network():
    """A small trunk, and an image of it; remembers what it was called with."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)).double()


def wrapped(text, inputs=IMAGE):
    ranges = ValueRanges.read(text)
    return with_usual_ranges(network(), ranges.of_inputs(inputs), ranges.given)


@pytest.mark.parametrize(
    ("given", "taken", "output", "text"),
    [
        ("0,1", (0, 1), (0, 1), "0,1"),
        ("0, 255", (0, 255), (0, 255), "0,255"),
        ("0,1:-1,1", (0, 1), (-1, 1), "0,1:-1,1"),
        ("-0.5,0.5", (-0.5, 0.5), (-0.5, 0.5), "-0.5,0.5"),
        ([0, 1], (0, 1), (0, 1), "0,1"),
        ("-1,1", USUAL_RANGE, USUAL_RANGE, ""),
        ("", USUAL_RANGE, USUAL_RANGE, ""),
    ],
)
def test_a_text_says_the_range_of_input_and_output(given, taken, output, text):
    """One range is for both, two are apart; the text that is kept reads as the same ranges."""
    ranges = ValueRanges.read(given)
    assert (ranges.taken, ranges.given, ranges.text) == (taken, output, text)
    assert ValueRanges.read(ranges.text) == ranges


@pytest.mark.parametrize("text", ["1", "0,1,2", "a,b", "0,1:0,1:0,1", "1,0", "0,0", "0,inf", "0,1:"])
def test_what_is_no_range_is_refused_by_its_value(text):
    """The message names what is taken."""
    with pytest.raises(UserError, match="0,1"):
        ValueRanges.read(text)


def test_only_images_and_audio_have_the_range():
    """A mask stays in [0, 1], a latent has none, and a range that an input states itself is kept."""
    inputs = InputSpec.parse("a=3,8,8;m=mask:1,8,8;z=latent:4;b=3,8,8@0,255;s=audio:1,16")
    ranges = [one.value_range for one in ValueRanges.read("0,1").of_inputs(inputs).inputs]
    assert ranges == [(0, 1), (0, 1), None, (0, 255), (0, 1)]
    assert [one.value_range for one in usual(inputs).inputs] == [USUAL_RANGE, (0, 1), None, USUAL_RANGE, USUAL_RANGE]


def test_a_range_of_inputs_needs_an_input_that_has_one():
    """`0,1:-1,1` is refused for a latent alone, with what to give; one range is the output's."""
    ValueRanges.read("0,1").check(InputSpec.parse("latent:8"))
    ValueRanges.read("0,1:-1,1").check(InputSpec.parse("latent:8;image:3,8,8"))
    with pytest.raises(UserError, match=r"0,1:-1,1 .*latent:8.*Try --value-range -1,1"):
        ValueRanges.read("0,1:-1,1").check(InputSpec.parse("latent:8"))


@pytest.mark.parametrize("text", ["0,1", "0,255", "0,1:-1,1", "-1,1:0,255"])
def test_the_network_is_called_and_read_in_its_own_range(text):
    """With the hooks it gives for x what it gives for x in its own range without them, translated back."""
    ranges, x = ValueRanges.read(text), IMAGE.examples(4)[0].double()
    own = network()(translate(x, USUAL_RANGE, ranges.taken))
    assert torch.allclose(wrapped(text)(x), translate(own, ranges.given, USUAL_RANGE), atol=1e-12)


def test_the_ends_of_one_range_are_the_ends_of_the_other():
    """-1, 0 and 1 are 0, 127.5 and 255, and the other way round; values outside stay outside."""
    x = torch.tensor([-1.0, 0.0, 1.0, 1.2])
    assert translate(x, USUAL_RANGE, (0, 255)).tolist() == pytest.approx([0, 127.5, 255, 280.5])
    assert translate(torch.tensor([0, 127.5, 255]), (0, 255), USUAL_RANGE).tolist() == [-1, 0, 1]


def test_groups_costs_and_cuts_are_those_of_the_network_alone():
    """The hooks add no group and no cost; the cut network has them, and loses them alike."""
    plain, hooked = network(), wrapped("0,255")
    x = IMAGE.examples(2)[0].double()
    groups = find_groups(hooked, (x,))
    assert groups.sizes == find_groups(plain, (x,)).sizes == {"0": 8}
    assert count_macs(hooked, (x,)) == count_macs(plain, (x,))
    small = cut(hooked, groups, ChannelPlan({"0": (0, 2, 7)}))
    with torch.no_grad():
        for i in (1, 3, 4, 5, 6):
            hooked[0].weight[i], hooked[0].bias[i] = 0, 0
        assert torch.allclose(small(x), hooked(x), atol=1e-12)
        own = with_own_ranges(copy.deepcopy(small))
        assert torch.allclose(
            translate(own(translate(x, USUAL_RANGE, (0, 255))), (0, 255), USUAL_RANGE), small(x), atol=1e-12
        )
    assert list(small.state_dict()) == list(plain.state_dict())


def test_for_a_while_a_network_is_in_its_own_ranges():
    """While it is counted or timed it has no hooks, as it is exported; afterwards it has them again."""
    inner = wrapped("0,1:0,255")
    pair, x = nn.ModuleDict({"G": inner}), IMAGE.examples(2)[0].double()
    before = inner(x)
    with in_own_ranges(pair):
        assert torch.equal(inner(x), network()(x))
    assert torch.equal(inner(x), before)


def test_the_usual_ranges_leave_a_network_as_it_is():
    """Without another range there is no hook."""
    assert not wrapped("")._forward_hooks
    assert not wrapped("-1,1")._forward_pre_hooks


def test_each_input_has_its_own_range():
    """A mask and a latent are handed on as they are, beside an image in [0, 1]."""
    inputs = ValueRanges.read("0,1").of_inputs(InputSpec.parse("a=3,2,2;m=mask:1,2,2;z=latent:4"))
    image, mask, latent = own_values((-torch.ones(1, 3, 2, 2), torch.ones(1, 1, 2, 2), torch.full((1, 4), 5.0)), inputs)
    assert (image.unique().item(), mask.unique().item(), latent.unique().item()) == (0, 1, 5)


@pytest.mark.parametrize(
    ("text", "channels", "expected"),
    [("0,1", 3, [0]), ("0,1", 6, [0] * 2), ("0,1:-1,1", 3, [-1]), ("0,1:-1,1", 6, [0, -1]), ("", 6, [-1] * 2)],
)
def test_a_discriminator_of_the_users_sees_the_range_of_its_generator(text, channels, expected):
    """Black is what its code calls black: of input and output together each in its own range."""
    judge = judging_usual(nn.Identity(), ValueRanges.read(text), OutputSpec(3, (4, 4)))
    shown = judge(-torch.ones(1, channels, 4, 4))
    assert [shown[0, start].unique().item() for start in range(0, channels, 3)] == expected
