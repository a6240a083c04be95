"""Reconstruction of whole cut networks."""

import pytest
import torch
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.groups.channel_groups import ChannelGroups
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import copy_network, cut
from ganprune.gan_models.reconstruction.reconstruction import RefitOptions, reconstruct, teacher_pass
from ganprune.gan_models.reconstruction.record import Reconstruction
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from .networks import IMAGES, Attended, ByHeads, Concatenated, Latent, Plain, Residual


def _network(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return kind().double().eval().requires_grad_(False)


def _images(n: int, seed: int = 1, size: int = 12) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed)).double()


def _half(groups: ChannelGroups) -> ChannelPlan:
    return ChannelPlan({name: tuple(range(size // 2)) for name, size in groups.sizes.items()})


def _cut(model: nn.Module, x: Tensor) -> tuple[nn.Module, ChannelGroups, ChannelPlan]:
    groups = find_groups(model, x[:1])
    assert groups.groups
    plan = _half(groups)
    return cut(model, groups, plan), groups, plan


def _error(model: nn.Module, teacher: nn.Module, x: Tensor) -> float:
    expected = teacher(x)
    return float((model(x) - expected).square().sum() / expected.square().sum())


def _make_redundant(model: nn.Module, groups: ChannelGroups) -> None:
    """Make each channel of a group's second half a positive multiple of one of its first half, at every writer."""
    for entry in groups.writes:
        tensor = model.get_parameter(entry.parameter)
        for group, size in groups.sizes.items():
            first = 1 + groups.offsets[group]
            for channel in range(size // 2):
                (kept,) = (entry.flat == first + channel).nonzero()
                (gone,) = (entry.flat == first + channel + size // 2).nonzero()
                values = tensor.movedim(entry.axis, 0)
                for to, source in zip(gone, kept, strict=True):
                    values[int(to)] = values[int(source)] * (0.5 + 0.25 * channel)


@pytest.mark.parametrize(
    "name", ["plain", "residual", "concatenated", "grouped", "bordered", "line", "volume", "multiplied"]
)
def test_redundant_channels_are_removed_without_a_trace(name: str):
    """A network whose removed channels are multiples of kept ones is what it was, also for inputs never seen."""
    teacher, x = _network(IMAGES[name]), _images(16)
    groups = find_groups(teacher, x[:1])
    _make_redundant(teacher, groups)
    for entry in groups.writes:  # biases go with the channels
        bias = entry.parameter.replace("weight", "bias")
        if bias in dict(teacher.named_parameters()) and bias != entry.parameter:
            values = teacher.get_parameter(bias)
            for group, size in groups.sizes.items():
                first = 1 + groups.offsets[group]
                for channel in range(size // 2):
                    (kept,) = (entry.flat == first + channel).nonzero()
                    (gone,) = (entry.flat == first + channel + size // 2).nonzero()
                    for to, source in zip(gone, kept, strict=True):
                        values[int(to)] = values[int(source)] * (0.5 + 0.25 * channel)
    student, groups, plan = _cut(teacher, x)
    fourth = _images(8, seed=2)
    before = _error(student, teacher, fourth)
    done = reconstruct(teacher, student, groups, plan, (x,), 0, RefitOptions(ridges=(1e-12,)))
    assert done.kept
    assert before > 1e-3
    assert _error(student, teacher, fourth) < 1e-12


@pytest.mark.parametrize("name", IMAGES)
def test_refitted_network_is_nearer_to_its_teacher_on_a_fourth_set(name: str):
    """Outputs for inputs that had no part in it are nearer to the teacher's than those of the plain cut."""
    teacher, x, fourth = _network(IMAGES[name]), _images(32), _images(16, seed=2)
    student, groups, plan = _cut(teacher, x)
    before = _error(student, teacher, fourth)
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert done.kept
    assert _error(student, teacher, fourth) < 0.8 * before
    assert done.before is not None
    assert done.after is not None
    assert done.after < done.before
    assert {layer.name for layer in done.layers} == {n for n, p in teacher.named_parameters() if p.ndim > 1}


def test_latents_and_running_statistics_are_refitted():
    """A network of latents is refitted, and its norms give the mean and variance that the teacher's give."""
    teacher = _network(Latent)
    for norm in (teacher.norm, teacher.after):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    z = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)).double()
    student, groups, plan = _cut(teacher, z)
    before = _error(student, teacher, z)
    done = reconstruct(teacher, student, groups, plan, (z,), 0)
    assert done.kept
    assert _error(student, teacher, z) < before

    def normal(model: nn.Module) -> Tensor:
        return model.norm(model.linear(z[: done.inputs]).unflatten(1, (-1, 2, 2)))

    kept, own = normal(teacher)[:, :4], normal(student)
    torch.testing.assert_close(own.mean((0, 2, 3)), kept.mean((0, 2, 3)), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(own.var((0, 2, 3)), kept.var((0, 2, 3)), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_network_is_never_worse_on_the_unseen_inputs(seed: int):
    """Whatever is cut: either the error on unseen inputs falls, or the network is the plain cut, bit for bit."""
    teacher, x = _network(Plain, seed), _images(4, seed=seed, size=4)
    student, groups, plan = _cut(teacher, x)
    plain = copy_network(student)
    done = reconstruct(teacher, student, groups, plan, (x,), seed)
    unseen = x[done.inputs + done.held_out :]
    if done.kept:
        assert _error(student, teacher, unseen) < _error(plain, teacher, unseen)
    else:
        assert done.why
        for name, tensor in plain.state_dict().items():
            assert torch.equal(student.state_dict()[name], tensor)


def test_network_that_is_already_its_teacher_stays():
    """Without a cut nothing is better than the weights that are there."""
    teacher, x = _network(Plain), _images(8)
    groups = find_groups(teacher, x[:1])
    plan = groups.full_plan()
    student = cut(teacher, groups, plan)
    assert not reconstruct(teacher, student, groups, plan, (x,), 0).kept
    assert torch.equal(student(x), teacher(x))


def test_symmetric_fit_is_optimal_brain_surgeon_on_blocks():
    """If a layer's inputs are the teacher's own, W_S + W_R A_RS A_SS^-1 of the centered inputs comes out."""
    teacher, x = _network(Plain), _images(16, size=8)
    groups = find_groups(teacher, x[:1])
    plan = ChannelPlan({**groups.full_plan().kept, "first": (0, 1, 2, 4, 7)})
    student = cut(teacher, groups, plan)
    done = reconstruct(teacher, student, groups, plan, (x,), 0, RefitOptions(rows=10**6, ridges=(1e-13,)))
    assert done.kept
    read = F.unfold(F.relu(teacher.first(x[: done.inputs])), 3, dilation=2, padding=2, stride=2)
    rows = read.mT.reshape(-1, 8, 9)
    kept, gone = rows[:, [0, 1, 2, 4, 7]].flatten(1), rows[:, [3, 5, 6]].flatten(1)
    kept, gone = kept - kept.mean(0), gone - gone.mean(0)
    weight = teacher.second.weight
    moved = weight[:, [3, 5, 6]].flatten(1) @ (gone.T @ kept) @ torch.linalg.inv(kept.T @ kept)
    expected = weight[:, [0, 1, 2, 4, 7]] + moved.view(8, 5, 3, 3)
    torch.testing.assert_close(student.second.weight, expected, rtol=1e-6, atol=1e-7)


def test_two_runs_are_the_same_bit_for_bit():
    """The same inputs and seed give the same weights and the same record, but for the seconds."""
    teacher, x = _network(Concatenated), _images(12)
    found = []
    for _ in range(2):
        student, groups, plan = _cut(teacher, x)
        done = reconstruct(teacher, student, groups, plan, (x,), 5, RefitOptions(rows=200))
        found.append((student.state_dict(), done))
    (one, first), (two, second) = found
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert first.layers == second.layers
    assert (first.before, first.after) == (second.before, second.after)


def test_teacher_is_not_changed():
    """The teacher has its weights, and its mode, afterwards."""
    teacher, x = _network(Residual).train(), _images(8)
    before = copy_network(teacher)
    student, groups, plan = _cut(teacher, x)
    reconstruct(teacher, student, groups, plan, (x,), 0)
    assert teacher.training
    assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), before.parameters(), strict=True))


def test_fewer_inputs_are_used_if_their_activations_do_not_fit():
    """The record says how many inputs there was memory for; without memory for four the network stays."""
    teacher, x = _network(Plain), _images(32)
    student, groups, plan = _cut(teacher, x)
    one = 8 * 12 * 12 * 8  # bytes of the first layer's output
    done = reconstruct(teacher, student, groups, plan, (x,), 0, RefitOptions(memory_bytes=20 * one))
    assert done.inputs + done.held_out + done.unseen < 20
    assert "of 32 inputs" in done.note
    student, *_ = _cut(teacher, x)
    plain = copy_network(student)
    refused = reconstruct(teacher, student, groups, plan, (x,), 0, RefitOptions(memory_bytes=one))
    assert not refused.kept
    assert str(one) in refused.why
    assert torch.equal(student(x), plain(x))


def test_middle_of_images_is_used_if_four_whole_ones_do_not_fit():
    """If four inputs are too large, their middle is taken if the network runs at that size, and the record says so."""
    teacher, x = _network(Plain), _images(8, size=32)
    student, groups, plan = _cut(teacher, x)
    one = 8 * 32 * 32 * 8
    done = reconstruct(teacher, student, groups, plan, (x,), 0, RefitOptions(memory_bytes=4 * one))
    assert done.kept
    assert "16x16" in done.note


class _Moody(nn.Module):
    """A network that refuses batches of more than one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 1:
            raise KeyError("one at a time")
        return self.last(F.relu(self.first(x)))


def test_network_that_fails_when_watched_stays_the_plain_cut():
    """The exception that its code raises is the reason in the record; the weights are as they were cut."""
    teacher, x = _network(_Moody), _images(8)
    student, groups, plan = _cut(teacher, x)
    before = copy_network(student)
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert not done.kept
    assert "one at a time" in done.why
    assert done.fault == "KeyError: 'one at a time'"
    assert torch.equal(student(x[:1]), before(x[:1]))


def test_weights_of_weight_norm_are_written():
    """Weight norm holds any weight: scale and direction come out as the fitted weight."""
    teacher, x = _network(Plain), _images(24)
    parametrizations.weight_norm(teacher.second)
    teacher.requires_grad_(False).double().eval()
    student, groups, plan = _cut(teacher, x)
    before, cut_weight = _error(student, teacher, x), student.second.weight.clone()
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert next(layer.kept for layer in done.layers if layer.name == "second.weight")
    assert not torch.allclose(student.second.weight, cut_weight)
    assert _error(student, teacher, x) < before


def test_weights_of_spectral_norm_are_fitted_up_to_their_norm():
    """The fitted weight, over its largest singular value, is in the network and stays the same in training."""
    teacher, x = _network(Plain), _images(24)
    parametrizations.spectral_norm(teacher.second)
    teacher.requires_grad_(False).double().train()
    for _ in range(50):  # the power method converges
        teacher(x[:1])
    teacher.eval()
    student, groups, plan = _cut(teacher, x)
    before, error = student.second.weight.clone(), _error(student, teacher, x)
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    layer = next(layer for layer in done.layers if layer.name == "second.weight")
    assert layer.kept
    assert layer.after < layer.before
    assert _error(student, teacher, x) < error
    fitted = student.second.weight.clone()
    assert not torch.allclose(fitted, before)
    assert float(torch.linalg.matrix_norm(fitted.flatten(1), 2)) == pytest.approx(1, rel=1e-5)
    student.train()
    assert torch.allclose(student.second.weight, fitted, rtol=1e-5)


class _Signs(nn.Module):
    """A parametrization that takes no values."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.sign()


def test_weights_whose_parametrization_takes_no_values_are_left():
    """The layer stays as it was cut, and is named with the reason."""
    teacher, x = _network(Plain), _images(24)
    parametrize.register_parametrization(teacher.last, "weight", _Signs())
    teacher.requires_grad_(False).eval()
    student, groups, plan = _cut(teacher, x)
    before = student.last.weight.clone()
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert "takes no values" in next(layer.why for layer in done.layers if layer.name == "last.weight")
    assert torch.equal(student.last.weight, before)


class _Computed(nn.Module):
    """A weight that is scaled in each pass, and a table in an Einstein sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.weight = nn.Parameter(torch.randn(8, 8, 1, 1))
        self.table = nn.Parameter(torch.randn(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(F.relu(self.first(x)), self.weight * 0.5)
        return torch.einsum("nchw,cd->ndhw", x, self.table)


def test_weights_that_cannot_be_refitted_are_named_with_the_reason():
    """A weight that is computed, or that another call reads, stays as it was cut; the rest is refitted."""
    teacher, x = _network(_Computed), _images(16)
    student, groups, plan = _cut(teacher, x)
    before = student.weight.clone()
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    reasons = {layer.name: layer.why for layer in done.layers if not layer.kept}
    assert "computed" in reasons["weight computed in the model"]
    assert "einsum" in reasons["table"]
    assert torch.equal(student.weight, before)


class _Mixer(nn.Module):
    """Linear layers over channels and over the places of an image in turn, and a layer that makes no rows of inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(9, 8), nn.Linear(8, 9)
        self.over, self.back = nn.Linear(16, 8), nn.Linear(8, 16)
        self.table = nn.Parameter(torch.randn(1, 5))
        self.style = nn.Linear(5, 9)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.unflatten(2, (4, -1)).unflatten(4, (4, -1)).permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2)[..., :9]
        rows = rows + self.back(F.relu(self.over(rows.mT))).mT
        rows = rows * self.style(self.table) + self.second(F.relu(self.first(rows)))
        return rows.mT.unflatten(2, (4, 4))


def test_layers_whose_rows_are_no_places_of_inputs_are_left():
    """A layer of a constant is named with the reason; layers over places and over channels are refitted."""
    teacher, x = _network(_Mixer), _images(32)
    student, groups, plan = _cut(teacher, x)
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    layers = {layer.name: layer for layer in done.layers}
    assert done.kept
    assert "first axis" in layers["style.weight"].why
    assert layers["second.weight"].kept
    assert layers["back.weight"].kept


class _BothWays(nn.Module):
    """One kernel that a convolution and a transposed convolution read."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)
        self.kernel = nn.Parameter(torch.randn(6, 8, 3, 3) / 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        x = F.conv_transpose2d(F.relu(F.conv2d(x, self.kernel, padding=1)), self.kernel, padding=1)
        return self.last(F.relu(x))


def test_weight_of_calls_of_different_kinds_is_left():
    """A kernel that serves two kinds of layers stays as it was cut, and the others are refitted."""
    teacher, x = _network(_BothWays), _images(24)
    student, groups, plan = _cut(teacher, x)
    before = student.kernel.clone()
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert done.kept
    assert "different kinds" in next(layer.why for layer in done.layers if layer.name == "kernel")
    assert torch.equal(student.kernel, before)


def test_too_few_inputs_leave_the_plain_cut():
    """Three inputs cannot be split; the record says what is needed."""
    teacher, x = _network(Plain), _images(3)
    student, groups, plan = _cut(teacher, x)
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert not done.kept
    assert "4" in done.why
    assert "3" in done.why


def test_record_is_json_both_ways():
    """A record is a plain value."""
    teacher, x = _network(Plain), _images(8)
    student, groups, plan = _cut(teacher, x)
    done = reconstruct(teacher, student, groups, plan, (x,), 0)
    assert from_json(Reconstruction, to_json(done)) == done
    assert done.macs == done.teacher_macs + done.student_macs > 0


def test_a_layer_is_refitted_to_what_a_cut_multiplied():
    """Queries that make up for the scale of smaller heads have the teacher's activations times their factor as aim."""
    teacher, x = _network(Attended), _images(16, size=6)
    groups = find_groups(teacher, x[:1])
    plan = ChannelPlan({name: range(size // 2 if name == "q" else size) for name, size in groups.sizes.items()})
    small = cut(teacher, groups, plan)
    done = reconstruct(teacher, small, groups, plan, (x,), 0)
    (queries,) = [layer for layer in done.layers if layer.name == "q.weight"]
    assert queries.before is not None
    assert queries.before < 1e-20  # what was cut gives just that, to rounding in float64


def test_torchs_attention_and_a_cut_of_it_make_the_same_calls():
    """Layers in front of an attention whose heads were cut are refitted; the teacher is as it was."""
    teacher, x = _network(ByHeads), _images(24, size=6)
    small, groups, plan = _cut(teacher, x)
    done = reconstruct(teacher, small, groups, plan, (x,), 0)
    assert "other calls" not in done.why
    assert done.before is not None
    assert type(teacher.attention) is nn.MultiheadAttention


@pytest.mark.parametrize("name", IMAGES)
def test_a_pass_of_the_teacher_serves_any_plan(name: str):
    """Refits of two plans with one pass of the teacher give the networks that each gets with its own."""
    model, x = _network(IMAGES[name]), _images(16)
    groups = find_groups(model, x[:1])
    shared = teacher_pass(model, groups, (x,), 0)
    assert shared is not None
    assert shared.targets.macs > 0
    for share in (2, 3):
        plan = ChannelPlan({name: tuple(range(max(1, size // share))) for name, size in groups.sizes.items()})
        alone, together = cut(model, groups, plan), cut(model, groups, plan)
        own = reconstruct(model, alone, groups, plan, (x,), 0)
        done = reconstruct(model, together, groups, plan, (x,), 0, shared=shared)
        assert (done.kept, done.refitted, done.unseen) == (own.kept, own.refitted, own.unseen)
        assert done.after == pytest.approx(own.after)
        assert done.teacher_macs == 0
        assert torch.allclose(together(x), alone(x))
