"""Small pruning jobs of every task for the tests of MGGC."""

import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.training.recipe import Recipe

from ..jobs import proposal

PATCH = {"discriminator": {"model": "n_layers", "ndf": 4, "n_layers": 1}}
SETTINGS = {
    "paired": PATCH,
    "unpaired": {**PATCH, "pool": 4},
    "unconditional": {"latent": 6, "discriminator": {"model": "sngan", "ndf": 8}},
}
KEYS = {"paired": ("input", "target"), "unpaired": ("A", "B"), "unconditional": ("target",)}


def encoder(images):
    """Eight pooled responses of fixed random convolutions: differentiable, and it tells images apart."""
    weight = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(7)).to(images)
    return torch.nn.functional.conv2d(images, weight, stride=2).abs().mean((2, 3))


def mggc_job(kind="paired", name="G", share=0.4, seed=0, steps=4, side=16, n=10, network=None, task=None, **settings):
    task = make_task(kind, task or SETTINGS[kind], seed=3)
    torch.manual_seed(1)
    unconditional = kind == "unconditional"
    if network is None:
        model, arguments = (
            ("sngan_32", {"ngf": 8, "latent": 6}) if unconditional else ("resnet", {"ngf": 6, "n_blocks": 1})
        )
        generators = {other: build(model, arguments).eval() for other in task.generator_names}
    else:
        generators = {other: network.eval() for other in task.generator_names}
    side = 32 if unconditional else side
    draw = torch.Generator().manual_seed(5)
    data = [{key: torch.rand(3, side, side, generator=draw) * 2 - 1 for key in KEYS[kind]} for _ in range(n)]
    example = torch.zeros(1, 6) if unconditional else torch.zeros(1, 3, side, side)
    groups = find_groups(generators[name], example)
    target = Target("macs", share * groups.form.dense())
    return PruneJob(
        generators[name], name, groups, proposal("mggc", target, **settings), target, seed,
        TrainingContext(
            task, data, generators, task.make_discriminators(0), Recipe(batch_size=4), torch.device("cpu"), steps,
            encoder=encoder,
        ),
    )  # fmt: skip
