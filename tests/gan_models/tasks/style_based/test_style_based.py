"""StyleGAN2's task: its penalties by hand, its discriminator's size, and a short training that lowers the loss."""

import pytest
import torch
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.seeds import mixed
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import OutputSpec
from ganprune.gan_models.tasks.style_based.gradient_penalties import path_lengths, r1_penalty
from ganprune.gan_models.tasks.style_based.style_based_task import StyleBasedTask
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.training.loop import Networks, Recipe, train
from torch import nn
from torch.func import functional_call

from ...training.small import data_for, task_named

SMALL = {"size": 8, "latent": 6, "style": 6, "layers": 1, "channel_base": 32, "channel_max": 4}


def generator(seed=0):
    torch.manual_seed(seed)
    return build("stylegan2_256", SMALL)


def test_r1_of_a_linear_judge_is_its_squared_length():
    """Scores x . a have the gradient a, whatever the images are; twice a has four times the lengths."""
    a = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    images = torch.randn(5, 3, 4, 4)
    for factor in (1, 2):
        found = r1_penalty(lambda x, factor=factor: (factor * a * x).sum((1, 2, 3)), images)
        assert float(found) == pytest.approx(factor**2 * float(a.square().sum()), rel=1e-5)


def test_r1_is_a_loss_of_the_discriminators_weights():
    """The gradient of the lengths reaches the weights: (a . x)^2 / 2 has the input gradient (a . x) a."""
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    x = torch.tensor([[[[3.0]], [[1.0]]]])
    r1_penalty(lambda images: (images[:, :, 0, 0] @ weight).square() / 2, x).backward()
    # p = (a.x)^2 |a|^2: derivative 2 (a.x) |a|^2 x + 2 (a.x)^2 a, of a.x = 5 and |a|^2 = 5
    assert weight.grad is not None
    assert torch.allclose(weight.grad, torch.tensor([50 * 3.0 + 50 * 1, 50 * 1.0 + 50 * 2]))


class Stretched(nn.Module):
    """Images that are the style in each pixel, times a factor per image in its first number."""

    def __init__(self):
        super().__init__()
        self.mapping = nn.Identity()
        self.mapping.makes_style = True

    def forward(self, z):
        return self.mapping(2 * z)[:, :, None, None].expand(-1, -1, 2, 2) * z[:, :1, None, None].detach()


def test_path_lengths_are_of_the_marked_style():
    """Derivatives by w, not by the latent: lengths are |factor times sums of noise|, and equal ones cost nothing."""
    z = torch.tensor([[1.0, 5.0, 0.0], [3.0, 1.0, 1.0]])
    noise = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(7)) / 2
    lengths = (z[:, :1] * noise.sum((2, 3))).norm(dim=1)
    assert torch.allclose(path_lengths(Stretched(), (z,), 7), lengths, rtol=1e-4)
    assert float(path_lengths(Stretched(), (0 * z,), 7).max()) < 1e-5


def test_a_closure_has_the_path_lengths_of_its_module():
    """The style is found in a generator that runs with other parameters, too."""
    made, z = generator(), torch.randn(4, 6)
    state = dict(made.named_parameters())
    closure = lambda *x: functional_call(made, state, x)  # noqa: E731
    lengths = path_lengths(made, (z,), 0)
    assert torch.equal(path_lengths(closure, (z,), 0), lengths)
    lengths.sum().backward()
    assert made.mapping.fc0.weight.grad is not None
    unmarked = build("stylegan2_256", SMALL)
    unmarked.load_state_dict(made.state_dict())
    unmarked.mapping.makes_style = False
    assert not torch.equal(path_lengths(unmarked, (z,), 0), lengths)


def test_the_running_mean_begins_with_a_batch_and_is_kept():
    """The first batch is compared with its own mean; later ones with 0.25 % of theirs; the state goes on elsewhere."""
    source, made = batches(data_for("style_based"), 8, 0), generator()
    one, two = next(source), next(source)
    task, other = (task_named("style_based", weight_path_length=1.0) for _ in range(2))
    judges = task.make_discriminators(0)
    lengths = [
        path_lengths(made, (task.inputs(b, "G")[0][:2],), mixed(3, 31, int(b["step"]))).detach() for b in (one, two)
    ]
    terms, outputs = task.generator_losses({"G": made}, judges, one)
    assert float(terms["path_length"].detach()) == pytest.approx(float(lengths[0].var(unbiased=False)), rel=1e-4)
    task.discriminator_loss(outputs, judges, one)
    other.load_state(task.state(), torch.device("cpu"))
    mean = 0.9975 * lengths[0].mean() + 0.0025 * lengths[1].mean()
    wanted = float((lengths[1] - mean).square().mean())
    for each in (task, other):
        terms, _ = each.generator_losses({"G": made}, judges, two)
        assert float(terms["path_length"].detach()) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("weight", ["weight_r1", "weight_path_length"])
def test_a_term_of_weight_0_is_left_out(weight):
    """And a term of twice the weight is twice as large."""
    batch = next(batches(data_for("style_based"), 8, 0))
    values = []
    for factor in (0.0, 1.0, 2.0):
        task = task_named("style_based", **{"weight_r1": 0.0, "weight_path_length": 0.0, weight: factor})
        made, judges = generator(), task.make_discriminators(0)
        terms, outputs = task.generator_losses({"G": made}, judges, batch)
        loss = task.discriminator_loss(outputs, judges, batch)
        values.append(float(loss.detach() if weight == "weight_r1" else sum(terms.values()).detach()))
        assert ("path_length" in terms) == (factor > 0 and weight == "weight_path_length")
    assert values[1] > values[0]
    assert values[2] - values[0] == pytest.approx(2 * (values[1] - values[0]), rel=1e-4)


def test_the_discriminator_follows_the_size_of_the_images():
    """Images of 64 are halved four times; of 48 the judge must be another one."""
    found = StyleBasedTask.complete({"discriminator": {"ndf": 8}}, OutputSpec(3, (64, 64)))
    assert found["discriminator"] == {"model": "stylegan2", "ndf": 8, "n_layers": 4}
    judge = make_task("style_based", found).make_discriminators(0)["G"]
    assert judge(torch.zeros(2, 3, 64, 64)).shape == (2, 1)
    with pytest.raises(UserError, match="got 48x48; expected a power of 2"):
        StyleBasedTask.complete({}, OutputSpec(3, (48, 48)))
    other = StyleBasedTask.complete({"discriminator": {"model": "n_layers"}}, OutputSpec(3, (48, 48)))
    assert "n_layers" not in other["discriminator"]


def test_a_share_must_be_one():
    """The message names the setting."""
    with pytest.raises(UserError, match=r"regularized=0\.0 is not a share"):
        task_named("style_based", regularized=0.0)


def test_a_student_is_trained_with_all_terms_and_distillation():
    """Path lengths, R1 and the teacher's outputs together bring the student nearer to its teacher."""
    task = task_named("style_based")
    teacher, student = generator().eval(), generator(seed=1)
    z = torch.randn(16, 6, generator=torch.Generator().manual_seed(9))

    def distance():
        with torch.no_grad():
            return float((student.eval()(z) - teacher(z)).abs().mean())

    before = distance()
    networks = Networks(nn.ModuleDict({"G": student}), task.make_discriminators(0))
    record = train(
        task,
        networks,
        data_for("style_based"),
        Recipe(lr=0.01, batch_size=4, distill_output=10.0),
        steps=40,
        seed=0,
        teacher={"G": teacher},
    )
    assert distance() < 0.8 * before
    assert {"adversarial", "path_length", "discriminator"} <= {*record.curve[-1][1]}
