"""The contract of every task, and the formulas of each."""

import json

import pytest
import torch
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.task import make_task, raw_scores
from torch.func import functional_call

from ..training.small import SETTINGS, data_for, networks_for, task_named


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def batch_for(name, n=3):
    return next(batches(data_for(name), n, 0))


# `distill` compares with a teacher, which a task alone has not: tests/gan_models/tasks/unlabeled.
@pytest.mark.parametrize("name", sorted(set(TASKS) - {"distill"}))
class TestEveryTask:
    def test_other_images_can_stand_for_the_real_ones(self, name):
        """The real images that D is shown change, the generators' inputs do not, and the batch itself stays as it is."""
        task, batch = task_named(name), batch_for(name)
        nets, which = networks_for(task), task.generator_names[0]
        images = torch.zeros_like(next(iter(task.generate(nets.generators, batch).values())))
        other = task.with_reals(batch, which, images)
        changed = [key for key in batch if not torch.equal(batch[key], other[key])]
        assert len(changed) == 1
        assert torch.equal(other[changed[0]], images)
        assert same(task.inputs(batch, which), task.inputs(other, which))
        seen = []

        class Judge(torch.nn.Module):
            def forward(self, x, label=None):
                seen.append(x[:, -3:])
                return x.mean((1, 2, 3))

        judges = torch.nn.ModuleDict({generator: Judge() for generator in task.generator_names})
        task.discriminator_loss(task.generate(nets.generators, other), judges, other)
        assert any(torch.equal(shown, images) for shown in seen)

    def test_a_discriminator_is_shown_real_images_then_outputs(self, name):
        """The order in which health is read from its scores, whatever it is shown after that."""
        if name not in TASKS.own:
            pytest.skip("another package's may show it parts of images")
        task, batch = task_named(name), batch_for(name)
        outputs = task.generate(networks_for(task).generators, batch)
        for generator in task.generator_names:
            seen = []

            def judge(x, label=None, seen=seen):
                seen.append(x[:, -3:])
                return x.mean((1, 2, 3))

            task.discriminator_loss(outputs, dict.fromkeys(task.generator_names, judge), batch)
            at = 2 * task.generator_names.index(generator)
            assert torch.equal(seen[at], task.reals(batch, generator))
            assert torch.equal(seen[at + 1][0], outputs[generator][0])  # a pool may change the following ones

    def test_losses_are_named_finite_and_reach_the_generators(self, name):
        """The terms are scalars whose sum gives every generator parameter a gradient."""
        task = task_named(name)
        nets = networks_for(task)
        terms, outputs = task.generator_losses(nets.generators, nets.discriminators, batch_for(name))
        assert set(outputs) == set(task.generator_names)
        assert all(term.dim() == 0 and term.isfinite() for term in terms.values())
        sum(terms.values()).backward()
        assert all(p.grad is not None for p in nets.generators.parameters())

    def test_the_discriminators_loss_does_not_reach_the_generators(self, name):
        """D's loss gives every discriminator parameter a gradient, and no generator parameter one."""
        task = task_named(name)
        nets = networks_for(task)
        batch = batch_for(name)
        outputs = task.generate(nets.generators, batch)
        task.discriminator_loss(outputs, nets.discriminators, batch).backward()
        assert all(p.grad is None for p in nets.generators.parameters())
        assert all(p.grad is not None for p in nets.discriminators.parameters())

    def test_generators_may_be_closures(self, name):
        """With functional_call and other parameters the losses are those of a module with them."""
        task, batch = task_named(name), batch_for(name)
        nets, other = networks_for(task), networks_for(task, seed=1)
        closures = {
            key: lambda *x, key=key: functional_call(nets.generators[key], dict(other.generators[key].state_dict()), x)
            for key in task.generator_names
        }
        nets.generators.eval()
        other.generators.eval()
        judges = nets.discriminators.eval()
        terms, outputs = task.generator_losses(closures, judges, batch)
        expected, wanted = task.generator_losses(other.generators, judges, batch)
        assert all(torch.equal(terms[key], expected[key]) for key in expected)
        assert all(torch.equal(outputs[key], wanted[key]) for key in wanted)

    def test_the_input_is_the_same_whenever_it_is_asked(self, name):
        """A teacher sees what the student saw, and a batch of another step other inputs."""
        task = task_named(name)
        source = batches(data_for(name), 3, 0)
        one, two = next(source), next(source)
        key = task.generator_names[0]
        assert same(task.inputs(one, key), task.inputs(one, key))
        assert not same(task.inputs(one, key), task.inputs(two, key))

    def test_settings_survive_json(self, name):
        """The settings go through JSON text and give the same settings; unknown ones are named."""
        task = task_named(name)
        again = make_task(name, json.loads(json.dumps(task.settings_json())))
        assert again.settings_json() == task.settings_json()
        assert again.generator_names == task.generator_names
        with pytest.raises(ValueError, match="color is not a known field; expected one of adversarial"):
            make_task(name, {"color": 1})
        with pytest.raises(ValueError, match="vanilla, lsgan, hinge"):
            make_task(name, {"adversarial": "wgan"})

    def test_discriminators_follow_the_seed_alone(self, name):
        """The same seed gives the same weights; torch's random numbers stay as they were."""
        task = task_named(name)
        before = torch.get_rng_state()
        one, two, other = (task.make_discriminators(seed) for seed in (1, 1, 2))
        assert torch.equal(before, torch.get_rng_state())
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
        assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_an_unknown_task_names_the_known_ones():
    """A wrong name is one line with the choices."""
    with pytest.raises(ValueError, match="unpaired, paired, label_to_image, class_conditional, unconditional"):
        make_task("triple")


