"""The task super_resolution: what a generator must be for it, its losses and what its discriminator sees."""

import pytest
import torch
from ganprune.evaluators.features.feature_maps import shapes_maps
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS, asked_task, check_asked
from ganprune.gan_models.tasks.restoration.perceptual_loss import perceptual_loss
from ganprune.gan_models.tasks.restoration.settings import RestorationSettings
from ganprune.gan_models.tasks.restoration.super_resolution import SuperResolutionTask
from ganprune.gan_models.tasks.task import make_task


def fit(inputs="3,8,8", output=(3, 32, 32), task="super_resolution", color="", **settings):
    spec = InputSpec.parse(inputs)
    given = OutputSpec.of_shape(output, spec)
    given = OutputSpec(given.channels, given.size, scale=given.scale, color=color)
    return TASKS.find(task).load().fit(settings, "mine", spec, given)


def batch(scale=4, n=2):
    random = torch.Generator().manual_seed(0)
    return {
        "input": torch.rand(n, 3, 8, 8, generator=random) * 2 - 1,
        "target": torch.rand(n, 3, 8 * scale, 8 * scale, generator=random) * 2 - 1,
    }


class Enlarge(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.gain * x.repeat_interleave(4, 2).repeat_interleave(4, 3)


def losses(**settings):
    task = SuperResolutionTask(RestorationSettings(scale=4, **settings))
    task.feature_maps = shapes_maps()
    judges = task.make_discriminators(0)
    given = batch()
    terms, outputs = task.generator_losses({"G": Enlarge()}, judges, given)
    return task, terms, outputs, judges, given


def test_the_generator_says_scale_channels_and_colors():
    """They become settings, so that data, losses and border follow; the same again if it is asked twice."""
    found = fit("1,8,8", (3, 16, 16))
    assert found == {
        "scale": 2, "input_channels": 1, "output_channels": 3, "input_color": "gray", "output_color": "rgb",
    }  # fmt: skip
    assert fit("1,8,8", (3, 16, 16), **found) == found
    assert make_task("super_resolution", found).border == 2
    assert make_task("super_resolution", fit(output=(3, 8, 8))).border == 0


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"output": (3, 8, 8), "scale": 4}, r"got 8x8 from 8x8; expected 32x32 at scale 4\. Try --scale 1"),
        ({"output": (3, 32, 24)}, "got 32x24 from 8x8; expected 1 to 8 times the input, along both sides"),
        ({"output": (3, 12, 12)}, "got 12x12 from 8x8"),
        ({"output": (3, 4, 4)}, "got 4x4 from 8x8"),
        ({"task": "denoise"}, "got 32x32 from 8x8; expected 8x8 at scale 1. Try --task super_resolution"),
        ({"output": (4, 32, 32)}, "mine gives rgba"),
        ({"inputs": "2,8,8"}, "mine takes gray_alpha"),
        ({"inputs": "latent:8"}, "starts from a latent"),
        ({"output_channels": 1}, "output_channels does not fit mine: got 1; expected 3"),
    ],
)
def test_a_generator_of_another_kind_is_refused_in_one_line(how, why):
    """With what it gives, and what is expected."""
    with pytest.raises(UserError, match=why) as caught:
        fit(**how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"degrade": "bicubik"}, "unknown degradation 'bicubik'"),
        ({"degrade": "noise", "degradation": {"sigma": 999}}, "sigma of noise"),
        ({"judge": "input"}, "use output or beside_input"),
        ({"weight_l1": -1}, "weight_l1=-1 is not a weight"),
        ({"weight_l1": 0, "weight_perceptual": 0, "weight_adversarial": 0}, "all weights of the loss are 0"),
        ({"scale": 9}, "got 9; expected 1 to 8"),
    ],
)
def test_settings_that_are_not_possible_are_refused(settings, why):
    """By name and value."""
    with pytest.raises(UserError, match=why):
        make_task("super_resolution", settings)


