"""Adversarial losses and the image pool."""

import math

import pytest
import torch
from ganprune.gan_models.tasks.image_pool import ImagePool
from ganprune.gan_models.tasks.losses import discriminator_adversarial, generator_adversarial, l1


@pytest.mark.parametrize(
    ("mode", "score", "expected"),
    [
        ("vanilla", 0.0, math.log(2)),
        ("vanilla", 2.0, math.log(1 + math.exp(-2))),
        ("lsgan", 0.5, 0.25),
        ("lsgan", 1.0, 0.0),
        ("hinge", 3.0, -3.0),
    ],
)
def test_what_the_generator_minimizes(mode, score, expected):
    """Closed forms of the generator's loss at one score."""
    assert float(generator_adversarial(mode, torch.full((2, 1, 3, 3), score))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "real", "fake", "expected"),
    [
        ("vanilla", 0.0, 0.0, 2 * math.log(2)),
        ("lsgan", 0.5, 0.5, 0.5),
        ("lsgan", 1.0, 0.0, 0.0),
        ("hinge", 0.0, 0.0, 2.0),
        ("hinge", 2.0, -2.0, 0.0),
        ("hinge", -1.0, 1.0, 4.0),
    ],
)
def test_what_the_discriminator_minimizes(mode, real, fake, expected):
    """Closed forms of the discriminator's loss: chance level, perfect, and wrong scores."""
    loss = discriminator_adversarial(mode, torch.full((2, 1), real), torch.full((3, 1), fake))
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "hinge"])
def test_the_generator_wants_higher_scores(mode):
    """In every mode a step down G's loss raises the score of its output, far from the optimum too."""
    score = torch.tensor([-30.0], requires_grad=True)
    generator_adversarial(mode, score).backward()
    assert score.grad is not None
    assert float(score.grad) < -0.5


def test_an_unknown_mode_names_the_known_ones():
    """A wrong name is one line with the choices."""
    for loss in (
        lambda: generator_adversarial("wgan", torch.ones(1)),
        lambda: discriminator_adversarial("wgan", torch.ones(1), torch.ones(1)),
    ):
        with pytest.raises(ValueError, match="vanilla, lsgan or hinge"):
            loss()


def test_losses_are_float32():
    """Half-precision scores give a float32 loss that is exact where half precision would overflow."""
    scores = torch.full((4,), 300.0, dtype=torch.float16)
    assert float(generator_adversarial("lsgan", scores)) == pytest.approx(299.0**2)
    assert l1(scores, -scores).dtype == torch.float32


class TestImagePool:
    def images(self, step, n=2):
        return torch.full((n, 1, 2, 2), float(step)) + torch.arange(n).view(n, 1, 1, 1) / 10

    def test_it_fills_before_it_exchanges(self):
        """Until it holds its size, the pool returns what it is given."""
        pool = ImagePool(4, 0)
        assert all(torch.equal(pool.exchange(self.images(step)), self.images(step)) for step in range(2))

    def test_half_of_the_images_are_old_ones(self):
        """A full pool returns about half earlier images, and nothing that was not put in."""
        pool = ImagePool(50, 0)
        old = given = 0
        seen = set()
        for step in range(500):
            seen |= {float(x) for x in self.images(step).mean((1, 2, 3))}
            for shown in pool.exchange(self.images(step)).mean((1, 2, 3)):
                assert float(shown) in seen
                old += float(shown) < step
                given += step >= 25
        assert 0.42 < old / given < 0.58

    def test_its_state_is_everything(self):
        """A pool put back from another's state goes on exactly as that one does."""
        pool, other = ImagePool(3, 0), ImagePool(3, 99)
        for step in range(5):
            pool.exchange(self.images(step))
        other.load_state(pool.state(), torch.device("cpu"))
        for step in range(5, 25):
            assert torch.equal(pool.exchange(self.images(step)), other.exchange(self.images(step)))

    def test_size_zero_is_no_pool(self):
        """Without a pool D sees the newest images, detached."""
        image = self.images(1).requires_grad_()
        assert not ImagePool(0, 0).exchange(image).requires_grad
