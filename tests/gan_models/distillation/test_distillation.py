"""Layers found, maps fitted, and what a student learns from its teacher."""

import torch
from ganprune.gan_models.distillation.distillation import Distillation
from ganprune.gan_models.distillation.feature_matching import FeatureMatching
from ganprune.gan_models.distillation.matched_layers import recorded
from ganprune.gan_models.distillation.term import Pair, Seen
from torch import nn

from ..training.small import Decoder, Translator


def narrowed(teacher, kept):
    """The teacher with the `kept` channels of its first convolution and norm alone."""
    student = Translator(4)
    student.load_state_dict(teacher.state_dict())
    student.first = nn.Conv2d(3, len(kept), 3, padding=1)
    student.norm = nn.BatchNorm2d(len(kept))
    student.middle[2] = nn.Conv2d(len(kept), 4, 3, padding=1)
    with torch.no_grad():
        student.first.weight.copy_(teacher.first.weight[kept])
        student.first.bias.copy_(teacher.first.bias[kept])
        student.middle[2].weight.copy_(teacher.middle[2].weight[:, kept])
    return student


def images(n=4):
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_layers_are_those_whose_channels_differ():
    """Only the convolution that lost channels is matched; an equal network has none and no loss."""
    torch.manual_seed(0)
    teacher = Translator(4)
    matching = FeatureMatching(Pair(narrowed(teacher, [0, 2]), teacher, (images(),)))
    assert matching.layers == ("first",)
    equal = Pair(teacher, Translator(4), (images(),))
    assert FeatureMatching(equal).layers == ()
    distillation = Distillation({"G": equal}, {"features": 1.0})
    with distillation.watching() as features:
        assert distillation({"G": equal.inputs}, {"G": teacher(*equal.inputs)}, features) == {}


def test_at_most_so_many_layers_evenly_spaced():
    """Three of nine narrower convolutions are taken: one of each third, in order of execution."""

    def chain(width):
        convs = [nn.Conv2d(3 if i == 0 else width, width, 1) for i in range(9)]
        return nn.Sequential(*convs, nn.Conv2d(width, 3, 1))

    matching = FeatureMatching(Pair(chain(2), chain(4), (images(),), layers=3))
    assert matching.layers == ("1", "4", "7")


def test_networks_without_convolutions_are_matched_elsewhere():
    """If no convolution's channels differ, other modules' outputs of the same size are matched."""
    torch.manual_seed(0)
    z = torch.randn(5, 6)
    matching = FeatureMatching(Pair(Decoder(2), Decoder(4), (z,)))
    assert matching.layers == ("norm",)


def test_maps_start_at_the_least_squares_solution():
    """Channels that the student inherited are matched exactly from the first step, others in part."""
    torch.manual_seed(0)
    teacher = Translator(4).eval()
    x = images()
    for kept, exact in (([0, 1, 2], [0, 1, 2]), ([3, 1], [1, 3])):
        student = narrowed(teacher, kept).eval()
        matching = FeatureMatching(Pair(student, teacher, (x,)))
        with recorded(student, matching.layers) as mine, recorded(teacher, matching.layers) as theirs:
            student(x), teacher(x)
        error = (matching.maps[0](mine["first"]) - theirs["first"]).square().mean((0, 2, 3))
        assert (error[exact] < 1e-6).all()
        loss = float(matching(Seen((x,), x, x, mine, theirs)).detach())
        assert 0 < loss < 1  # 1: predicting each channel's mean


def test_finding_layers_changes_nothing():
    """Hooks are gone afterwards, the mode and the running statistics are as before."""
    teacher, student = Translator(4), Translator(2).train()
    before = {key: value.clone() for key, value in student.state_dict().items()}
    FeatureMatching(Pair(student, teacher, (images(),)))
    assert student.training
    assert all(torch.equal(before[key], value) for key, value in student.state_dict().items())
    assert not any(module._forward_hooks for net in (student, teacher) for module in net.modules())


def test_the_first_call_is_recorded():
    """A generator that runs twice in a step (cycle, identity) is matched on its first output."""
    student = Translator(4).eval()
    x = images()
    with recorded(student, ["first"]) as outputs:
        student(x)
        student(-x)
    assert torch.equal(outputs["first"], student.first(x))


def test_terms_are_weighted_and_the_teacher_gets_no_gradient():
    """Output term = weight * L1; gradients reach student and maps and never the teacher."""
    torch.manual_seed(0)
    teacher, student = Translator(4).eval(), Translator(2).eval()
    x = images()
    distillation = Distillation({"G": Pair(student, teacher, (x,))}, {"output": 3.0, "features": 2.0, "ssim": 0.0})
    with distillation.watching() as features:
        outputs = {"G": student(x)}
    terms = distillation({"G": (x,)}, outputs, features)
    expected = 3 * (outputs["G"] - teacher(x)).abs().mean()
    assert torch.allclose(terms["G.distill_output"], expected)
    with recorded(student, ["first", "middle.2"]) as mine, recorded(teacher, ["first", "middle.2"]) as theirs:
        student(x), teacher(x)
    matched = distillation.terms["features"]["G"](Seen((x,), x, x, mine, theirs))
    assert torch.allclose(terms["G.distill_features"], 2 * matched)
    assert set(terms) == {"G.distill_output", "G.distill_features"}
    sum(terms.values()).backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert student.first.weight.grad is not None
    assert all(p.grad is not None for p in distillation.parameters())
    assert len(list(distillation.parameters())) == 4  # two maps; neither student nor teacher is inside


def test_maps_of_an_earlier_checkpoint_are_read():
    """Their keys began with "matching." before there were other terms."""
    torch.manual_seed(0)
    distillation = Distillation({"G": Pair(Translator(2), Translator(4), (images(),))}, {"features": 1.0})
    saved = {key: value + 1 for key, value in distillation.state_dict().items()}
    distillation.load_state_dict({key.replace("terms.features.", "matching."): value for key, value in saved.items()})
    assert all(torch.equal(value, saved[key]) for key, value in distillation.state_dict().items())
