"""Small jobs for the tests of slimming, one a task."""

import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.training.recipe import Recipe

from ..jobs import proposal

PATCH = {"model": "n_layers", "ndf": 4, "n_layers": 1}
SETTINGS = {
    "paired": {"discriminator": PATCH},
    "unpaired": {"discriminator": PATCH, "pool": 5},
    "unconditional": {"discriminator": {"model": "sngan", "ndf": 4}},
}
GENERATORS = {
    "paired": ("resnet", {"ngf": 8, "n_blocks": 1}, (3, 16, 16)),
    "unpaired": ("unet", {"ngf": 4, "num_downs": 5}, (3, 32, 32)),
    "unconditional": ("sngan_32", {"ngf": 16}, (128,)),
}
KEYS = {"paired": ("input", "target"), "unpaired": ("A", "B"), "unconditional": ("target",)}


class Maps:
    """An encoder with known maps: the images, and the images at half their size."""

    name, style_weight = "halves", 10.0

    def __call__(self, images):
        return images, torch.nn.functional.avg_pool2d(images, 2)

    def to(self, device):
        return self


def job_for(task_name, share=0.4, steps=12, seed=3, maps=None, **more):
    """A job whose teacher has random weights; `more` are settings."""
    task = make_task(task_name, SETTINGS[task_name], seed=1)
    name, arguments, shape = GENERATORS[task_name]
    torch.manual_seed(7)
    generators = {which: build(name, arguments) for which in task.generator_names}
    if task_name == "unconditional":  # statistics that are not those of an untrained norm
        for module in generators["G"].modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    for generator in generators.values():
        generator.eval().requires_grad_(False)
    which = task.generator_names[0]
    groups = find_groups(generators[which], torch.empty(1, *shape))
    random = torch.Generator().manual_seed(5)
    size = 16 if task_name == "paired" else 32
    data = [{key: torch.rand(3, size, size, generator=random) * 2 - 1 for key in KEYS[task_name]} for _ in range(6)]
    target = Target("macs", share * groups.form.dense())
    judges = task.make_discriminators(2).eval().requires_grad_(False)
    recipe = Recipe(batch_size=2, lr=1e-3, d_steps=2 if task_name == "unconditional" else 1)
    training = TrainingContext(task, data, generators, judges, recipe, torch.device("cpu"), steps, feature_maps=maps)
    return PruneJob(generators[which], which, groups, proposal("slimming", target, **more), target, seed, training)
