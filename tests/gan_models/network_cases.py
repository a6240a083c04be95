"""Networks that the tests of groups, cost and surgery run over: ours, foreign ones, and random small ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from ganprune.gan_models.networks.catalog import DISCRIMINATORS, NETWORKS, build
from ganprune.gan_models.networks.specs import InputSpec
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from .foreign import FOREIGN

Case = tuple[Callable[[], nn.Module], InputSpec]  # a factory, and what its networks take

SMALL = {
    "resnet": {"ngf": 8, "n_blocks": 2},
    "resnet_9blocks": {"ngf": 4},
    "resnet_6blocks": {"ngf": 4, "norm": "batch", "dropout": True},
    "mobile_resnet_9blocks": {"ngf": 4},
    "unet": {"ngf": 4, "num_downs": 5},
    "unet_256": {"ngf": 4},
    "unet_128": {"ngf": 4, "norm": "instance"},
    "sngan_32": {"ngf": 8},
    "cgan_sngan_32": {"ngf": 8},
    "biggan_32": {"ngf": 8, "shared": 8},
    "cdcgan_32": {"ngf": 8},
    "stylegan2_256": {"size": 16, "style": 16, "layers": 2, "channel_base": 64, "channel_max": 8},
    "stylegan2": {"ndf": 4, "n_layers": 2},
    "sagan_64": {"ngf": 4},
    "sagan": {"ndf": 4},
    "spade": {"ngf": 2, "classes": 4, "hidden": 8},
    "pix2pixhd": {"ngf": 4, "classes": 4, "n_downs": 3, "n_blocks": 1},
    "stargan": {"ngf": 4, "n_blocks": 1},
    "munit": {"ngf": 4, "n_blocks": 1, "hidden": 8},
    "gated_inpainting": {"ngf": 4},
    "partial_inpainting": {"ngf": 4, "n_downs": 3},
    "hifigan_v1": {"width": 64, "mels": 8},
    "hifigan_v2": {"width": 32, "mels": 8},
    "hifigan_v3": {"width": 32, "mels": 8},
    "cartoongan": {"ngf": 4, "n_blocks": 2},
    "animeganv2": {"ngf": 4},
    "srvgg_compact": {"num_feat": 8, "num_conv": 2, "scale": 1},
    "rrdbnet": {"num_feat": 4, "num_grow_ch": 4, "num_block": 1, "scale": 1},
    "rrdbnet_6blocks": {"num_feat": 4, "num_grow_ch": 4, "num_block": 1},
    "srresnet": {"num_feat": 4, "num_block": 2},
    "basic": {"ndf": 4},
    "n_layers": {"ndf": 4},
    "pixel": {"ndf": 4},
    "sngan": {"ndf": 8},
    "unet_spectral": {"ndf": 4},
}
SHAPES = {
    "resnet": (3, 32, 32),
    "resnet_9blocks": (3, 32, 32),
    "resnet_6blocks": (3, 32, 32),
    "unet": (3, 32, 32),
}
SHAPES |= {
    "mobile_resnet_9blocks": (3, 32, 32),
    "basic": (3, 64, 64),
    "n_layers": (3, 64, 64),
    "pixel": (3, 32, 32),
    "stylegan2": (3, 16, 16),
    "unet_spectral": (3, 64, 64),
    "cartoongan": (3, 32, 32),
    "animeganv2": (3, 32, 32),
    "srvgg_compact": (3, 16, 16),
    "rrdbnet": (3, 16, 16),
    "rrdbnet_6blocks": (3, 8, 8),
    "srresnet": (3, 8, 8),
}

# Networks of other inputs than one image, or a latent of the usual length.
INPUTS = {
    "spade": "label:4,64,64;edges=mask:1,64,64",
    "pix2pixhd": "label:4,32,32;edges=mask:1,32,32",
    "stargan": "3,32,32;label:5",
    "munit": "3,32,32;style=latent:8",
    "gated_inpainting": "3,32,32;holes=mask:1,32,32",
    "partial_inpainting": "3,32,32;holes=mask:1,32,32",
    **dict.fromkeys(("hifigan_v1", "hifigan_v2", "hifigan_v3"), "mel=audio:8,4@-12,3"),
}


def _case(name: str, inputs: InputSpec) -> Case:
    own = InputSpec.of_shape(SHAPES[name]) if name in SHAPES else inputs
    return (lambda: build(name, SMALL.get(name, {}))), InputSpec.parse(INPUTS[name]) if name in INPUTS else own


CASES: dict[str, Case] = {name: _case(name, row.spec) for name, row in {**NETWORKS, **DISCRIMINATORS}.items()}
CASES |= {
    f"foreign {name}": (make, InputSpec.of_shape(shape))
    for name, (make, shape) in FOREIGN.items()
    if name != "branching"
}


class RandomNetwork(nn.Module):
    """A random feed-forward graph of convolutions, skips, additions, grouped and transposed layers at one grid."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        self.steps: list[tuple[str, int, int]] = []
        self.layers = nn.ModuleList()
        widths = [3]
        for _ in range(draw.randint(3, 7)):
            kind = draw.choice(
                ["conv", "conv", "grouped", "depthwise", "transposed", "residual", "cat", "linear", "glu"]
            )
            a, b = draw.randrange(len(widths)), draw.randrange(len(widths))
            n_in, layer, n_out = widths[a], nn.Module(), 4 * draw.randint(1, 3)
            if kind == "grouped" and n_in % 4:
                kind = "conv"
            if kind == "conv":
                layer = nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU())
            elif kind == "grouped":
                layer = nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1, groups=4), nn.GroupNorm(2, n_out))
            elif kind == "depthwise":
                n_out = 2 * n_in
                layer = nn.Sequential(
                    nn.Conv2d(n_in, n_out, 3, padding=1, groups=n_in), nn.InstanceNorm2d(n_out, affine=True)
                )
            elif kind == "transposed":
                layer = nn.Sequential(nn.ConvTranspose2d(n_in, n_out, 3, padding=1), nn.PReLU(n_out))
            elif kind == "residual":
                n_out = n_in
                layer = nn.Sequential(nn.Conv2d(n_in, n_in, 1, bias=False), nn.LeakyReLU(0.2))
            elif kind == "linear":
                layer = nn.Sequential(nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.GELU())
            elif kind == "glu":
                layer = parametrizations.spectral_norm(nn.Conv2d(n_in, 2 * n_out, 1))
            else:
                n_out = n_in + widths[b]
            self.layers.append(layer)
            self.steps.append((kind, a, b))
            widths.append(n_out)
        self.head = nn.Conv2d(sum(widths), 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for (kind, a, b), layer in zip(self.steps, self.layers, strict=True):
            source = values[a]
            if kind == "residual":
                values.append(source + layer(source))
            elif kind == "cat":
                values.append(torch.cat([source, values[b]], 1))
            elif kind == "linear":
                values.append(layer(source.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
            elif kind == "glu":
                values.append(nn.functional.glu(layer(source), 1))
            else:
                values.append(layer(source))
        return self.head(torch.cat(values, 1)).tanh()