def mean_judge(x):
    return x.mean((1, 2, 3))


def test_pix2pix_by_hand():
    """Constant images: adv = (s - 1)^2 with s over input and output together, L1 weighted, D halved."""
    task = task_named("paired", weight_l1=10.0)
    batch = {"input": torch.full((2, 3, 4, 4), 0.5), "target": torch.full((2, 3, 4, 4), -0.3)}
    terms, outputs = task.generator_losses({"G": lambda x: x - 0.4}, {"G": mean_judge}, batch)
    assert float(terms["adversarial"]) == pytest.approx((0.3 - 1) ** 2)  # mean of .5 and .1
    assert float(terms["l1"]) == pytest.approx(10 * 0.4)
    loss = task.discriminator_loss(outputs, {"G": mean_judge}, batch)
    assert float(loss) == pytest.approx(0.5 * ((0.1 - 1) ** 2 + 0.3**2))


def test_cyclegan_by_hand():
    """AtoB adds .2, BtoA subtracts .1: cycles miss by .1, identities by .2 and .1, weights 10 and 5."""
    task = task_named("unpaired", pool=0)
    batch = {"A": torch.full((1, 3, 4, 4), 0.1), "B": torch.full((1, 3, 4, 4), 0.6)}
    generators = {"AtoB": lambda x: x + 0.2, "BtoA": lambda x: x - 0.1}
    judges = {"AtoB": mean_judge, "BtoA": mean_judge}
    terms, outputs = task.generator_losses(generators, judges, batch)
    expected = {
        "AtoB.adversarial": (0.3 - 1) ** 2,
        "BtoA.adversarial": (0.5 - 1) ** 2,
        "AtoB.cycle": 10 * 0.1,
        "BtoA.cycle": 10 * 0.1,
        "AtoB.identity": 5 * 0.2,
        "BtoA.identity": 5 * 0.1,
    }
    assert {key: float(term) for key, term in terms.items()} == pytest.approx(expected)
    loss = task.discriminator_loss(outputs, judges, batch)
    assert float(loss) == pytest.approx(0.5 * ((0.6 - 1) ** 2 + 0.3**2) + 0.5 * ((0.1 - 1) ** 2 + 0.5**2))


def test_one_direction_has_neither_cycle_nor_identity():
    """With AtoB alone only its adversarial term is left, and the task asks for a teacher."""
    task = task_named("unpaired", directions=["AtoB"])
    nets = networks_for(task)
    terms, _ = task.generator_losses(nets.generators, nets.discriminators, batch_for("unpaired"))
    assert set(terms) == {"AtoB.adversarial"}
    assert task.needs_teacher
    with pytest.raises(ValueError, match="directions"):
        task_named("unpaired", directions=["BtoC"])


