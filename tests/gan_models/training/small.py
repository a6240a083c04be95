"""Small networks and data for the tests of training."""

import torch
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import open_split
from ganprune.gan_models.training.loop import Networks
from torch import nn

from ...data_specs import square

PATCH = {"model": "n_layers", "ndf": 4, "n_layers": 1}
RESTORED = ("super_resolution", "denoise", "deblur", "colorize")
SETTINGS = {
    "paired": {"discriminator": PATCH},
    "unpaired": {"discriminator": PATCH, "pool": 5},
    "stylize": {"discriminator": PATCH},
    "inpaint": {"discriminator": PATCH},
    "label_to_image": {"inputs": "label:3,8,8", "discriminator": PATCH},
    "unconditional": {"latent": 6, "discriminator": {"model": "sngan", "ndf": 4}},
    "style_based": {"latent": 6, "discriminator": {"model": "stylegan2", "ndf": 4, "n_layers": 1}},
    "class_conditional": {"inputs": "latent:6;label:3", "discriminator": {"model": "projection", "ndf": 4}},
} | {name: {"discriminator": PATCH} for name in RESTORED}


class Translator(nn.Module):
    """An image-to-image network with a norm that has running statistics, and dropout."""

    def __init__(self, width=4):
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.middle = nn.Sequential(nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.last(self.middle(self.norm(self.first(x)))))


class Combiner(nn.Module):
    """A network of several images and masks, for any other task."""

    def __init__(self, width=4):
        super().__init__()
        self.first = nn.ModuleList(nn.LazyConv2d(width, 3, padding=1) for _ in range(4))
        self.norm, self.last = nn.BatchNorm2d(width), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, *inputs):
        added = sum(layer(x) for layer, x in zip(self.first, inputs, strict=False))
        return torch.tanh(self.last(torch.relu(self.norm(added))))


class Filler(Translator):
    """A network of an image and its holes."""

    def forward(self, image, holes):
        return super().forward(image + holes)


class Painter(Translator):
    """A network of a label map."""

    def forward(self, label):
        return super().forward(nn.functional.one_hot(label, 3).permute(0, 3, 1, 2).float())


class Decoder(nn.Module):
    """A latent-to-image network."""

    def __init__(self, width=4):
        super().__init__()
        self.linear = nn.Linear(6, width * 64)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, z):
        return torch.tanh(self.last(torch.relu(self.norm(self.linear(z).view(len(z), -1, 8, 8)))))


class ClassDecoder(Decoder):
    """A network of a latent and a label."""

    def __init__(self, width=4):
        super().__init__(width)
        self.embedding = nn.Embedding(3, 6)

    def forward(self, z, label):
        return super().forward(z + self.embedding(label))


def networks_for(task, seed=0, width=4):
    torch.manual_seed(seed)
    kinds = {
        "unconditional": Decoder,
        "style_based": Decoder,
        "class_conditional": ClassDecoder,
        "inpaint": Filler,
        "label_to_image": Painter,
    } | dict.fromkeys(("paired", "unpaired", "stylize", *RESTORED), Translator)
    kind = kinds.get(task.name, Combiner)
    generators = nn.ModuleDict({name: kind(width) for name in task.generator_names})
    if kind is Combiner:
        task.generate(generators, next(batches(data_for(task.name), 1, 0)))  # the layers take their shapes
        for name in task.generator_names:
            generators[name].first = nn.ModuleList(m for m in generators[name].first if m.in_channels)
    return Networks(generators, task.make_discriminators(seed))


def task_named(name, **settings):
    return make_task(name, SETTINGS.get(name, {}) | settings, seed=3)


def data_for(name, count=10, size=8):
    if name not in SETTINGS:
        return open_split(square(TASKS[name].builtin[0], name, size, flip=False, n_train=count), "train")
    random = torch.Generator().manual_seed(5)
    keys = {
        "unpaired": ("A", "B"),
        "stylize": ("A", "B"),
        "unconditional": ("target",),
        "style_based": ("target",),
        "class_conditional": ("target",),
        "inpaint": ("target",),
    }
    keys = keys.get(name, ("input", "target"))
    entries = [{key: torch.rand(3, size, size, generator=random) * 2 - 1 for key in keys} for _ in range(count)]
    if name == "label_to_image":
        entries = [{**entry, "input": torch.randint(3, (size, size), generator=random)} for entry in entries]
    if name == "inpaint":
        missing = torch.zeros(1, size, size)
        missing[:, :2] = 1
        entries = [{"image": each["target"] * (1 - missing), "holes": missing, **each} for each in entries]
    if name == "class_conditional":
        entries = [{**entry, "label": torch.tensor(i % 3)} for i, entry in enumerate(entries)]
    return entries


def weights(networks):
    return {
        f"{kind}.{key}": value.clone()
        for kind in ("generators", "discriminators")
        for key, value in getattr(networks, kind).state_dict().items()
    }


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def teachers_for(task):
    return dict(networks_for(task, seed=9, width=6).generators.items())
