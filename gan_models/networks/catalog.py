"""Generators and discriminators by name, and any user's generator by `package.module:function` or file.

Importing this module imports no torch: a name maps to a "module:attribute" string.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError
from ..files.open_table import OpenTable
from ..files.texts.near_names import did_you_mean
from ..files.user_code import is_path, load_named
from .output_selection import select_output
from .specs import Input, InputSpec
from .user_builders import call_builder, load_builder, with_arguments
from .value_ranges import ValueRanges

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Network:
    """A network as the catalog knows it, without importing it.

    Attributes:
        builder: "module:function"; a leading dot is relative to this folder.
        inputs: What it takes, as `InputSpec.parse` reads it.
        arguments: Of the builder, instead of its own defaults; a user may give others.
        fixed: Of the builder, not a user's to give.
        value_range: Of its images in the code that it comes from, as `ValueRanges.read` takes it; empty: [-1, 1].

    Raises:
        UserError: A builder or inputs that nothing could use.
    """

    builder: str
    inputs: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    value_range: str = ""

    def __post_init__(self) -> None:
        """Check the row."""
        module, _, attribute = self.builder.partition(":")
        if not module or not attribute:
            raise UserError(f"builder {self.builder!r} must read module:attribute")
        InputSpec.parse(self.inputs)
        ValueRanges.read(self.value_range)

    @property
    def spec(self) -> InputSpec:
        """Its inputs."""
        return InputSpec.parse(self.inputs)

    def inputs_for(self, arguments: Mapping[str, Any]) -> InputSpec:
        """Return its inputs if its builder is given these arguments.

        `input_channels` are those of its image, `latent` is the length of its latent, `classes` are those of its label,
        `mels` are the bands of its spectrogram. A mask is left out if the argument with its name is false.
        """
        inputs = [one for one in self.spec.inputs if one.kind != "mask" or arguments.get(one.name, True) is not False]
        for argument, kind in _SIZED_BY.items():
            size = arguments.get(argument, self.arguments.get(argument))
            place = next((i for i, one in enumerate(inputs) if one.kind == kind), None)
            if place is not None and isinstance(size, int) and not isinstance(size, bool) and size > 0:
                inputs[place] = _sized(inputs[place], size)
        return InputSpec(tuple(inputs))

    def load(self) -> Callable[..., Any]:
        """Return the builder with the row's arguments; this imports torch."""
        if self.builder.startswith("."):
            builder = load_named(self.builder, "generator", __package__)
        else:
            builder = load_builder(self.builder)
        return with_arguments(builder, self.arguments, self.fixed) if self.arguments or self.fixed else builder


_SIZED_BY = {
    "input_channels": "image",
    "latent": "latent",
    "classes": "label",
    "mels": "audio",
}  # argument of a builder -> kind of input


def _sized(one: Input, size: int) -> Input:
    """Return an input of other channels, length or classes."""
    if one.kind == "label":
        return replace(one, classes=size)
    return replace(one, shape=(size, *one.shape[1:]), color="")


_UPSCALERS, _STYLIZERS, _CLASSES = ".upscalers", ".stylizers", ".class_conditional"
_LABEL_MAPS, _TRANSLATORS, _INPAINTING = ".label_maps", ".translators", ".inpainting"
_HOLES = "3,256,256;holes=mask:1,256,256"
_MEL = "mel=audio:80,32@-12,3"  # log of mel amplitudes