def test_latents_are_standard_normal_and_follow_the_seed():
    """SNGAN's latents: N(0, 1), a function of the task's seed and the batch's step."""
    settings = SETTINGS["unconditional"] | {"latent": 50}
    one, same, other = (make_task("unconditional", settings, seed) for seed in (1, 1, 2))
    batch = {"target": torch.zeros(400, 3, 8, 8), "step": torch.tensor(7)}
    (latents,) = one.inputs(batch, "G")
    assert latents.shape == (400, 50)
    assert abs(float(latents.mean())) < 0.03
    assert abs(float(latents.std()) - 1) < 0.03
    assert torch.equal(latents, *same.inputs(batch, "G"))
    assert not torch.equal(latents, *other.inputs(batch, "G"))
    with pytest.raises(KeyError, match="step"):
        one.inputs({"target": batch["target"]}, "G")


def test_sngan_by_hand():
    """Hinge losses at scores .5 (real) and 1 (fake), D's not halved."""
    task = task_named("unconditional")
    batch = {"target": torch.full((2, 3, 8, 8), 0.5), "step": torch.tensor(0)}
    generators = {"G": lambda z: torch.ones(len(z), 3, 8, 8)}
    terms, outputs = task.generator_losses(generators, {"G": mean_judge}, batch)
    assert float(terms["adversarial"]) == pytest.approx(-1.0)
    assert float(task.discriminator_loss(outputs, {"G": mean_judge}, batch)) == pytest.approx(0.5 + 2.0)


def test_latents_have_the_place_that_the_generator_takes():
    """A generator of `latent:7,1,1` is drawn maps of one pixel; for vectors the settings are as earlier versions' are."""
    kind = TASKS.find("unconditional").load()
    batch = {"target": torch.zeros(2, 3, 8, 8), "step": torch.tensor(0)}
    shapes = {}
    for text in ("latent:7,1,1", "latent:7"):
        settings = kind.fit({}, "mine", InputSpec.parse(text), OutputSpec(3, (8, 8)))
        (latents,) = make_task("unconditional", settings, 1).inputs(batch, "G")
        shapes[text] = tuple(latents.shape)
    assert shapes == {"latent:7,1,1": (2, 7, 1, 1), "latent:7": (2, 7)}
    assert "latent_size" not in make_task("unconditional", {"latent": 7}).settings_json()
    with pytest.raises(UserError, match="latent_size"):
        make_task("unconditional", {"latent_size": [4]})


def test_a_sigmoid_at_the_end_of_a_discriminator_is_taken_off():
    """The scores are what it was given, and weights keep their names; another last layer stays."""
    layers = [torch.nn.Conv2d(3, 1, 3), torch.nn.Sigmoid()]
    network = raw_scores(torch.nn.Sequential(*layers))
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(network(images), layers[0](images))
    assert list(network.state_dict()) == ["0.weight", "0.bias"]
    assert isinstance(
        raw_scores(torch.nn.Sequential(torch.nn.Sigmoid(), torch.nn.Conv2d(1, 1, 1)))[0], torch.nn.Sigmoid
    )


def test_the_discriminator_is_shown_the_label_of_each_image():
    """Real and generated images come with the labels of the batch; a network of images alone is given these alone."""
    batch = {"target": torch.randn(3, 3, 8, 8), "label": torch.tensor([2, 0, 1]), "step": torch.tensor(0)}
    seen = []

    def judge(*given):
        seen.append(given)
        return given[0].mean((1, 2, 3))

    for alone in (False, True):
        task = task_named("class_conditional", judges_labels=not alone)
        outputs = task.generate(
            {"G": lambda z, label: z.mean() + label[:, None, None, None].float().expand(3, 3, 8, 8)}, batch
        )
        seen.clear()
        task.discriminator_loss(outputs, {"G": judge}, batch)
        assert [len(given) for given in seen] == [2 - alone] * 2
        if not alone:
            assert all(torch.equal(given[1], batch["label"]) for given in seen)
