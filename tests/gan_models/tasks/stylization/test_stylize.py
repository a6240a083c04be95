"""The task stylize: what a generator must be for it, its losses, and what its discriminator sees."""

import pytest
import torch
from ganprune.evaluators.features.feature_maps import shapes_maps
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS, asked_task
from ganprune.gan_models.tasks.losses import discriminator_adversarial
from ganprune.gan_models.tasks.stylization.edge_smoothing import smoothed_edges
from ganprune.gan_models.tasks.stylization.style_losses import color_loss, gram_loss
from ganprune.gan_models.tasks.stylization.stylize import StylizeSettings, StylizeTask


def batch(n=2, channels=3):
    random = torch.Generator().manual_seed(0)
    return {name: torch.rand(n, channels, 16, 16, generator=random) * 2 - 1 for name in ("A", "B")}


def losses(given=None, **settings):
    task = StylizeTask(StylizeSettings(**settings))
    task.feature_maps = shapes_maps()
    given = given or batch()
    generators = {"G": lambda x: 0.5 * x}
    judges = {"G": lambda x: x.mean((1, 2, 3))}
    terms, outputs = task.generator_losses(generators, judges, given)
    return terms, task.discriminator_loss(outputs, judges, given), given


def test_terms_of_no_weight_are_left_out():
    """By default there are two terms; each other one comes with its weight."""
    assert losses()[0].keys() == {"adversarial", "content"}
    terms = losses(weight_adversarial=0, weight_content=0, weight_gram=1, weight_color=1)[0]
    assert terms.keys() == {"gram", "color"}
    task = StylizeTask(StylizeSettings(weight_adversarial=0, weight_content=0, weight_color=1))
    assert not task.has_judge
    assert not task.reads_feature_maps


def test_smoothed_drawings_are_fakes_to_the_discriminator():
    """D's loss is half of real, fake and, by its weight, smoothed terms."""
    plain, given = losses(weight_edges=0)[1:]
    smooth = smoothed_edges(given["B"]).mean((1, 2, 3)).square().mean()
    assert torch.isclose(losses(weight_edges=3)[1], plain + 0.5 * 3 * smooth)
    scores = (given["B"].mean((1, 2, 3)), 0.5 * given["A"].mean((1, 2, 3)))
    assert torch.isclose(plain, 0.5 * discriminator_adversarial("lsgan", *scores))


def test_content_and_color_ask_for_the_photograph_and_gram_for_the_drawing():
    """Each is 0 for the image that it asks for."""
    given = batch()
    assert float(color_loss(given["A"], given["A"])) == 0
    gray = given["B"].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    maps = shapes_maps()
    assert float(gram_loss(maps, gray, gray)) == 0
    same = {**given, "A": torch.zeros_like(given["A"])}  # half of zero is zero
    assert float(losses(same, weight_color=1)[0]["content"]) == 0
    assert float(losses(same, weight_color=1)[0]["color"]) == 0
    shown = losses({"A": 2 * gray.clamp(-0.5, 0.5), "B": gray.clamp(-0.5, 0.5)}, weight_gram=1)[0]
    assert float(shown["gram"]) < 1e-5


def test_gray_images_are_stylized_too():
    """Encoder and losses see them as RGB."""
    terms, _, _ = losses(batch(channels=1), weight_gram=1, weight_color=1)
    assert all(torch.isfinite(term) for term in terms.values())


def fit(inputs="3,8,8", output=(3, 8, 8)):
    spec = InputSpec.parse(inputs)
    return TASKS.find("stylize").load().fit({}, "mine", spec, OutputSpec.of_shape(output, spec))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"output": (3, 16, 16)}, "got mine from 3x8x8 to 3x16x16; expected the same on both sides"),
        ({"output": (1, 8, 8)}, "got mine from 3x8x8 to 1x8x8"),
        ({"inputs": "3,2,2", "output": (3, 2, 2)}, "of at least 3 pixels"),
        ({"inputs": "latent:8"}, "starts from a latent"),
    ],
)
def test_a_generator_that_keeps_no_shape_is_refused(how, why):
    """A photograph's content can be compared with nothing else."""
    with pytest.raises(UserError, match=why):
        fit(**how)


def test_settings_of_the_task_ask_for_it():
    """A folder of A and B is read by it if its weights are given; without any loss it is refused."""
    assert asked_task({"weight_edges": 0}, "unpaired") == "stylize"
    assert asked_task({"weight_cycle": 1}, "unpaired") == "unpaired"
    with pytest.raises(UserError, match="has no loss"):
        StylizeSettings(weight_adversarial=0, weight_content=0)
    with pytest.raises(UserError, match="weight_edges=-1"):
        StylizeSettings(weight_edges=-1)