NETWORKS: OpenTable[Network] = OpenTable(
    "generator",
    {
        "resnet": Network(".resnet:resnet", "3,256,256"),
        "resnet_9blocks": Network(".resnet:resnet", "3,256,256", {"n_blocks": 9}),
        "resnet_6blocks": Network(".resnet:resnet", "3,256,256", {"n_blocks": 6}),
        "mobile_resnet_9blocks": Network(".mobile_resnet:mobile_resnet_9blocks", "3,256,256"),
        "unet": Network(".unet:unet", "3,256,256"),
        "unet_256": Network(".unet:unet", "3,256,256", fixed={"num_downs": 8}),
        "unet_128": Network(".unet:unet", "3,128,128", fixed={"num_downs": 7}),
        "sngan_32": Network(".sngan:sngan_32", "latent:128"),
        "stylegan2_256": Network(".style_based.stylegan2:stylegan2_256", "latent:512"),
        "sagan_64": Network(".self_attention.sagan:sagan_64", "latent:128"),
        "cgan_sngan_32": Network(f"{_CLASSES}.resnet:cgan_sngan_32", "latent:128;label:10"),
        "biggan_32": Network(f"{_CLASSES}.resnet:biggan_32", "latent:80;label:10"),
        "cdcgan_32": Network(f"{_CLASSES}.dcgan:cdcgan_32", "latent:100;label:10"),
        "spade": Network(f"{_LABEL_MAPS}.spade:spade", "label:35,256,512;edges=mask:1,256,512"),
        "pix2pixhd": Network(f"{_LABEL_MAPS}.pix2pixhd:pix2pixhd", "label:35,512,1024;edges=mask:1,512,1024"),
        "stargan": Network(f"{_TRANSLATORS}.stargan:stargan", "3,128,128;label:5"),
        "munit": Network(f"{_TRANSLATORS}.munit:munit", "3,256,256;style=latent:8"),
        "gated_inpainting": Network(f"{_INPAINTING}.gated:gated_inpainting", _HOLES),
        "partial_inpainting": Network(f"{_INPAINTING}.partial:partial_inpainting", _HOLES),
        "hifigan_v1": Network(".vocoders.hifigan:hifigan_v1", _MEL),
        "hifigan_v2": Network(".vocoders.hifigan:hifigan_v2", _MEL),
        "hifigan_v3": Network(".vocoders.hifigan:hifigan_v3", _MEL),
        "cartoongan": Network(f"{_STYLIZERS}.cartoongan:cartoongan", "3,256,256"),
        "animeganv2": Network(f"{_STYLIZERS}.animegan:animeganv2", "3,256,256"),
        "srvgg_compact": Network(f"{_UPSCALERS}.srvgg_compact:srvgg_compact", "3,64,64", value_range="0,1"),
        "rrdbnet": Network(f"{_UPSCALERS}.rrdbnet:rrdbnet", "3,64,64", value_range="0,1"),
        "rrdbnet_6blocks": Network(f"{_UPSCALERS}.rrdbnet:rrdbnet", "3,64,64", {"num_block": 6}, value_range="0,1"),
        "srresnet": Network(f"{_UPSCALERS}.srresnet:srresnet", "3,64,64", value_range="0,1"),
    },
    group="ganprune.networks",
    row_type=Network,
)

DISCRIMINATORS: OpenTable[Network] = OpenTable(
    "discriminator",
    {
        "basic": Network(".discriminators.patchgan:basic", "3,256,256"),
        "n_layers": Network(".discriminators.patchgan:n_layers", "3,256,256"),
        "pixel": Network(".discriminators.patchgan:pixel", "3,256,256"),
        "sngan": Network(".sngan:sngan_discriminator", "3,32,32"),
        "sagan": Network(".self_attention.sagan:sagan_discriminator", "3,64,64"),
        "stylegan2": Network(".style_based.discriminator:stylegan2_discriminator", "3,256,256"),
        "multiscale": Network(".discriminators.multiscale:multiscale", "3,256,256"),
        "unet_spectral": Network(".discriminators.unet_spectral:unet_spectral", "3,256,256"),
        "projection": Network(".sngan:projection_discriminator", "3,32,32;label:10"),
    },
    group="ganprune.discriminators",
    row_type=Network,
)


def build(model: str, arguments: Mapping[str, Any] = MappingProxyType({}), output: str = "") -> "nn.Module":
    """Return a new network with initial weights, at full width.

    Args:
        model: a name of `NETWORKS` or `DISCRIMINATORS`, `package.module:function`, or
            `path/to/file.py:function`. A file is run when it is loaded, as any Python file is: name only
            files that you trust. It may import its neighbors in the project that it is in.
        arguments: keyword arguments of the builder.
        output: name or index of the output that counts, of a network that returns several; from then on it returns
            this one alone.

    Returns:
        The module that the builder returned, in the mode and on the device that it chose.

    Raises:
        ValueError: the name, the file, the attribute or an argument does not fit; one line that says what
            is allowed.
    """
    return select_output(call_builder(model, find_builder(model), arguments), model, output)


def find_builder(model: str) -> Callable[..., Any]:
    """Return the function that builds `model`, not yet called; errors as `build`."""
    for table in (NETWORKS, DISCRIMINATORS):
        if model in table:
            return table.find(model).load()
    if not is_path(model):
        names = [*NETWORKS, *DISCRIMINATORS]
        advice = did_you_mean(model, names) or "Try to install the package that adds the name."
        if model.endswith(".py"):
            advice = f"The object's name is missing after the file. Try {model}:NAME"
        raise UserError(
            f"model {model!r} is not known: use one of {', '.join(names)}, or package.module:function, or "
            f"path/to/file.py:function. {advice}"
        )
    return load_builder(model)
