"""Example inputs of a network as its specification, and calibration inputs from any iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.files.errors import UserError
from ...gan_models.networks.output_selection import named_outputs, shown
from ...gan_models.networks.specs import DEFAULT_INPUT_NAME, Input, InputSpec

CALIBRATION_INPUTS = 64  # as in a study
BATCHED_IMAGE = 4  # axes: N, C, H, W

Inputs = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True)
class Examples:
    """Example inputs of a network.

    Attributes:
        tensors: One per input, batch axis first, on the CPU.
        spec: Inputs of these shapes and kinds, as files for other runtimes name them.
    """

    tensors: tuple[Tensor, ...]
    spec: InputSpec

    @classmethod
    def of(cls, given: Any) -> Examples:
        """Return the example inputs of a call.

        Args:
            given: A tensor, or a tuple or list of tensors, batch axis first: images [N, C, H, W], sound [N, C, L],
                latents [N, D] or [N, D, 1, 1], class numbers [N], label maps [N, H, W].

        Raises:
            UserError: Anything else.
        """
        tensors = (given,) if isinstance(given, Tensor) else tuple(given) if isinstance(given, list | tuple) else ()
        if not tensors or not all(isinstance(x, Tensor) for x in tensors):
            raise UserError(
                f"example inputs are not understood: got {_kind(given)}; expected a tensor, or a tuple of tensors in "
                "the order of forward, batch axis first. Try torch.zeros(1, 3, 64, 64)"
            )
        names = (
            (DEFAULT_INPUT_NAME,)
            if len(tensors) == 1
            else tuple(f"{DEFAULT_INPUT_NAME}{number}" for number in range(len(tensors)))
        )
        spec = InputSpec(tuple(_input(name, x) for name, x in zip(names, tensors, strict=True)))
        return cls(tuple(x.detach().cpu() for x in tensors), spec)

    def check_called(self, network: nn.Module) -> None:
        """Check that a network takes the inputs and gives one tensor of their batch.

        Args:
            network: In eval mode, on the CPU.

        Raises:
            UserError: It raises, or its output is not one tensor of the batch size.
        """
        try:
            with torch.no_grad():
                returned = network(*self.tensors)
        except Exception as error:  # a user's network may raise anything
            shapes = " and ".join("x".join(map(str, x.shape)) for x in self.tensors)
            raise UserError(
                f"the network does not run on the example inputs of {shapes}: got {type(error).__name__}: "
                f"{' '.join(str(error).split())[:200]}; expected an output. Try the inputs of its own training code"
            ) from error
        outputs = dict(named_outputs(returned))
        if not outputs:
            raise UserError(f"the network gives no tensor: got {_kind(returned)}; expected an image or several tensors")


def calibration_inputs(given: Any, examples: Examples) -> tuple[Tensor, ...]:
    """Return calibration inputs, one tensor per input of the network, on the CPU.

    Args:
        given: As example inputs, with many entries in a batch; or an iterable of such batches, as a `DataLoader`. Of
            batches at most 64 entries are taken; what a batch holds beyond the network's inputs is left out.
        examples: What the network takes.

    Raises:
        UserError: Another number of tensors, or other shapes, than the network takes; or nothing.
    """
    wanted = len(examples.tensors)
    if isinstance(given, Tensor):
        batches: Iterable[Any] = [(given,)]
    elif isinstance(given, tuple) and all(isinstance(x, Tensor) for x in given):
        batches = [given]
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes):
        batches = given
    else:
        raise UserError(
            f"calibration is not understood: got {_kind(given)}; expected a tensor, a tuple of tensors, or an iterable "
            "of batches. Try a DataLoader of training inputs"
        )
    parts: list[tuple[Tensor, ...]] = []
    for batch in batches:
        tensors = (batch,) if isinstance(batch, Tensor) else tuple(batch) if isinstance(batch, list | tuple) else ()
        parts.append(_fitting(tensors[:wanted], examples, batch))
        if batches is given and sum(len(part[0]) for part in parts) >= CALIBRATION_INPUTS:
            break
    if not parts:
        raise UserError("calibration is empty: got no batch; expected training inputs. Try 64 of them")
    whole = tuple(torch.cat(part) for part in zip(*parts, strict=True))
    return tuple(x[:CALIBRATION_INPUTS] for x in whole) if batches is given else whole


def _fitting(tensors: tuple[Any, ...], examples: Examples, batch: Any) -> tuple[Tensor, ...]:
    """Return a batch's tensors on the CPU. Raises UserError if they are not what the network takes."""
    expected = [tuple(x.shape[1:]) for x in examples.tensors]
    found = [tuple(x.shape[1:]) if isinstance(x, Tensor) else None for x in tensors]
    channels = [shape[:1] for shape in expected]  # other heights and widths may do as well
    if [shape if shape is None else shape[:1] for shape in found] != channels:
        raise UserError(
            f"calibration inputs do not fit the network: got {_shapes(found) or _kind(batch)}; expected "
            f"{_shapes(expected)} after the batch axis, as the example inputs. Try batches of the network's inputs"
        )
    return tuple(x.detach().cpu() for x in tensors)


def _shapes(shapes: list[tuple[int, ...] | None] | list[tuple[int, ...]]) -> str:
    return " and ".join("no tensor" if one is None else "x".join(map(str, one)) or "a number" for one in shapes)


def _input(name: str, x: Tensor) -> Input:
    """Return the specification of one input. Raises UserError if no kind has its shape."""
    sizes = tuple(x.shape[1:])
    if x.ndim and not x.is_floating_point() and not x.is_complex() and len(sizes) in (0, 2):
        return Input(name, "label", sizes, classes=max(2, int(x.max()) + 1))
    if x.is_floating_point() and x.ndim == BATCHED_IMAGE:
        return Input(name, "latent" if sizes[1:] == (1, 1) else "image", sizes)
    if x.is_floating_point() and len(sizes) in (1, 2):
        return Input(name, "latent" if len(sizes) == 1 else "audio", sizes)
    raise UserError(
        f"example input {name} is not understood: got {x.dtype} of {'x'.join(map(str, x.shape)) or 'no axis'}; "
        "expected floats [N, C, H, W], [N, C, L] or [N, D], or whole numbers [N] or [N, H, W]. Try with a batch axis"
    )


def _kind(value: Any) -> str:
    outputs = dict(named_outputs(value))
    return f"{type(value).__name__} of {shown(outputs)}" if outputs else type(value).__name__