def test_the_loss_is_the_weighted_sum_of_its_parts():
    """Each part alone has the value of its definition times its weight; a part of weight 0 is left out."""
    _, terms, outputs, judges, given = losses(weight_l1=3, weight_perceptual=2, weight_adversarial=0.5)
    fake, target = outputs["G"], given["target"]
    terms = {name: float(term.detach()) for name, term in terms.items()}
    assert terms["l1"] == pytest.approx(3 * float((fake - target).abs().mean().detach()))
    assert terms["perceptual"] == pytest.approx(2 * float(perceptual_loss(shapes_maps(), fake.detach(), target)))
    expected = torch.nn.functional.softplus(-judges["G"](fake)).mean()
    assert terms["adversarial"] == pytest.approx(0.5 * float(expected.detach()), rel=1e-5)
    assert set(losses(weight_adversarial=0)[1]) == {"l1", "perceptual"}
    assert set(losses(weight_perceptual=0, weight_l1=0)[1]) == {"adversarial"}


def test_without_an_adversarial_part_the_discriminator_is_tiny():
    """Unless it was said; it has no part in the generator's gradient."""
    complete = SuperResolutionTask.complete
    output = OutputSpec(3, (32, 32))
    assert complete({"weight_adversarial": 0}, output)["discriminator"] == {"model": "pixel", "ndf": 8}
    assert complete({"weight_adversarial": 0, "discriminator": {"ndf": 4}}, output)["discriminator"]["ndf"] == 4
    assert complete({}, output)["discriminator"] == {"n_layers": 2}
    assert not SuperResolutionTask(RestorationSettings(weight_adversarial=0)).has_judge


def test_the_degradations_own_settings_are_recorded():
    """Defaults included, so that a later version with others repeats the study."""
    completed = SuperResolutionTask.complete({"degrade": "noise", "degradation": {}}, OutputSpec(3, (32, 32)))
    assert completed["degradation"] == {"sigma": 25.0}


def test_a_discriminator_is_shown_the_output_alone_or_beside_the_enlarged_input():
    """Enlarged to the output's size; what is shown of the target is shown alike."""
    for judge, channels in (("output", 3), ("beside_input", 6)):
        task, _, outputs, judges, given = losses(judge=judge)
        shown = task.judged(task.inputs(given, "G"), outputs["G"])
        assert shown.shape == (2, channels, 32, 32)
        assert torch.equal(shown[:, -3:], outputs["G"])
        task.discriminator_loss(outputs, judges, given).backward()
        assert all(float(p.grad.abs().sum()) > 0 for p in judges.parameters())


def test_the_perceptual_loss_is_a_share_of_the_targets_maps():
    """0 for equal images; the same whatever the encoder's scale is; larger for stronger noise."""
    maps, target = shapes_maps(), batch()["target"]
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    weak, strong = (float(perceptual_loss(maps, target + s * noise, target)) for s in (0.1, 0.4))
    assert float(perceptual_loss(maps, target, target)) == 0
    assert 0 < weak < strong
    louder = float(perceptual_loss(lambda x: tuple(100 * each for each in maps(x)), target + 0.1 * noise, target))
    assert louder == pytest.approx(weak, rel=1e-4)


def test_scale_and_degrade_ask_for_super_resolution():
    """The task replaces a built-in one that reads such folders; another package's, or one that takes them, stays."""
    assert asked_task({"scale": 4}, "unconditional") == "super_resolution"
    assert asked_task({"degrade": "noise"}, "paired") == "super_resolution"
    assert asked_task({"degrade": "noise"}, "denoise") == "denoise"
    assert asked_task({"ndf": 4}, "paired") == "paired"
    assert asked_task({"scale": 4}, "somebodys") == "somebodys"
    with pytest.raises(UserError, match=r"scale is a setting of super_resolution.*got the task paired"):
        check_asked("paired", {"scale": 4})
    check_asked("denoise", {"degrade": "noise"})
