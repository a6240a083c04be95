"""Generators and discriminators by name, and anybody's generator by `package.module:function` or file.

Importing this module imports no torch: a name maps to a "module:attribute" string.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..files.errors import UserError
from .user_builders import call_builder, load_builder, named_arguments

if TYPE_CHECKING:
    from torch import Tensor, nn

TASKS = ("paired", "unpaired", "unconditional")
LATENT = "latent:"


def _check_shape(shape: tuple[int, ...], given: str) -> tuple[int, ...]:
    if len(shape) not in (1, 3) or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in shape):
        raise UserError(f"input shape {given} must be three positive sizes (channels, height, width) or one (a latent)")
    return shape


@dataclass(frozen=True)
class Network:
    """How a network of the catalog is built.

    Attributes:
        builder: "module:attribute"; a leading dot is relative to this folder.
        input_shape: shape of one input, (channels, height, width) of an image or (length,) of a latent.
        task: the task that the network is usual for; no restriction.
    """

    builder: str
    input_shape: tuple[int, ...]
    task: str

    def __post_init__(self) -> None:
        """Checks the entry."""
        module, _, attribute = self.builder.partition(":")
        if not module or not attribute:
            raise ValueError(f"builder {self.builder!r} must read module:attribute")
        if self.task not in TASKS:
            raise ValueError(f"task {self.task!r} is not known: use one of {', '.join(TASKS)}")
        _check_shape(self.input_shape, str(self.input_shape))


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "resnet": Network(".resnet:resnet", (3, 256, 256), "unpaired"),
        "resnet_9blocks": Network(".resnet:resnet_9blocks", (3, 256, 256), "unpaired"),
        "resnet_6blocks": Network(".resnet:resnet_6blocks", (3, 256, 256), "unpaired"),
        "mobile_resnet_9blocks": Network(".mobile_resnet:mobile_resnet_9blocks", (3, 256, 256), "unpaired"),
        "unet": Network(".unet:unet", (3, 256, 256), "paired"),
        "unet_256": Network(".unet:unet_256", (3, 256, 256), "paired"),
        "unet_128": Network(".unet:unet_128", (3, 128, 128), "paired"),
        "sngan_32": Network(".sngan:sngan_32", (128,), "unconditional"),
    }
)

DISCRIMINATORS: Mapping[str, Network] = MappingProxyType(
    {
        "basic": Network(".patchgan:basic", (3, 256, 256), "unpaired"),
        "n_layers": Network(".patchgan:n_layers", (3, 256, 256), "unpaired"),
        "pixel": Network(".patchgan:pixel", (3, 256, 256), "unpaired"),
        "sngan": Network(".sngan:sngan_discriminator", (3, 32, 32), "unconditional"),
    }
)


def build(model: str, arguments: Mapping[str, Any] = MappingProxyType({})) -> "nn.Module":
    """A new network with fresh weights, at full width.

    Args:
        model: a name of `NETWORKS` or `DISCRIMINATORS`, `package.module:function`, or
            `path/to/file.py:function`. A file is run when it is loaded, as any Python file is: name only
            files that you trust. It must stand alone (no imports of files beside it).
        arguments: keyword arguments of the builder.

    Returns:
        The module that the builder returned, in the mode and on the device that it chose.

    Raises:
        ValueError: the name, the file, the attribute or an argument does not fit; one line that says what
            is allowed.
    """
    return call_builder(model, find_builder(model), arguments)


def find_builder(model: str) -> Callable[..., Any]:
    """The function that builds `model`, not yet called; errors as `build`."""
    entry = NETWORKS.get(model) or DISCRIMINATORS.get(model)
    if entry is not None:
        module, _, name = entry.builder.partition(":")
        return getattr(import_module(module, __package__), name)
    if ":" not in model:
        names = ", ".join([*NETWORKS, *DISCRIMINATORS])
        raise UserError(
            f"model {model!r} is not known: use one of {names}, or package.module:function, or path/to/file.py:function"
        )
    return load_builder(model)


def allowed_arguments(model: str) -> tuple[str, ...]:
    """Names of the keyword arguments that the builder of `model` takes; errors as `build`."""
    return named_arguments(find_builder(model))


def parse_input_shape(text: str) -> tuple[int, ...]:
    """Shape of one input from the command line: "3,256,256" -> (3, 256, 256), "latent:128" -> (128,).

    Raises:
        ValueError: the text is neither form, or a size is not a positive whole number.
    """
    stripped = text.strip()
    sizes = stripped.removeprefix(LATENT)
    parts = [part.strip() for part in sizes.split(",")]
    expected = 1 if stripped.startswith(LATENT) else 3
    if len(parts) != expected or not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(
            f"input shape {text!r} is not understood: use channels,height,width such as 3,256,256, "
            "or latent:128 for a generator that starts from a latent"
        )
    return _check_shape(tuple(int(part) for part in parts), text)


def example_input(shape: Sequence[int], n: int = 1, device: Any = None) -> "Tensor":
    """A deterministic batch to run or trace a network with.

    Args:
        shape: (C, H, W) of an image or (d,) of a latent.
        n: batch size.
        device: where the batch lies; "meta" gives an input without values.

    Returns:
        (n, *shape) float32: uniform in [-1, 1] for an image, standard normal for a latent.

    Raises:
        ValueError: the shape or `n` is not positive, or the shape has neither one nor three sizes.
    """
    import torch

    shape = _check_shape(tuple(shape), str(tuple(shape)))
    if n < 1:
        raise ValueError(f"a batch of {n} examples cannot be made: n must be at least 1")
    generator = torch.Generator("cpu").manual_seed(0)
    if len(shape) == 1:
        example = torch.randn(n, *shape, generator=generator, device="cpu")
    else:
        example = torch.rand(n, *shape, generator=generator, device="cpu") * 2 - 1
    return example if device is None else example.to(device)
